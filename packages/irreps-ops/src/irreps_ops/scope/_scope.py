"""What a layer asks of a framework: parameters, state and random keys, by name."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray

Initializer: TypeAlias = Callable[[jax.Array, tuple[int, ...], Any], jax.Array]
Parameters: TypeAlias = Mapping[str, Any]


@runtime_checkable
class Scope(Protocol):
    """Supplies a layer with what it does not compute: the interface between a layer and a framework.

    A binding implements it for its framework; a layer only uses it. The parameters of a layer form a tree of
    names: `parameter` makes or finds a leaf, `child` is the branch of a layer within the layer. A name that is
    asked for twice is one parameter, shared. The state (running statistics, say) is another tree of the same
    branches. In one branch a name is either a parameter or state or a source of keys.

    A scope may know where it is in the tree of modules: an attribute `path`, "model/linear" say, for messages.
    """

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """The parameter of this name: made by ``initializer(key, shape, dtype)`` at first, found later."""
        ...

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """The state of this name: made like a parameter at first, later what was written last."""
        ...

    def set_state(self, name: str, value: jax.Array) -> None:
        """Write the state of this name, which must have been asked for; a model that is made has its first values."""
        ...

    def key(self, name: str) -> jax.Array:
        """A random key, another one each time; the name, "dropout" say, is that of a framework's stream of keys."""
        ...

    def child(self, name: str) -> "Scope":
        """The scope of a layer within this one."""
        ...


def find_parameter(path: str, parameters: Parameters, name: str, kind: str = "parameter") -> Any:
    """The parameter `name`.

    Args:
        path: its path in the tree, for the message.
        parameters: the branch.
        name: its name in the branch.
        kind: what it is called in the message.

    Raises:
        ValueError: there is none; names its path and what there is.
    """
    if name not in parameters:
        raise ValueError(
            f"{kind} {path!r} is missing, there are {sorted(parameters)}: "
            "these belong to a layer of other irreps or arguments"
        )
    return parameters[name]


def check_parameter(name: str, value: Any, shape: tuple[int, ...], kind: str = "parameter") -> Any:
    """`value`, if it has the shape that the layer expects.

    Args:
        name: its path in the tree, for the message.
        value: an array.
        shape: what it must have.
        kind: what it is called in the message.

    Raises:
        ValueError: another shape; names the parameter and both shapes.
    """
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"{kind} {name!r} must have shape {tuple(shape)}, got {tuple(value.shape)}: "
            "it belongs to a layer of other irreps or sizes"
        )
    return value


def describe_layer(scope: Scope, layer: Any) -> str:
    """A layer and its place in the tree of modules, for messages: ``Linear 'model/linear'``."""
    path = getattr(scope, "path", "")
    return f"{type(layer).__name__} {path!r}" if path else type(layer).__name__


def check_irreps(where: str, name: str, expected: IntoIrreps, x: IrrepsArray) -> IrrepsArray:
    """`x` in the items of `expected`, if its irreps are these, merged or not.

    Args:
        where: the layer, for the message.
        name: what the irreps are called there, `irreps_in` say.
        expected: the irreps that the layer was made for.
        x: what it is called with.

    Raises:
        ValueError: other irreps; names both.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> irr.bindings.check_irreps("Linear 'model/linear'", "irreps_in", "2x0e + 1o", ic.ones("0e + 0e + 1o")).irreps
        2x0e+1x1o
        >>> irr.bindings.check_irreps("Linear 'model/linear'", "irreps_in", "2x0e + 1o", ic.ones("1o"))
        Traceback (most recent call last):
        ...
        ValueError: Linear 'model/linear' was made for irreps_in=2x0e+1x1o, got input of irreps 1x1o
    """
    expected = Irreps(expected)
    if x.irreps.simplify() != expected.simplify():
        raise ValueError(f"{where} was made for {name}={expected}, got input of irreps {x.irreps}")
    return x.rechunk(expected)


def check_inputs(scope: Scope, layer: Any, irreps_in: Sequence[IntoIrreps], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """`inputs` in the items that a module was made for; for bindings whose modules are made before there is data.

    A layer that has an argument `irreps_in` looks itself: it may take another order of them.

    Args:
        scope: of the module, for the message.
        layer: of the module.
        irreps_in: those of the inputs that are IrrepsArrays, when the module was made.
        inputs: what it is called with.

    Raises:
        ValueError: other irreps; names both, and the place of the module.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> def call(scope, *inputs):
        ...     return irr.bindings.check_inputs(scope, irr.LayerNorm(), ["2x0e", "1o"], inputs)
        >>> [x.irreps for x in irr.apply(call, {}, ic.ones("0e + 0e"), ic.ones("1o"))]
        [2x0e, 1x1o]
    """
    number = sum(isinstance(x, IrrepsArray) for x in inputs)
    if hasattr(layer, "irreps_in") or number != len(irreps_in):
        return inputs
    expected = map(Irreps, irreps_in)
    return tuple(_in_items_of(next(expected), x, scope, layer) if isinstance(x, IrrepsArray) else x for x in inputs)


def _in_items_of(expected: Irreps, x: IrrepsArray, scope: Scope, layer: Any) -> IrrepsArray:
    # Where the module is, is only sought for the message: that takes long.
    if x.irreps.simplify() == expected.simplify():
        return x.rechunk(expected)
    return check_irreps(describe_layer(scope, layer), "irreps_in", expected, x)


def example_inputs(*irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
    """Abstract data of one row, from which the shapes of parameters follow.

    Args:
        irreps_in: for each input its irreps; or an int, for that many plain features; or data, which is taken
            as it is.
        dtype: of the data.

    Example:
        >>> import irreps_ops as irr
        >>> x, features = irr.bindings.example_inputs("2x0e + 1o", 8)
        >>> x.irreps, x.shape, features.shape
        (2x0e+1x1o, (5,), (8,))
    """
    inputs = []
    for irreps in irreps_in:
        if hasattr(irreps, "shape"):
            inputs.append(irreps)
        elif isinstance(irreps, int):
            inputs.append(jax.ShapeDtypeStruct((irreps,), dtype))
        else:
            irreps = Irreps(irreps)
            inputs.append(IrrepsArray(irreps, jax.ShapeDtypeStruct((irreps.dim,), dtype)))
    return tuple(inputs)


def named_key(key: jax.Array, name: str) -> jax.Array:
    """A random key for a name: every parameter has its own, whatever order it is made in."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
