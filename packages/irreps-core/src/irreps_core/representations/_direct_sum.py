"""Representation matrices of a direct sum: the Wigner D matrix of each irrep on the diagonal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core.rotations._matrix import matrix_to_quaternion
from irreps_core.rotations._orthogonal import orthogonal

from ._block_diagonal import block_diagonal
from ._wigner import wigner_D_blocks

# A pair (multiplicity, irrep), where an irrep has a degree `l`, a parity `p` and a dimension `dim`. The class belongs
# to a chapter above this one.
_MulIrrep: TypeAlias = Any


def irrep_matrices(irreps: Iterable[_MulIrrep], q: Any, k: Any) -> dict[Any, Any]:
    """Return the matrix p^k D^l(q) of each irrep that occurs, of shape (..., 2l+1, 2l+1).

    Args:
        irreps: the irreps.
        q: quaternions of shape (..., 4), of any length but zero.
        k: how many times space is inverted, integers (or floats of integer value) of shape (...).
    """
    (q,) = as_float_arrays(q)
    xp = array_namespace(q, k)
    distinct = sorted({ir for mul, ir in irreps if mul > 0})
    degrees = tuple(sorted({ir.l for ir in distinct}))
    D = dict(zip(degrees, wigner_D_blocks(degrees, q), strict=True))
    if isinstance(k, (int, np.integer)):
        return {ir: D[ir.l] if ir.p == 1 or k % 2 == 0 else -D[ir.l] for ir in distinct}
    k = xp.asarray(k)
    odd = xp.where(k % 2 == 0, 1, -1).astype(q.dtype)[..., None, None]
    shape = xp.broadcast_shapes(odd.shape[:-2], q.shape[:-1])
    odd = xp.broadcast_to(odd, (*shape, 1, 1))
    return {
        ir: xp.broadcast_to(D[ir.l], (*shape, ir.dim, ir.dim)) * (odd if ir.p == -1 else xp.ones_like(odd))
        for ir in distinct
    }


def representation_matrix(irreps: Sequence[_MulIrrep], q: Any, k: Any) -> Any:
    """Return block diagonal matrices of shape (..., dim, dim); arguments as in :func:`irrep_matrices`."""
    blocks = irrep_matrices(irreps, q, k)
    if len(irreps) == 1 and irreps[0].mul == 1:
        return blocks[irreps[0].ir]
    if sum(item.dim for item in irreps) == 0:
        (q,) = as_float_arrays(q)
        return array_namespace(q).zeros((*q.shape[:-1], 0, 0), q.dtype)
    return block_diagonal([blocks[ir] for mul, ir in irreps for _ in range(mul)])


def block_diagonal_of(irreps: Sequence[_MulIrrep], blocks: Mapping[Any, Any], leading_shape: tuple[int, ...]) -> Any:
    """Put the block of each irrep on the diagonal, repeated by its multiplicity."""
    if sum(item.dim for item in irreps) == 0:
        return np.zeros((*leading_shape, 0, 0))
    return block_diagonal([blocks[ir] for mul, ir in irreps for _ in range(mul)])


def rotation_and_inversions(R: Any) -> tuple[Any, Any]:
    """Return the quaternion of det(R) R, and how many times (0 or 1) R inverts space.

    Args:
        R: orthogonal matrices of shape (..., 3, 3).

    Raises:
        ValueError: the last two axes are not 3 and 3, or a matrix is not orthogonal, unless JAX traces it.
    """
    (R,) = as_float_arrays(R)
    if R.shape[-2:] != (3, 3):
        raise ValueError(f"expected matrices of shape (..., 3, 3), got shape {tuple(R.shape)}")
    R = orthogonal(R, mirrors=True)
    xp = array_namespace(R)
    # The determinant is 1 or -1: a triple product is accurate enough, and cheaper than a factorization.
    determinant = xp.sum(R[..., 0, :] * xp.cross(R[..., 1, :], R[..., 2, :]), axis=-1)
    mirrored = determinant < 0
    sign = xp.where(mirrored, -1, 1).astype(R.dtype)
    return matrix_to_quaternion(R * sign[..., None, None]), mirrored.astype(int)
