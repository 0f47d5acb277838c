"""Functions applied to a large batch tile by tile, so that intermediate results stay in the cache of a CPU."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray

from ._cost_model import tile_count, tile_length
from ._terms import Access
from ._tiled_sum import tiled_sum


def in_tiles(
    function: Callable[..., jax.Array],
    inputs: Sequence[jax.Array],
    accesses: Sequence[Access],
    batch: int,
    width: int,
    intermediate: int = 0,
) -> jax.Array:
    """Apply a function to a batch; tile by tile if the batch is large.

    Args:
        function: called with the inputs, or with the same tile of each batched input; returns an array of shape
            (batch or tile, width). It must treat each element of the batch independently.
        inputs: arrays of shape (batch, ...), or broadcast ones of any shape.
        accesses: whether each input is batched or broadcast.
        batch: size of the batch.
        width: numbers in the result for each element of the batch.
        intermediate: numbers in intermediate results for each element of the batch.
    """
    batched = [x for x, access in zip(inputs, accesses, strict=True) if access is Access.BATCHED]
    numbers = width + intermediate + sum(math.prod(x.shape[1:]) for x in batched)
    dtype: Any = jnp.result_type(*inputs)
    count = tile_count(batch, numbers, dtype.itemsize)
    if count == 1:
        return function(*inputs)
    result = jax.ShapeDtypeStruct((batch, width), dtype)
    tile = tile_length(batch, count)
    (out,) = tiled_sum(lambda *tiles: [function(*tiles)], inputs, accesses, [result], [Access.BATCHED], {}, batch, tile)
    return out


def map_in_tiles(function: Callable[[IrrepsArray], IrrepsArray], x: IrrepsArray) -> IrrepsArray:
    """Apply a function to data with any leading axes; tile by tile if there is much of it.

    Args:
        function: from data of shape (..., irreps) to data of shape (..., its irreps). It must treat each element of the
            leading axes independently.
        x: the data.
    """
    *leading, dim = x.shape
    batch = math.prod(leading)
    # Data known to be zero costs nothing, and the loop would lose its zero flags.
    if any(x.zero_flags) or tile_count(batch, 2 * dim, x.dtype.itemsize) == 1:
        return function(x)
    irreps = jax.eval_shape(function, x).irreps

    def of_arrays(array: jax.Array) -> jax.Array:
        return function(IrrepsArray(x.irreps, array)).array

    array = in_tiles(of_arrays, [x.array.reshape(batch, dim)], [Access.BATCHED], batch, irreps.dim)
    return IrrepsArray(irreps, array.reshape(*leading, irreps.dim))
