"""The executor `xla`, for every platform: contractions made of XLA operations alone.

Each path is evaluated in the cheaper of two ways: contracted pair by pair (:mod:`._pairwise`), or, where it is a
product of several operands over the same batch and channels, through monomials (:mod:`._monomial_plan`). Where the
intermediate results would not fit in a cache, the batch is processed in tiles.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._cost_model import (
    BYTES_PER_NS,
    MULTIPLY_ADDS_PER_NS,
    OUTER_AT_ONCE,
    PAIRWISE_CACHE_GAIN,
    PATH_NS,
    intermediate_bytes,
    tile_length,
)
from irreps_ops.compute._terms import Access, Operand, Path
from irreps_ops.compute._tile_loop import Shape, over_tiles

from ._gather_scatter import gather_inputs, scatter_outputs
from ._monomial_contraction import contract_monomials, laid_out
from ._monomial_plan import BATCH, MonomialPlan, monomial_plan
from ._pairwise import contract_path, pairwise_cost


class _Evaluation(NamedTuple):
    """How a path is evaluated.

    Attributes:
        path: the path.
        plan: the plan over monomials; None: pair by pair.
        cost: in multiply-add equivalents.
        bytes_per_element: intermediate results for each element of the batch, in terms of the cache they need.
    """

    path: Path
    plan: MonomialPlan | None
    cost: float
    bytes_per_element: float

    @property
    def factors(self) -> int:
        """Number of factors that have all batch axes."""
        return len(self.plan.left[0]) + len(self.plan.right[0]) if self.plan else 0

    @property
    def sum(self) -> tuple[int, str]:
        """The sum that it is a part of: the output, and the letters of the outer axes."""
        return self.path.output, self.plan.outer if self.plan else ""


@cached(maxsize=1024)
def _evaluations(contraction: Contraction) -> tuple[_Evaluation, ...]:
    """Choose the cheapest evaluation of each path. All sizes are numbers."""
    contraction = replace(contraction, batch=max(contraction.batch, 1))
    chosen = [_pairwise(contraction, path) for path in contraction.polynomial.paths]
    through_monomials = [_through_monomials(contraction, path) for path in contraction.polynomial.paths]
    reached = set()
    for n, other in enumerate(through_monomials):
        if other is not None and other.factors > 1 and other.cost < chosen[n].cost:
            chosen[n] = other
            reached.add(other.sum)
    # A single factor gains nothing, unless the sum that it is added to is evaluated through monomials already.
    for n, other in enumerate(through_monomials):
        if other is not None and other.factors == 1 and other.sum in reached:
            chosen[n] = other
    return tuple(chosen)


def _pairwise(contraction: Contraction, path: Path) -> _Evaluation:
    cost, intermediate = pairwise_cost(contraction, path)
    bytes_ = intermediate * contraction.dtype.itemsize / contraction.batch
    return _Evaluation(path, None, cost, bytes_ / PAIRWISE_CACHE_GAIN)


def _through_monomials(contraction: Contraction, path: Path) -> _Evaluation | None:
    plan = monomial_plan(path, contraction.polynomial.operands(path))
    if plan is None:
        return None
    extents = {**contraction.polynomial.extents(path), BATCH: contraction.batch}
    outer = math.prod(extents[letter] for letter in plan.outer)
    inner = math.prod(extents[letter] for letter in plan.axes if letter not in plan.outer)
    # The outer axes are processed in tiles anyway. If the batch is among the inner ones, these may still be too many.
    at_once = 0 if BATCH in plan.outer else min(outer, OUTER_AT_ONCE)
    bytes_ = at_once * plan.numbers * inner * contraction.dtype.itemsize / contraction.batch
    return _Evaluation(path, plan, outer * (inner * plan.cost + plan.outer_cost), bytes_)


class XlaExecutor:
    """Plain XLA operations: runs on every platform, and XLA may partition it."""

    irreps_api = 1
    name = "xla"

    def why_not(self, contraction: Contraction) -> str | None:
        """Return None: it can compute everything."""
        return None

    def cost(self, contraction: Contraction) -> float:
        """Estimate the run time from multiply-adds, moved bytes and the number of paths."""
        operands = (*contraction.polynomial.inputs, *contraction.polynomial.outputs)
        moved = sum(math.prod(contraction.shape(o)) for o in operands) * contraction.dtype.itemsize
        multiply_adds = sum(evaluation.cost for evaluation in _evaluations(contraction))
        least = PATH_NS * len(contraction.polynomial.paths)
        return least + multiply_adds / MULTIPLY_ADDS_PER_NS + moved / BYTES_PER_NS

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`Executor`."""
        if not contraction.is_symbolic and (tile := _tile(contraction)) < contraction.batch:
            return _run_in_tiles(contraction, inputs, indices, tile)
        values = _values(contraction, gather_inputs(contraction, inputs, indices))
        return scatter_outputs(contraction, values, indices)


