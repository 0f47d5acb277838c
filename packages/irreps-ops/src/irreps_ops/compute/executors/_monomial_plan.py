"""Plans to evaluate products of several operands over the same batch and channels, such as sums of x_i x_j x_k.

The operands of such a product differ in nothing but their components. They share all axes of batch and channels, and at
each position of these *axes* the same polynomial of a few numbers is evaluated. Its coefficients may depend on some of
the axes, the *outer* ones: those of weights that are broadcast. Contracting one operand after another would make dense
tensors of all component pairs, triples, ... Instead the factors are split into *left* and *right* ones. The monomials
of each group are the component tuples that occur, and

    forward:  t[q] = sum_l A[q, l] left[l];  out[o] = sum over q = (r, o) of t[q] right[r]     (one matrix product)
    adjoint:  D[q, l] = sum over axes of right[q] left[l];  out = sum of coefficients * D      (one matrix product)

where A are the coefficients contracted with the weights, once for the whole batch. The second form is for outputs that
are summed over some axes, such as the gradient of weights. The matrices consist of *blocks* that share no monomial (the
signs under reflections alone make eight). These are the connected components of the terms; they are packed into *padded
blocks* of one shape. All of it follows from the terms alone, so a derivative of any order, where x_i x_j g_o takes the
place of x_i x_j x_k, gets its plan in the same way.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from irreps_core import cached
from irreps_ops.compute._cost_model import ELEMENTWISE, THIN
from irreps_ops.compute._terms import Operand, Path

BATCH = "Z"  # the letter of the batch; those of channels are the subscripts of a path


@dataclass(frozen=True, eq=False)
class MonomialPlan:
    """How one path is evaluated through monomials.

    Attributes:
        axes: letters of the axes that all factors share.
        outer: letters of the axes that coefficients depend on (forward), or that the output keeps (adjoint).
        adjoint: whether the adjoint form is used.
        left: positions of the left factors in the path, and their monomials, shape (blocks * n_left, factors).
        right: the same for the right factors, (blocks * n_right, factors); empty if all factors are left ones.
        weights: the same for the factors that have only outer axes.
        table: coefficients of shape (weights, blocks, n_right, n_left); adjoint: (components, ...) of the output.
        components: components of the output that occur.
        selection: forward: ones where a right monomial belongs to such a component, (components, blocks * n_right).
        cost: multiply-add equivalents for each position of the axes.
        outer_cost: the same for each position of the outer axes.
        numbers: intermediate numbers for each position of the axes.
    """

    axes: str
    outer: str
    adjoint: bool
    left: tuple[tuple[int, ...], np.ndarray]
    right: tuple[tuple[int, ...], np.ndarray]
    weights: tuple[tuple[int, ...], np.ndarray]
    table: np.ndarray
    components: np.ndarray
    selection: np.ndarray
    cost: float
    outer_cost: float
    numbers: int


def letters_of(operand: Operand, subscripts: str) -> str:
    """Return the letters of batch and channels of an operand."""
    return (BATCH if operand.batch_axes else "") + subscripts


@cached(maxsize=1024)
def monomial_plan(path: Path, operands: tuple[Operand, ...]) -> MonomialPlan | None:
    """Return the cheapest plan of a path; None if its operands do not share their axes.

    Args:
        path: the path.
        operands: its inputs and, last, its output.
    """
    letters = [letters_of(o, m) for o, m in zip(operands, path.subscripts, strict=True)]
    *factors, target = (frozenset(found) for found in letters)
    axes = max(factors, key=len, default=frozenset())
    slots = tuple(s for s, found in enumerate(factors) if found == axes)
    rest = tuple(s for s, found in enumerate(factors) if found != axes)
    if BATCH not in axes or not target <= axes or not all(factors[s] < axes for s in rest):
        return None
    adjoint = target != axes
    if len(slots) < (2 if adjoint else 1):
        return None
    outer = target if adjoint else frozenset().union(*(factors[s] for s in rest))
    if outer == axes or (adjoint and rest) or any(factors[s] != outer for s in rest):
        return None
    order = letters[slots[0]]
    names = order, "".join(letter for letter in order if letter in outer)
    splits = _splits(path, slots, adjoint)
    found = [_split(path, left, right, adjoint) for left, right in splits]
    best = min(range(len(found)), key=lambda n: found[n].cost)
    left, right = splits[best]
    return _finished(path, names, left, right, rest, found[best], adjoint)


def _splits(path: Path, slots: tuple[int, ...], adjoint: bool) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return all splits of the factors into left and right ones; equal factors are interchangeable."""

    def splits() -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        seen = set()
        for n in range(1, len(slots) + (0 if adjoint else 1)):
            for left in itertools.combinations(slots, n):
                kind = tuple(path.inputs[s] for s in left)
                if kind not in seen:
                    seen.add(kind)
                    yield left, tuple(s for s in slots if s not in left)

    return list(splits())


class _Split(NamedTuple):
    """A split of the factors: the distinct monomials, which one each term uses, their blocks, and the cost."""

    left: np.ndarray
    right: np.ndarray
    at_left: np.ndarray
    at_right: np.ndarray
    blocks: "_PaddedBlocks"
    cost: float


