"""Tensors that obey a symmetry of their indices, such as :math:`T_{ijk} = -T_{jik}`, decomposed into irreps.

The choice of one irrep for each index is a block of the tensor. The symmetry group exchanges blocks, so that one block
determines those that the group exchanges with it; it must itself obey only the permutations that keep it in its place.

In a block the indices are coupled one after another by Clebsch-Gordan coefficients. After each coupling, a projection
keeps the part that the permutations of the indices coupled so far leave unchanged. By Schur's lemma a permutation,
which commutes with rotations, acts only on the copies of an irrep: so this is a projection in the small space of the
copies.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from irreps_core import perm
from irreps_core._inputs._caches import cached
from irreps_core.irreps._irrep import IntoIrrep, Irrep
from irreps_core.irreps._irreps import IntoIrreps, Irreps

from ._basis import Basis, SingleIrrep, couple, orthonormal_range, single_irreps
from ._basis_size import check_basis_size
from ._index_symmetry import SignedPermutation, SymmetryGroup


def symmetric_basis(
    irreps: Iterable[IntoIrreps],
    group: SymmetryGroup,
    keep_ir: Iterable[IntoIrrep] | None = None,
    max_order: int | None = None,
) -> Basis:
    """Return an orthonormal basis, by irrep, of the tensors that obey a symmetry group.

    They are those with ``T == sign * T.transpose(p)`` for all (sign, p) of the group. The basis depends on nothing but
    the arguments. The copies of an irrep are ordered by the irreps of the indices (as regrouped), then by their
    multiplicities, then by the coupling path. Each has a positive overlap with the first path that it contains and no
    earlier copy contains.

    Args:
        irreps: the irreps of each index; equal for indices that the group exchanges.
        group: signed permutations, closed under composition, such as those of :func:`parse_symmetry`.
        keep_ir: the wanted irreps (default: all). Others are not computed.
        max_order: the largest sum of degrees, one for each index (default: no limit).

    Returns:
        For each irrep that occurs, in their order, a read-only array of shape ``(copies, d_1, ..., d_n, 2l+1)``: the
        tensors of a copy transform with the irrep.

    Raises:
        ValueError: the basis would take more than 128 MiB; there is no index, or exchanged indices differ in their
            irreps.

    Example:
        >>> from irreps_core import parse_symmetry, symmetric_basis
        >>> _, group = parse_symmetry("ij=ji")
        >>> {ir: copies.shape for ir, copies in symmetric_basis(["1o", "1o"], group).items()}
        {0e: (1, 3, 3, 1), 2e: (1, 3, 3, 5)}
    """
    indices = tuple(Irreps(i) for i in irreps)
    keep = None if keep_ir is None else frozenset(Irrep(ir) for ir in keep_ir)
    check_basis_size(indices, group, keep, max_order)
    return dict(_symmetric_basis(indices, group, keep, max_order))


@cached(maxsize=256)
def _symmetric_basis(
    irreps: tuple[Irreps, ...], group: SymmetryGroup, keep_ir: frozenset[Irrep] | None, max_order: int | None
) -> Basis:
    if not irreps:
        raise ValueError("a tensor needs at least one index, got none")
    for _, p in group:
        for i, j in enumerate(p):
            if irreps[i] != irreps[j]:
                raise ValueError(f"indices {i} and {j} are exchanged, but are of {irreps[i]} and {irreps[j]}")
    found: dict[Irrep, list[tuple[list[_Image], np.ndarray]]] = {}
    for images in _orbits([single_irreps(i) for i in irreps], group):
        first = images[0].block
        if max_order is not None and sum(single.ir.l for single in first) > max_order:
            continue
        own = frozenset((sign, p) for sign, p in group if all(first[i] == first[j] for i, j in enumerate(p)))
        for ir, copies in _block(tuple(single.ir for single in first), own, keep_ir).items():
            found.setdefault(ir, []).append((images, copies))
    dims = [i.dim for i in irreps]
    return {ir: _spread(found[ir], (*dims, ir.dim)) for ir in sorted(found)}


class _Image(NamedTuple):
    """A block, and the signed permutation that turns the first block of its orbit into it."""

    block: tuple[SingleIrrep, ...]
    sign: int
    perm: perm.Perm


def _orbits(singles: Sequence[list[list[SingleIrrep]]], group: SymmetryGroup) -> Iterator[list[_Image]]:
    """Yield the blocks that the group exchanges with one another, until each block has occurred once."""
    elements = sorted(group, key=lambda element: (element[1], -element[0]))  # the identity first
    seen = set()
    for items in itertools.product(*singles):
        for block in itertools.product(*items):
            if block in seen:
                continue
            images = {}
            for sign, p in elements:
                images.setdefault(tuple(block[i] for i in p), (sign, p))
            seen.update(images)
            yield [_Image(moved, *how) for moved, how in images.items()]


def _spread(parts: Sequence[tuple[list[_Image], np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """Write the tensors of all blocks, one after another, each of norm 1."""
    out = np.zeros((sum(len(copies) for _, copies in parts), *shape))
    done = 0
    for images, copies in parts:
        rows = slice(done, done + len(copies))
        for block, sign, p in images:
            place = (slice(s.start, s.start + s.ir.dim) for s in block)
            moved = copies.transpose(0, *(i + 1 for i in p), copies.ndim - 1)
            out[(rows, *place)] = sign / np.sqrt(len(images)) * moved
        done += len(copies)
    return out


@cached(maxsize=1024)
def _block(irreps: tuple[Irrep, ...], group: SymmetryGroup, keep: frozenset[Irrep] | None) -> Basis:
    """Return :func:`symmetric_basis` for indices of one irrep each."""
    basis: Basis = {Irrep(0, 1): np.ones((1, 1))}
    for n, ir in enumerate(irreps, start=1):
        basis = couple(basis, {ir: np.eye(ir.dim)[None]}, _partners(keep, irreps[n:]))
        fixed_tail = tuple(range(n, len(irreps)))
        basis = _project(basis, [(sign, p[:n]) for sign, p in group if p[n:] == fixed_tail])
    return basis


def _partners(keep: frozenset[Irrep] | None, others: Sequence[Irrep]) -> frozenset[Irrep] | None:
    """Return the irreps whose product with the others contains a wanted one."""
    for other in others if keep is not None else ():
        keep = frozenset(ir for wanted in keep or () for ir in wanted * other)
    return keep


def _project(basis: Basis, group: Sequence[SignedPermutation]) -> Basis:
    """Keep the part that the group leaves unchanged."""
    if len(group) == 1:
        return basis
    out: Basis = {}
    for ir, copies in basis.items():
        one = np.ascontiguousarray(copies[..., 0])  # one component is enough, by Schur's lemma
        average = sum(sign * one.transpose(0, *(i + 1 for i in p)) for sign, p in group) / len(group)
        projector = np.reshape(one, (len(one), -1)) @ np.reshape(average, (len(one), -1)).T
        rows = orthonormal_range(projector)
        if len(rows):
            out[ir] = np.tensordot(rows, copies, 1)
    return out
