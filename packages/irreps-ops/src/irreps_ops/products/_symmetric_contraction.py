"""Symmetric contraction: weighted equivariant polynomials of a node's features, channel by channel, as in MACE."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray
from irreps_ops._inputs._operands import floating
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Access, Coefficients, Index, Operand, Path

from ._symmetric_polynomials import Terms, equivariant_polynomials

_SPECIES = "species"


@dataclass(frozen=True)
class SymmetricPath:
    """One array of weights of a symmetric contraction.

    Attributes:
        order: how many factors x has in the polynomials that are weighted.
        irrep: what they make.
        multiplicity: how many linearly independent ones there are.
        weight_std: standard deviation of the initial weights.
    """

    order: int
    irrep: Irrep
    multiplicity: int
    weight_std: float = 1.0

    @property
    def name(self) -> str:
        """The name of the weights, as in e3nn-jax: ``w3_1o``."""
        return f"w{self.order}_{self.irrep}"


@dataclass(frozen=True, init=False)
class FunctionalSymmetricContraction:
    """Description of a symmetric contraction; call it with weights and data.

    For each channel c and each irrep of the output,

        y[c, k] = sum over orders n and m of w[m, c] / M * B_m(x[c])_k,

    where B_1, ..., B_M are all linearly independent equivariant polynomials of degree n that make the irrep, of norm
    1 as tensors (in each component). Polynomials are evaluated as such: no tensor of n indices is ever made.

    Args:
        irreps_in: irreps of x; those with a multiplicity count as that many.
        orders: the degrees.
        keep_irrep_out: the irreps of the output (default: all that occur).

    Attributes:
        irreps_out: irreps of the output, sorted, each once.
        paths: the :class:`SymmetricPath`, by order and irrep.

    Raises:
        ValueError: orders that are not different positive integers, or an irrep that cannot be made.

    Sources:
        Batatia, Kovács, Simm, Ortner, Csányi: MACE, NeurIPS 2022, equations 10 and 11. Names, shapes and order of the
        weights, and their basis, are those of e3nn-jax's ``SymmetricTensorProduct``.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalSymmetricContraction("0e + 1o", orders=(1, 2), keep_irrep_out="0e")
        >>> {path.name: path.multiplicity for path in f.paths}
        {'w1_0e': 1, 'w2_0e': 2}
        >>> weights = {"w1_0e": jnp.zeros((1, 8)), "w2_0e": jnp.ones((2, 8))}
        >>> f(weights, ic.IrrepsArray("0e + 1o", jnp.ones((10, 8, 4)))).shape
        (10, 8, 1)
    """

    irreps_in: Irreps
    orders: tuple[int, ...]
    keep_irrep_out: frozenset[Irrep] | None
    irreps_out: Irreps
    paths: tuple[SymmetricPath, ...]

    def __init__(
        self,
        irreps_in: IntoIrreps,
        orders: Iterable[int],
        keep_irrep_out: IntoIrreps | None = None,
    ) -> None:
        """See the class."""
        irreps_in, orders = Irreps(irreps_in), tuple(orders)
        whole = all(isinstance(n, (int, np.integer)) and n > 0 for n in orders)
        if not orders or not whole or len(set(orders)) < len(orders):
            raise ValueError(f"orders must be different positive integers, one at least; got {orders}")
        wanted = None if keep_irrep_out is None else frozenset(ir for _, ir in Irreps(keep_irrep_out))
        object.__setattr__(self, "irreps_in", irreps_in)
        object.__setattr__(self, "orders", tuple(sorted(map(int, orders))))
        object.__setattr__(self, "keep_irrep_out", wanted)
        paths = [SymmetricPath(n, ir, found.copies) for n in self.orders for ir, found in self._basis(n).items()]
        made = {path.irrep for path in paths}
        if wanted is not None and not wanted <= made:
            raise ValueError(
                f"{', '.join(map(str, sorted(wanted - made)))} cannot be made of {irreps_in} with orders {orders}; "
                f"what can: {', '.join(map(str, sorted(self._all())))}"
            )
        object.__setattr__(self, "irreps_out", Irreps([(1, ir) for ir in sorted(made)]))
        object.__setattr__(self, "paths", tuple(paths))

    def _basis(self, order: int) -> Mapping[Irrep, Terms]:
        return equivariant_polynomials(self.irreps_in, order, self.keep_irrep_out)

    def _all(self) -> set[Irrep]:
        return {ir for n in self.orders for ir in equivariant_polynomials(self.irreps_in, n)}

    @property
    def num_weights(self) -> int:
        """How many weights each channel has."""
        return sum(path.multiplicity for path in self.paths)

    def split_weights(self, weights: jax.Array) -> dict[str, jax.Array]:
        """The weights of each path from one array of shape (..., num_weights, channels).

        Raises:
            ValueError: the last axis but one has another length.
        """
        if weights.ndim < 2 or weights.shape[-2] != self.num_weights:
            raise ValueError(f"expected weights of shape (..., {self.num_weights}, channels), got {weights.shape}")
        stops = list(itertools.accumulate(path.multiplicity for path in self.paths))
        parts = zip(self.paths, [0, *stops], stops, strict=False)
        return {path.name: weights[..., start:stop, :] for path, start, stop in parts}

    def join_weights(self, weights: Mapping[str, Any]) -> jax.Array:
        """One array of shape (..., num_weights, channels) from the weights of each path.

        Args:
            weights: for each path, by name, an array of shape (..., multiplicity, channels).

        Raises:
            ValueError: a name is missing or unknown, or shapes do not fit.
        """
        names = [path.name for path in self.paths]
        if set(weights) != set(names):
            raise ValueError(f"expected weights {names}, got {sorted(weights)}")
        arrays = [jnp.asarray(weights[name]) for name in names]
        for path, w in zip(self.paths, arrays, strict=True):
            first = arrays[0].shape
            if w.ndim < 2 or w.shape != (*first[:-2], path.multiplicity, first[-1]):
                expected = ", ".join(map(str, (*first[:-2], path.multiplicity, first[-1] if first else "channels")))
                raise ValueError(f"weights {path.name} must have shape ({expected}), got {w.shape}")
        return jnp.concatenate(arrays, axis=-2)

    def polynomial(self, channels: int, species: bool = False) -> Polynomial:
        """What is computed: inputs weights and x, one output.

        Args:
            channels: how many.
            species: whether each row looks up its weights in an index, "species".
        """
        return Polynomial(
            (
                Operand(self.num_weights, (channels,), Index(_SPECIES) if species else Access.BROADCAST, "weights"),
                Operand(self.irreps_in.dim, (channels,), Access.BATCHED, "x", components_last=True),
            ),
            (Operand(self.irreps_out.dim, (channels,), Access.BATCHED, "out", components_last=True),),
            tuple(
                Path((0, *(1,) * order), 0, ("u",) * (order + 2), coefficients)
                for order, coefficients in zip(self.orders, self._coefficients, strict=True)
            ),
        )

    @cached_property
    def _coefficients(self) -> tuple[Coefficients, ...]:
        """For each order the terms (weight, components of x, component of the output)."""
        places = {ir: place.start for (_, ir), place in zip(self.irreps_out, self.irreps_out.slices(), strict=True)}
        first, out = 0, []
        for order in self.orders:
            terms, values = [np.zeros((0, order + 2), int)], [np.zeros(0)]
            for ir, found in self._basis(order).items():
                moved = found.terms.copy()
                moved[:, 0] += first
                moved[:, -1] += places[ir]
                terms.append(moved)
                values.append(found.values / found.copies)
                first += found.copies
            out.append(Coefficients(np.concatenate(terms), np.concatenate(values)))
        return tuple(out)

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
            weights: for each path, by name, an array of shape (multiplicity, channels); or one array of shape
                (num_weights, channels). With `index` they have a first axis: (species, ...).
            x: data of shape (..., channels, irreps_in.dim).
            index: integers of shape (...,): whose weights each row takes. Out of range: zero.
            executor: who computes it, see :func:`evaluate`.

        Returns:
            Data of shape (..., channels, irreps_out.dim).

        Raises:
            ValueError: other irreps, or wrong shapes.
        """
        (x,) = floating(x.rechunk(self.irreps_in))
        w = self.join_weights(weights) if isinstance(weights, Mapping) else jnp.asarray(weights)
        if x.ndim < 2:
            raise ValueError(f"x must have shape (..., channels, {self.irreps_in.dim}), got {x.shape}")
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
            indices[_SPECIES] = index.reshape(-1)
        dtype = jnp.result_type(w, x.array)
        y = evaluate(
            self.polynomial(channels, index is not None),
            [w.astype(dtype), x.array.astype(dtype).reshape(math.prod(leading), channels, dim)],
            indices,
            executor=executor,
        )[0]
        return IrrepsArray(self.irreps_out, y.reshape(*leading, channels, self.irreps_out.dim))

    def projection(self, order: int, irrep: str | Irrep, basis: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
        """Change of basis for weights of another implementation: ``w = projection @ theirs``.

        Args:
            order: of the polynomials.
            irrep: what they make.
            basis: their polynomials as tensors of shape (dim,) * order + (theirs, 2l+1), in our order of components:
                y[k] = sum over m of theirs[m] sum over i, j, ... basis[i, j, ..., m, k] x[i] x[j] ... They may be
                linearly dependent, and need not be symmetric (MACE's ``U_matrix_real`` are neither).
            tolerance: how far from equivariant, relative to the largest number, they may be.

        Returns:
            A matrix of shape (multiplicity, theirs), in float64.

        Raises:
            ValueError: wrong shape, no such path, or not equivariant polynomials.
        """
        ir, dim = Irrep(irrep), self.irreps_in.dim
        if (order, ir) not in {(path.order, path.irrep) for path in self.paths}:
            raise ValueError(f"there is no path w{order}_{ir}; there are {[path.name for path in self.paths]}")
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
        # Going back must give what was given: the norm is kept.
        given, kept = np.sum(symmetric**2), ir.dim * np.sum(matrix**2)
        if abs(given - kept) > tolerance * max(given, 1e-300):
            raise ValueError(
                f"the basis given for order {order} and {ir} is not made of equivariant polynomials of "
                f"{self.irreps_in}: {1 - kept / given:.2%} of it is not; is the order of components another?"
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
    """Weighted equivariant polynomials of x, in each channel, of certain orders.

    Args:
        x: data of shape (..., channels, irreps.dim).
        weights: for each path, by name, an array of shape ([species,] multiplicity, channels), see
            :class:`FunctionalSymmetricContraction`.
        orders: the degrees, for example (1, 2, 3).
        keep_irrep_out: the irreps of the output (default: all that occur).
        index: integers of shape (...,): whose weights each row takes; weights then have a first axis.

    Returns:
        Data of shape (..., channels, irreps_out.dim), irreps sorted, each once.

    Raises:
        ValueError: orders, irreps or shapes do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([[3.0, 0.0, 4.0]]))
        >>> irr.symmetric_contraction(x, {"w2_0e": jnp.ones((1, 1))}, (2,), keep_irrep_out="0e") * 3**0.5
        1x0e [[25.]]
    """
    return FunctionalSymmetricContraction(x.irreps, orders, keep_irrep_out)(weights, x, index)
