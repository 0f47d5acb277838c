"""The executor for every platform, made of XLA operations alone.

Each path is evaluated in the cheaper of two ways: contracted pair by pair (:mod:`._pairwise`), or, where it is a
product of several operands over the same rows and channels, by monomials (:mod:`._lane_plan`). Where that needs more
memory on the way than a cache holds, it is done for some rows after others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core._caches import cached

from ._lane_contraction import job, run_jobs
from ._lane_plan import ROW, LanePlan, lane_plan
from ._pairwise import contract_path, pairwise_cost
from ._polynomial import EACH, SHARED
from ._rows import read_rows, write, write_rows

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Operand, Path

# Bytes that may be kept on the way: on a CPU what its caches hold; elsewhere memory is large and loops are slow.
_CACHE, _MEMORY = 4 << 20, 512 << 20
# Contraction pair by pair gains less from a cache: it has fewer and larger products.
_PAIRWISE = 8
# Rows are few enough at a time for so many elements of a batch to fit.
_AT_ONCE = 8


class _Way(NamedTuple):
    """How a path is evaluated.

    Attributes:
        path: what.
        plan: the plan over lanes; None: pair by pair.
        cost: multiply-adds, with what takes as long.
        bytes_per_row: what is kept on the way for each row, measured by the cache it needs.
    """

    path: "Path"
    plan: LanePlan | None
    cost: float
    bytes_per_row: float

    @property
    def factors(self) -> int:
        """How many factors have all lanes."""
        return len(self.plan.left[0]) + len(self.plan.right[0]) if self.plan else 0

    @property
    def sum(self) -> tuple[int, str]:
        """Which sum it is part of: the output, and the letters of the batch."""
        return self.path.output, self.plan.batch if self.plan else ""


@cached(maxsize=1024)
def _ways(task: "Task") -> tuple[_Way, ...]:
    """The cheapest way for each path."""
    task = replace(task, rows=max(task.rows, 1))
    ways = [_pairwise(task, path) for path in task.polynomial.paths]
    lanes = [_lanes(task, path) for path in task.polynomial.paths]
    reached = set()
    for n, other in enumerate(lanes):
        if other is not None and other.factors > 1 and other.cost < ways[n].cost:
            ways[n] = other
            reached.add(other.sum)
    # A single factor gains nothing, but the sum it is added to may be one over lanes already.
    for n, other in enumerate(lanes):
        if other is not None and other.factors == 1 and other.sum in reached:
            ways[n] = other
    return tuple(ways)


def _pairwise(task: "Task", path: "Path") -> _Way:
    cost, kept = pairwise_cost(task, path)
    return _Way(path, None, cost, kept * task.dtype.itemsize / task.rows / _PAIRWISE)


def _lanes(task: "Task", path: "Path") -> _Way | None:
    plan = lane_plan(path, task.polynomial.operands(path))
    if plan is None:
        return None
    extents = {**task.polynomial.extents(path), ROW: task.rows}
    batch = math.prod(extents[letter] for letter in plan.batch)
    rest = math.prod(extents[letter] for letter in plan.lanes if letter not in plan.batch)
    # The batch is done in chunks anyway, some of it at once; rows among the rest of the lanes may still be too many.
    at_once = 0 if ROW in plan.batch else min(batch, _AT_ONCE)
    kept = at_once * plan.numbers * rest * task.dtype.itemsize / task.rows
    return _Way(path, plan, batch * (rest * plan.cost + plan.per_batch), kept)


class XlaExecutor:
    """Plain XLA operations: runs on every platform, and XLA may partition it."""

    irreps_api = 1
    name = "xla"

    def why_not(self, task: "Task") -> str | None:
        """It can do everything."""
        return None

    def cost(self, task: "Task") -> float:
        """Nanoseconds on two CPU cores: about fifty multiply-adds of a matrix product each, or ten bytes moved."""
        moved = sum(np.prod(task.shape(o)) for o in (*task.polynomial.inputs, *task.polynomial.outputs))
        return sum(way.cost for way in _ways(task)) / 50 + float(moved) * task.dtype.itemsize / 10

    def run(self, task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
        """See :class:`Executor`."""
        budget = _CACHE if jax.default_backend() == "cpu" else _MEMORY
        chunk = _row_chunk(task, budget)
        if chunk < task.rows:
            return _run_in_chunks(task, inputs, indices, chunk, budget)
        return write_rows(task, _values(task, inputs, indices, budget), indices)


def _values(
    task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array], budget: int
) -> list[jax.Array | None]:
    """For each output its value for each row of the iteration (or shared); None is zero."""
    read = read_rows(task, inputs, indices)
    parts: list[dict[tuple[int, ...], jax.Array]] = [{} for _ in task.polynomial.outputs]
    ways = _ways(task)
    for way in ways:
        if way.plan is None:
            components, y = contract_path(task, way.path, read)
            found = parts[way.path.output]
            found[components] = found[components] + y if components in found else y
    values = [_assembled(o, found) for o, found in zip(task.polynomial.outputs, parts, strict=True)]
    jobs = [job(task, way.path, way.plan) for way in ways if way.plan is not None]
    for place, y in run_jobs(task, jobs, read, budget):
        before = values[place]
        values[place] = y if before is None else before + y
    return values


def _assembled(operand: "Operand", parts: dict[tuple[int, ...], jax.Array]) -> jax.Array | None:
    """An array of all components from sums for some of them; None if there is nothing."""
    if not parts:
        return None
    axis = operand.component_axis
    in_order = [c for key in sorted(parts) for c in key]
    if in_order == list(range(operand.components)):
        pieces = [parts[key] for key in sorted(parts)]
        return pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces, axis=axis)
    some = next(iter(parts.values()))
    out = jnp.zeros((*some.shape[:axis], operand.components, *some.shape[axis + 1 :]), some.dtype)
    for key, y in parts.items():
        out = out.at[(slice(None),) * axis + (np.array(key),)].add(y)
    return out


def _row_chunk(task: "Task", budget: int) -> int:
    """How many rows are done at once."""
    polynomial = task.polynomial
    for path in polynomial.paths:
        *factors, target = polynomial.operands(path)
        if target.rows == SHARED and not any(operand.row_axes for operand in factors):
            return task.rows  # a sum over rows of what no row changes: rows that pad a chunk would count
    each = sum(way.bytes_per_row for way in _ways(task))
    # Each chunk reads, and adds to, all that the rows share: it must do more than that.
    shared = sum(math.prod(task.shape(o)) for o in (*polynomial.inputs, *polynomial.outputs) if o.rows == SHARED)
    budget = max(budget, shared * task.dtype.itemsize)
    return task.rows if each * task.rows <= budget else max(1, int(budget / each))


def _run_in_chunks(
    task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array], chunk: int, budget: int
) -> list[jax.Array]:
    """Some rows after others: outputs of each row are put side by side, the others added up."""
    polynomial = task.polynomial
    count = -(-task.rows // chunk)
    chunk = -(-task.rows // count)
    part = replace(task, rows=chunk)
    pad = count * chunk - task.rows

    def split(x: jax.Array, value: int) -> jax.Array:
        x = jnp.pad(x, [(0, pad)] + [(0, 0)] * (x.ndim - 1), constant_values=value) if pad else x
        return x.reshape((count, chunk, *x.shape[1:]))

    each = [split(x, 0) for x, o in zip(inputs, polynomial.inputs, strict=True) if o.rows == EACH]
    sizes = dict(task.sizes)
    places = {name: split(index, sizes[name]) for name, index in indices.items()}  # padding is out of range

    def body(sums: list[jax.Array], some: tuple[list[jax.Array], dict[str, jax.Array]]) -> tuple[list, list]:
        rows, sums, stacked = iter(some[0]), list(sums), []
        given = [next(rows) if o.rows == EACH else x for x, o in zip(inputs, polynomial.inputs, strict=True)]
        values = _values(part, given, some[1], budget)
        for place, (y, operand) in enumerate(zip(values, polynomial.outputs, strict=True)):
            if operand.rows == EACH:
                stacked.append(write(part, operand, y, some[1]))
            elif y is not None and operand.indexed:
                sums[place] = sums[place].at[some[1][operand.rows]].add(y, mode="drop", wrap_negative_indices=False)
            elif y is not None:
                sums[place] = sums[place] + y
        return sums, stacked

    zeros = [jnp.zeros(() if o.rows == EACH else task.shape(o), task.dtype) for o in polynomial.outputs]
    sums, rows = jax.lax.scan(body, zeros, (each, places))
    stacked, out = iter(rows), []
    for operand, total in zip(polynomial.outputs, sums, strict=True):
        if operand.rows == EACH:
            y = next(stacked)
            out.append(y.reshape((count * chunk, *y.shape[2:]))[: task.rows])
        else:
            out.append(total.astype(task.dtype_of(operand)))
    return out
