"""Values of block diagonal matrices, for NumPy and JAX arrays, without derivative rules."""

from collections.abc import Sequence
from typing import Any

from irreps_core._inputs._namespace import array_namespace, is_jax


def written(blocks: Sequence[Any]) -> Any:
    """Write the blocks into zeros, so that each number of the result is touched once."""
    xp = array_namespace(*blocks)
    dim = sum(block.shape[-1] for block in blocks)
    matrix = xp.zeros((*blocks[0].shape[:-2], dim, dim), dtype=blocks[0].dtype)
    stop = 0
    for block in blocks:
        start, stop = stop, stop + block.shape[-1]
        index = (..., slice(start, stop), slice(start, stop))
        if is_jax(matrix):
            matrix = matrix.at[index].set(block)
        else:
            matrix[index] = block
    return matrix


def concatenated(blocks: Sequence[Any]) -> Any:
    """Concatenate rows of zeros, block and zeros, one below the other. The transpose only reads the blocks."""
    xp = array_namespace(*blocks)
    dim = sum(block.shape[-1] for block in blocks)
    rows, stop = [], 0
    for block in blocks:
        start, stop = stop, stop + block.shape[-1]
        before = xp.zeros((*block.shape[:-1], start), dtype=block.dtype)
        after = xp.zeros((*block.shape[:-1], dim - stop), dtype=block.dtype)
        rows.append(xp.concat([before, block, after], axis=-1))
    return xp.concat(rows, axis=-2)
