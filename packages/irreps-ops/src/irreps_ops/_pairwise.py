"""Contraction of one path, pair by pair, in the cheapest order, by XLA operations.

A path is a product of tensors: the rows of its inputs and the coefficients. Two tensors are contracted by a matrix
product if they share nothing but rows and what is summed; channels that stay (as in "u, u -> u") make it an
elementwise product and a sum, which XLA fuses.
"""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core._caches import cached

from ._lane_plan import ELEMENTWISE, ROW

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Path

_COMPONENTS = "ABCDEFGHIJKLMNOPQRSTUVWXY"  # of each operand of a path; channels are the modes of the path


class _Tensor(NamedTuple):
    """An array and a letter for each of its axes."""

    letters: str
    array: jax.Array


def pairwise_cost(task: "Task", path: "Path") -> tuple[float, float]:
    """What a contraction takes: multiply-adds, with what takes as long; and the numbers that are kept on the way."""
    operands = task.polynomial.operands(path)
    extents = {**task.polynomial.extents(path), ROW: task.rows}
    letters, axes = [], ""
    for column, operand, letter, modes in zip(
        path.coefficients.terms.T, operands, _COMPONENTS, path.modes, strict=False
    ):
        extents[letter] = len(np.unique(column))
        if extents[letter] > 1 or len(letters) == len(path.inputs):
            axes += letter
        letters.append((ROW if operand.row_axes else "") + (letter if letter in axes else "") + modes)
    *tensors, wanted = letters
    plan = _plan((*tensors, axes), wanted, tuple(extents.items()))
    return plan.cost, plan.kept


def contract_path(task: "Task", path: "Path", read: Sequence[jax.Array]) -> tuple[tuple[int, ...], jax.Array]:
    """Which components of its output a path adds to, and what it adds, with an axis of just these components."""
    operands = task.polynomial.operands(path)
    extents = {**task.polynomial.extents(path), ROW: task.rows}
    # Only the components that occur in the terms take part.
    occurring = [np.unique(column, return_inverse=True) for column in path.coefficients.terms.T]
    tensors, axes, wanted = [], "", ""
    for slot, (operand, letter, modes) in enumerate(zip(operands, _COMPONENTS, path.modes, strict=False)):
        components = occurring[slot][0]
        extents[letter] = len(components)
        rows = ROW if operand.row_axes else ""
        if slot == len(path.inputs):
            axes += letter
            wanted = rows + operand.laid_out(letter, modes)
        elif len(components) == 1:
            x = jax.lax.index_in_dim(
                read[path.inputs[slot]], int(components[0]), operand.component_axis, keepdims=False
            )
            tensors.append(_Tensor(rows + modes, x))
        else:
            axes += letter
            x = _take(read[path.inputs[slot]], components, operand.component_axis)
            tensors.append(_Tensor(rows + operand.laid_out(letter, modes), x))
    dense = np.zeros([len(components) for components, _ in occurring])
    dense[tuple(place.reshape(-1) for _, place in occurring)] = path.coefficients.values
    coefficients = jnp.asarray(dense.reshape([extents[letter] for letter in axes]), task.dtype)
    tensors.append(_Tensor(axes, coefficients))
    return tuple(map(int, occurring[-1][0])), _contract(task, tensors, wanted, extents)


def _take(x: jax.Array, components: np.ndarray, axis: int) -> jax.Array:
    """Some components: all, a slice, or a gather."""
    first, last = int(components[0]), int(components[-1])
    if len(components) == x.shape[axis]:
        return x
    if last - first + 1 == len(components):
        return jax.lax.slice_in_dim(x, first, last + 1, axis=axis)
    return jnp.take(x, components, axis=axis)


