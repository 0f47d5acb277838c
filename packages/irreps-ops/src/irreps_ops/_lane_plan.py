"""Plans for products of several operands over the same rows and channels, such as sums of x_i x_j x_k over many ijk.

The operands of such a product differ in nothing but their components: rows and channels are *lanes*, in each of which
the same polynomial of a few numbers is evaluated. Its coefficients may depend on some of the lanes' letters: those of
weights shared by all rows. Contracting one operand after another would make dense tensors of all component pairs,
triples, ...; instead the factors are split in two sides, *left* and *right*. The monomials of each side are made of
just the component tuples that occur, and

    forward:  t[q] = sum_l A[q, l] left[l];  out[o] = sum over q = (r, o) of t[q] right[r]     (one matrix product)
    adjoint:  D[q, l] = sum over lanes of right[q] left[l];  out = sum of coefficients * D     (one matrix product)

where A are the coefficients contracted with the weights, once for all rows. The second form is for outputs that are
summed over lanes, such as the gradient of weights. Matrices fall apart into *blocks* that share no monomial (parity
alone makes two), found as connected components of the terms. All of it follows from the terms alone, so a derivative
of any order, where x_i x_j g_o takes the place of x_i x_j x_k, gets its plan in the same way.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from irreps_core._caches import cached

from ._polynomial import Operand, Path

ROW = "Z"  # the letter of the rows; those of channels are the modes of a path

# Measured on CPU: making a number elementwise takes as long as so many multiply-adds of a matrix product, and the
# products of thin matrices are as slow as if they had so many columns.
ELEMENTWISE = 16
THIN = 8
# A block with fewer coefficients is multiplied out, without a matrix product.
SMALL = 6


class Group(NamedTuple):
    """Coefficients of a block that meet only certain components of the weights.

    Attributes:
        weights: which monomials of the weights (or components of an output of adjoint form).
        table: values of shape (weights, right of this group, left of the block).
    """

    weights: np.ndarray
    table: np.ndarray


class Block(NamedTuple):
    """A part of the matrix that shares no monomials with the others.

    Attributes:
        left: the range of its left monomials; they are ordered by block.
        right: the range of its right monomials (forward: with their output components); ordered by block and group.
        groups: its coefficients, in the order of `right`.
    """

    left: slice
    right: slice
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class LanePlan:
    """How one path is evaluated over lanes.

    Attributes:
        lanes: letters of the lanes.
        batch: letters of the lanes that coefficients depend on (forward), or that the output keeps (adjoint).
        adjoint: which form.
        left: slots of the path that make the left monomials, and these, an array (monomials, slots) of components.
        right: the same for the right monomials; none in forward form, if there is just one factor of one.
        outputs: forward: the output component of each right monomial. Adjoint: None.
        weights: the same as `left` for the factors that have only letters of the batch. Adjoint: no slots.
        blocks: of the matrix.
        cost: multiply-adds for each lane, with what takes as long.
        per_batch: multiply-adds for each element of the batch.
        numbers: numbers kept for each lane.
    """

    lanes: str
    batch: str
    adjoint: bool
    left: tuple[tuple[int, ...], np.ndarray]
    right: tuple[tuple[int, ...], np.ndarray]
    outputs: np.ndarray | None
    weights: tuple[tuple[int, ...], np.ndarray]
    blocks: tuple[Block, ...]
    cost: float
    per_batch: float
    numbers: int


def letters_of(operand: Operand, modes: str) -> str:
    """The letters of rows and channels of an operand."""
    return (ROW if operand.row_axes else "") + modes


@cached(maxsize=1024)
def lane_plan(path: Path, operands: tuple[Operand, ...]) -> LanePlan | None:
    """The cheapest plan of a path; None if it is not a product of several operands over the same lanes.

    Args:
        path: what to compute.
        operands: its inputs and, last, its output.
    """
    letters = [letters_of(o, m) for o, m in zip(operands, path.modes, strict=True)]
    *factors, target = (frozenset(found) for found in letters)
    lanes = max(factors, key=len, default=frozenset())
    slots = tuple(s for s, found in enumerate(factors) if found == lanes)
    rest = tuple(s for s, found in enumerate(factors) if found != lanes)
    if ROW not in lanes or len(slots) < 2 or not target <= lanes or not all(factors[s] < lanes for s in rest):
        return None
    adjoint = target != lanes
    batch = target if adjoint else frozenset().union(*(factors[s] for s in rest))
    if batch == lanes or (adjoint and rest) or any(factors[s] != batch for s in rest):
        return None
    order = letters[slots[0]]
    names = order, "".join(letter for letter in order if letter in batch)
    sides = _sides(path, slots, adjoint)
    found = [_split(path, left, right, adjoint) for left, right in sides]
    best = min(range(len(found)), key=lambda n: found[n].cost)
    left, right = sides[best]
    return _finished(path, names, left, right, rest, found[best], adjoint)


def _sides(path: Path, slots: tuple[int, ...], adjoint: bool) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All ways to put factors left and right; equal factors are interchangeable."""

    def ways() -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        seen = set()
        for n in range(1, len(slots) + (0 if adjoint else 1)):
            for left in itertools.combinations(slots, n):
                kind = tuple(path.inputs[s] for s in left)
                if kind not in seen:
                    seen.add(kind)
                    yield left, tuple(s for s in slots if s not in left)

    return list(ways())


