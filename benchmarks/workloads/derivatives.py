"""The tasks that most workloads have, made from their forward function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient to all arguments, given that of the result as first argument."""
    return lambda cotangent, *args: jax.vjp(function, *args)[1](cotangent)


def value_and_pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    """The value, and the gradient to all arguments, given that of the result as first argument."""

    def both(cotangent: Any, *args: Any) -> Any:
        value, gradient = jax.vjp(function, *args)
        return value, gradient(cotangent)

    return both


def mean_square(x: jax.Array) -> jax.Array:
    return jnp.mean(x**2)