def _contract(task: "Task", tensors: list[_Tensor], wanted: str, extents: dict[str, int]) -> jax.Array:
    """The product of all tensors, summed over the letters that are not wanted, with axes in the wanted order."""
    tensors = list(tensors)
    if ROW not in wanted and not any(ROW in t.letters for t in tensors):  # a sum over rows of what no row changes
        tensors[-1] = _Tensor(tensors[-1].letters, tensors[-1].array * extents[ROW])
    for a, b in _plan(tuple(t.letters for t in tensors), wanted, tuple(extents.items())).pairs:
        rest = [t for n, t in enumerate(tensors) if n not in (a, b)]
        keep = set(wanted).union(*(t.letters for t in rest))
        tensors = [*rest, _multiply(task, tensors[a], tensors[b], keep, wanted, extents)]
    letters, x = tensors[0]
    x = jnp.sum(x, axis=tuple(n for n, letter in enumerate(letters) if letter not in wanted))
    letters = "".join(letter for letter in letters if letter in wanted)
    missing = "".join(letter for letter in wanted if letter not in letters)
    x = jnp.broadcast_to(x.reshape((1,) * len(missing) + x.shape), [extents[m] for m in missing] + list(x.shape))
    return jnp.transpose(x, [(missing + letters).index(letter) for letter in wanted])


class _Plan(NamedTuple):
    """Which two tensors to contract, again and again; the result comes last.

    Attributes:
        pairs: places among the tensors that are left.
        cost: multiply-adds, with what takes as long.
        kept: numbers that are kept on the way.
    """

    pairs: tuple[tuple[int, int], ...]
    cost: float
    kept: float


# With more tensors than these there are too many orders to look at all: the cheapest pair is taken each time.
_ALL_ORDERS = 6
# Matrix products of each row pay for a call. Up to so many terms, one pass over the result costs less.
_UNROLLED = 16


@cached(maxsize=4096)
def _plan(tensors: tuple[str, ...], wanted: str, extents: tuple[tuple[str, int], ...]) -> _Plan:
    """The cheapest order of contractions."""
    if len(tensors) == 1:
        return _Plan((), 0.0, 0.0)
    sizes = dict(extents)
    steps = []
    for pair in itertools.combinations(range(len(tensors)), 2):
        rest = tuple(t for n, t in enumerate(tensors) if n not in pair)
        result, cost = _step(tensors[pair[0]], tensors[pair[1]], set(wanted).union(*rest), sizes)
        steps.append((cost, pair, (*rest, result)))
    if len(tensors) > _ALL_ORDERS:
        steps = [min(steps)]
    best = _Plan((), math.inf, 0.0)
    for cost, pair, left in steps:
        if cost >= best.cost:
            continue
        after = _plan(left, wanted, extents)
        size = math.prod(sizes[letter] for letter in left[-1]) if len(left) > 1 else 0
        if cost + after.cost < best.cost:
            best = _Plan((pair, *after.pairs), cost + after.cost, size + after.kept)
    return best


def _is_matrix_product(a: str, b: str, keep: set[str]) -> bool:
    """Whether two tensors share nothing but rows and what is summed."""
    shared = set(a) & set(b)
    return bool(shared - keep) and not (shared & keep) - {ROW}


def _step(a: str, b: str, keep: set[str], sizes: dict[str, int]) -> tuple[str, float]:
    """The letters of the product of two tensors, and what it costs."""
    both = sorted(set(a) | set(b))
    result = "".join(letter for letter in both if letter in keep)
    work = math.prod(sizes[letter] for letter in both)
    if not _is_matrix_product(a, b, keep):
        work *= ELEMENTWISE
    return result, float(work + ELEMENTWISE * math.prod(sizes[letter] for letter in result))


