"""The layer `SymmetricContraction`: polynomials of each node's features, weighted by its species, then mixed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._checks import count
from irreps_ops._inputs._operands import floating
from irreps_ops.products._symmetric_contraction import FunctionalSymmetricContraction
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs

from ._linear import Linear
from ._symmetric_tensor_product import contraction_of, irreps_to_keep


@dataclass(frozen=True)
class SymmetricContraction:
    """Weighted symmetric powers of the features, with weights of each species, then a linear map: MACE's product.

    The features have every irrep with the same multiplicity, the number of channels. In each channel c

        B[c, k] = sum over orders n and m of w_n[s, m, c] / M_n * B_nm(x[c])_k,

    see :class:`FunctionalSymmetricContraction`, where s is the species of the node; y = L(B) mixes the channels. The
    parameters are ``w{order}_{irrep}``, of shape (num_species, M_n, channels) and variance 1, and those of `linear`.
    :class:`SymmetricTensorProduct` is the same for one species, without the linear map.

    Args:
        irreps_out: irreps of the output; those that cannot be made are dropped.
        orders: the degrees, for example (1, 2, 3): MACE's correlation order 3.
        num_species: how many species there are, numbered 0, 1, ...; any other number gives zeros.

    Raises:
        ValueError: orders that are not different positive integers, no species, features whose multiplicities differ,
            of which nothing of `irreps_out` can be made, or of another shape than the species.

    Source: Batatia et al., MACE, NeurIPS 2022, arXiv:2206.07697, equations 10 and 11.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x, species = ic.ones("8x0e + 8x1o", (3,)), jnp.array([0, 1, 0])
        >>> layer = irr.SymmetricContraction("16x0e", (1, 2), num_species=2)
        >>> params = irr.init(layer, jax.random.key(0), species, x)
        >>> jax.tree.map(jnp.shape, params)
        {'linear': {'w[0,0] 8x0e,16x0e': (8, 16)}, 'w1_0e': (2, 1, 8), 'w2_0e': (2, 2, 8)}
        >>> irr.apply(layer, params, species, x).shape
        (3, 16)
    """

    irreps_out: IntoIrreps
    orders: Iterable[int]
    num_species: int

    def __post_init__(self) -> None:
        """Read the arguments, and check them."""
        object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))
        object.__setattr__(self, "orders", tuple(self.orders))
        FunctionalSymmetricContraction("0e", self.orders)  # for its refusal of orders
        count("SymmetricContraction", "num_species", self.num_species)

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one node, from which the shapes of the parameters follow: of irreps of the features."""
        return (jax.ShapeDtypeStruct((), jnp.int32), *example_inputs(*irreps_in, dtype=dtype))

    def __call__(self, scope: Scope, species: Any, x: IrrepsArray) -> IrrepsArray:
        """Data of shape (..., irreps_out.dim), from integers of shape (...) and data of shape (..., irreps.dim)."""
        (x,) = floating(x)
        species = jnp.asarray(species)
        if not jnp.issubdtype(species.dtype, jnp.integer) or species.shape != x.shape[:-1]:
            raise ValueError(
                f"{describe_layer(scope, self)} expects integer species of shape {x.shape[:-1]}, as the features have, got "
                f"{species.dtype} of shape {species.shape}"
            )
        x = x.remove_zero_chunks().regroup()
        if len({mul for mul, _ in x.irreps}) != 1:
            raise ValueError(
                f"{describe_layer(scope, self)} expects features that have every irrep with the same multiplicity, the number "
                f"of channels, got {x.irreps}"
            )
        x = x.mul_to_axis()
        contraction = contraction_of(x, self.orders, irreps_to_keep(self.irreps_out))
        weights = {
            path.name: scope.parameter(
                path.name, (self.num_species, path.multiplicity, x.shape[-2]), x.dtype, jax.nn.initializers.normal(1.0)
            )
            for path in contraction.paths
        }
        y = contraction(weights, x, species).axis_to_mul()
        return Linear(self.irreps_out)(scope.child("linear"), y)
