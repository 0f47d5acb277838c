"""What a layer asks its scope for, found without computing anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray

from ._scope import Initializer, Scope, check_parameter


@dataclass(frozen=True)
class _Spec:
    shape: tuple[int, ...]
    dtype: Any
    initializer: Initializer

    def make(self, key: jax.Array) -> jax.Array:
        """The first value, from a random key."""
        return self.initializer(key, self.shape, self.dtype)


class ParameterSpec(_Spec):
    """A parameter that a layer asks for.

    Attributes:
        shape: its shape.
        dtype: its dtype.
        initializer: ``initializer(key, shape, dtype)`` makes its first value.
    """


class StateSpec(_Spec):
    """State that a layer asks for: attributes as of :class:`ParameterSpec`."""


@dataclass(frozen=True)
class KeySpec:
    """A source of random keys that a layer asks for."""


class _Record:
    """Notes what a layer asks for, and hands out zeros."""

    def __init__(self, asked: dict[str, Any], path: str = "") -> None:
        self._asked, self._path = asked, path

    @property
    def path(self) -> str:
        return self._path.rstrip("/")

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        spec = self._once(name, ParameterSpec(tuple(shape), dtype, initializer))
        check_parameter(self._path + name, spec, shape)
        return jnp.zeros(shape, dtype)

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        spec = self._once(name, StateSpec(tuple(shape), dtype, initializer))
        check_parameter(self._path + name, spec, shape, "state")
        return jnp.zeros(shape, dtype)

    def set_state(self, name: str, value: jax.Array) -> None:
        spec = self._asked.get(name)
        if not isinstance(spec, StateSpec):
            raise ValueError(f"a layer writes the state {self._path + name!r} that it has not asked for")
        check_parameter(self._path + name, value, spec.shape, "state")

    def key(self, name: str) -> jax.Array:
        self._once(name, KeySpec())
        return jax.random.key(0)

    def child(self, name: str) -> "_Record":
        return _Record(self._once(name, {}), f"{self._path}{name}/")

    def _once(self, name: str, spec: Any) -> Any:
        """What was first asked for by this name, which must be of the same kind."""
        first = self._asked.setdefault(name, spec)
        if type(first) is not type(spec):
            raise ValueError(
                f"a layer asks for {self._path + name!r} as {type(first).__name__} and as {type(spec).__name__}: "
                "one of them needs another name"
            )
        return first


def layer_specs(layer: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """All that a layer asks for: a tree of names, as bindings need it that make parameters before there is data.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        inputs: what the layer is applied to; of arrays only shapes and dtypes matter (``jax.ShapeDtypeStruct`` is
            enough), nothing is computed.
        options: keyword arguments of the call.

    Returns:
        Dicts of dicts of :class:`ParameterSpec`, :class:`StateSpec` and :class:`KeySpec`.

    Raises:
        ValueError: one name for things of different kinds or shapes, or state that is written but never asked for.
    """
    asked: dict[str, Any] = {}
    leaves, tree = jax.tree.flatten((inputs, options), is_leaf=lambda x: isinstance(x, IrrepsArray))
    arrays = [leaf.array if isinstance(leaf, IrrepsArray) else leaf for leaf in leaves]
    # Numbers, flags and functions are what they are; only arrays are abstract.
    places = [i for i, array in enumerate(arrays) if hasattr(array, "shape")]

    def record(abstract: list[Any]) -> None:
        known = list(leaves)
        for i, array in zip(places, abstract, strict=True):
            leaf = leaves[i]
            # What is known to be zero decides, too, which parameters there are; a JAX tree does not keep it.
            is_irreps = isinstance(leaf, IrrepsArray)
            known[i] = IrrepsArray(leaf.irreps, array, zero_flags=leaf.zero_flags) if is_irreps else array
        inputs, options = jax.tree.unflatten(tree, known)
        layer(_Record(asked), *inputs, **options)

    jax.eval_shape(record, [arrays[i] for i in places])
    return asked


def of_kind(specs: dict[str, Any], kind: type) -> dict[str, Any]:
    """The part of a tree that asks for one kind of thing, without branches that have none."""
    found = {name: of_kind(spec, kind) if isinstance(spec, dict) else spec for name, spec in specs.items()}
    return {name: spec for name, spec in found.items() if isinstance(spec, kind) or (isinstance(spec, dict) and spec)}


def parameter_specs(layer: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """The parameters that a layer asks for, without making them: a tree of names with :class:`ParameterSpec`.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        inputs: what the layer is applied to; only shapes and dtypes matter, see :func:`layer_specs`.
        options: keyword arguments of the call.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jax.ShapeDtypeStruct((3,), jnp.float32))
        >>> {name: spec.shape for name, spec in irr.bindings.parameter_specs(irr.Linear("4x1o"), x).items()}
        {'w[0,0] 1x1o,4x1o': (1, 4)}
    """
    return of_kind(layer_specs(layer, *inputs, **options), ParameterSpec)


def parameters_of(scope: Scope, layer: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """Return the parameters of a layer within a layer, before the layer is called.

    For a layer that is called inside a loop, where a framework cannot create parameters: :func:`irreps_ops.apply`
    takes them.

    Args:
        scope: of the inner layer.
        layer: the inner layer, called as ``layer(scope, *inputs)``.
        inputs: what it is applied to; only shapes and dtypes matter, see :func:`layer_specs`.
    """

    def find(scope: Scope, specs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: scope.parameter(name, spec.shape, spec.dtype, spec.initializer)
            if isinstance(spec, ParameterSpec)
            else find(scope.child(name), spec)
            for name, spec in specs.items()
        }

    return find(scope, parameter_specs(layer, *inputs))
