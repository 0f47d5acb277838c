"""Directions in JAX: where they are not traced, each function is one program instead of one for each operation."""

from functools import partial

import jax

from . import _direction_values


@partial(jax.jit, inline=True)
def divided_by_length(r: jax.Array) -> jax.Array:
    """Return unit vectors, see :func:`._directions.unit_vectors`."""
    return _direction_values.divided_by_length(r)


@partial(jax.jit, inline=True)
def corrected(u: jax.Array) -> jax.Array:
    """Correct lengths, see :func:`._directions.with_exact_length`."""
    return _direction_values.corrected(u)
