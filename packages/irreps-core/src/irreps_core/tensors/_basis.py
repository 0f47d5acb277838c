"""Orthonormal bases of spaces of tensors, by irrep: copies of each irrep, their products and their projections."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from irreps_core.coupling._clebsch_gordan import clebsch_gordan
from irreps_core.irreps._irrep import Irrep
from irreps_core.irreps._irreps import Irreps

# For each irrep: its orthonormal copies, shape (copies, d_1, ..., d_n, 2l+1).
Basis: TypeAlias = dict[Irrep, np.ndarray]


class SingleIrrep(NamedTuple):
    """One irrep of an index, and the place of its first component."""

    ir: Irrep
    start: int


def single_irreps(irreps: Irreps) -> list[list[SingleIrrep]]:
    """Return the copies of each irrep that has any, sorted by irrep."""
    found: dict[Irrep, list[SingleIrrep]] = {}
    for (mul, ir), place in zip(irreps, irreps.slices(), strict=True):
        for n in range(mul):
            found.setdefault(ir, []).append(SingleIrrep(ir, place.start + n * ir.dim))
    return [found[ir] for ir in sorted(found)]


def couple(first: Basis, second: Basis, keep: frozenset[Irrep] | None = None) -> Basis:
    """Return all products of copies, by irrep.

    They are orthonormal, because the Clebsch-Gordan coefficients of all degrees form an orthogonal matrix.
    """
    found: dict[Irrep, list[np.ndarray]] = {}
    for ir1, a in first.items():
        for ir2, b in second.items():
            for ir in ir1 * ir2:
                if keep is not None and ir not in keep:
                    continue
                c = clebsch_gordan(ir1.l, ir2.l, ir.l) * np.sqrt(ir.dim)
                flat = b.reshape(len(b), -1, ir2.dim)
                products = np.einsum("u...i,vdj,ijk->uv...dk", a, flat, c, optimize=True)
                found.setdefault(ir, []).append(products.reshape(-1, *a.shape[1:-1], *b.shape[1:-1], ir.dim))
    return {ir: np.concatenate(arrays) for ir, arrays in found.items()}


def orthonormal_range(projector: np.ndarray) -> np.ndarray:
    """Return rows that span the range of an orthogonal projector: Gram-Schmidt of its columns, first to last.

    The result depends on the projector alone. Eigenvectors would have signs and mixings that depend on the linear
    algebra library.

    Args:
        projector: symmetric matrix P of shape (n, n), :math:`P P = P`.

    Returns:
        float64 array of shape (rank, n), with orthonormal rows.

    Example:
        >>> import numpy as np
        >>> from irreps_core import orthonormal_range
        >>> orthonormal_range(np.array([[0.5, -0.5], [-0.5, 0.5]])).round(3)
        array([[ 0.707, -0.707]])
    """
    rank = round(np.trace(projector))
    rows = np.zeros((0, len(projector)))
    for column in projector.T:
        if len(rows) == rank:
            break
        rest = column
        for _ in range(2):  # the second pass removes rounding errors
            rest = projector @ (rest - rows.T @ (rows @ rest))
        norm = np.linalg.norm(rest)
        if norm > 1e-6:
            rows = np.concatenate([rows, rest[None] / norm])
    return rows


def stack_basis(basis: Basis, dims: Sequence[int]) -> tuple[Irreps, np.ndarray]:
    """Stack a basis into one change of basis.

    Args:
        basis: for each irrep an array of shape ``(copies, *dims, 2l+1)``, as of :func:`symmetric_basis`.
        dims: the dimensions of the indices.

    Returns:
        The irreps of the basis, and an array Q of shape ``(*dims, irreps.dim)``: a tensor is :math:`T = Q x`, where
        x are its components in these irreps.

    Example:
        >>> from irreps_core import parse_symmetry, stack_basis, symmetric_basis
        >>> irreps, q = stack_basis(symmetric_basis(["1o", "1o"], parse_symmetry("ij=ji")[1]), (3, 3))
        >>> irreps, q.shape
        (1x0e+1x2e, (3, 3, 6))
    """
    columns = [np.moveaxis(copies, 0, -2).reshape(*dims, len(copies) * ir.dim) for ir, copies in basis.items()]
    irreps = Irreps([(len(copies), ir) for ir, copies in basis.items()])
    return irreps, np.concatenate([np.zeros((*dims, 0)), *columns], axis=-1)
