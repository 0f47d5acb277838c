"""The lowering of edge convolutions to one polynomial over all edges of a graph."""

from dataclasses import dataclass

import jax

from irreps_core import IrrepsArray, cached
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access, Coefficients, Index, Operand, Path
from irreps_ops.compute._views import Part, View

from ._convolution_lowering import ConvolutionPlan, EdgeCoupling


@dataclass(frozen=True)
class GraphLowering:
    """A convolution as one polynomial; the batch consists of the edges.

    Features and results are in their public layout, components last.

    Attributes:
        polynomial: its inputs are the hidden activations, if there are some; the items of the features, accessed
            through the index ``senders``; those of the harmonics; and for each coupling the weights, or the columns of
            the last matrix. Its outputs are the couplings, accessed through the index ``receivers``.
        plan: irreps and couplings.
        factored: whether weights are a product of hidden activations and a matrix.
    """

    polynomial: Polynomial
    plan: ConvolutionPlan
    factored: bool

    def inputs(
        self, x: jax.Array, y: jax.Array, weights: jax.Array | None, matrix: jax.Array | None
    ) -> list[jax.Array | Part]:
        """Return the inputs of the polynomial.

        Args:
            x: features of shape (senders, irreps).
            y: harmonics of shape (edges, irreps).
            weights: of shape (edges, columns), or hidden activations of shape (edges, n).
            matrix: the last matrix, of shape (n, columns).
        """
        plan, found = self.plan, []
        if self.factored and weights is not None:
            found.append(weights[:, None])
        for array, irreps in ((x, plan.irreps_x), (y, plan.irreps_y)):
            for item, place in zip(irreps, irreps.slices(), strict=True):
                found.append(Part(array, ((item.ir.dim, place.start),)))
        columns = weights if not self.factored or matrix is None else matrix[None]
        if columns is not None:
            found += [Part(columns, ((1, c.start),)) for c in plan.computed]
        return found

    def joined(self) -> list[View]:
        """Return where the outputs of the polynomial lie in the result."""
        plan = self.plan
        first = {ir: min(c.start for c in plan.couplings if c.ir == ir) for _, ir in plan.irreps}
        place = {ir: place.start for (_, ir), place in zip(plan.irreps, plan.irreps.slices(), strict=True)}
        return [
            View(0, ((c.ir.dim, place[c.ir] + (c.start - first[c.ir]) * c.ir.dim),), 0, plan.irreps.dim)
            for c in plan.computed
        ]

    def result(self, array: jax.Array) -> IrrepsArray:
        """Return the joined outputs of the polynomial as an IrrepsArray."""
        computed = {c.ir for c in self.plan.computed}
        return IrrepsArray(self.plan.irreps, array, zero_flags=[ir not in computed for _, ir in self.plan.irreps])


@cached(maxsize=256)
def graph_lowering(plan: ConvolutionPlan, weighted: bool, hidden: int | None) -> GraphLowering:
    """Return the lowering of a convolution, one coupling of which at least is computed.

    Args:
        plan: irreps and couplings.
        weighted: whether there are weights.
        hidden: the number of hidden activations, if weights are a product of these and a matrix.
    """
    couplings, factored = plan.computed, hidden is not None
    first = [Operand(1, (hidden,), name="hidden")] if hidden is not None else []
    x = [Operand(ir.dim, (mul,), Index("senders"), f"x {ir}", components_last=True) for mul, ir in plan.irreps_x]
    y = [
        Operand(ir.dim, () if mul == 1 else (mul,), name=f"harmonics {ir}", components_last=mul > 1)
        for mul, ir in plan.irreps_y
    ]
    weights = [_weights(plan, c, hidden) for c in couplings] if weighted else []
    outputs, paths = [], []
    for n, c in enumerate(couplings):
        coefficients = plan.coefficients(c)
        inputs: tuple[int, ...] = (len(first) + c.x, len(first) + len(x) + c.y)
        # a: channels of features, c: of harmonics, b: hidden activations.
        pair = "ac" if plan.irreps_y[c.y].mul > 1 else "a"
        subscripts: tuple[str, ...] = ("a", pair[1:], pair)
        if weighted:
            own = len(first) + len(x) + len(y) + n
            inputs = (0, own, *inputs) if factored else (own, *inputs)
            subscripts = ("b", "b" + pair, *subscripts) if factored else (pair, *subscripts)
            coefficients = coefficients[None, None] if factored else coefficients[None]
        outputs.append(Operand(c.ir.dim, plan.channels(c), Index("receivers"), plan.named(c), components_last=True))
        paths.append(Path(inputs, n, subscripts, Coefficients.from_dense(coefficients)))
    return GraphLowering(Polynomial((*first, *x, *y, *weights), tuple(outputs), tuple(paths)), plan, factored)


def _weights(plan: ConvolutionPlan, c: EdgeCoupling, hidden: int | None) -> Operand:
    """Return the operand of the weights of a coupling, or of its columns of the last matrix."""
    name = f"weights {plan.named(c)}"
    if hidden is None:
        return Operand(1, plan.channels(c), name=name)
    return Operand(1, (hidden, *plan.channels(c)), Access.BROADCAST, name)
