"""Rotating and mirroring an `IrrepsArray`: one small matrix for each irrep."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._namespace import array_namespace, matmul
from ._representation import irrep_matrices

if TYPE_CHECKING:
    from ._irreps_array import IrrepsArray


def transform(x: "IrrepsArray", q: Any, k: Any = 0, inverse: bool = False) -> "IrrepsArray":
    """Rotate by quaternions of shape (..., 4) after `k` inversions of space; leading axes broadcast."""
    from ._creation import from_chunks

    xp = array_namespace(x.array, q)
    matrices = irrep_matrices(x.irreps, q, k)
    leading = x.shape[:-1]
    for D in matrices.values():
        leading = np.broadcast_shapes(x.shape[:-1], D.shape[:-2])
    chunks = []
    for (mul, ir), chunk in zip(x.irreps, x.chunks, strict=True):
        if chunk is None or mul == 0:
            chunks.append(None)
            continue
        D = matrices[ir].astype(x.dtype) if xp.isdtype(x.dtype, "real floating") else matrices[ir]
        rotated = matmul(chunk, D if inverse else xp.swapaxes(D, -1, -2))
        chunks.append(xp.broadcast_to(rotated, (*leading, mul, ir.dim)))
    dtype = next((chunk.dtype for chunk in chunks if chunk is not None), x.dtype)
    return from_chunks(x.irreps, chunks, leading, dtype, backend=xp)
