"""Measures of most workloads, derived from the forward function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the gradient with respect to all arguments, as a function of the cotangent and the arguments."""
    return lambda cotangent, *args: jax.vjp(function, *args)[1](cotangent)


def value_and_pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return value and gradient with respect to all arguments, as a function of the cotangent and the arguments."""

    def both(cotangent: Any, *args: Any) -> Any:
        value, gradient = jax.vjp(function, *args)
        return value, gradient(cotangent)

    return both


def mean_square(x: jax.Array) -> jax.Array:
    """Return the mean of the squares of all elements."""
    return jnp.mean(x**2)
