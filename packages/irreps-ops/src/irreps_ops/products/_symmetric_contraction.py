"""Symmetric contraction: weighted equivariant polynomials of a node's features in each channel, as in MACE."""

import itertools
import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._lowering import evaluate_lowering
from irreps_ops.compute._polynomial import Polynomial

from ._symmetric_lowering import SPECIES, symmetric_lowering
from ._symmetric_polynomials import Terms, equivariant_polynomials


@dataclass(frozen=True)
class SymmetricWeights:
    """Description of one array of weights of a symmetric contraction.

    Attributes:
        order: the degree of the weighted polynomials.
        irrep: the irrep of the polynomials.
        multiplicity: the number of linearly independent polynomials.
        weight_std: standard deviation of the initial weights.

    Example:
        >>> import irreps_ops as irr
        >>> weights = irr.FunctionalSymmetricContraction("0e + 1o", (1, 2), ["0e"]).weights
        >>> [(w.order, w.irrep, w.multiplicity) for w in weights]
        [(1, 0e, 1), (2, 0e, 2)]
    """

    order: int
    irrep: Irrep
    multiplicity: int
    weight_std: float = 1.0

    @property
    def name(self) -> str:
        """The name of the weights, as in e3nn-jax: ``w3_1o``."""
        return f"w{self.order}_{self.irrep}"


def contraction_orders(orders: Iterable[int]) -> tuple[int, ...]:
    """Return the orders of a symmetric contraction, ascending.

    Raises:
        ValueError: the orders are not different positive integers, one at least.
    """
    given = tuple(orders)
    try:
        found = sorted({operator.index(order) for order in given})
    except TypeError:
        found = []
    if not found or len(found) < len(given) or found[0] < 1:
        raise ValueError(f"orders must be different positive integers, one at least; got {given}")
    return tuple(found)


def _wanted(irreps: IntoIrreps | None) -> frozenset[Irrep] | None:
    return None if irreps is None else frozenset(ir for _, ir in Irreps(irreps))


