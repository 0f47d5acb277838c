"""Rotations and mirrors of an `IrrepsArray`, by one small matrix for each irrep."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace, matmul
from irreps_core.representations._direct_sum import irrep_matrices

from ._base import A, from_chunks


def transform(x: A, q: Any, k: Any = 0, inverse: bool = False) -> A:
    """Rotate by quaternions of shape (..., 4) after `k` inversions of space; leading axes broadcast."""
    xp = array_namespace(x.array, q)
    matrices = irrep_matrices(x.irreps, q, k)
    leading = x.shape[:-1]
    for D in matrices.values():
        leading = xp.broadcast_shapes(x.shape[:-1], D.shape[:-2])
    chunks = []
    for (mul, ir), chunk in zip(x.irreps, x.chunks, strict=True):
        if chunk is None or mul == 0:
            chunks.append(None)
            continue
        D = matrices[ir].astype(x.dtype) if xp.isdtype(x.dtype, "real floating") else matrices[ir]
        rotated = matmul(chunk, D if inverse else xp.swapaxes(D, -1, -2))
        chunks.append(xp.broadcast_to(rotated, (*leading, mul, ir.dim)))
    dtype = next((chunk.dtype for chunk in chunks if chunk is not None), x.dtype)
    return from_chunks(type(x), x.irreps, chunks, leading, dtype, backend=xp)
