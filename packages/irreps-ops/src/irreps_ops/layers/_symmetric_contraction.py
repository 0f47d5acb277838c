"""The layer `SymmetricContraction`: polynomials of the features of each node, with weights for each species."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._checks import count
from irreps_ops._inputs._operands import floating
from irreps_ops.products._symmetric_contraction import contraction_orders
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs

from ._linear import Linear
from ._symmetric_tensor_product import contraction_of, irreps_to_keep


@frozen
class SymmetricContraction:
    r"""Weighted symmetric powers of the features, with weights for each species, then a linear map, as in MACE.

    All irreps of the features have the same multiplicity, the number of channels. In each channel c

    .. math:: B_{ck} = \sum_n \frac{1}{M_n} \sum_{m=1}^{M_n} w^{(n)}_{smc} \, B_{nm}(x_c)_k

    see :class:`FunctionalSymmetricContraction`, where s is the species of the node. A linear map :math:`y = L(B)` then
    mixes the channels. The parameters are ``w{order}_{irrep}``, of shape (num_species, :math:`M_n`, channels) and with
    initial variance 1, and those of `linear`. :class:`SymmetricTensorProduct` is the same for one species, without the
    linear map.

    Args:
        irreps_out: irreps of the output; those that no polynomial has are dropped.
        orders: the orders, for example (1, 2, 3), which is MACE's correlation order 3.
        num_species: number of species, which are numbered from 0. The output for any other number is zero.

    Raises:
        ValueError: orders that are not distinct positive integers, no species, features whose multiplicities differ,
            whose polynomials have no irrep of `irreps_out`, or whose shape differs from that of the species.

    Source: Batatia et al., MACE, NeurIPS 2022, arXiv:2206.07697, equations 10 and 11.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x, species = irr.ones("8x0e + 8x1o", (3,)), jnp.array([0, 1, 0])
        >>> layer = irr.SymmetricContraction("16x0e", (1, 2), num_species=2)
        >>> params = irr.init(layer, jax.random.key(0), species, x)
        >>> jax.tree.map(jnp.shape, params)
        {'linear': {'w[0,0] 8x0e,16x0e': (8, 16)}, 'w1_0e': (2, 1, 8), 'w2_0e': (2, 2, 8)}
        >>> irr.apply(layer, params, species, x).shape
        (3, 16)
    """

    irreps_out: IntoIrreps = converted(Irreps)
    orders: Iterable[int] = converted(contraction_orders)
    num_species: int = converted(partial(count, "SymmetricContraction", "num_species"))

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs of one node, for the irreps of the features."""
        return (jax.ShapeDtypeStruct((), jnp.int32), *example_inputs(*irreps_in, dtype=dtype))

    def __call__(self, scope: Scope, species: Any, x: IrrepsArray) -> IrrepsArray:
        """Return features of shape (..., irreps_out.dim), without the irreps that are dropped.

        Args:
            scope: supplies the parameters.
            species: integers of shape (...).
            x: features of shape (..., irreps.dim).
        """
        (x,) = floating(x)
        species = jnp.asarray(species)
        if not jnp.issubdtype(species.dtype, jnp.integer) or species.shape != x.shape[:-1]:
            raise ValueError(
                f"{describe_layer(scope, self)} expects integer species of shape {x.shape[:-1]}, as the features have, "
                f"got {species.dtype} of shape {species.shape}"
            )
        x = x.remove_zero_chunks().regroup()
        if len({mul for mul, _ in x.irreps}) != 1:
            raise ValueError(
                f"{describe_layer(scope, self)} expects features that have every irrep with the same multiplicity, the "
                f"number of channels, got {x.irreps}"
            )
        x = x.mul_to_axis()
        contraction = contraction_of(x, self.orders, irreps_to_keep(self.irreps_out))
        weights = {
            path.name: scope.parameter(
                path.name, (self.num_species, path.multiplicity, x.shape[-2]), x.dtype, Normal(1.0)
            )
            for path in contraction.weights
        }
        y = contraction(weights, x, species).axis_to_mul()
        return Linear(self.irreps_out)(scope.child("linear"), y)
