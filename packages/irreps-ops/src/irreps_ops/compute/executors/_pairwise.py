"""Contraction of one path, pair by pair, in the cheapest order, by XLA operations.

A path is a product of tensors: its inputs and the coefficients. Two tensors are contracted by a matrix product if they
share nothing but the batch and the letters that are summed. Channels that stay (as in "u, u -> u") make it an
elementwise product and a sum, which XLA fuses.
"""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._cost_model import ALL_ORDERS, ELEMENTWISE, UNROLLED_TERMS, estimated
from irreps_ops.compute._terms import Path

from ._monomial_plan import BATCH

_COMPONENTS = "ABCDEFGHIJKLMNOPQRSTUVWXY"  # a letter for each operand of a path


class _Tensor(NamedTuple):
    """An array and a letter for each of its axes."""

    letters: str
    array: jax.Array


def pairwise_cost(contraction: Contraction, path: Path) -> tuple[float, float]:
    """Return the cost of a path in multiply-add equivalents, and the numbers in its intermediate results."""
    operands = contraction.polynomial.operands(path)
    extents = {**contraction.polynomial.extents(path), BATCH: contraction.batch}
    letters, axes = [], ""
    for column, operand, letter, subscripts in zip(
        path.coefficients.terms.T, operands, _COMPONENTS, path.subscripts, strict=False
    ):
        extents[letter] = len(np.unique(column))
        if extents[letter] > 1 or len(letters) == len(path.inputs):
            axes += letter
        letters.append((BATCH if operand.batch_axes else "") + (letter if letter in axes else "") + subscripts)
    *tensors, wanted = letters
    plan = _plan((*tensors, axes), wanted, tuple(extents.items()))
    return plan.cost, plan.intermediate


def contract_path(
    contraction: Contraction, path: Path, gathered: Sequence[jax.Array]
) -> tuple[tuple[int, ...], jax.Array]:
    """Return the components of the output that a path reaches, and its values for these components."""
    operands = contraction.polynomial.operands(path)
    extents = {**contraction.polynomial.extents(path), BATCH: contraction.batch}
    # Only the components that occur in the terms take part.
    occurring = [np.unique(column, return_inverse=True) for column in path.coefficients.terms.T]
    tensors, axes, wanted = [], "", ""
    for slot, (operand, letter, subscripts) in enumerate(zip(operands, _COMPONENTS, path.subscripts, strict=False)):
        components = occurring[slot][0]
        extents[letter] = len(components)
        batch = BATCH if operand.batch_axes else ""
        if slot == len(path.inputs):
            axes += letter
            wanted = batch + operand.laid_out(letter, subscripts)
        elif len(components) == 1:
            x = jax.lax.index_in_dim(
                gathered[path.inputs[slot]], int(components[0]), operand.component_axis, keepdims=False
            )
            tensors.append(_Tensor(batch + subscripts, x))
        else:
            axes += letter
            x = _take(gathered[path.inputs[slot]], components, operand.component_axis)
            tensors.append(_Tensor(batch + operand.laid_out(letter, subscripts), x))
    dense = np.zeros([len(components) for components, _ in occurring])
    dense[tuple(position.reshape(-1) for _, position in occurring)] = path.coefficients.values
    coefficients = jnp.asarray(dense.reshape([extents[letter] for letter in axes]), contraction.dtype)
    tensors.append(_Tensor(axes, coefficients))
    return tuple(map(int, occurring[-1][0])), _contract(contraction, tensors, wanted, extents)


def _take(x: jax.Array, components: np.ndarray, axis: int) -> jax.Array:
    """Take some components: all, a slice, or a gather."""
    first, last = int(components[0]), int(components[-1])
    if len(components) == x.shape[axis]:
        return x
    if last - first + 1 == len(components):
        return jax.lax.slice_in_dim(x, first, last + 1, axis=axis)
    return jnp.take(x, components, axis=axis)


