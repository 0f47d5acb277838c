"""Evaluation of lane plans by XLA operations: monomials by gathers, then matrix products in the order of the batch.

Arrays of lanes have shape (batch, components, rest): what coefficients depend on is the batch of the matrix products,
components are contracted, and the rest of the lanes is contiguous. The batch is done in chunks, so that monomials
stay in the cache and take no memory to speak of.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._lane_plan import ROW, LanePlan
from ._polynomial import Operand, Path

if TYPE_CHECKING:
    from ._executors import Task

_COMPONENT = "A"


class Layout(NamedTuple):
    """How an array of rows is one of lanes.

    Attributes:
        place: of the operand.
        axes: the axes of the batch, of the components, and of the rest.
        shape: batch, components (none for weights: they have no rest), rest.
    """

    place: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]


class _Job(NamedTuple):
    """A path, its plan, and the layouts of its operands."""

    path: Path
    plan: LanePlan
    inputs: tuple[Layout, ...]
    output: Layout


def job(task: "Task", path: Path, plan: LanePlan) -> _Job:
    """A path with the layouts of its operands."""
    operands = task.polynomial.operands(path)
    extents = {**task.polynomial.extents(path), ROW: task.rows}
    rest = "".join(letter for letter in plan.lanes if letter not in plan.batch)
    batch = math.prod(extents[letter] for letter in plan.batch)
    lanes = math.prod(extents[letter] for letter in rest)

    def layout(place: int, operand: Operand, modes: str) -> Layout:
        letters = (ROW if operand.row_axes else "") + operand.laid_out(_COMPONENT, modes)
        order = plan.batch + _COMPONENT + (rest if set(rest) <= set(letters) else "")
        axes = tuple(letters.index(letter) for letter in order)
        return Layout(place, axes, (batch, operand.components, *([lanes] if rest in order else [])))

    *inputs, output = (
        layout(place, operand, modes)
        for place, operand, modes in zip((*path.inputs, path.output), operands, path.modes, strict=True)
    )
    return _Job(path, plan, tuple(inputs), output)


def run_jobs(task: "Task", jobs: Sequence[_Job], read: Sequence[jax.Array], budget: int) -> list[tuple[int, jax.Array]]:
    """Evaluate paths: pairs (place of the output, what is added to it, as the output is laid out)."""
    results = []
    kinds = dict.fromkeys((job.output.shape[0], _rest(job)) for job in jobs)
    for kind in kinds:
        some = [job for job in jobs if (job.output.shape[0], _rest(job)) == kind]
        layouts = list(dict.fromkeys(layout for job in some for layout in job.inputs))
        arrays = {layout: _to_lanes(read[layout.place], layout) for layout in layouts}
        numbers = sum(job.plan.numbers for job in some) * kind[1] * task.dtype.itemsize
        chunk = max(1, min(kind[0], budget // max(numbers, 1)))

        def body(arrays: dict[Layout, jax.Array], some: Sequence[_Job] = some) -> dict[Layout, jax.Array]:
            return _evaluate(task, some, arrays)

        for layout, y in _in_chunks(body, arrays, kind[0], chunk).items():
            results.append((layout.place, _from_lanes(task, y, layout)))
    return results


def _rest(job: _Job) -> int:
    """The lanes that are not the batch."""
    return next(layout.shape[2] for layout in job.inputs if len(layout.shape) == 3)


def _to_lanes(x: jax.Array, layout: Layout) -> jax.Array:
    if layout.axes == tuple(range(x.ndim)):
        return x.reshape(layout.shape)
    # The barrier keeps XLA from transposing anew, element by element, wherever the array is read.
    return jax.lax.optimization_barrier(jnp.transpose(x, layout.axes).reshape(layout.shape))


def _from_lanes(task: "Task", y: jax.Array, layout: Layout) -> jax.Array:
    operand = task.polynomial.outputs[layout.place]
    letters = (task.rows,) * operand.row_axes + operand.shape
    return jnp.transpose(y.reshape([letters[axis] for axis in layout.axes]), np.argsort(layout.axes).tolist())


def _in_chunks(
    function: Callable[[dict[Layout, jax.Array]], dict[Layout, jax.Array]],
    arrays: dict[Layout, jax.Array],
    size: int,
    chunk: int,
) -> dict[Layout, jax.Array]:
    """A function of arrays with a first axis of a certain size, for a part of it after another."""
    if chunk >= size:
        return function(arrays)
    count = -(-size // chunk)
    chunk = -(-size // count)
    pad = count * chunk - size

    def split(x: jax.Array) -> jax.Array:
        x = jnp.pad(x, [(0, pad)] + [(0, 0)] * (x.ndim - 1)) if pad else x
        return x.reshape((count, chunk, *x.shape[1:]))

    names = list(arrays)
    found: list[Layout] = []

    def body(parts: list[jax.Array]) -> list[jax.Array]:
        out = function(dict(zip(names, parts, strict=True)))
        found[:] = list(out)
        return list(out.values())

    results = jax.lax.map(body, [split(arrays[name]) for name in names])
    merged = [y.reshape((count * chunk, *y.shape[2:]))[:size] for y in results]
    return dict(zip(found, merged, strict=True))


def _evaluate(task: "Task", jobs: Sequence[_Job], arrays: Mapping[Layout, jax.Array]) -> dict[Layout, jax.Array]:
    """All paths for a chunk: for each output an array of shape (chunk, components, rest) or (chunk, components)."""
    sums: dict[Layout, jax.Array] = {}
    for one in jobs:
        y = (_adjoint if one.plan.adjoint else _forward)(task, one, arrays)
        y = _all_components(y, one.plan.components, one.output.shape[1])
        sums[one.output] = sums[one.output] + y if one.output in sums else y
    return sums


def _all_components(y: jax.Array, places: np.ndarray, count: int) -> jax.Array:
    """An array of all components from one of some (ascending); the others are zero."""
    if len(places) == count:
        return y
    gap = np.diff([-1, *places, count]) - 1
    parts = []
    for n, zeros in enumerate(gap):
        if zeros:
            parts.append(jnp.zeros((y.shape[0], int(zeros), *y.shape[2:]), y.dtype))
        if n < len(places):
            parts.append(y[:, n : n + 1])
    return jnp.concatenate(parts, axis=1)


def _take(x: jax.Array, places: np.ndarray) -> jax.Array:
    """Some of axis 1: all, a slice, or a gather."""
    first = int(places[0])
    if np.array_equal(places, np.arange(first, first + len(places))):
        return x if len(places) == x.shape[1] else jax.lax.slice_in_dim(x, first, first + len(places), axis=1)
    return jnp.take(x, places, axis=1, mode="clip")


def _monomials(factors: Sequence[jax.Array], columns: np.ndarray) -> jax.Array:
    """Products of components, a row of `columns` for each: of shape (batch, monomials, ...)."""
    if columns.shape[1] == 1:
        return _take(factors[0], columns[:, 0])
    prefixes, place = np.unique(columns[:, :-1], axis=0, return_inverse=True)
    before = _monomials(factors[:-1], prefixes)
    return _take(before, place.reshape(-1)) * _take(factors[-1], columns[:, -1])


def _side(one: _Job, side: tuple[tuple[int, ...], np.ndarray], arrays: Mapping[Layout, jax.Array]) -> jax.Array:
    slots, columns = side
    return _monomials([arrays[one.inputs[s]] for s in slots], columns)


def _forward(task: "Task", one: _Job, arrays: Mapping[Layout, jax.Array]) -> jax.Array:
    """Coefficients times left monomials, times right monomials, added up for each component of the output."""
    plan = one.plan
    _, boxes, n_right, n_left = plan.table.shape
    left = _side(one, plan.left, arrays)
    chunk, _, lanes = left.shape
    left = left.reshape(chunk, boxes, n_left, lanes)
    if plan.weights[0]:
        table = _constant(task, plan.table.reshape(len(plan.table), -1))
        table = jnp.matmul(_side(one, plan.weights, arrays), table, precision=task.precision)
        table = table.reshape(chunk, boxes, n_right, n_left)
        y = jnp.einsum("bgql,bgln->bgqn", table, left, precision=task.precision)
    else:
        y = jnp.einsum("gql,bgln->bgqn", _constant(task, plan.table[0]), left, precision=task.precision)
    y = y.reshape(chunk, boxes * n_right, lanes)
    if not plan.right[0]:
        return _take(y, np.argmax(plan.selection, axis=1))
    y = y * _side(one, plan.right, arrays)
    # Repeated for the batch: with one matrix for all of it XLA would transpose y.
    selection = jnp.broadcast_to(_constant(task, plan.selection), (chunk, *plan.selection.shape))
    return jnp.einsum("boq,bqn->bon", selection, y, precision=task.precision)


def _adjoint(task: "Task", one: _Job, arrays: Mapping[Layout, jax.Array]) -> jax.Array:
    """Right times left monomials, added up over lanes, times coefficients."""
    plan = one.plan
    _, boxes, n_right, n_left = plan.table.shape
    left, right = _side(one, plan.left, arrays), _side(one, plan.right, arrays)
    chunk, _, lanes = left.shape
    left, right = (x.reshape(chunk, boxes, n, lanes) for x, n in ((left, n_left), (right, n_right)))
    y = jnp.einsum("bgqn,bgln->bgql", right, left, precision=task.precision)
    table = _constant(task, plan.table.reshape(len(plan.table), -1).T)
    return jnp.matmul(y.reshape(chunk, len(table)), table, precision=task.precision)


def _constant(task: "Task", values: np.ndarray) -> jax.Array:
    return jnp.asarray(values, task.dtype)
