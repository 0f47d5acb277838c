"""The interface between layers and frameworks: parameters, state and random keys by name."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray

Initializer: TypeAlias = Callable[[jax.Array, tuple[int, ...], Any], jax.Array]
"""A function of a random key, a shape and a dtype that returns initial values, as in ``jax.nn.initializers``."""
Parameters: TypeAlias = Mapping[str, Any]
"""A tree of names: nested dicts of arrays."""


@runtime_checkable
class Scope(Protocol):
    """The supplier of the parameters, state and random keys of a layer.

    A binding implements it for its framework; a layer only uses it. The parameters of a layer form a tree of names:
    `parameter` creates or finds a leaf, and `child` is the branch of an inner layer. If a layer requests one name
    twice, both requests refer to one shared parameter. The state (for example running statistics) is another tree with
    the same branches. Within one branch, a name refers to either a parameter, state, or a stream of random keys.

    A scope may have an attribute `path`, its path in the tree of modules, for example "model/linear", for error
    messages.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> def scale(scope, x):
        ...     return x * scope.child("inner").parameter("factor", (), jnp.float32, lambda key, *spec: jnp.ones(*spec))
        >>> irr.init(scale, jax.random.key(0), irr.ones("1o"))
        {'inner': {'factor': Array(1., dtype=float32)}}
    """

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """Return the parameter of this name; at initialization create it with ``initializer(key, shape, dtype)``."""
        ...

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """Return the state of this name, created like a parameter, or the value that was written last."""
        ...

    def set_state(self, name: str, value: jax.Array) -> None:
        """Write the state of this name, which must have been requested before; initialization ignores the value."""
        ...

    def key(self, name: str) -> jax.Array:
        """Return a new random key from the framework's stream of this name, for example "dropout"."""
        ...

    def child(self, name: str) -> "Scope":
        """Return the scope of an inner layer."""
        ...


def find_parameter(path: str, parameters: Parameters, name: str, kind: str = "parameter") -> Any:
    """Return a parameter of a branch, or raise an error that names what the branch contains.

    Args:
        path: path of the parameter in the tree, for the message.
        parameters: the branch.
        name: name of the parameter in the branch.
        kind: the word for a parameter in the message.

    Raises:
        ValueError: the branch does not contain the parameter.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.find_parameter("linear/b", {"w": 1.0}, "b")
        Traceback (most recent call last):
        ...
        ValueError: parameter 'linear/b' is missing, there are ['w']: these belong to a layer of other ...
    """
    if name not in parameters:
        raise ValueError(
            f"{kind} {path!r} is missing, there are {sorted(parameters)}: "
            "these belong to a layer of other irreps or arguments"
        )
    return parameters[name]


def check_parameter(name: str, value: Any, shape: tuple[int, ...], kind: str = "parameter") -> Any:
    """Return a parameter, or raise an error if it does not have the shape that the layer expects.

    Args:
        name: path of the parameter in the tree, for the message.
        value: the parameter, an array.
        shape: the expected shape.
        kind: the word for a parameter in the message.

    Raises:
        ValueError: another shape; the message names the parameter and both shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.bindings.check_parameter("linear/w", jnp.ones(3), (3,))
        Array([1., 1., 1.], dtype=float...)
    """
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"{kind} {name!r} must have shape {tuple(shape)}, got {tuple(value.shape)}: "
            "it belongs to a layer of other irreps or sizes"
        )
    return value


def describe_layer(scope: Scope, layer: Any) -> str:
    """Return the name of a layer and its path in the tree of modules, for error messages: ``Linear 'model/linear'``.

    Example:
        >>> import irreps_ops as irr
        >>> class Scope:
        ...     path = "model/linear"
        >>> irr.bindings.describe_layer(Scope(), irr.Linear("4x1o"))
        "Linear 'model/linear'"
    """
    path = getattr(scope, "path", "")
    return f"{type(layer).__name__} {path!r}" if path else type(layer).__name__


def check_irreps(layer: str, name: str, expected: IntoIrreps, x: IrrepsArray) -> IrrepsArray:
    """Return data in the items of the expected irreps; only the grouping of equal neighbours may differ.

    Args:
        layer: description of the layer for the message, see :func:`describe_layer`.
        name: name of the argument that holds the expected irreps, for example `irreps_in`.
        expected: the irreps that the layer was made for.
        x: the data.

    Raises:
        ValueError: other irreps; the message names both.

    Example:
        >>> import irreps_ops as irr
        >>> x = irr.ones("0e + 0e + 1o")
        >>> irr.bindings.check_irreps("Linear 'model/linear'", "irreps_in", "2x0e + 1o", x).irreps
        2x0e+1x1o
        >>> irr.bindings.check_irreps("Linear 'model/linear'", "irreps_in", "2x0e + 1o", irr.ones("1o"))
        Traceback (most recent call last):
        ...
        ValueError: Linear 'model/linear' was made for irreps_in=2x0e+1x1o, got input of irreps 1x1o
    """
    expected = Irreps(expected)
    if x.irreps.simplify() != expected.simplify():
        raise ValueError(f"{layer} was made for {name}={expected}, got input of irreps {x.irreps}")
    return x.rechunk(expected)


def check_inputs(scope: Scope, layer: Any, irreps_in: Sequence[IntoIrreps], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return inputs in the items of the irreps that a module was made for.

    For bindings whose modules create their parameters before they see data. A layer that has an argument `irreps_in`
    checks its input itself, since it may accept another order of the irreps.

    Args:
        scope: scope of the module, for the message.
        layer: layer of the module.
        irreps_in: irreps of the inputs that are IrrepsArrays, given when the module was made.
        inputs: the inputs.

    Raises:
        ValueError: other irreps; the message names both and the path of the module.

    Example:
        >>> import irreps_ops as irr
        >>> def call(scope, *inputs):
        ...     return irr.bindings.check_inputs(scope, irr.LayerNorm(), ["2x0e", "1o"], inputs)
        >>> [x.irreps for x in irr.apply(call, {}, irr.ones("0e + 0e"), irr.ones("1o"))]
        [2x0e, 1x1o]
    """
    number = sum(isinstance(x, IrrepsArray) for x in inputs)
    if hasattr(layer, "irreps_in") or number != len(irreps_in):
        return inputs
    expected = map(Irreps, irreps_in)
    return tuple(_in_items_of(next(expected), x, scope, layer) if isinstance(x, IrrepsArray) else x for x in inputs)


def _in_items_of(expected: Irreps, x: IrrepsArray, scope: Scope, layer: Any) -> IrrepsArray:
    # Look for the path of the module only if there is an error: the search is slow.
    if x.irreps.simplify() == expected.simplify():
        return x.rechunk(expected)
    return check_irreps(describe_layer(scope, layer), "irreps_in", expected, x)


def example_inputs(*irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
    """Return abstract data without a batch, which determines the shapes of parameters.

    Args:
        irreps_in: for each input its irreps; or an int, for that many plain features; or data, which is returned as it
            is.
        dtype: dtype of the data.

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
    """Return a random key that depends on a name, so that the order in which parameters are created is irrelevant.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> key = jax.random.key(0)
        >>> irr.bindings.named_key(key, "w") == irr.bindings.named_key(key, "w")
        Array(True, dtype=bool)
        >>> irr.bindings.named_key(key, "w") == irr.bindings.named_key(key, "b")
        Array(False, dtype=bool)
    """
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
