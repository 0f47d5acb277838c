"""The loop over tiles: process a batch tile by tile, so that intermediate results stay in the cache.

A tile is a range of the batch. Its inputs are sliced, gathered through an index or passed whole; a function computes
results from them; and these are written to their range of the output, scattered through an index, or summed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ._terms import Access, AnyAccess, Index

Shape = jax.ShapeDtypeStruct


def over_tiles(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Sequence[jax.Array],
    reads: Sequence[AnyAccess],
    outputs: Sequence[Shape],
    writes: Sequence[AnyAccess],
    indices: Mapping[str, jax.Array],
    batch: int,
    tile: int,
    count: int | jax.Array | None = None,
) -> list[jax.Array]:
    """Apply a function tile by tile along the batch.

    Args:
        function: called with the inputs of a tile, arrays of shape (tile, ...); returns arrays of shape (tile, ...), or
            the sum over the tile for a broadcast output.
        inputs: arrays of shape (batch, ...); for an indexed input (rows, ...); for a broadcast one any shape.
        reads: the access of each input.
        outputs: shapes and dtypes of the results, in which they are summed.
        writes: the access of each output.
        indices: for each name integers of shape (batch, ...). Entries out of range read zeros and write nothing.
        batch: size of the batch.
        tile: length of a tile, at most `batch`. If it does not divide the batch, the last tile overlaps the one before.
            Elements that were processed already are masked: batched inputs are zeros and indices are out of range, so
            batched and indexed outputs ignore them. For a broadcast output, the function must return a sum to which
            masked elements add zero.
        count: how many tiles to process; those beyond contribute nothing. Default: all.
    """
    sums = [jnp.zeros(s.shape, s.dtype) for s in outputs]
    if batch == 0 or any(math.prod(index.shape) == 0 for index in indices.values()):
        return sums
    ragged = batch % tile != 0

    def add_tile(t: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
        start = jnp.minimum(t * tile, batch - tile)
        # The elements of the last tile that were processed before.
        done = start + jnp.arange(tile, dtype=start.dtype) < t * tile if ragged else None

        def part(x: jax.Array, filling: Any) -> jax.Array:
            x = jax.lax.dynamic_slice_in_dim(x, start, tile)
            return x if done is None else jnp.where(_column(done, x), jnp.asarray(filling, x.dtype), x)

        rows = {name: part(index, jnp.iinfo(index.dtype).max) for name, index in indices.items()}

        def read(x: jax.Array, access: AnyAccess) -> jax.Array:
            match access:
                case Access.BROADCAST:
                    return x
                case Access.BATCHED:
                    return part(x, 0)
                case Index(name):
                    return x.at[rows[name]].get(mode="fill", fill_value=0, wrap_negative_indices=False)

        def write(total: jax.Array, y: jax.Array, access: AnyAccess) -> jax.Array:
            match access:
                case Access.BROADCAST:
                    return total + y
                case Access.BATCHED:
                    if done is not None:
                        y = jnp.where(_column(done, y), jax.lax.dynamic_slice_in_dim(total, start, tile), y)
                    return jax.lax.dynamic_update_slice_in_dim(total, y, start, axis=0)
                case Index(name):
                    return total.at[rows[name]].add(y, mode="drop", wrap_negative_indices=False)

        results = function(*(read(x, access) for x, access in zip(inputs, reads, strict=True)))
        return [write(total, y, access) for total, y, access in zip(sums, results, writes, strict=True)]

    return jax.lax.fori_loop(0, math.ceil(batch / tile) if count is None else count, add_tile, sums)


def _column(flags: jax.Array, x: jax.Array) -> jax.Array:
    """Give flags for the elements of a tile as many axes as `x` has."""
    return flags.reshape(-1, *[1] * (x.ndim - 1))


def several_tiles(
    function: Callable[..., Sequence[jax.Array]], tiles: int, reads: Sequence[AnyAccess], writes: Sequence[AnyAccess]
) -> Callable[..., list[jax.Array]]:
    """Return a function of `tiles` tiles at once, from a function of one tile."""

    def axis(access: AnyAccess) -> int | None:
        return None if access is Access.BROADCAST else 0

    def split(x: jax.Array, access: AnyAccess) -> jax.Array:
        return x if access is Access.BROADCAST else x.reshape(tiles, x.shape[0] // tiles, *x.shape[1:])

    def merge(y: jax.Array, access: AnyAccess) -> jax.Array:
        return jnp.sum(y, axis=0) if access is Access.BROADCAST else y.reshape(-1, *y.shape[2:])

    mapped = jax.vmap(function, in_axes=[axis(access) for access in reads], axis_size=tiles)

    def together(*inputs: jax.Array) -> list[jax.Array]:
        results = mapped(*(split(x, access) for x, access in zip(inputs, reads, strict=True)))
        return [merge(y, access) for y, access in zip(results, writes, strict=True)]

    return together