@frozen
class FunctionalSymmetricContraction:
    r"""Description of a symmetric contraction; call it with weights and data.

    For each channel c and each irrep of the output,

    .. math:: y_{ck} = \sum_n \frac 1 M \sum_{m=1}^{M} w_{mc} \, B_m(x_c)_k

    where, for each order n, :math:`B_1, ..., B_M` are all linearly independent equivariant polynomials of degree n to
    the irrep, of norm 1 as tensors (in each component). They are evaluated as polynomials: no tensor with n indices
    exists.

    Args:
        irreps_in: irreps of x; an irrep with a multiplicity counts as that many.
        orders: the degrees.
        keep_irrep_out: the irreps of the output (default: all that occur).

    Attributes:
        irreps_out: irreps of the output, sorted, each once.
        weights: a :class:`SymmetricWeights` for each array of weights, by order and irrep.

    Raises:
        ValueError: orders that are not different positive integers, or an irrep that does not occur.

    Source: Batatia, Kovács, Simm, Ortner, Csányi: MACE, NeurIPS 2022, equations 10 and 11. Names, shapes and order of
    the weights, and their basis, are those of e3nn-jax's ``SymmetricTensorProduct``.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalSymmetricContraction("0e + 1o", orders=(1, 2), keep_irrep_out="0e")
        >>> {w.name: w.multiplicity for w in f.weights}
        {'w1_0e': 1, 'w2_0e': 2}
        >>> weights = {"w1_0e": jnp.zeros((1, 8)), "w2_0e": jnp.ones((2, 8))}
        >>> f(weights, irr.IrrepsArray("0e + 1o", jnp.ones((10, 8, 4)))).shape
        (10, 8, 1)
    """

    irreps_in: Irreps = converted(converter=Irreps)
    orders: tuple[int, ...] = converted(converter=contraction_orders)
    keep_irrep_out: frozenset[Irrep] | None = converted(converter=_wanted, default=None)

    def validate(self) -> None:
        """Check that each wanted irrep occurs."""
        missing = (self.keep_irrep_out or frozenset()) - {ir for _, ir in self.irreps_out}
        if missing:
            possible = {ir for n in self.orders for ir in equivariant_polynomials(self.irreps_in, n)}
            raise ValueError(
                f"{', '.join(map(str, sorted(missing)))} cannot be made of {self.irreps_in} with orders {self.orders}; "
                f"possible: {', '.join(map(str, sorted(possible))) or 'none'}"
            )

    @cached_property
    def weights(self) -> tuple[SymmetricWeights, ...]:
        """Descriptions of the arrays of weights, by order and irrep."""
        return tuple(SymmetricWeights(n, ir, found.copies) for n in self.orders for ir, found in self._basis(n).items())

    @cached_property
    def irreps_out(self) -> Irreps:
        """Irreps of the output, sorted, each once."""
        return Irreps([(1, ir) for ir in sorted({w.irrep for w in self.weights})])

    def _basis(self, order: int) -> Mapping[Irrep, Terms]:
        return equivariant_polynomials(self.irreps_in, order, self.keep_irrep_out)

    @property
    def num_weights(self) -> int:
        """The number of weights of each channel."""
        return sum(w.multiplicity for w in self.weights)

    def split_weights(self, weights: jax.Array) -> dict[str, jax.Array]:
        """Split one array of shape (..., num_weights, channels) into the arrays of weights, by name.

        Raises:
            ValueError: the last axis but one has another length.
        """
        if weights.ndim < 2 or weights.shape[-2] != self.num_weights:
            raise ValueError(f"expected weights of shape (..., {self.num_weights}, channels), got {weights.shape}")
        stops = list(itertools.accumulate(w.multiplicity for w in self.weights))
        parts = zip(self.weights, [0, *stops], stops, strict=False)
        return {w.name: weights[..., start:stop, :] for w, start, stop in parts}

    def join_weights(self, weights: Mapping[str, Any]) -> jax.Array:
        """Join arrays of weights, by name, of shape (..., multiplicity, channels), to one array.

        Args:
            weights: for each of `self.weights`, by name, an array of shape (..., multiplicity, channels).

        Returns:
            Array of shape (..., num_weights, channels).

        Raises:
            ValueError: a name is missing or unknown, or shapes do not fit.
        """
        names = [w.name for w in self.weights]
        if set(weights) != set(names):
            raise ValueError(f"expected weights {names}, got {sorted(weights)}")
        arrays = [jnp.asarray(weights[name]) for name in names]
        for w, array in zip(self.weights, arrays, strict=True):
            first = arrays[0].shape
            if array.ndim < 2 or array.shape != (*first[:-2], w.multiplicity, first[-1]):
                expected = ", ".join(map(str, (*first[:-2], w.multiplicity, first[-1] if first else "channels")))
                raise ValueError(f"weights {w.name} must have shape ({expected}), got {array.shape}")
        return jnp.concatenate(arrays, axis=-2)

    def polynomial(self, channels: int, species: bool = False) -> Polynomial:
        """Return the polynomial that is evaluated, of the weights and x.

        Args:
            channels: the number of channels.
            species: whether each element of the batch looks up its weights through the index "species".
        """
        return symmetric_lowering(self.irreps_in, self.orders, self.keep_irrep_out, channels, species).polynomial

    def __call__(
        self,
        weights: Mapping[str, Any] | jax.Array,
        x: IrrepsArray,
        index: Any = None,
        *,
        executor: Choice = None,
    ) -> IrrepsArray:
        """Contract.

        Args:
            weights: for each of `self.weights`, by name, an array of shape (multiplicity, channels); or one array of
                shape (num_weights, channels). With `index` they have a first axis: (species, ...).
            x: data of shape (..., channels, irreps_in.dim).
            index: integers of shape (...,): the species, whose weights apply. A species out of range has weights of 0.
            executor: the executor, see :func:`evaluate`.

        Returns:
            Data of shape (..., channels, irreps_out.dim).

        Raises:
            ValueError: other irreps, or wrong shapes.
        """
        (x,) = floating(x.rechunk(self.irreps_in))
        if x.ndim < 2:
            raise ValueError(f"x must have shape (..., channels, {self.irreps_in.dim}), got {x.shape}")
        if not self.weights:  # there is no such polynomial
            return IrrepsArray(self.irreps_out, jnp.zeros((*x.shape[:-1], self.irreps_out.dim), x.dtype))
        w = self.join_weights(weights) if isinstance(weights, Mapping) else jnp.asarray(weights)
        *leading, channels, dim = x.shape
        expected = (*w.shape[: 0 if index is None else 1], self.num_weights, channels)
        if w.shape != expected or w.ndim != (2 if index is None else 3):
            first = "" if index is None else "species, "
            raise ValueError(f"weights must have shape ({first}{self.num_weights}, {channels}), got {w.shape}")
        indices = {}
        if index is not None:
            index = jnp.asarray(index)
            if index.shape != tuple(leading):
                raise ValueError(f"index must have shape {tuple(leading)}, as x has, got {index.shape}")
            indices[SPECIES] = index.reshape(-1)
        dtype = jnp.result_type(w, x.array)
        lowering = symmetric_lowering(self.irreps_in, self.orders, self.keep_irrep_out, channels, index is not None)
        arrays = [x.array.astype(dtype).reshape(math.prod(leading), channels, dim), w.astype(dtype)]
        y = evaluate_lowering(lowering, arrays, indices, executor=executor)
        return IrrepsArray(self.irreps_out, y.reshape(*leading, channels, self.irreps_out.dim))

    def projection(self, order: int, irrep: str | Irrep, basis: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
        r"""Return the change of basis for the weights of another implementation: ``w = projection @ theirs``.

        Args:
            order: the degree of the polynomials.
            irrep: the irrep of the polynomials.
            basis: their polynomials as tensors of shape ``(dim,) * order + (theirs, 2l+1)``, in our order of
                components: with their weights :math:`w_m`,
                :math:`y_k = \sum_m w_m \sum_{ij...} \text{basis}_{ij...mk} \, x_i x_j \cdots` They may be linearly
                dependent, and need not be symmetric. (MACE's ``U_matrix_real`` are dependent and not symmetric.)
            tolerance: largest share of the squared norm of the basis that may not be equivariant.

        Returns:
            A matrix of shape (multiplicity, theirs), in float64.

        Raises:
            ValueError: wrong shape, no such weights, or polynomials that are not equivariant.
        """
        ir, dim = Irrep(irrep), self.irreps_in.dim
        if (order, ir) not in {(w.order, w.irrep) for w in self.weights}:
            raise ValueError(f"there are no weights w{order}_{ir}; there are {[w.name for w in self.weights]}")
        basis = np.asarray(basis, np.float64)
        if basis.ndim != order + 2 or basis.shape[:order] != (dim,) * order or basis.shape[-1] != ir.dim:
            raise ValueError(f"basis must have shape {(dim,) * order} + (theirs, {ir.dim}), got {basis.shape}")
        orders = list(itertools.permutations(range(order)))
        symmetric = np.mean([basis.transpose(*p, order, order + 1) for p in orders], axis=0)
        found = self._basis(order)[ir]
        copy, *variables, component = found.terms.T
        products = symmetric[(*variables, slice(None), component)] * found.values[:, None]
        matrix = np.zeros((found.copies, basis.shape[-2]))
        np.add.at(matrix, copy, products / ir.dim)
        # The projection of equivariant polynomials keeps their norm.
        given, kept = np.sum(symmetric**2), ir.dim * np.sum(matrix**2)
        if abs(given - kept) > tolerance * max(given, 1e-300):
            raise ValueError(
                f"the basis given for order {order} and {ir} does not consist of equivariant polynomials of "
                f"{self.irreps_in}: {1 - kept / given:.2%} of it is not equivariant; check the order of its components"
            )
        return matrix * found.copies


def symmetric_contraction(
    x: IrrepsArray,
    weights: Mapping[str, Any] | jax.Array,
    orders: Iterable[int],
    *,
    keep_irrep_out: IntoIrreps | None = None,
    index: Any = None,
) -> IrrepsArray:
    """Return weighted equivariant polynomials of x in each channel.

    Args:
        x: data of shape (..., channels, irreps.dim).
        weights: for each order and irrep, by name, an array of shape ([species,] multiplicity, channels), see
            :class:`FunctionalSymmetricContraction`.
        orders: the degrees, for example (1, 2, 3).
        keep_irrep_out: the irreps of the output (default: all that occur).
        index: integers of shape (...,): the species, whose weights apply; weights then have a first axis.

    Returns:
        Data of shape (..., channels, irreps_out.dim), irreps sorted, each once.

    Raises:
        ValueError: invalid orders, an irrep that does not occur, or wrong shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("1o", jnp.array([[3.0, 0.0, 4.0]]))
        >>> irr.symmetric_contraction(x, {"w2_0e": jnp.ones((1, 1))}, (2,), keep_irrep_out="0e") * 3**0.5
        1x0e [[25.]]
    """
    return FunctionalSymmetricContraction(x.irreps, orders, keep_irrep_out)(weights, x, index)
