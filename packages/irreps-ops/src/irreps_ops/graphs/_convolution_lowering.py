"""What an edge convolution computes in each row of edges, as a polynomial, and how its data lie in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import Irrep, Irreps, IrrepsArray, cached, clebsch_gordan, from_chunks
from irreps_ops._inputs._normalization import IrrepNormalization, product_scale
from irreps_ops._inputs._operands import split_items, split_last_axis
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Coefficients, Operand, Path


@dataclass(frozen=True)
class Product:
    """One item of the features times one item of the harmonics, projected on an irrep.

    Attributes:
        x: place of the item of the features.
        y: place of the item of the harmonics.
        ir: the irrep.
        start: of its weights, one for each channel of the features and each of the harmonics.
        stop: the end of them.
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
    """Irreps and products of a convolution.

    Inside, components come before channels, which are contiguous: (components, channels) for each item.

    Attributes:
        irreps_x: of the features, each once.
        irreps_y: of the harmonics, each once.
        irreps: of the result, each once.
        products: in the order of the result.
        normalization: of the products.
    """

    irreps_x: Irreps
    irreps_y: Irreps
    irreps: Irreps
    products: tuple[Product, ...]
    normalization: IrrepNormalization

    @property
    def computed(self) -> list[Product]:
        """The products that are not known to be zero."""
        return [p for p in self.products if not p.zero]

    @property
    def empty(self) -> bool:
        """Whether the result is known to be zero."""
        return not self.computed

    def polynomial(self, width: int, weighted: bool) -> Polynomial:
        """The sum over the edges of a row, for each product.

        Inputs: weights of each product (if `weighted`), items of the features, items of the harmonics; all with the
        slots of the row as first channel axis. Outputs: the products.
        """
        return _polynomial(self, width, weighted)

    def zeros(self, nodes: int, dtype: Any) -> IrrepsArray:
        """The result where there is nothing to add up."""
        return from_chunks(self.irreps, [None] * len(self.irreps), (nodes,), dtype, backend=jnp)

    def channels(self, product: Product) -> tuple[int, ...]:
        """Channels of a product: of the features and, if there are several, of the harmonics."""
        mul_x, mul_y = self.irreps_x[product.x].mul, self.irreps_y[product.y].mul
        return (mul_x,) if mul_y == 1 else (mul_x, mul_y)

    def factors(self, weights: jax.Array | None, x: jax.Array, y: jax.Array) -> list[jax.Array]:
        """The inputs of the polynomial from rows of edges.

        Args:
            weights: (rows, width, columns).
            x: (rows, width, features), as :meth:`flat` makes them.
            y: (rows, width, harmonics), as they are.
        """
        found = []
        if weights is not None:
            for p, part in zip(
                self.products, split_last_axis(weights, [p.stop - p.start for p in self.products]), strict=True
            ):
                if not p.zero:
                    found.append(part.reshape(*part.shape[:-1], *self.channels(p))[:, None])
        for (mul, ir), part in zip(self.irreps_x, split_items(x, self.irreps_x), strict=True):
            found.append(jnp.swapaxes(part.reshape(*part.shape[:-1], ir.dim, mul), 1, 2))
        for (mul, ir), part in zip(self.irreps_y, split_items(y, self.irreps_y), strict=True):
            one = part if mul == 1 else part.reshape(*part.shape[:-1], mul, ir.dim)
            found.append(jnp.moveaxis(one, -1, 1))
        return found

    def joined(self, outputs: Sequence[jax.Array]) -> jax.Array:
        """The outputs of the polynomial, (rows, components, channels...), side by side; zeros where known."""
        rows, dtype = outputs[0].shape[0], outputs[0].dtype
        found, pieces = iter(outputs), []
        for _, ir in self.irreps:
            parts = []
            for p in self.products:
                if p.ir == ir:
                    shape = (rows, ir.dim, p.stop - p.start)
                    parts.append(jnp.zeros(shape, dtype) if p.zero else next(found).reshape(shape))
            pieces.append(jnp.concatenate(parts, -1).reshape(rows, -1))
        return jnp.concatenate(pieces, -1)

    def result(self, joined: jax.Array) -> IrrepsArray:
        """Back from what :meth:`joined` makes, summed over rows."""
        nodes, chunks = joined.shape[0], []
        for (mul, ir), part in zip(self.irreps, split_items(joined, self.irreps), strict=True):
            zero = all(p.zero for p in self.products if p.ir == ir)
            chunk = jnp.swapaxes(part.reshape(nodes, ir.dim, mul), 1, 2)
            chunks.append(None if zero else chunk)
        return from_chunks(self.irreps, chunks, (nodes,), joined.dtype, backend=jnp)


