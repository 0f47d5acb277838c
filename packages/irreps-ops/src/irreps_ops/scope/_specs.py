"""The parameters, state and random keys that a layer requests, found without computing anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import Irrep, Irreps, IrrepsArray, MulIrrep

from ._scope import Initializer, Scope, check_parameter


@dataclass(frozen=True)
class _Spec:
    shape: tuple[int, ...]
    dtype: Any
    initializer: Initializer

    def make(self, key: jax.Array) -> jax.Array:
        """Return the initial value, made with a random key."""
        return self.initializer(key, self.shape, self.dtype)


class ParameterSpec(_Spec):
    """A parameter that a layer requests.

    Attributes:
        shape: shape of the parameter.
        dtype: dtype of the parameter.
        initializer: ``initializer(key, shape, dtype)`` returns the initial value.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.parameter_specs(irr.Linear("4x1o"), irr.ones("1o"))["w[0,0] 1x1o,4x1o"].shape
        (1, 4)
    """


class StateSpec(_Spec):
    """State that a layer requests, with the attributes of :class:`ParameterSpec`.

    Example:
        >>> import irreps_ops as irr
        >>> specs = irr.bindings.layer_specs(irr.BatchNorm(), irr.ones("2x0e", (5,)))
        >>> [name for name, spec in specs.items() if isinstance(spec, irr.bindings.StateSpec)]
        ['running_mean', 'running_var']
    """


@dataclass(frozen=True)
class KeySpec:
    """A stream of random keys that a layer requests.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.layer_specs(irr.Dropout(0.5), irr.ones("2x0e"))
        {'dropout': KeySpec()}
    """


class _RecordingScope:
    """A scope that records the requests of a layer and returns zeros."""

    def __init__(self, requests: dict[str, Any], path: str = "") -> None:
        self._requests, self._path = requests, path

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
        spec = self._requests.get(name)
        if not isinstance(spec, StateSpec):
            raise ValueError(f"a layer writes the state {self._path + name!r}, which it has not requested")
        check_parameter(self._path + name, value, spec.shape, "state")

    def key(self, name: str) -> jax.Array:
        self._once(name, KeySpec())
        return jax.random.key(0)

    def child(self, name: str) -> "_RecordingScope":
        return _RecordingScope(self._once(name, {}), f"{self._path}{name}/")

    def _once(self, name: str, spec: Any) -> Any:
        """Return the first request of this name, which must be of the same kind."""
        first = self._requests.setdefault(name, spec)
        if type(first) is not type(spec):
            raise ValueError(
                f"a layer requests {self._path + name!r} as {type(first).__name__} and as {type(spec).__name__}: "
                "rename one of them"
            )
        return first


def check_data(layer: Any, inputs: tuple[Any, ...]) -> None:
    """Raise an error if irreps, or the text of irreps, are given in place of data.

    Raises:
        TypeError: the message says how to make data.
    """
    for x in inputs:
        if isinstance(x, (str, Irreps, Irrep, MulIrrep)):
            raise TypeError(
                f"{type(layer).__name__} expects data, got {str(x)!r:.200}: pass an IrrepsArray, for example "
                f"irreps_ops.ones({str(x)!r:.200}); of its numbers, initialization needs only shape and dtype"
            )


def layer_specs(layer: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """Return a tree of all that a layer requests, for bindings that create parameters before they see data.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        inputs: inputs of the layer. Nothing is computed; only the shapes and dtypes of arrays matter, so
            ``jax.ShapeDtypeStruct`` is enough.
        options: keyword arguments of the call.

    Returns:
        Nested dicts of :class:`ParameterSpec`, :class:`StateSpec` and :class:`KeySpec`.

    Raises:
        TypeError: irreps in place of data.
        ValueError: one name for requests of different kinds or shapes, or state that is written but not requested.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.layer_specs(irr.Dropout(0.5), irr.ones("1o"))
        {'dropout': KeySpec()}
    """
    check_data(layer, inputs)
    requests: dict[str, Any] = {}
    leaves, tree = jax.tree.flatten((inputs, options), is_leaf=lambda x: isinstance(x, IrrepsArray))
    arrays = [leaf.array if isinstance(leaf, IrrepsArray) else leaf for leaf in leaves]
    # Numbers, flags and functions stay as they are; only arrays become abstract.
    places = [i for i, array in enumerate(arrays) if hasattr(array, "shape")]

    def record(abstract: list[Any]) -> None:
        known = list(leaves)
        for i, array in zip(places, abstract, strict=True):
            leaf = leaves[i]
            # Zero flags, too, determine which parameters there are; a JAX tree does not keep them.
            is_irreps = isinstance(leaf, IrrepsArray)
            known[i] = IrrepsArray(leaf.irreps, array, zero_flags=leaf.zero_flags) if is_irreps else array
        inputs, options = jax.tree.unflatten(tree, known)
        layer(_RecordingScope(requests), *inputs, **options)

    jax.eval_shape(record, [arrays[i] for i in places])
    return requests


def of_kind(specs: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the part of a tree of specs that are of one kind, without empty branches."""
    found = {name: of_kind(spec, kind) if isinstance(spec, dict) else spec for name, spec in specs.items()}
    return {name: spec for name, spec in found.items() if isinstance(spec, kind) or (isinstance(spec, dict) and spec)}


def parameter_specs(layer: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """Return a tree of the parameters that a layer requests, as :class:`ParameterSpec`, without creating them.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        inputs: inputs of the layer; only their shapes and dtypes matter, see :func:`layer_specs`.
        options: keyword arguments of the call.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("1o", jax.ShapeDtypeStruct((3,), jnp.float32))
        >>> {name: spec.shape for name, spec in irr.bindings.parameter_specs(irr.Linear("4x1o"), x).items()}
        {'w[0,0] 1x1o,4x1o': (1, 4)}
    """
    return of_kind(layer_specs(layer, *inputs, **options), ParameterSpec)


def parameters_of(scope: Scope, layer: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """Return the parameters of an inner layer, before it is called.

    For an inner layer that is called inside a loop, where a framework cannot create parameters; pass the result to
    :func:`irreps_ops.apply`.

    Args:
        scope: scope of the inner layer.
        layer: the inner layer, called as ``layer(scope, *inputs)``.
        inputs: inputs of the inner layer; only their shapes and dtypes matter, see :func:`layer_specs`.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> inner, x = irr.Linear("1o"), irr.ones("1o")
        >>> def repeated(scope, x):
        ...     parameters = irr.bindings.parameters_of(scope.child("inner"), inner, x)
        ...     return jax.lax.fori_loop(0, 3, lambda _, x: irr.apply(inner, parameters, x), x)
        >>> parameters = irr.init(repeated, jax.random.key(0), x)
        >>> list(parameters["inner"]), irr.apply(repeated, parameters, x).irreps
        (['w[0,0] 1x1o,1x1o'], 1x1o)
    """

    def find(scope: Scope, specs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: scope.parameter(name, spec.shape, spec.dtype, spec.initializer)
            if isinstance(spec, ParameterSpec)
            else find(scope.child(name), spec)
            for name, spec in specs.items()
        }

    return find(scope, parameter_specs(layer, *inputs))