def _values(contraction: Contraction, gathered: list[jax.Array]) -> list[jax.Array | None]:
    """Return for each output its value for each element of the batch (or broadcast); None is zero."""
    parts: list[dict[tuple[int, ...], jax.Array]] = [{} for _ in contraction.polynomial.outputs]
    evaluations = _evaluations(contraction.estimated())
    for evaluation in evaluations:
        if evaluation.plan is None:
            components, y = contract_path(contraction, evaluation.path, gathered)
            found = parts[evaluation.path.output]
            found[components] = found[components] + y if components in found else y
    values = [_assembled(o, found) for o, found in zip(contraction.polynomial.outputs, parts, strict=True)]
    planned = [laid_out(contraction, e.path, e.plan) for e in evaluations if e.plan is not None]
    for position, y in contract_monomials(contraction, planned, gathered):
        before = values[position]
        values[position] = y if before is None else before + y
    return values


def _assembled(operand: Operand, parts: dict[tuple[int, ...], jax.Array]) -> jax.Array | None:
    """Return an array of all components from sums for some of them; None if there are none."""
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


def _tile(contraction: Contraction) -> int:
    """Return how many elements of the batch are processed at once."""
    polynomial = contraction.polynomial
    for path in polynomial.paths:
        *factors, target = polynomial.operands(path)
        if target.access is Access.BROADCAST and not any(operand.batch_axes for operand in factors):
            return contraction.batch  # a sum over the batch of a constant: repeated elements of a tile would count
    per_element = sum(evaluation.bytes_per_element for evaluation in _evaluations(contraction))
    # Each tile reads all broadcast inputs and adds to all broadcast outputs: it must have more to do than that.
    broadcast = [o for o in (*polynomial.inputs, *polynomial.outputs) if o.access is Access.BROADCAST]
    least = sum(math.prod(contraction.shape(o)) for o in broadcast) * contraction.dtype.itemsize
    allowed = max(intermediate_bytes(contraction.platform), least)
    if per_element * contraction.batch <= allowed:
        return contraction.batch
    count = math.ceil(contraction.batch / max(1, int(allowed / per_element)))
    return tile_length(contraction.batch, count)


def _run_in_tiles(
    contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array], tile: int
) -> list[jax.Array]:
    polynomial = contraction.polynomial
    part = replace(contraction, batch=tile)

    def function(*gathered: jax.Array) -> list[jax.Array]:
        values = _values(part, [x.astype(contraction.dtype) for x in gathered])
        found = []
        for y, operand in zip(values, polynomial.outputs, strict=True):
            if y is None:
                y = jnp.zeros((*[tile] * operand.batch_axes, *operand.shape), contraction.dtype)
            found.append(y.astype(contraction.dtype_of(operand)) if operand.access is Access.BATCHED else y)
        return found

    outputs = [
        Shape(contraction.shape(o), contraction.dtype_of(o) if o.access is Access.BATCHED else contraction.dtype)
        for o in polynomial.outputs
    ]
    reads, writes = ([o.access for o in operands] for operands in (polynomial.inputs, polynomial.outputs))
    sums = over_tiles(function, inputs, reads, outputs, writes, indices, contraction.batch, tile)
    return [y.astype(contraction.dtype_of(o)) for y, o in zip(sums, polynomial.outputs, strict=True)]
