"""The lowering of edge convolutions: sums over rows of edges."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irrep, Irreps, IrrepsArray, cached, clebsch_gordan, from_chunks
from irreps_ops._inputs._normalization import IrrepNormalization, product_scale
from irreps_ops._inputs._operands import split_items, split_last_axis
from irreps_ops.compute._lowering import Evaluate
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Coefficients, Operand, Path
from irreps_ops.products._selection_rules import AllowedProduct


@dataclass(frozen=True)
class EdgeCoupling:
    """An item of the features and one of the harmonics that contribute to an irrep of the result.

    Attributes:
        x: position of the item of the features.
        y: position of the item of the harmonics.
        ir: the irrep.
        start: of its columns among the weights, one for each pair of channels of the features and of the harmonics.
        stop: end of its columns.
        zero: whether a factor is known to be zero.
    """

    x: int
    y: int
    ir: Irrep
    start: int
    stop: int
    zero: bool


@dataclass(frozen=True)
class ConvolutionPlan:
    """Irreps and couplings of a convolution.

    In operands and outputs the components come before the channels, which are contiguous: (components, channels).

    Attributes:
        irreps_x: of the features, each once.
        irreps_y: of the harmonics, each once.
        irreps: of the result, each once.
        couplings: in the order of the result.
        normalization: of the couplings.
    """

    irreps_x: Irreps
    irreps_y: Irreps
    irreps: Irreps
    couplings: tuple[EdgeCoupling, ...]
    normalization: IrrepNormalization

    @property
    def computed(self) -> list[EdgeCoupling]:
        """The couplings that are not known to be zero."""
        return [c for c in self.couplings if not c.zero]

    @property
    def empty(self) -> bool:
        """Whether the result is known to be zero."""
        return not self.computed

    def zeros(self, nodes: int, dtype: Any) -> IrrepsArray:
        """Return the result of a sum without terms."""
        return from_chunks(self.irreps, [None] * len(self.irreps), (nodes,), dtype, backend=jnp)

    def channels(self, coupling: EdgeCoupling) -> tuple[int, ...]:
        """Return the channel axes of a coupling: features and, if they have several channels, harmonics."""
        mul_x, mul_y = self.irreps_x[coupling.x].mul, self.irreps_y[coupling.y].mul
        return (mul_x,) if mul_y == 1 else (mul_x, mul_y)

    def coefficients(self, coupling: EdgeCoupling) -> np.ndarray:
        """Return the coefficients of a coupling, of shape (features, harmonics, result)."""
        ir_x, ir_y = self.irreps_x[coupling.x].ir, self.irreps_y[coupling.y].ir
        scale = product_scale(self.normalization, ir_x.dim, ir_y.dim, coupling.ir.dim)
        return scale * clebsch_gordan(ir_x.l, ir_y.l, coupling.ir.l)

    def named(self, coupling: EdgeCoupling) -> str:
        """Describe a coupling: ``1o x 1o -> 2e``."""
        return f"{self.irreps_x[coupling.x].ir} x {self.irreps_y[coupling.y].ir} -> {coupling.ir}"

    def result(self, joined: jax.Array) -> IrrepsArray:
        """Return sums of rows of shape (nodes, irreps), components before channels, as an IrrepsArray."""
        nodes, chunks = joined.shape[0], []
        for (mul, ir), part in zip(self.irreps, split_items(joined, self.irreps), strict=True):
            zero = all(c.zero for c in self.couplings if c.ir == ir)
            chunk = jnp.swapaxes(part.reshape(nodes, ir.dim, mul), 1, 2)
            chunks.append(None if zero else chunk)
        return from_chunks(self.irreps, chunks, (nodes,), joined.dtype, backend=jnp)


@dataclass(frozen=True)
class ConvolutionLowering:
    """The sum of all couplings over the edges of each row. The batch consists of rows of edges.

    Called with features of shape (rows, row width, irreps), in the layout of :func:`component_first`, with harmonics of
    shape (rows, row width, irreps) and, if the plan is weighted, with weights of shape (rows, row width, columns).

    Attributes:
        polynomial: its inputs are the weights of each coupling, if there are some, the items of the features and those
            of the harmonics, all with the slots of a row as first channel axis; its outputs are the couplings.
        plan: irreps and couplings.
    """

    polynomial: Polynomial
    plan: ConvolutionPlan

    @property
    def width(self) -> int:
        """See :class:`Lowering`."""
        return self.plan.irreps.dim

    @property
    def intermediate(self) -> int:
        """See :class:`Lowering`."""
        return self.polynomial.sizes()[1]

    def __call__(self, evaluate: Evaluate, *arrays: jax.Array) -> jax.Array:
        """See :class:`Lowering`."""
        outputs = evaluate(self.polynomial, self._inputs(*arrays))
        rows, dtype = outputs[0].shape[0], outputs[0].dtype
        computed, items = iter(outputs), []
        for _, ir in self.plan.irreps:
            parts = []
            for c in self.plan.couplings:
                if c.ir == ir:
                    shape = (rows, ir.dim, c.stop - c.start)
                    parts.append(jnp.zeros(shape, dtype) if c.zero else next(computed).reshape(shape))
            items.append(jnp.concatenate(parts, -1).reshape(rows, -1))
        return jnp.concatenate(items, -1)

    def _inputs(self, x: jax.Array, y: jax.Array, weights: jax.Array | None = None) -> list[jax.Array]:
        """Return the inputs of the polynomial."""
        plan, found = self.plan, []
        if weights is not None:
            parts = split_last_axis(weights, [c.stop - c.start for c in plan.couplings])
            for c, part in zip(plan.couplings, parts, strict=True):
                if not c.zero:
                    found.append(part.reshape(*part.shape[:-1], *plan.channels(c))[:, None])
        for (mul, ir), part in zip(plan.irreps_x, split_items(x, plan.irreps_x), strict=True):
            found.append(jnp.swapaxes(part.reshape(*part.shape[:-1], ir.dim, mul), 1, 2))
        for (mul, ir), part in zip(plan.irreps_y, split_items(y, plan.irreps_y), strict=True):
            item = part if mul == 1 else part.reshape(*part.shape[:-1], mul, ir.dim)
            found.append(jnp.moveaxis(item, -1, 1))
        return found


def component_first(x: IrrepsArray) -> jax.Array:
    """Return data of shape (..., irreps) in which the components of each item come before its channels."""
    parts = []
    for (mul, ir), part in zip(x.irreps, split_items(jnp.asarray(x.array), x.irreps), strict=True):
        chunk = part.reshape(*x.shape[:-1], mul, ir.dim)
        parts.append(jnp.swapaxes(chunk, -1, -2).reshape(*x.shape[:-1], -1))
    return jnp.concatenate(parts, -1)


@cached(maxsize=256)
def convolution_plan(
    irreps_x: Irreps,
    irreps_y: Irreps,
    products: tuple[AllowedProduct, ...],
    zeros_x: tuple[bool, ...],
    zeros_y: tuple[bool, ...],
    normalization: IrrepNormalization,
) -> ConvolutionPlan:
    """Return the plan for some products of items of regrouped irreps, in any order."""
    unsorted = Irreps([(irreps_x[i].mul * irreps_y[j].mul, ir) for i, j, ir in products])
    order = unsorted.sort()
    couplings, start = [], 0
    for n in order.inv:
        i, j, ir = products[n]
        stop = start + unsorted[n].mul
        couplings.append(EdgeCoupling(i, j, ir, start, stop, zeros_x[i] or zeros_y[j]))
        start = stop
    return ConvolutionPlan(irreps_x, irreps_y, order.irreps.simplify(), tuple(couplings), normalization)


@cached(maxsize=256)
def convolution_lowering(plan: ConvolutionPlan, row_width: int, weighted: bool) -> ConvolutionLowering:
    """Return the lowering of a convolution.

    Args:
        plan: irreps and couplings, one at least that is computed.
        row_width: number of slots in a row of edges.
        weighted: whether there are weights.
    """
    couplings = plan.computed
    weights = [Operand(1, (row_width, *plan.channels(c)), name="weights") for c in couplings] if weighted else []
    x = [Operand(ir.dim, (row_width, mul), name=f"x {ir}") for mul, ir in plan.irreps_x]
    y = [
        Operand(ir.dim, (row_width,) if mul == 1 else (row_width, mul), name=f"harmonics {ir}")
        for mul, ir in plan.irreps_y
    ]
    outputs, paths = [], []
    for n, c in enumerate(couplings):
        coefficients = plan.coefficients(c)
        inputs, several = (len(weights) + c.x, len(weights) + len(x) + c.y), plan.irreps_y[c.y].mul > 1
        # e: the edges of a row; u, v: channels of features and of harmonics.
        subscripts = ("eu", "ev", "uv") if several else ("eu", "e", "u")
        if weighted:
            inputs, subscripts = (n, *inputs), ("e" + subscripts[-1], *subscripts)
            coefficients = coefficients[None]
        outputs.append(Operand(c.ir.dim, plan.channels(c), name=plan.named(c)))
        paths.append(Path(inputs, n, subscripts, Coefficients.from_dense(coefficients)))
    return ConvolutionLowering(Polynomial((*weights, *x, *y), tuple(outputs), tuple(paths)), plan)