def _contract(contraction: Contraction, tensors: list[_Tensor], wanted: str, extents: dict[str, int]) -> jax.Array:
    """Multiply all tensors, sum over the letters that are not wanted, and bring the axes into the wanted order."""
    tensors = list(tensors)
    known = {letter: estimated(extent) for letter, extent in extents.items()}
    if BATCH not in wanted and not any(BATCH in t.letters for t in tensors):  # a sum over the batch of a constant
        tensors[-1] = _Tensor(tensors[-1].letters, tensors[-1].array * extents[BATCH])
    for a, b in _plan(tuple(t.letters for t in tensors), wanted, tuple(known.items())).pairs:
        rest = [t for n, t in enumerate(tensors) if n not in (a, b)]
        keep = set(wanted).union(*(t.letters for t in rest))
        tensors = [*rest, _multiply(contraction, tensors[a], tensors[b], keep, wanted, extents)]
    letters, x = tensors[0]
    x = jnp.sum(x, axis=tuple(n for n, letter in enumerate(letters) if letter not in wanted))
    letters = "".join(letter for letter in letters if letter in wanted)
    missing = "".join(letter for letter in wanted if letter not in letters)
    x = jnp.broadcast_to(x.reshape((1,) * len(missing) + x.shape), [extents[m] for m in missing] + list(x.shape))
    return jnp.transpose(x, [(missing + letters).index(letter) for letter in wanted])


class _Plan(NamedTuple):
    """The order of contraction: which two of the remaining tensors to contract next; the result is put last.

    Attributes:
        pairs: positions among the remaining tensors.
        cost: in multiply-add equivalents.
        intermediate: numbers in intermediate results.
    """

    pairs: tuple[tuple[int, int], ...]
    cost: float
    intermediate: float


@cached(maxsize=4096)
def _plan(tensors: tuple[str, ...], wanted: str, extents: tuple[tuple[str, int], ...]) -> _Plan:
    """Find the cheapest order of contraction."""
    if len(tensors) == 1:
        return _Plan((), 0.0, 0.0)
    sizes = dict(extents)
    steps = []
    for pair in itertools.combinations(range(len(tensors)), 2):
        rest = tuple(t for n, t in enumerate(tensors) if n not in pair)
        result, cost = _step(tensors[pair[0]], tensors[pair[1]], set(wanted).union(*rest), sizes)
        steps.append((cost, pair, (*rest, result)))
    if len(tensors) > ALL_ORDERS:
        steps = [min(steps)]
    best = _Plan((), math.inf, 0.0)
    for cost, pair, left in steps:
        if cost >= best.cost:
            continue
        after = _plan(left, wanted, extents)
        size = math.prod(sizes[letter] for letter in left[-1]) if len(left) > 1 else 0
        if cost + after.cost < best.cost:
            best = _Plan((pair, *after.pairs), cost + after.cost, size + after.intermediate)
    return best


def _is_matrix_product(a: str, b: str, keep: set[str]) -> bool:
    """Tell whether two tensors share nothing but the batch and the letters that are summed."""
    shared = set(a) & set(b)
    return bool(shared - keep) and not (shared & keep) - {BATCH}


def _step(a: str, b: str, keep: set[str], sizes: dict[str, int]) -> tuple[str, float]:
    """Return the letters of the product of two tensors, and its cost."""
    both = sorted(set(a) | set(b))
    result = "".join(letter for letter in both if letter in keep)
    work = math.prod(sizes[letter] for letter in both)
    if not _is_matrix_product(a, b, keep):
        work *= ELEMENTWISE
    return result, float(work + ELEMENTWISE * math.prod(sizes[letter] for letter in result))


def _multiply(
    contraction: Contraction, a: _Tensor, b: _Tensor, keep: set[str], wanted: str, extents: dict[str, int]
) -> _Tensor:
    """Multiply two tensors and sum over the letters that nothing else needs."""
    union = dict.fromkeys(a.letters + b.letters)
    # In the order of the result, after the letters that are still to be summed.
    order = sorted(union, key=lambda x: (x != BATCH, x.islower(), wanted.index(x) if x in wanted else -1))
    out = "".join(letter for letter in order if letter in keep)
    if _is_matrix_product(a.letters, b.letters, keep):
        summed = [letter for letter in order if letter not in keep]
        if BATCH in a.letters and BATCH in b.letters and _is_one_pass(summed, out, wanted, extents):
            return _Tensor(out, _unrolled(a, b, summed, out, extents))
        a, b = sorted((a, b), key=lambda t: _as_second(t, out, summed))
        return _matrix_product(contraction, a, b, summed, out)
    x, y = (_aligned(t, order, extents) for t in (a, b))
    return _Tensor(out, jnp.sum(x * y, axis=tuple(n for n, letter in enumerate(order) if letter not in keep)))


