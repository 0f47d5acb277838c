"""Tensors that obey a symmetry of their indices, such as T_ijk = -T_jik, decomposed into irreps.

:func:`parse_symmetry` turns the formula into a group of signed permutations. The choice of one irrep for each index is
a block of the tensor. The group exchanges blocks, so that one block of those that it exchanges tells the others; there,
only the permutations that leave the block where it is are to be obeyed (:func:`symmetric_basis`).

In a block the indices are coupled one after another by Clebsch-Gordan coefficients, and after each is kept what the
permutations of the indices coupled so far leave unchanged. By Schur's lemma a permutation, which commutes with
rotations, acts on the copies of an irrep alone: so that is a projection in the small space of the copies.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from irreps_core import perm
from irreps_core._inputs._caches import cached
from irreps_core.coupling._clebsch_gordan import clebsch_gordan
from irreps_core.irreps._irrep import Irrep
from irreps_core.irreps._irreps import Irreps

SignedPerm: TypeAlias = tuple[int, perm.Perm]
Group: TypeAlias = frozenset[SignedPerm]
# For each irrep: its orthonormal copies, shape (copies, d_1, ..., d_n, 2l+1).
Basis: TypeAlias = dict[Irrep, np.ndarray]


def parse_symmetry(formula: str) -> tuple[str, Group]:
    """The indices of a formula and the group of all signed permutations that follow from it.

    A member (sign, p) says T == sign * T.transpose(p).

    Args:
        formula: the indices, one letter each, and what equals them: ``"ij"``, ``"ij=-ji"``, ``"ijkl=jikl=klij"``.

    Returns:
        (indices, group), for example ("ij", {(1, (0, 1)), (-1, (1, 0))}).

    Raises:
        TypeError: not a string.
        ValueError: malformed, or the terms do not have the same indices.

    Example:
        >>> indices, group = parse_symmetry("ijk=-jik")
        >>> indices, sorted(group)
        ('ijk', [(-1, (1, 0, 2)), (1, (0, 1, 2))])
    """
    if not isinstance(formula, str):
        raise TypeError(f"expected a formula of indices such as 'ij=-ji', got {formula!r}")
    first, *others = (term.strip() for term in formula.split("="))
    if not first.isalpha() or len(set(first)) != len(first):
        raise ValueError(
            f"expected a formula such as 'ij=-ji', that starts with different letters without a sign, got {formula!r}"
        )
    n = len(first)
    generators = {_encode(1, perm.identity(n))}
    for term in others:
        sign, letters = (-1, term[1:].strip()) if term.startswith("-") else (1, term)
        if sorted(letters) != sorted(first):
            raise ValueError(f"{term!r} is not a permutation of the indices {first!r} in the formula {formula!r}")
        generators.add(_encode(sign, tuple(letters.index(i) for i in first)))
    return first, frozenset(_decode(p) for p in perm.germinate(generators))


def _encode(sign: int, p: perm.Perm) -> perm.Perm:
    """A signed permutation of n objects as one of n + 2, which exchanges the last two for a minus sign."""
    n = len(p)
    return p + ((n, n + 1) if sign == 1 else (n + 1, n))


def _decode(p: perm.Perm) -> SignedPerm:
    return (1 if p[-1] > p[-2] else -1), p[:-2]


@cached(maxsize=256)
def symmetric_basis(
    irreps: tuple[Irreps, ...],
    group: Group,
    keep_ir: frozenset[Irrep] | None = None,
    max_order: int | None = None,
) -> Basis:
    """Orthonormal basis of the tensors with T == sign * T.transpose(p) for all (sign, p) of a group, by irrep.

    It depends on nothing but the arguments. The copies of an irrep are ordered by the irreps of the indices (as
    regrouped), then by their multiplicities, then by the coupling path; each has a positive overlap with the first path
    it holds and no earlier copy does.

    Args:
        irreps: what each index transforms with; the same for indices that the group exchanges.
        group: signed permutations, closed under composition.
        keep_ir: the irreps wanted (default: all); what cannot lead to them is not made.
        max_order: only components whose degrees, one for each index, have at most this sum (default: all).

    Returns:
        For each irrep that occurs, in their order, an array of shape (copies, d_1, ..., d_n, 2l+1): the tensors
        of a copy transform with the irrep. Read-only.

    Raises:
        ValueError: no index, or exchanged indices differ in their irreps.

    Example:
        >>> from irreps_core import Irreps
        >>> _, group = parse_symmetry("ij=ji")
        >>> basis = symmetric_basis((Irreps("1o"), Irreps("1o")), group)
        >>> {ir: copies.shape for ir, copies in basis.items()}
        {0e: (1, 3, 3, 1), 2e: (1, 3, 3, 5)}
    """
    if not irreps:
        raise ValueError("a tensor needs one index at least")
    for _, p in group:
        for i, j in enumerate(p):
            if irreps[i] != irreps[j]:
                raise ValueError(f"indices {i} and {j} are exchanged, but are of {irreps[i]} and {irreps[j]}")
    found: dict[Irrep, list[tuple[list[_Image], np.ndarray]]] = {}
    for images in _orbits([_singles(i) for i in irreps], group):
        first = images[0].block
        if max_order is not None and sum(single.ir.l for single in first) > max_order:
            continue
        own = frozenset((sign, p) for sign, p in group if all(first[i] == first[j] for i, j in enumerate(p)))
        for ir, copies in _block(tuple(single.ir for single in first), own, keep_ir).items():
            found.setdefault(ir, []).append((images, copies))
    dims = [i.dim for i in irreps]
    return {ir: _spread(found[ir], (*dims, ir.dim)) for ir in sorted(found)}


@cached(maxsize=256)
def product_basis(
    irreps: tuple[Irreps, ...], keep_ir: frozenset[Irrep] | None = None, max_order: int | None = None
) -> Basis:
    """Orthonormal basis of the tensors of no symmetry, by irrep; its copies are ordered as in e3nn-jax.

    Two indices, or groups of indices, after another are made one: those with the fewest components, of several such
    pairs the first; what is made comes first from then on. Its copies are ordered by the irreps of both, then by the
    copies of the first and of the second.

    Arguments, result and errors are those of :func:`symmetric_basis`.

    Example:
        >>> from irreps_core import Irrep, Irreps
        >>> basis = product_basis((Irreps("1o"),) * 3)
        >>> {ir: copies.shape for ir, copies in basis.items()}[Irrep("1o")]
        (3, 3, 3, 3, 3)
    """
    if not irreps:
        raise ValueError("a tensor needs one index at least")
    if len(irreps) == 1:
        eye, found = np.eye(irreps[0].dim), {}
        for singles in _singles(irreps[0]):
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
        factors.append(product_basis(tuple(irreps[n] for n in part), keep, max_order))
    first, second = factors
    axes = [1 + place for place in np.argsort(parts[0] + parts[1])]
    basis = {ir: copies.transpose(0, *axes, -1) for ir, copies in sorted(_couple(first, second, keep_ir).items())}
    return basis if max_order is None else _of_order(basis, irreps, max_order)


def _of_order(basis: Basis, irreps: Sequence[Irreps], max_order: int) -> Basis:
    """The copies whose indices have degrees of at most this sum; each copy is in one irrep of each index."""
    out: Basis = {}
    for ir, copies in basis.items():
        places = np.abs(copies).reshape(len(copies), -1).argmax(axis=1)
        indices = np.unravel_index(places, copies.shape[1:])[:-1]
        degrees = [np.repeat(i.ls, [2 * l + 1 for l in i.ls])[at] for i, at in zip(irreps, indices, strict=True)]
        kept = copies[np.sum(degrees, axis=0) <= max_order]
        if len(kept):
            out[ir] = kept
    return out


class _Single(NamedTuple):
    """One irrep of an index, and the place of its components."""

    ir: Irrep
    start: int


class _Image(NamedTuple):
    """A block, and how it follows from the first block of those that the group exchanges."""

    block: tuple[_Single, ...]
    sign: int
    perm: perm.Perm


def _singles(irreps: Irreps) -> list[list[_Single]]:
    """The copies of each irrep, sorted by irrep."""
    found: dict[Irrep, list[_Single]] = {}
    for (mul, ir), place in zip(irreps, irreps.slices(), strict=True):
        found.setdefault(ir, []).extend(_Single(ir, place.start + n * ir.dim) for n in range(mul))
    return [found[ir] for ir in sorted(found)]


def _orbits(singles: Sequence[list[list[_Single]]], group: Group) -> Iterator[list[_Image]]:
    """All blocks, those together that the group exchanges."""
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
    """The tensors of all blocks, one after another, of norm 1 each."""
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
def _block(irreps: tuple[Irrep, ...], group: Group, keep: frozenset[Irrep] | None) -> Basis:
    """:func:`symmetric_basis` of indices of one irrep each."""
    basis: Basis = {Irrep(0, 1): np.ones((1, 1))}
    for n, ir in enumerate(irreps, start=1):
        basis = _couple(basis, {ir: np.eye(ir.dim)[None]}, _partners(keep, irreps[n:]))
        fixed_tail = tuple(range(n, len(irreps)))
        basis = _project(basis, [(sign, p[:n]) for sign, p in group if p[n:] == fixed_tail])
    return basis


def _partners(keep: frozenset[Irrep] | None, others: Sequence[Irrep]) -> frozenset[Irrep] | None:
    """The irreps whose product with the others contains one that is wanted."""
    for other in others if keep is not None else ():
        keep = frozenset(ir for wanted in keep or () for ir in wanted * other)
    return keep


def _couple(first: Basis, second: Basis, keep: frozenset[Irrep] | None = None) -> Basis:
    """All products of copies, by irrep; orthonormal, as the coefficients of all degrees are an orthogonal matrix."""
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


def _project(basis: Basis, group: Sequence[SignedPerm]) -> Basis:
    """What the group leaves unchanged."""
    if len(group) == 1:
        return basis
    out: Basis = {}
    for ir, copies in basis.items():
        one = np.ascontiguousarray(copies[..., 0])  # by Schur's lemma every component tells the same
        average = sum(sign * one.transpose(0, *(i + 1 for i in p)) for sign, p in group) / len(group)
        projector = np.reshape(one, (len(one), -1)) @ np.reshape(average, (len(one), -1)).T
        rows = orthonormal_range(projector)
        if len(rows):
            out[ir] = np.tensordot(rows, copies, 1)
    return out


def orthonormal_range(projector: np.ndarray) -> np.ndarray:
    """Rows that span the range of an orthogonal projector: Gram-Schmidt of its columns from the first to the last.

    No eigenvectors: their signs and their mixing would depend on the linear algebra library.
    """
    rank = round(np.trace(projector))
    rows = np.zeros((0, len(projector)))
    for column in projector.T:
        if len(rows) == rank:
            break
        rest = column
        for _ in range(2):  # the second time removes what rounding left
            rest = projector @ (rest - rows.T @ (rows @ rest))
        norm = np.linalg.norm(rest)
        if norm > 1e-6:
            rows = np.concatenate([rows, rest[None] / norm])
    return rows


def stacked(basis: Basis, dims: Sequence[int]) -> tuple[Irreps, np.ndarray]:
    """A basis as a change of basis: its irreps, and an array of shape (d_1, ..., d_n, irreps.dim)."""
    columns = [np.moveaxis(copies, 0, -2).reshape(*dims, len(copies) * ir.dim) for ir, copies in basis.items()]
    irreps = Irreps([(len(copies), ir) for ir, copies in basis.items()])
    return irreps, np.concatenate([np.zeros((*dims, 0)), *columns], axis=-1)
