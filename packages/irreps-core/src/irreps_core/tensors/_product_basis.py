"""Tensors without a symmetry of their indices, decomposed into irreps."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core.irreps._irrep import IntoIrrep, Irrep
from irreps_core.irreps._irreps import IntoIrreps, Irreps

from ._basis import Basis, couple, single_irreps
from ._basis_size import check_basis_size


def product_basis(
    irreps: Iterable[IntoIrreps], keep_ir: Iterable[IntoIrrep] | None = None, max_order: int | None = None
) -> Basis:
    """Return an orthonormal basis, by irrep, of the tensors without a symmetry, ordered as in e3nn-jax.

    Pairs of indices, or of groups of indices, are coupled until one is left: first the pair with the fewest
    components, and of several such pairs the first; the coupled pair then becomes the first group. Its copies are
    ordered by the irreps of both, then by the copies of the first and of the second.

    Args:
        irreps: the irreps of each index.
        keep_ir: the wanted irreps (default: all). Others are not computed.
        max_order: the largest sum of degrees, one for each index (default: no limit).

    Returns:
        For each irrep that occurs, in their order, a read-only array of shape ``(copies, d_1, ..., d_n, 2l+1)``: the
        tensors of a copy transform with the irrep.

    Raises:
        ValueError: the basis would take more than 128 MiB; there is no index.

    Example:
        >>> from irreps_core import Irrep, product_basis
        >>> product_basis(["1o", "1o", "1o"])[Irrep("1o")].shape
        (3, 3, 3, 3, 3)
    """
    keep = None if keep_ir is None else frozenset(Irrep(ir) for ir in keep_ir)
    indices = tuple(Irreps(i) for i in irreps)
    check_basis_size(indices, None, keep, max_order)
    return dict(_product_basis(indices, keep, max_order))


@cached(maxsize=256)
def _product_basis(irreps: tuple[Irreps, ...], keep_ir: frozenset[Irrep] | None, max_order: int | None) -> Basis:
    if not irreps:
        raise ValueError("a tensor needs at least one index, got none")
    if len(irreps) == 1:
        eye, found = np.eye(irreps[0].dim), {}
        for singles in single_irreps(irreps[0]):
            ir = singles[0].ir
            if (keep_ir is None or ir in keep_ir) and (max_order is None or ir.l <= max_order):
                found[ir] = np.stack([eye[:, s.start : s.start + ir.dim] for s in singles])
        return found
    parts = [(n,) for n in range(len(irreps))]
    while len(parts) > 2:
        pair = min(
            itertools.combinations(parts, 2), key=lambda pair: math.prod(irreps[n].dim for n in pair[0] + pair[1])
        )
        parts = [tuple(sorted(pair[0] + pair[1])), *(part for part in parts if part not in pair)]
    factors = []
    for part, others in (parts, parts[::-1]):
        keep = keep_ir
        for n in others if keep is not None else ():
            keep = frozenset(ir for wanted in keep or () for _, other in irreps[n] for ir in wanted * other)
        factors.append(_product_basis(tuple(irreps[n] for n in part), keep, max_order))
    first, second = factors
    axes = [1 + place for place in np.argsort(parts[0] + parts[1])]
    basis = {ir: copies.transpose(0, *axes, -1) for ir, copies in sorted(couple(first, second, keep_ir).items())}
    return basis if max_order is None else _of_order(basis, irreps, max_order)


def _of_order(basis: Basis, irreps: Sequence[Irreps], max_order: int) -> Basis:
    """Keep the copies whose indices have degrees of at most this sum; each copy lies in one irrep of each index."""
    out: Basis = {}
    for ir, copies in basis.items():
        places = np.abs(copies).reshape(len(copies), -1).argmax(axis=1)
        indices = np.unravel_index(places, copies.shape[1:])[:-1]
        degrees = [np.repeat(i.ls, [2 * l + 1 for l in i.ls])[at] for i, at in zip(irreps, indices, strict=True)]
        kept = copies[np.sum(degrees, axis=0) <= max_order]
        if len(kept):
            out[ir] = kept
    return out
