"""Plans for products of several operands over the same rows and channels, such as sums of x_i x_j x_k over many ijk.

The operands of such a product differ in nothing but their components: rows and channels are *lanes*, in each of which
the same polynomial of a few numbers is evaluated. Its coefficients may depend on some of the lanes' letters: those of
weights shared by all rows. Contracting one operand after another would make dense tensors of all component pairs,
triples, ...; instead the factors are split in two sides, *left* and *right*. The monomials of each side are made of
just the component tuples that occur, and

    forward:  t[q] = sum_l A[q, l] left[l];  out[o] = sum over q = (r, o) of t[q] right[r]     (one matrix product)
    adjoint:  D[q, l] = sum over lanes of right[q] left[l];  out = sum of coefficients * D     (one matrix product)

where A are the coefficients contracted with the weights, once for all rows. The second form is for outputs that are
summed over lanes, such as the gradient of weights. Matrices fall apart into *blocks* that share no monomial (the signs
under reflections alone make eight), found as connected components of the terms, which are packed into *boxes* of one
shape. All of it follows from the terms alone, so a derivative of any order, where x_i x_j g_o takes the place of
x_i x_j x_k, gets its plan in the same way.
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


@dataclass(frozen=True, eq=False)
class LanePlan:
    """How one path is evaluated over lanes.

    Attributes:
        lanes: letters of the lanes.
        batch: letters of the lanes that coefficients depend on (forward), or that the output keeps (adjoint).
        adjoint: which form.
        left: slots of the path that make the left monomials, and these, an array (boxes * n_left, slots) of components.
        right: the same for the right monomials, (boxes * n_right, slots); no slots if there are only left ones.
        weights: the same for the factors that have only letters of the batch.
        table: coefficients, shape (weights, boxes, n_right, n_left); adjoint: (components, ...) of the output.
        components: those of the output that occur.
        selection: forward: ones where a right monomial belongs to such a component, (components, boxes * n_right).
        cost: multiply-adds for each lane, with what takes as long.
        per_batch: the same for each element of the batch.
        numbers: numbers kept for each lane.
    """

    lanes: str
    batch: str
    adjoint: bool
    left: tuple[tuple[int, ...], np.ndarray]
    right: tuple[tuple[int, ...], np.ndarray]
    weights: tuple[tuple[int, ...], np.ndarray]
    table: np.ndarray
    components: np.ndarray
    selection: np.ndarray
    cost: float
    per_batch: float
    numbers: int


def letters_of(operand: Operand, modes: str) -> str:
    """The letters of rows and channels of an operand."""
    return (ROW if operand.row_axes else "") + modes


@cached(maxsize=1024)
def lane_plan(path: Path, operands: tuple[Operand, ...]) -> LanePlan | None:
    """The cheapest plan of a path; None if its operands do not have the same lanes, or fewer.

    Args:
        path: what to compute.
        operands: its inputs and, last, its output.
    """
    letters = [letters_of(o, m) for o, m in zip(operands, path.modes, strict=True)]
    *factors, target = (frozenset(found) for found in letters)
    lanes = max(factors, key=len, default=frozenset())
    slots = tuple(s for s, found in enumerate(factors) if found == lanes)
    rest = tuple(s for s, found in enumerate(factors) if found != lanes)
    if ROW not in lanes or not target <= lanes or not all(factors[s] < lanes for s in rest):
        return None
    adjoint = target != lanes
    if len(slots) < (2 if adjoint else 1):
        return None
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
    """A choice of sides: distinct monomials, which of them each term has, their places in boxes, and the price."""

    left: np.ndarray
    right: np.ndarray
    at_left: np.ndarray
    at_right: np.ndarray
    boxes: "_Boxes"
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
    boxes = _packed(at_left, at_right)
    n, n_right, n_left = boxes.shape
    made = _products(lefts[:, :-1]) + _products(rights[:, : len(right) - 1]) + n * (n_left + n_right)
    cost = ELEMENTWISE * made + n * _price(n_right, n_left)
    if right and not adjoint:
        cost += ELEMENTWISE * n * n_right + _price(len(np.unique(rights[:, -1])), n * n_right)
    return _Split(lefts, rights, at_left, at_right, boxes, cost)


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


class _Boxes(NamedTuple):
    """Blocks packed into boxes of one shape, so that all of them are one batched matrix product.

    Attributes:
        shape: number of boxes, right monomials and left monomials of a box.
        left: the place of each left monomial among all of all boxes.
        right: the same for the right monomials.
    """

    shape: tuple[int, int, int]
    left: np.ndarray
    right: np.ndarray


def _packed(at_left: np.ndarray, at_right: np.ndarray) -> _Boxes:
    """The connected components of the terms, the largest first, each into the emptiest box."""
    block = _components(at_left, at_right)
    of_left, of_right = np.zeros(at_left.max() + 1, int), np.zeros(at_right.max() + 1, int)
    of_left[at_left], of_right[at_right] = block, block
    sizes = np.stack([np.bincount(of_right), np.bincount(of_left)], axis=1)
    best, best_price, count = np.zeros(len(sizes), int), np.inf, 1
    while count <= min(len(sizes), 64):
        box, loads = np.zeros(len(sizes), int), np.zeros((count, 2), int)
        for b in np.argsort(-sizes.sum(1), kind="stable"):
            box[b] = np.argmin(loads.sum(1))
            loads[box[b]] += sizes[b]
        n_right, n_left = loads.max(0)
        price = count * (_price(n_right, n_left) + ELEMENTWISE * (n_right + n_left))
        if price < best_price:
            best, best_price = box, price
        count += 1 if count < 8 else 8
    count = best.max() + 1
    (right, n_right), (left, n_left) = (_placed(best[of], count) for of in (of_right, of_left))
    return _Boxes((count, n_right, n_left), left, right)


def _placed(box: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """Places of things in boxes of one size, given the box of each; and that size."""
    size = int(np.bincount(box, minlength=count).max())
    place = np.zeros(len(box), int)
    for b in range(count):
        here = np.flatnonzero(box == b)
        place[here] = b * size + np.arange(len(here))
    return place, size


def _price(a: int, b: int) -> int:
    """Multiply-adds for each lane of a matrix product with a and b monomials, or what takes as long."""
    return int(max(min(a, b), THIN) * max(a, b))


def _finished(
    path: Path,
    names: tuple[str, str],
    left: tuple[int, ...],
    right: tuple[int, ...],
    rest: tuple[int, ...],
    split: _Split,
    adjoint: bool,
) -> LanePlan:
    """The plan of a choice of sides: monomials in the order of their boxes, and the tables."""
    terms, values = path.coefficients.terms, path.coefficients.values
    n, n_right, n_left = split.boxes.shape
    weights, at_weight = _unique(terms[:, (-1,) if adjoint else rest])
    at_left, at_right = split.boxes.left[split.at_left], split.boxes.right[split.at_right]
    table = np.zeros((len(weights), n, n_right, n_left))
    np.add.at(table, (at_weight, at_right // n_right, at_right % n_right, at_left % n_left), values)
    components, at_component = np.unique(terms[:, -1], return_inverse=True)
    selection = np.zeros((len(components), n * n_right))
    selection[at_component.reshape(-1), at_right] = 1
    # A place in a box that is not taken repeats some monomial; its coefficients are zero.
    lefts, rights = np.zeros(n * n_left, int), np.zeros(n * n_right, int)
    lefts[split.boxes.left], rights[split.boxes.right] = np.arange(len(split.left)), np.arange(len(split.right))
    return LanePlan(
        lanes=names[0],
        batch=names[1],
        adjoint=adjoint,
        left=(left, split.left[lefts]),
        right=(right, split.right[rights][:, : len(right)]),
        weights=((), weights) if adjoint else (rest, weights),
        table=table,
        components=components,
        selection=selection,
        cost=split.cost,
        per_batch=float(table.size) if rest or adjoint else 0.0,
        numbers=n * (n_left + 2 * n_right),
    )
