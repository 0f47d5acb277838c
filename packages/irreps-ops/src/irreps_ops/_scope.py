"""The one thing that a layer asks of a framework: parameters by name. And the scope of no framework."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from irreps_core import Irreps, IrrepsArray

Initializer: TypeAlias = Callable[[jax.Array, tuple[int, ...], Any], jax.Array]
Parameters: TypeAlias = Mapping[str, Any]


@runtime_checkable
class Scope(Protocol):
    """Supplies a layer with its parameters: the interface between a layer and a framework.

    A binding implements it for its framework; a layer only uses it. The parameters of a layer form a tree of
    names: `parameter` makes or finds a leaf, `child` is the branch of a layer within the layer. A name that is
    asked for twice is one parameter, shared.
    """

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """The parameter of this name: made by ``initializer(key, shape, dtype)`` at first, found later."""
        ...

    def child(self, name: str) -> "Scope":
        """The scope of a layer within this one."""
        ...


class _Apply:
    """Finds parameters in a tree of names."""

    def __init__(self, parameters: Parameters, path: str = "") -> None:
        self._parameters, self._path = parameters, path

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        path = self._path + name
        return check_parameter(path, find_parameter(path, self._parameters, name), shape)

    def child(self, name: str) -> "_Apply":
        return _Apply(self._parameters.get(name, {}), f"{self._path}{name}/")


def find_parameter(path: str, parameters: Parameters, name: str) -> Any:
    """The parameter `name`.

    Raises:
        ValueError: there is none; names its path and what there is.
    """
    if name not in parameters:
        raise ValueError(
            f"parameter {path!r} is missing, there are {sorted(parameters)}: "
            "these belong to a layer of other irreps or arguments"
        )
    return parameters[name]


def check_parameter(name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """`value`, if it has the shape that the layer expects.

    Raises:
        ValueError: another shape; names the parameter and both shapes.
    """
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"parameter {name!r} must have shape {tuple(shape)}, got {tuple(value.shape)}: "
            "it belongs to a layer of other irreps or sizes"
        )
    return value


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter that a layer asks for.

    Attributes:
        shape: its shape.
        dtype: its dtype.
        initializer: ``initializer(key, shape, dtype)`` makes its first value.
    """

    shape: tuple[int, ...]
    dtype: Any
    initializer: Initializer

    def make(self, key: jax.Array) -> jax.Array:
        """The first value, from a random key."""
        return self.initializer(key, self.shape, self.dtype)


class _Record:
    """Notes which parameters a layer asks for, and hands out zeros."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        check_parameter(name, self._asked.setdefault(name, ParameterSpec(tuple(shape), dtype, initializer)), shape)
        return jnp.zeros(shape, dtype)

    def child(self, name: str) -> "_Record":
        return _Record(self._asked.setdefault(name, {}))


def parameter_specs(layer: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """The parameters that a layer asks for, without making them: a tree of names with :class:`ParameterSpec`.

    Args:
        layer: a layer, called as ``layer(scope, *inputs)``.
        inputs: what the layer is applied to; only shapes and dtypes matter (``jax.ShapeDtypeStruct`` is
            enough), nothing is computed.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> x = ic.IrrepsArray("1o", jax.ShapeDtypeStruct((3,), jnp.float32))
        >>> {name: spec.shape for name, spec in io.parameter_specs(io.Linear("4x1o"), x).items()}
        {'w[0,0] 1x1o,4x1o': (1, 4)}
    """
    asked: dict[str, Any] = {}
    leaves, tree = jax.tree.flatten(inputs, is_leaf=lambda x: isinstance(x, IrrepsArray))

    def record(arrays: list[Any]) -> None:
        # What is known to be zero decides, too, which parameters there are; a JAX tree does not keep it.
        known = [
            IrrepsArray(leaf.irreps, array, zero_flags=leaf.zero_flags) if isinstance(leaf, IrrepsArray) else array
            for leaf, array in zip(leaves, arrays, strict=True)
        ]
        layer(_Record(asked), *jax.tree.unflatten(tree, known))

    jax.eval_shape(record, [leaf.array if isinstance(leaf, IrrepsArray) else leaf for leaf in leaves])
    return asked


def example_inputs(*irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
    """Abstract data of one row, from which the shapes of parameters follow.

    Args:
        irreps_in: for each input its irreps; or an int, for that many plain features; or data, which is taken
            as it is.
        dtype: of the data.

    Example:
        >>> import irreps_ops as io
        >>> x, features = io.example_inputs("2x0e + 1o", 8)
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


def init(layer: Callable[..., Any], key: jax.Array, *inputs: Any) -> dict[str, Any]:
    """Parameters of a layer, without any framework.

    Args:
        layer: a layer, called as ``layer(scope, *inputs)``.
        key: a JAX random key.
        inputs: what the layer is applied to; only shapes and dtypes matter.

    Returns:
        A tree of names: dicts of dicts of arrays.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> x = ic.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
        >>> layer = io.Linear("4x0e + 1o")
        >>> params = io.init(layer, jax.random.key(0), x)
        >>> sorted(params)
        ['w[0,0] 2x0e,4x0e', 'w[1,1] 1x1o,1x1o']
        >>> io.apply(layer, params, x).irreps
        4x0e+1x1o
    """

    def make(specs: dict[str, Any], key: jax.Array) -> dict[str, Any]:
        return {
            name: spec.make(named_key(key, name))
            if isinstance(spec, ParameterSpec)
            else make(spec, named_key(key, name))
            for name, spec in specs.items()
        }

    return make(parameter_specs(layer, *inputs), key)


def apply(layer: Callable[..., Any], parameters: Parameters, *inputs: Any) -> Any:
    """What a layer computes with given parameters, without any framework.

    Args:
        layer: a layer, called as ``layer(scope, *inputs)``.
        parameters: a tree of names as :func:`init` makes it.
        inputs: what the layer is applied to.

    Raises:
        ValueError: a parameter is missing or has another shape; names it.
    """
    return layer(_Apply(parameters), *inputs)
