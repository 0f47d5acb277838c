"""Layers with the arguments that e3nn-jax's Haiku modules have, where those are Haiku's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from irreps_ops.scope._scope import Initializer, Scope

from . import _layers


def initializer(made: Callable[[Any, Any], Any]) -> Initializer:
    """Of Haiku's initializer, which is called with shape and dtype and asks Haiku for its key."""
    return lambda key, shape, dtype: made(shape, dtype)


@dataclass(frozen=True)
class Linear(_layers.Linear):
    """:class:`irreps_ops.Linear`, whose `parameter_initializer` makes initializers of Haiku.

    Args:
        get_parameter: makes or finds each parameter, ``get_parameter(name, shape, std, dtype)``: the argument of
            releases before 0.20.7.
    """

    get_parameter: Callable[[str, tuple[int, ...], float, Any], jax.Array] | None = None

    def _parameter(self, scope: Scope, name: str, shape: tuple[int, ...], dtype: Any, std: float) -> jax.Array:
        if self.get_parameter is not None:
            return self.get_parameter(name, shape, std, dtype)
        return super()._parameter(scope, name, shape, dtype, std)

    def _initializer(self, std: float) -> Initializer:
        if self.parameter_initializer is None:
            return super()._initializer(std)
        made: Any = self.parameter_initializer()
        return initializer(made)
