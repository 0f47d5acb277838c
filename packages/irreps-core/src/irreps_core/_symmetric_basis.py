"""Tensors that obey a symmetry of their indices, such as T_ijk = -T_jik, decomposed into irreps.

:func:`parse_symmetry` turns the formula into a group of signed permutations; :func:`symmetric_basis` couples the
indices one after another by Clebsch-Gordan coefficients, and after each keeps what the permutations of the indices
coupled so far leave unchanged. By Schur's lemma a permutation, which commutes with rotations, acts on the copies of
an irrep alone: so that is a projection in the small space of the copies.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from . import perm
from ._caches import cached
from ._clebsch_gordan import clebsch_gordan
from ._irrep import Irrep
from ._irreps import Irreps

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
def symmetric_basis(irreps: tuple[Irreps, ...], group: Group, keep_ir: frozenset[Irrep] | None = None) -> Basis:
    """Orthonormal basis of the tensors with T == sign * T.transpose(p) for all (sign, p) of a group, by irrep.

    It depends on nothing but the arguments: the copies of an irrep are ordered by the coupling path, and
    each has a positive overlap with the first path it holds and no earlier copy does.

    Args:
        irreps: what each index transforms with; the same for indices that the group exchanges.
        group: signed permutations, closed under composition.
        keep_ir: the irreps wanted (default: all); what cannot lead to them is not made.

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
    basis: Basis = {Irrep(0, 1): np.ones((1, 1))}
    for n in range(1, len(irreps) + 1):
        basis = _couple(basis, _single(irreps[n - 1]), _partners(keep_ir, irreps[n:]))
        fixed_tail = tuple(range(n, len(irreps)))
        basis = _project(basis, [(sign, p[:n]) for sign, p in group if p[n:] == fixed_tail])
    return {ir: basis[ir] for ir in sorted(basis)}


def _single(irreps: Irreps) -> Basis:
    """The basis of one index: unit vectors."""
    found: dict[Irrep, list[np.ndarray]] = {}
    for (mul, ir), place in zip(irreps, irreps.slices(), strict=True):
        unit = np.eye(irreps.dim)[:, place].reshape(irreps.dim, mul, ir.dim)
        found.setdefault(ir, []).append(np.moveaxis(unit, 1, 0))
    return _concatenate(found)


def _partners(keep: frozenset[Irrep] | None, others: Sequence[Irreps]) -> frozenset[Irrep] | None:
    """The irreps whose product with irreps of the others contains one that is wanted."""
    for irreps in others if keep is not None else ():
        keep = frozenset(ir for wanted in keep or () for _, other in irreps for ir in wanted * other)
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
                products = np.einsum("u...i,vdj,ijk->uv...dk", a, b, c, optimize=True)
                found.setdefault(ir, []).append(products.reshape(-1, *products.shape[2:]))
    return _concatenate(found)


def _concatenate(found: dict[Irrep, list[np.ndarray]]) -> Basis:
    return {ir: np.concatenate(arrays) for ir, arrays in found.items() if sum(map(len, arrays))}


def _project(basis: Basis, group: Sequence[SignedPerm]) -> Basis:
    """What the group leaves unchanged."""
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
    rows = np.zeros((0, len(projector)))
    for column in projector.T:
        rest = column
        for _ in range(2):  # the second time removes what rounding left
            rest = projector @ (rest - rows.T @ (rows @ rest))
        norm = np.linalg.norm(rest)
        if norm > 1e-6:
            rows = np.concatenate([rows, rest[None] / norm])
    return rows