def _as_second(tensor: _Tensor, out: str, summed: Sequence[str]) -> tuple[bool, int, int]:
    """Return a sort key: the larger, the better the tensor suits as the second factor of a matrix product.

    The first factor should have a summed letter last, or XLA copies it; if neither has, the smaller one should be
    copied. Otherwise the first factor should have the first axes of the result, so that it is not transposed.
    """
    last = bool(tensor.letters) and tensor.letters[-1] in summed
    leading = next((n for n, letter in enumerate(out) if letter != BATCH and letter in tensor.letters), len(out))
    size = math.prod(map(estimated, tensor.array.shape))
    return not last, 0 if last else size, leading


def _matrix_product(contraction: Contraction, a: _Tensor, b: _Tensor, summed: Sequence[str], out: str) -> _Tensor:
    """Multiply as matrices. The axes of the result: batch, the rest of the first, the rest of the second."""
    a, b = (_summed(t, [x for x in summed if x not in other.letters]) for t, other in ((a, b), (b, a)))
    batch = [x for x in a.letters if x in b.letters and x in out]
    contracted = [x for x in a.letters if x in b.letters and x not in out]
    positions = [[t.letters.index(x) for x in letters] for letters in (contracted, batch) for t in (a, b)]
    y = jax.lax.dot_general(
        a.array, b.array, ((positions[0], positions[1]), (positions[2], positions[3])), precision=contraction.precision
    )
    return _Tensor("".join(batch + [x for t in (a, b) for x in t.letters if x not in batch + contracted]), y)


def _summed(tensor: _Tensor, letters: Sequence[str]) -> _Tensor:
    axes = tuple(n for n, letter in enumerate(tensor.letters) if letter in letters)
    return _Tensor("".join(x for x in tensor.letters if x not in letters), jnp.sum(tensor.array, axis=axes))


def _is_one_pass(summed: Sequence[str], out: str, wanted: str, extents: dict[str, int]) -> bool:
    """Tell whether a batched product is better written out: few terms, and few components if these end up last."""
    if not out:  # a sum over everything, which is a dot product
        return False
    minor = wanted[-1] if set(wanted) == set(out) else out[-1]
    few = minor.islower() or estimated(extents[minor]) <= UNROLLED_TERMS
    return few and 0 < math.prod(estimated(extents[letter]) for letter in summed) <= UNROLLED_TERMS


def _unrolled(a: _Tensor, b: _Tensor, summed: Sequence[str], out: str, extents: dict[str, int]) -> jax.Array:
    """Write out a sum of few products for each element of the batch: one pass over the result."""

    def term(positions: Sequence[int]) -> jax.Array:
        at = dict(zip(summed, positions, strict=True))
        x, y = (_aligned(_at(t, at), out, extents) for t in (a, b))
        return x * y

    return functools.reduce(operator.add, map(term, itertools.product(*(range(extents[letter]) for letter in summed))))


def _at(tensor: _Tensor, positions: dict[str, int]) -> _Tensor:
    """Index a tensor along some of its axes."""
    index = tuple(positions.get(letter, slice(None)) for letter in tensor.letters)
    return _Tensor("".join(letter for letter in tensor.letters if letter not in positions), tensor.array[index])


def _aligned(tensor: _Tensor, order: Sequence[str], extents: dict[str, int]) -> jax.Array:
    """Return the array with its axes in a given order, of length 1 where it has none."""
    present = [letter for letter in order if letter in tensor.letters]
    x = jnp.transpose(tensor.array, [tensor.letters.index(letter) for letter in present])
    return x.reshape([extents[letter] if letter in tensor.letters else 1 for letter in order])
