"""Lengths in JAX, with a rule for their derivatives that keeps these in range, too."""

import jax
import jax.numpy as jnp

from ._length_values import length_values


@jax.custom_jvp
def lengths_of_floats(x: jax.Array) -> jax.Array:
    """Return the lengths along the last axis, which is kept."""
    return length_values(x)


@lengths_of_floats.defjvp
def _(x: tuple[jax.Array], dx: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # By the direction: in terms of the square, derivatives would leave the range of the floats.
    return lengths_of_floats(*x), jnp.sum(_direction(*x) * dx[0], axis=-1, keepdims=True)


def _direction(x: jax.Array) -> jax.Array:
    tiny = float(jnp.finfo(x.dtype).tiny)
    # The scale cancels, so its derivative may be left out. Its reciprocal, by which XLA multiplies, is a normal number.
    size = jnp.max(jnp.abs(jax.lax.stop_gradient(x)), axis=-1, keepdims=True, initial=0)
    zero = size < tiny
    scaled = jnp.where(zero, 0, x / jnp.where(zero, 1, jnp.minimum(size, 1 / tiny)))
    return scaled / jnp.sqrt(jnp.where(zero, 1, jnp.sum(scaled * scaled, axis=-1, keepdims=True)))
