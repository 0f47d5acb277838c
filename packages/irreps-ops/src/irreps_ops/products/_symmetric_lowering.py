"""The lowering of symmetric contractions."""

from dataclasses import dataclass

import jax
import numpy as np

from irreps_core import Irrep, Irreps, cached
from irreps_ops.compute._lowering import Evaluate
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access, Coefficients, Index, Operand, Path

from ._symmetric_polynomials import equivariant_polynomials

# The index through which elements of the batch look up the weights of their species.
SPECIES = "species"


@dataclass(frozen=True)
class SymmetricLowering:
    """A symmetric contraction.

    Called with x of shape (batch, channels, dim) and weights of shape ([species,] num_weights, channels).

    Attributes:
        polynomial: its inputs are the weights and x; it has one output.
    """

    polynomial: Polynomial

    @property
    def width(self) -> int:
        """See :class:`Lowering`."""
        return self.polynomial.outputs[0].size

    @property
    def intermediate(self) -> int:
        """See :class:`Lowering`. The executors limit the memory of the monomials themselves."""
        return 0

    def __call__(self, evaluate: Evaluate, *arrays: jax.Array) -> jax.Array:
        """See :class:`Lowering`."""
        x, weights = arrays
        (y,) = evaluate(self.polynomial, [weights, x])
        return y.reshape(y.shape[0], self.width)


@cached(maxsize=256)
def symmetric_lowering(
    irreps_in: Irreps, orders: tuple[int, ...], keep: frozenset[Irrep] | None, channels: int, species: bool
) -> SymmetricLowering:
    """Return the lowering of a symmetric contraction.

    Args:
        irreps_in: irreps of x.
        orders: degrees of the polynomials, ascending.
        keep: irreps of the output; None for all that occur.
        channels: number of channels.
        species: whether elements of the batch look up their weights through the index :data:`SPECIES`.
    """
    bases = [equivariant_polynomials(irreps_in, order, keep) for order in orders]
    irreps_out = Irreps([(1, ir) for ir in sorted({ir for basis in bases for ir in basis})])
    places = {ir: place.start for (_, ir), place in zip(irreps_out, irreps_out.slices(), strict=True)}
    num_weights, paths = 0, []
    for order, basis in zip(orders, bases, strict=True):
        # Terms are (weight, components of x, component of the output).
        terms, values = [np.zeros((0, order + 2), int)], [np.zeros(0)]
        for ir, found in basis.items():
            moved = found.terms.copy()
            moved[:, 0] += num_weights
            moved[:, -1] += places[ir]
            terms.append(moved)
            values.append(found.values / found.copies)
            num_weights += found.copies
        coefficients = Coefficients(np.concatenate(terms), np.concatenate(values))
        paths.append(Path((0, *(1,) * order), 0, ("u",) * (order + 2), coefficients))
    inputs = (
        Operand(num_weights, (channels,), Index(SPECIES) if species else Access.BROADCAST, "weights"),
        Operand(irreps_in.dim, (channels,), Access.BATCHED, "x", components_last=True),
    )
    output = Operand(irreps_out.dim, (channels,), Access.BATCHED, "out", components_last=True)
    return SymmetricLowering(Polynomial(inputs, (output,), tuple(paths)))
