"""Writing many arrays side by side on a new last axis, fast on every platform."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

# Measured with 100,000 rows: from here on, writing in place is faster than XLA's concatenation.
_MANY = 32


@jax.custom_jvp
def from_columns(columns: tuple[jax.Array, ...]) -> jax.Array:
    """``jnp.stack(columns, axis=-1)``.

    On a CPU, XLA computes every column into a temporary array, then copies number by number on one core. Updates
    in place are computed where they belong, on all cores: two to three times faster for 121 columns.

    Args:
        columns: one or more arrays of one shape (...) and dtype.

    Returns:
        Array of shape (..., number of columns).
    """
    if len(columns) < _MANY:
        return jnp.stack(columns, axis=-1)
    return jax.lax.platform_dependent(*columns, cpu=_in_place, default=_stacked)


@from_columns.defjvp
def _(columns: tuple[tuple[jax.Array, ...]], tangents: tuple[tuple[jax.Array, ...]]) -> tuple[jax.Array, jax.Array]:
    # The transpose of a stack is slices; that of a chain of updates would be a chain of copies.
    return from_columns(*columns), jnp.stack(tangents[0], axis=-1)


def _stacked(*columns: jax.Array) -> jax.Array:
    return jnp.stack(columns, axis=-1)


@custom_vmap
def _in_place(*columns: jax.Array) -> jax.Array:
    out = jnp.zeros((*columns[0].shape, len(columns)), columns[0].dtype)
    for i, column in enumerate(columns):
        out = jax.lax.dynamic_update_slice_in_dim(out, column[..., None], i, axis=-1)
    return out


@_in_place.def_vmap
def _(size: int, batched: Sequence[bool], *columns: jax.Array) -> tuple[jax.Array, bool]:
    # JAX's own rule would turn every update into a scatter.
    columns = tuple(c if b else jnp.broadcast_to(c, (size, *c.shape)) for c, b in zip(columns, batched, strict=True))
    return _in_place(*columns), True