def _multiply(task: "Task", a: _Tensor, b: _Tensor, keep: set[str], wanted: str, extents: dict[str, int]) -> _Tensor:
    """The product of two tensors, summed over what they share and nobody else needs."""
    union = dict.fromkeys(a.letters + b.letters)
    # In the order of the result; before it what is still to be summed.
    order = sorted(union, key=lambda x: (x != ROW, x.islower(), wanted.index(x) if x in wanted else -1))
    out = "".join(letter for letter in order if letter in keep)
    if _is_matrix_product(a.letters, b.letters, keep):
        summed = [letter for letter in order if letter not in keep]
        if ROW in a.letters and ROW in b.letters and _is_one_pass(summed, out, wanted, extents):
            return _Tensor(out, _unrolled(a, b, summed, out, extents))
        a, b = sorted((a, b), key=lambda t: _as_second(t, out, summed))
        return _matrix_product(task, a, b, summed, out)
    x, y = (_aligned(t, order, extents) for t in (a, b))
    return _Tensor(out, jnp.sum(x * y, axis=tuple(n for n, letter in enumerate(order) if letter not in keep)))


def _as_second(tensor: _Tensor, out: str, summed: Sequence[str]) -> tuple[bool, int, int]:
    """What speaks for a tensor as the second factor of a matrix product, rather than the first.

    A first factor should have last what is summed: else it is copied. If neither has, the smaller one is. Else the
    first factor gives the first axes of the result, which is not to be transposed.
    """
    last = bool(tensor.letters) and tensor.letters[-1] in summed
    leading = next((n for n, letter in enumerate(out) if letter != ROW and letter in tensor.letters), len(out))
    return not last, 0 if last else tensor.array.size, leading


def _matrix_product(task: "Task", a: _Tensor, b: _Tensor, summed: Sequence[str], out: str) -> _Tensor:
    """A matrix product as it comes: batch, what is left of the first, what is left of the second."""
    a, b = (_summed(t, [x for x in summed if x not in other.letters]) for t, other in ((a, b), (b, a)))
    batch = [x for x in a.letters if x in b.letters and x in out]
    contracted = [x for x in a.letters if x in b.letters and x not in out]
    places = [[t.letters.index(x) for x in letters] for letters in (contracted, batch) for t in (a, b)]
    y = jax.lax.dot_general(
        a.array, b.array, ((places[0], places[1]), (places[2], places[3])), precision=task.precision
    )
    return _Tensor("".join(batch + [x for t in (a, b) for x in t.letters if x not in batch + contracted]), y)


def _summed(tensor: _Tensor, letters: Sequence[str]) -> _Tensor:
    axes = tuple(n for n, letter in enumerate(tensor.letters) if letter in letters)
    return _Tensor("".join(x for x in tensor.letters if x not in letters), jnp.sum(tensor.array, axis=axes))


def _is_one_pass(summed: Sequence[str], out: str, wanted: str, extents: dict[str, int]) -> bool:
    """Whether a product of rows is better written out: few terms, and few components if these end up last."""
    minor = wanted[-1] if set(wanted) == set(out) else out[-1]
    few = minor.islower() or extents[minor] <= _UNROLLED
    return few and 0 < math.prod(extents[letter] for letter in summed) <= _UNROLLED


def _unrolled(a: _Tensor, b: _Tensor, summed: Sequence[str], out: str, extents: dict[str, int]) -> jax.Array:
    """A sum of few products of each row, written out: one pass over the result."""

    def term(places: Sequence[int]) -> jax.Array:
        at = dict(zip(summed, places, strict=True))
        x, y = (_aligned(_at(t, at), out, extents) for t in (a, b))
        return x * y

    return functools.reduce(operator.add, map(term, itertools.product(*(range(extents[letter]) for letter in summed))))


def _at(tensor: _Tensor, places: dict[str, int]) -> _Tensor:
    """The part of a tensor at places along some axes."""
    index = tuple(places.get(letter, slice(None)) for letter in tensor.letters)
    return _Tensor("".join(letter for letter in tensor.letters if letter not in places), tensor.array[index])


def _aligned(tensor: _Tensor, order: Sequence[str], extents: dict[str, int]) -> jax.Array:
    """The array with its axes in a given order, of length 1 where it has none."""
    present = [letter for letter in order if letter in tensor.letters]
    x = jnp.transpose(tensor.array, [tensor.letters.index(letter) for letter in present])
    return x.reshape([extents[letter] if letter in tensor.letters else 1 for letter in order])
