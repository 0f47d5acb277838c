"""Layers as pure functions of a tree of parameters, a tree of state and a random key."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from ._scope import Initializer, Parameters, check_parameter, find_parameter, named_key
from ._specs import StateSpec, check_data, layer_specs, of_kind, parameter_specs


def init(layer: Callable[..., Any], key: jax.Array, *inputs: Any, **options: Any) -> dict[str, Any]:
    """Return the initial parameters of a layer.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        key: a JAX random key.
        inputs: inputs of the layer; only their shapes and dtypes matter.
        options: keyword arguments of the call.

    Returns:
        A tree of names: nested dicts of arrays.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
        >>> layer = irr.Linear("4x0e + 1o")
        >>> params = irr.init(layer, jax.random.key(0), x)
        >>> sorted(params)
        ['w[0,0] 2x0e,4x0e', 'w[1,1] 1x1o,1x1o']
        >>> irr.apply(layer, params, x).irreps
        4x0e+1x1o
    """
    return _make(parameter_specs(layer, *inputs, **options), key)


def init_state(layer: Callable[..., Any], key: jax.Array, *inputs: Any, **options: Any) -> dict[str, Any]:
    """Return the initial state of a layer.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        key: a JAX random key.
        inputs: inputs of the layer; only their shapes and dtypes matter.
        options: keyword arguments of the call.

    Returns:
        A tree of names: nested dicts of arrays; empty if the layer has no state.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> state = irr.init_state(irr.BatchNorm(), jax.random.key(0), irr.ones("2x0e + 1o", (5,)))
        >>> {name: value.shape for name, value in state.items()}
        {'running_mean': (2,), 'running_var': (3,)}
    """
    return _make(of_kind(layer_specs(layer, *inputs, **options), StateSpec), key)


def apply(
    layer: Callable[..., Any],
    parameters: Parameters,
    *inputs: Any,
    state: Mapping[str, Any] | None = None,
    key: jax.Array | None = None,
    path: Callable[[], str] = str,
    **options: Any,
) -> Any:
    """Apply a layer with given parameters.

    Args:
        layer: a layer, called as ``layer(scope, *inputs, **options)``.
        parameters: a tree of names, as :func:`init` returns it.
        inputs: inputs of the layer.
        state: a tree of names, as :func:`init_state` returns it, for a layer that has state.
        key: a JAX random key, for a layer that uses random keys. Each inner layer gets a key of its own.
        path: returns the path of the layer in a model, for example "model/linear", for error messages only.
        options: keyword arguments of the call.

    Returns:
        The output of the layer; if `state` is given, a pair of the output and the new state.

    Raises:
        TypeError: irreps in place of data.
        ValueError: a parameter, state or key is missing or has another shape; the message names it.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.apply(irr.Linear("2x1o"), {"w[0,0] 1x1o,2x1o": jnp.ones((1, 2))}, irr.ones("1o"))
        2x1o [1. 1. 1. 1. 1. 1.]
    """
    check_data(layer, inputs)
    new = None if state is None else _copy(state)
    out = layer(_TreeScope(parameters, new, key, path), *inputs, **options)
    return out if new is None else (out, new)


def _make(specs: Mapping[str, Any], key: jax.Array) -> dict[str, Any]:
    """Return the initial values, each made with a key that is derived from its name."""
    return {
        name: (_make(spec, named_key(key, name)) if isinstance(spec, dict) else spec.make(named_key(key, name)))
        for name, spec in specs.items()
    }


def _copy(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, Mapping) else value for name, value in state.items()}


class _TreeScope:
    """A scope that reads parameters from a tree, reads and writes state in another, and derives keys from one key."""

    def __init__(
        self,
        parameters: Parameters,
        state: dict[str, Any] | None,
        key: jax.Array | None,
        root: Callable[[], str],
        branch: str = "",
        asked: dict[str, int] | None = None,
    ) -> None:
        self._parameters, self._state, self._key, self._root, self._branch = parameters, state, key, root, branch
        # The number of requests for each key, by path.
        self._asked: dict[str, int] = {} if asked is None else asked

    @property
    def path(self) -> str:
        return f"{self._root()}/{self._branch}".strip("/")

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        return self._checked(self._parameters, name, shape, "parameter")

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        if self._state is None:
            raise ValueError(
                f"the layer has state, {self._path_of(name)!r}: "
                "create it with irreps_ops.init_state and pass it as state="
            )
        return self._checked(self._state, name, shape, "state")

    def set_state(self, name: str, value: jax.Array) -> None:
        state = {} if self._state is None else self._state
        old = self._found(state, name, "state")
        if value.shape != old.shape:
            check_parameter(self._path_of(name), value, old.shape, "state")
        state[name] = value

    def key(self, name: str) -> jax.Array:
        if self._key is None:
            raise ValueError(f"the layer needs a random key, {self._path_of(name)!r}: pass one as key=")
        branch = self._branch + name
        self._asked[branch] = self._asked.get(branch, 0) + 1
        return jax.random.fold_in(named_key(self._key, branch), self._asked[branch])

    def child(self, name: str) -> "_TreeScope":
        state = None if self._state is None else self._state.get(name, {})
        parameters = self._parameters.get(name, {})
        return _TreeScope(parameters, state, self._key, self._root, f"{self._branch}{name}/", self._asked)

    def _checked(self, tree: Parameters, name: str, shape: tuple[int, ...], kind: str) -> Any:
        value = self._found(tree, name, kind)
        if tuple(value.shape) == tuple(shape):
            return value
        return check_parameter(self._path_of(name), value, shape, kind)

    def _found(self, tree: Parameters, name: str, kind: str) -> Any:
        return tree[name] if name in tree else find_parameter(self._path_of(name), tree, name, kind)

    def _path_of(self, name: str) -> str:
        return f"{self.path}/{name}".lstrip("/")