def _unique(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, and for each row its position among them."""
    if not columns.shape[1]:
        return columns[:1], np.zeros(len(columns), int)
    found, position = np.unique(columns, axis=0, return_inverse=True)
    return found, position.reshape(-1)


def _split(path: Path, left: tuple[int, ...], right: tuple[int, ...], adjoint: bool) -> _Split:
    terms = path.coefficients.terms
    lefts, at_left = _unique(terms[:, left])
    rights, at_right = _unique(terms[:, right if adjoint else (*right, -1)])
    blocks = _packed(at_left, at_right)
    n, n_right, n_left = blocks.shape
    made = _products(lefts[:, :-1]) + _products(rights[:, : len(right) - 1]) + n * (n_left + n_right)
    cost = ELEMENTWISE * made + n * _price(n_right, n_left)
    if right and not adjoint:
        cost += ELEMENTWISE * n * n_right + _price(len(np.unique(rights[:, -1])), n * n_right)
    return _Split(lefts, rights, at_left, at_right, blocks, cost)


def _products(monomials: np.ndarray) -> int:
    """Return the number of products that make the monomials, one factor after another."""
    return sum(len(_unique(monomials[:, :n])[0]) for n in range(2, monomials.shape[1] + 1))


def _components(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each edge (a, b) of a graph the number of its connected component."""
    label_a, label_b = np.arange(a.max() + 1), np.zeros(b.max() + 1, int)
    while True:
        label_b[:] = len(label_a)
        np.minimum.at(label_b, b, label_a[a])
        smaller = label_a.copy()
        np.minimum.at(smaller, a, label_b[b])
        if np.array_equal(smaller, label_a):
            return np.unique(label_a[a], return_inverse=True)[1].reshape(-1)
        label_a = smaller


class _PaddedBlocks(NamedTuple):
    """Blocks of one shape, so that all of them are one batched matrix product.

    Attributes:
        shape: number of padded blocks, and of right and left monomials in each.
        left: the position of each left monomial when all padded blocks are laid end to end.
        right: the same for the right monomials.
    """

    shape: tuple[int, int, int]
    left: np.ndarray
    right: np.ndarray


def _packed(at_left: np.ndarray, at_right: np.ndarray) -> _PaddedBlocks:
    """Pack the connected components of the terms, the largest first, each into the emptiest padded block."""
    block = _components(at_left, at_right)
    of_left, of_right = np.zeros(at_left.max() + 1, int), np.zeros(at_right.max() + 1, int)
    of_left[at_left], of_right[at_right] = block, block
    sizes = np.stack([np.bincount(of_right), np.bincount(of_left)], axis=1)
    best, best_price, count = np.zeros(len(sizes), int), np.inf, 1
    while count <= min(len(sizes), 64):
        target, loads = np.zeros(len(sizes), int), np.zeros((count, 2), int)
        for b in np.argsort(-sizes.sum(1), kind="stable"):
            target[b] = np.argmin(loads.sum(1))
            loads[target[b]] += sizes[b]
        n_right, n_left = loads.max(0)
        price = count * (_price(n_right, n_left) + ELEMENTWISE * (n_right + n_left))
        if price < best_price:
            best, best_price = target, price
        count += 1 if count < 8 else 8
    count = best.max() + 1
    (right, n_right), (left, n_left) = (_placed(best[of], count) for of in (of_right, of_left))
    return _PaddedBlocks((count, n_right, n_left), left, right)


def _placed(block: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """Return positions in padded blocks of one size, given the block of each monomial; and that size."""
    size = int(np.bincount(block, minlength=count).max())
    position = np.zeros(len(block), int)
    for b in range(count):
        here = np.flatnonzero(block == b)
        position[here] = b * size + np.arange(len(here))
    return position, size


def _price(a: int, b: int) -> int:
    """Return the cost, for each position of the axes, of a matrix product with a and b monomials."""
    return int(max(min(a, b), THIN) * max(a, b))


def _finished(
    path: Path,
    names: tuple[str, str],
    left: tuple[int, ...],
    right: tuple[int, ...],
    rest: tuple[int, ...],
    split: _Split,
    adjoint: bool,
) -> MonomialPlan:
    """Return the plan of a split: monomials in the order of their blocks, and the tables."""
    terms, values = path.coefficients.terms, path.coefficients.values
    n, n_right, n_left = split.blocks.shape
    weights, at_weight = _unique(terms[:, (-1,) if adjoint else rest])
    at_left, at_right = split.blocks.left[split.at_left], split.blocks.right[split.at_right]
    table = np.zeros((len(weights), n, n_right, n_left))
    np.add.at(table, (at_weight, at_right // n_right, at_right % n_right, at_left % n_left), values)
    components, at_component = np.unique(terms[:, -1], return_inverse=True)
    selection = np.zeros((len(components), n * n_right))
    selection[at_component.reshape(-1), at_right] = 1
    # A position in a padded block that is not taken repeats some monomial; its coefficients are zero.
    lefts, rights = np.zeros(n * n_left, int), np.zeros(n * n_right, int)
    lefts[split.blocks.left], rights[split.blocks.right] = np.arange(len(split.left)), np.arange(len(split.right))
    return MonomialPlan(
        axes=names[0],
        outer=names[1],
        adjoint=adjoint,
        left=(left, split.left[lefts]),
        right=(right, split.right[rights][:, : len(right)]),
        weights=((), weights) if adjoint else (rest, weights),
        table=table,
        components=components,
        selection=selection,
        cost=split.cost,
        outer_cost=float(table.size) if rest or adjoint else 0.0,
        numbers=n * (n_left + 2 * n_right),
    )