def component_first(x: IrrepsArray) -> jax.Array:
    """The data of (..., irreps) with the components of each item before its channels."""
    parts = []
    for (mul, ir), part in zip(x.irreps, split_items(jnp.asarray(x.array), x.irreps), strict=True):
        chunk = part.reshape(*x.shape[:-1], mul, ir.dim)
        parts.append(jnp.swapaxes(chunk, -1, -2).reshape(*x.shape[:-1], -1))
    return jnp.concatenate(parts, -1)


@cached(maxsize=256)
def convolution_plan(
    irreps_x: Irreps,
    irreps_y: Irreps,
    paths: tuple[tuple[int, int, Irrep], ...],
    zeros_x: tuple[bool, ...],
    zeros_y: tuple[bool, ...],
    normalization: IrrepNormalization,
) -> ConvolutionPlan:
    """The plan of certain products of regrouped irreps, given as (item of x, item of y, irrep) in any order."""
    unsorted = Irreps([(irreps_x[i].mul * irreps_y[j].mul, ir) for i, j, ir in paths])
    order = unsorted.sort()
    products, start = [], 0
    for n in order.inv:
        i, j, ir = paths[n]
        stop = start + unsorted[n].mul
        products.append(Product(i, j, ir, start, stop, zeros_x[i] or zeros_y[j]))
        start = stop
    return ConvolutionPlan(irreps_x, irreps_y, order.irreps.simplify(), tuple(products), normalization)


@cached(maxsize=256)
def _polynomial(plan: ConvolutionPlan, width: int, weighted: bool) -> Polynomial:
    computed = plan.computed
    weights = [Operand(1, (width, *plan.channels(p)), name="weights") for p in computed] if weighted else []
    x = [Operand(ir.dim, (width, mul), name=f"x {ir}") for mul, ir in plan.irreps_x]
    y = [Operand(ir.dim, (width,) if mul == 1 else (width, mul), name=f"harmonics {ir}") for mul, ir in plan.irreps_y]
    outputs, paths = [], []
    for n, p in enumerate(computed):
        ir_x, ir_y = plan.irreps_x[p.x].ir, plan.irreps_y[p.y].ir
        scale = product_scale(plan.normalization, ir_x.dim, ir_y.dim, p.ir.dim)
        coefficients = scale * clebsch_gordan(ir_x.l, ir_y.l, p.ir.l)
        places, several = (len(weights) + p.x, len(weights) + len(x) + p.y), plan.irreps_y[p.y].mul > 1
        # e: the edges of a row; u, v: channels of features and of harmonics.
        subscripts = ("eu", "ev", "uv") if several else ("eu", "e", "u")
        if weighted:
            places, subscripts = (n, *places), ("e" + subscripts[-1], *subscripts)
            coefficients = coefficients[None]
        outputs.append(Operand(p.ir.dim, plan.channels(p), name=f"{ir_x} x {ir_y} -> {p.ir}"))
        paths.append(Path(places, n, subscripts, Coefficients.from_dense(coefficients)))
    return Polynomial((*weights, *x, *y), tuple(outputs), tuple(paths))
