"""Initializers of parameters that compare, copy and pickle by value, as functions inside functions do not."""

from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class Normal:
    """Normally distributed numbers: the initializer ``jax.nn.initializers.normal(std)``.

    Attributes:
        std: standard deviation.
    """

    std: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        """Return an array of this shape and dtype."""
        return jax.nn.initializers.normal(self.std)(key, shape, dtype)
