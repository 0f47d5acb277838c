"""Block diagonal matrices: a direct sum of representations, from its parts."""

from collections.abc import Sequence
from typing import Any

from irreps_core._inputs._namespace import array_namespace, as_float_arrays, is_jax

from ._block_values import written


def block_diagonal(blocks: Sequence[Any]) -> Any:
    """Return the block diagonal matrices of square blocks.

    Args:
        blocks: at least one array of shape ``(..., d, d)``, where d may differ; the leading axes broadcast.

    Returns:
        Array of shape ``(..., n, n)``, where n is the sum of the d.

    Raises:
        ValueError: there are no blocks, or one is not square.

    Example:
        >>> import numpy as np
        >>> block_diagonal([np.array([[1.0]]), np.array([[2.0, 3.0], [4.0, 5.0]])])
        array([[1., 0., 0.],
               [0., 2., 3.],
               [0., 4., 5.]])
    """
    if not blocks:
        raise ValueError("block_diagonal needs at least one block, received none")
    arrays = as_float_arrays(*blocks)
    for block in arrays:
        if block.ndim < 2 or block.shape[-1] != block.shape[-2]:
            raise ValueError(f"blocks must have shape (..., d, d), received shape {tuple(block.shape)}")
    xp = array_namespace(*arrays)
    leading = xp.broadcast_shapes(*(block.shape[:-2] for block in arrays))
    arrays = [xp.broadcast_to(block, (*leading, *block.shape[-2:])) for block in arrays]
    if is_jax(arrays[0]):
        from ._derivatives import block_diagonal as differentiable  # imports JAX, which is optional

        return differentiable(arrays)
    return written(arrays)
