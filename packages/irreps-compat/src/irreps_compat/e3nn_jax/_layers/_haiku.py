"""Layers that take Haiku's initializers, as e3nn-jax's Haiku modules do."""

from collections.abc import Callable
from typing import Any

import jax

from irreps_core import frozen
from irreps_ops.bindings import Initializer, Scope

from . import _configured


def from_haiku(initializer: Callable[[Any, Any], Any]) -> Initializer:
    """Convert an initializer of Haiku, which takes shape and dtype and gets its random key from Haiku."""
    return lambda key, shape, dtype: initializer(shape, dtype)


@frozen
class Linear(_configured.Linear):
    """:class:`irreps_ops.Linear` whose `parameter_initializer` returns initializers of Haiku.

    Args:
        get_parameter: creates or finds each parameter, ``get_parameter(name, shape, std, dtype)``: the argument of
            e3nn-jax before 0.20.7.
    """

    get_parameter: Callable[[str, tuple[int, ...], float, Any], jax.Array] | None = None

    def _parameter(self, scope: Scope, name: str, shape: tuple[int, ...], dtype: Any, std: float) -> jax.Array:
        if self.get_parameter is not None:
            return self.get_parameter(name, shape, std, dtype)
        return super()._parameter(scope, name, shape, dtype, std)

    def _initializer(self, std: float) -> Initializer:
        if self.parameter_initializer is None:
            return super()._initializer(std)
        initializer: Any = self.parameter_initializer()
        return from_haiku(initializer)
