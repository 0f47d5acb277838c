"""Operations on rows, some rows after others: what an operation makes of them on the way stays in a CPU's cache."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray

from ._chunks import IN_ORDER, sum_over_chunks
from ._polynomial import SHARED

# Bytes of the rows of a chunk: read, written, and made on the way. Measured: half of it and twice as much are as fast.
_CHUNK = 2 << 20
# Fewer chunks are not worth a loop.
_FEWEST = 8


def by_row_chunks(
    function: Callable[..., jax.Array],
    inputs: Sequence[jax.Array],
    shared: Sequence[bool],
    rows: int,
    width: int,
    on_the_way: int = 0,
) -> jax.Array:
    """What a function makes of rows, of shape (rows, width); on CPUs it is given many rows in chunks.

    Args:
        function: called with the inputs, or the same rows of all of them; makes an array of shape (these rows,
            width). It must treat each row for itself.
        inputs: arrays of shape (rows, ...), or shared by all rows.
        shared: which are.
        rows: how many rows there are.
        width: numbers of a row of the result.
        on_the_way: numbers that are made for a row before the result.
    """
    numbers = (
        width + on_the_way + sum(math.prod(x.shape[1:]) for x, same in zip(inputs, shared, strict=True) if not same)
    )
    dtype: Any = jnp.result_type(*inputs)
    count = _chunk_count(rows, numbers, dtype)
    if count == 1:
        return function(*inputs)
    chunk = _chunk_length(rows, count)
    (out,) = sum_over_chunks(
        lambda *some: [function(*some)],
        inputs,
        [SHARED if same else IN_ORDER for same in shared],
        [jax.ShapeDtypeStruct((rows, width), dtype)],
        [IN_ORDER],
        {},
        math.ceil(rows / chunk),
        in_order=(rows, chunk),
    )
    return out


def map_rows(function: Callable[[IrrepsArray], IrrepsArray], x: IrrepsArray) -> IrrepsArray:
    """What a function makes of data, row by row; on CPUs it is given many rows in chunks.

    Args:
        function: makes data of shape (..., its irreps) of data of shape (..., irreps). It must treat each row for
            itself.
        x: the data, with any number of leading axes.
    """
    *leading, dim = x.shape
    rows = math.prod(leading)
    # What is known to be zero costs nothing anyway, and a loop would forget that it is.
    if _chunk_count(rows, 2 * dim, x.dtype) == 1 or any(x.zero_flags):
        return function(x)
    irreps = jax.eval_shape(function, x).irreps
    array = by_row_chunks(
        lambda some: function(IrrepsArray(x.irreps, some)).array,
        [x.array.reshape(rows, dim)],
        [False],
        rows,
        irreps.dim,
    )
    return IrrepsArray(irreps, array.reshape(*leading, irreps.dim))


def _chunk_count(rows: int, numbers: int, dtype: Any) -> int:
    """About how many chunks rows of so many numbers are worth."""
    count = math.ceil(rows * numbers * dtype.itemsize / _CHUNK)
    return count if count >= _FEWEST and jax.default_backend() == "cpu" else 1


def _chunk_length(rows: int, count: int) -> int:
    """About a `count`-th of the rows, such that all chunks are full, if there is such a number near."""
    most = math.ceil(rows / count)
    return next((n for n in range(most, most // 2, -1) if rows % n == 0), most)
