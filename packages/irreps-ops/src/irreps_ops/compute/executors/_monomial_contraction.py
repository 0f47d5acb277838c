"""Evaluate monomial plans by XLA operations: monomials by gathers, then batched matrix products.

Arrays have shape (outer, components, inner): the outer axes, on which coefficients depend, are the batch of the matrix
products; components are contracted; the inner axes are contiguous. The outer axes are processed in tiles, so that
monomials stay in the cache and take little memory.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs._sizes import is_known
from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._cost_model import intermediate_bytes, tile_length
from irreps_ops.compute._terms import Access, Operand, Path
from irreps_ops.compute._tile_loop import Shape, over_tiles

from ._monomial_plan import BATCH, MonomialPlan

_COMPONENT = "A"


class Layout(NamedTuple):
    """How the array of an operand becomes one of shape (outer, components, inner).

    Attributes:
        position: number of the operand.
        axes: its outer axes, component axis and inner axes.
        shape: of the result; weights have no inner axes.
    """

    position: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]


class LaidOut(NamedTuple):
    """A path, its plan, and the layouts of its operands."""

    path: Path
    plan: MonomialPlan
    inputs: tuple[Layout, ...]
    output: Layout


def laid_out(contraction: Contraction, path: Path, plan: MonomialPlan) -> LaidOut:
    """Find the layouts of the operands of a path."""
    operands = contraction.polynomial.operands(path)
    extents = {**contraction.polynomial.extents(path), BATCH: contraction.batch}
    inner = "".join(letter for letter in plan.axes if letter not in plan.outer)
    outer_size = math.prod(extents[letter] for letter in plan.outer)
    inner_size = math.prod(extents[letter] for letter in inner)

    def layout(position: int, operand: Operand, subscripts: str) -> Layout:
        letters = (BATCH if operand.batch_axes else "") + operand.laid_out(_COMPONENT, subscripts)
        order = plan.outer + _COMPONENT + (inner if set(inner) <= set(letters) else "")
        axes = tuple(letters.index(letter) for letter in order)
        return Layout(position, axes, (outer_size, operand.components, *([inner_size] if inner in order else [])))

    *inputs, output = (
        layout(position, operand, subscripts)
        for position, operand, subscripts in zip((*path.inputs, path.output), operands, path.subscripts, strict=True)
    )
    return LaidOut(path, plan, tuple(inputs), output)


def contract_monomials(
    contraction: Contraction, planned: Sequence[LaidOut], gathered: Sequence[jax.Array]
) -> list[tuple[int, jax.Array]]:
    """Evaluate paths: pairs (number of the output, value to add to it, laid out as the output)."""
    results = []
    groups = dict.fromkeys((one.output.shape[0], _inner(one)) for one in planned)
    for outer, inner in groups:
        some = [one for one in planned if (one.output.shape[0], _inner(one)) == (outer, inner)]
        layouts = list(dict.fromkeys(layout for one in some for layout in one.inputs))
        arrays = [_transposed(gathered[layout.position], layout) for layout in layouts]
        numbers = sum(one.plan.numbers for one in some) * inner * contraction.dtype.itemsize
        tile = _tile(outer, numbers, contraction.platform)
        targets = list(dict.fromkeys(one.output for one in some))

        def function(*tiles: jax.Array, some: Sequence[LaidOut] = some, layouts: list[Layout] = layouts) -> list:
            return list(_evaluate(contraction, some, dict(zip(layouts, tiles, strict=True))).values())

        if tile is None:
            values = function(*arrays)
        else:
            shapes = [Shape(layout.shape, contraction.dtype) for layout in targets]
            batched = ([Access.BATCHED] * len(arrays), [Access.BATCHED] * len(targets))
            values = over_tiles(function, arrays, batched[0], shapes, batched[1], {}, outer, tile)
        for layout, y in zip(targets, values, strict=True):
            results.append((layout.position, _transposed_back(contraction, y, layout)))
    return results


def _tile(outer: int, bytes_of_each: int, platform: str | None) -> int | None:
    """Return for how many positions of the outer axes monomials fit in the cache; None for all, or if it is unknown."""
    if not (is_known(outer) and is_known(bytes_of_each)) or outer == 0:
        return None
    most = max(1, min(outer, intermediate_bytes(platform) // max(bytes_of_each, 1)))
    tile = tile_length(outer, -(-outer // most))
    return tile if tile < outer else None


def _inner(one: LaidOut) -> int:
    """Return the size of the inner axes."""
    return next(layout.shape[2] for layout in one.inputs if len(layout.shape) == 3)


def _transposed(x: jax.Array, layout: Layout) -> jax.Array:
    if layout.axes == tuple(range(x.ndim)):
        return x.reshape(layout.shape)
    # The barrier keeps XLA from repeating the transpose, element by element, wherever the array is read.
    return jax.lax.optimization_barrier(jnp.transpose(x, layout.axes).reshape(layout.shape))


def _transposed_back(contraction: Contraction, y: jax.Array, layout: Layout) -> jax.Array:
    operand = contraction.polynomial.outputs[layout.position]
    extents = (contraction.batch,) * operand.batch_axes + operand.shape
    return jnp.transpose(y.reshape([extents[axis] for axis in layout.axes]), np.argsort(layout.axes).tolist())


def _evaluate(
    contraction: Contraction, some: Sequence[LaidOut], arrays: Mapping[Layout, jax.Array]
) -> dict[Layout, jax.Array]:
    """Evaluate paths for a tile: for each output an array of shape (tile, components, inner) or (tile, components)."""
    sums: dict[Layout, jax.Array] = {}
    for one in some:
        y = (_adjoint if one.plan.adjoint else _forward)(contraction, one, arrays)
        y = _all_components(y, one.plan.components, one.output.shape[1])
        sums[one.output] = sums[one.output] + y if one.output in sums else y
    return sums


def _all_components(y: jax.Array, positions: np.ndarray, count: int) -> jax.Array:
    """Return an array of all components from one of some, which ascend; the others are zero."""
    if len(positions) == count:
        return y
    gap = np.diff([-1, *positions, count]) - 1
    parts = []
    for n, zeros in enumerate(gap):
        if zeros:
            parts.append(jnp.zeros((y.shape[0], int(zeros), *y.shape[2:]), y.dtype))
        if n < len(positions):
            parts.append(y[:, n : n + 1])
    return jnp.concatenate(parts, axis=1)


def _take(x: jax.Array, positions: np.ndarray) -> jax.Array:
    """Take some components of axis 1: all, a slice, or a gather."""
    first = int(positions[0])
    if np.array_equal(positions, np.arange(first, first + len(positions))):
        return x if len(positions) == x.shape[1] else jax.lax.slice_in_dim(x, first, first + len(positions), axis=1)
    return jnp.take(x, positions, axis=1, mode="clip")


def _monomials(factors: Sequence[jax.Array], columns: np.ndarray) -> jax.Array:
    """Multiply components, a row of `columns` for each monomial; shape (outer, monomials, ...)."""
    if columns.shape[1] == 1:
        return _take(factors[0], columns[:, 0])
    prefixes, position = np.unique(columns[:, :-1], axis=0, return_inverse=True)
    before = _monomials(factors[:-1], prefixes)
    return _take(before, position.reshape(-1)) * _take(factors[-1], columns[:, -1])


def _monomials_of(
    one: LaidOut, factors: tuple[tuple[int, ...], np.ndarray], arrays: Mapping[Layout, jax.Array]
) -> jax.Array:
    slots, columns = factors
    return _monomials([arrays[one.inputs[s]] for s in slots], columns)


def _forward(contraction: Contraction, one: LaidOut, arrays: Mapping[Layout, jax.Array]) -> jax.Array:
    """Multiply coefficients, left and right monomials; sum for each component of the output."""
    plan = one.plan
    _, blocks, n_right, n_left = plan.table.shape
    left = _monomials_of(one, plan.left, arrays)
    tile, _, inner = left.shape
    left = left.reshape(tile, blocks, n_left, inner)
    if plan.weights[0]:
        table = _constant(contraction, plan.table.reshape(len(plan.table), -1))
        table = jnp.matmul(_monomials_of(one, plan.weights, arrays), table, precision=contraction.precision)
        table = table.reshape(tile, blocks, n_right, n_left)
        y = jnp.einsum("bgql,bgln->bgqn", table, left, precision=contraction.precision)
    else:
        y = jnp.einsum("gql,bgln->bgqn", _constant(contraction, plan.table[0]), left, precision=contraction.precision)
    y = y.reshape(tile, blocks * n_right, inner)
    if not plan.right[0]:
        return _take(y, np.argmax(plan.selection, axis=1))
    y = y * _monomials_of(one, plan.right, arrays)
    # Repeated for the outer axes: with one matrix for all of them XLA would transpose y.
    selection = jnp.broadcast_to(_constant(contraction, plan.selection), (tile, *plan.selection.shape))
    return jnp.einsum("boq,bqn->bon", selection, y, precision=contraction.precision)


def _adjoint(contraction: Contraction, one: LaidOut, arrays: Mapping[Layout, jax.Array]) -> jax.Array:
    """Multiply right and left monomials, sum over the inner axes, and contract with the coefficients."""
    plan = one.plan
    _, blocks, n_right, n_left = plan.table.shape
    left, right = _monomials_of(one, plan.left, arrays), _monomials_of(one, plan.right, arrays)
    tile, _, inner = left.shape
    left, right = (x.reshape(tile, blocks, n, inner) for x, n in ((left, n_left), (right, n_right)))
    y = jnp.einsum("bgqn,bgln->bgql", right, left, precision=contraction.precision)
    table = _constant(contraction, plan.table.reshape(len(plan.table), -1).T)
    return jnp.matmul(y.reshape(tile, len(table)), table, precision=contraction.precision)


def _constant(contraction: Contraction, values: np.ndarray) -> jax.Array:
    return jnp.asarray(values, contraction.dtype)