class _Split(NamedTuple):
    """A choice of sides: the monomials, the places of the terms among them, the blocks of these, and the price."""

    left: np.ndarray
    right: np.ndarray
    at_left: np.ndarray
    at_right: np.ndarray
    block: np.ndarray  # of each term
    cost: float


def _unique(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows, and for each row which."""
    if not columns.shape[1]:
        return columns[:1], np.zeros(len(columns), int)
    found, place = np.unique(columns, axis=0, return_inverse=True)
    return found, place.reshape(-1)


def _split(path: Path, left: tuple[int, ...], right: tuple[int, ...], adjoint: bool) -> _Split:
    terms = path.coefficients.terms
    lefts, at_left = _unique(terms[:, left])
    rights, at_right = _unique(terms[:, right if adjoint else (*right, -1)])
    block = _components(at_left, at_right)
    factors = rights if adjoint else _unique(terms[:, right])[0]
    cost = ELEMENTWISE * (_products(lefts) + _products(factors) + (0 if adjoint or not right else len(rights)))
    for b in range(block.max() + 1):
        here = block == b
        n_left, n_right = len(np.unique(at_left[here])), len(np.unique(at_right[here]))
        if not adjoint and n_left * n_right < SMALL:
            cost += ELEMENTWISE * n_left * n_right
        else:
            thin, wide = sorted((n_left, n_right))
            cost += max(thin, THIN) * wide
    return _Split(lefts, rights, at_left, at_right, block, cost)


def _products(monomials: np.ndarray) -> int:
    """How many products it takes to make the monomials, one factor after another."""
    return sum(len(_unique(monomials[:, :n])[0]) for n in range(2, monomials.shape[1] + 1))


def _components(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each edge (a, b) of a graph the number of its connected component."""
    label_a, label_b = np.arange(a.max() + 1), np.zeros(b.max() + 1, int)
    while True:
        label_b[:] = len(label_a)
        np.minimum.at(label_b, b, label_a[a])
        smaller = label_a.copy()
        np.minimum.at(smaller, a, label_b[b])
        if np.array_equal(smaller, label_a):
            return np.unique(label_a[a], return_inverse=True)[1].reshape(-1)
        label_a = smaller


def _finished(
    path: Path,
    names: tuple[str, str],
    left: tuple[int, ...],
    right: tuple[int, ...],
    rest: tuple[int, ...],
    split: _Split,
    adjoint: bool,
) -> LanePlan:
    """The plan of a choice of sides: monomials in the order of blocks and groups, and the tables."""
    terms, values = path.coefficients.terms, path.coefficients.values
    weights, at_weight = _unique(terms[:, (-1,) if adjoint else rest])
    # Within a block, what meets the same weights is a group: (2 l + 1) outputs of one irrep, say.
    group = _components(at_weight + split.block * len(weights), split.at_right)
    order_left = _order(split.at_left, (split.block,))
    order_right = _order(split.at_right, (split.block, group))
    at_left, at_right = np.argsort(order_left)[split.at_left], np.argsort(order_right)[split.at_right]
    blocks, per_batch = [], 0
    for b in range(split.block.max() + 1):
        here = split.block == b
        lefts = slice(at_left[here].min(), at_left[here].max() + 1)
        rights = slice(at_right[here].min(), at_right[here].max() + 1)
        groups = []
        for g in np.unique(group[here]):
            these = here & (group == g)
            used, at = np.unique(at_weight[these], return_inverse=True)
            first, last = at_right[these].min(), at_right[these].max()
            table = np.zeros((len(used), last - first + 1, lefts.stop - lefts.start))
            np.add.at(table, (at.reshape(-1), at_right[these] - first, at_left[these] - lefts.start), values[these])
            groups.append((first, Group(used, table)))
            per_batch += table.size
        blocks.append(Block(lefts, rights, tuple(g for _, g in sorted(groups, key=lambda item: item[0]))))
    rights_ordered = split.right[order_right]
    return LanePlan(
        lanes=names[0],
        batch=names[1],
        adjoint=adjoint,
        left=(left, split.left[order_left]),
        right=(right, rights_ordered if adjoint else rights_ordered[:, :-1]),
        outputs=None if adjoint else rights_ordered[:, -1],
        weights=((), weights) if adjoint else (rest, weights),
        blocks=tuple(blocks),
        cost=split.cost,
        per_batch=float(per_batch),
        numbers=len(split.left) + len(split.right) * (1 if adjoint else 2),
    )


def _order(at: np.ndarray, keys: tuple[np.ndarray, ...]) -> np.ndarray:
    """The monomials sorted by the keys of their terms (all terms of a monomial have the same), then as they were."""
    of_each = np.zeros((len(keys), at.max() + 1), int)
    for row, key in zip(of_each, keys, strict=True):
        row[at] = key
    return np.lexsort((np.arange(of_each.shape[1]), *of_each[::-1]))
