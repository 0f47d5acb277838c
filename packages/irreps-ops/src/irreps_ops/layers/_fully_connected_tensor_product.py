"""The layer `FullyConnectedTensorProduct`: a tensor product with a learned weight for every path."""

from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._normalization import IrrepNormalization, Normalization
from irreps_ops._inputs._operands import floating
from irreps_ops.products._weighted import FunctionalFullyConnectedTensorProduct
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs

from ._fields import optional


@frozen
class FullyConnectedTensorProduct:
    """Fully connected tensor product of two inputs, with learned weights.

    z[w, k] = sum over all irreps and multiplicities u, v of weight[u, v, w] C[i, j, k] x[u, i] y[v, j], see
    :class:`FunctionalFullyConnectedTensorProduct`. Chunks that are known to be zero have no parameters, unless the
    irreps of that input are given.

    Args:
        irreps_out: irreps of the output; those that no path reaches are zero.
        irreps_in1: expected irreps of the first input (default: any).
        irreps_in2: expected irreps of the second input (default: any).
        irrep_normalization: see :func:`tensor_product`.
        path_normalization: see :class:`FunctionalTensorProduct`.
        gradient_normalization: see :class:`FunctionalTensorProduct`.

    Raises:
        ValueError: input of other irreps than expected, or an unknown normalization.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x, y = irr.ones("4x0e + 2x1o"), irr.ones("0e + 1o")
        >>> layer = irr.FullyConnectedTensorProduct("3x0e + 1o")
        >>> irr.apply(layer, irr.init(layer, jax.random.key(0), x, y), x, y).irreps
        3x0e+1x1o
    """

    irreps_out: IntoIrreps = converted(Irreps)
    _: KW_ONLY
    irreps_in1: IntoIrreps = converted(optional(Irreps), default=None)
    irreps_in2: IntoIrreps = converted(optional(Irreps), default=None)
    irrep_normalization: IrrepNormalization = "component"
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None

    def validate(self) -> None:
        """Refuse unknown normalizations."""
        self._product(Irreps("0e"), Irreps(""))  # raises the error

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs for the irreps of both inputs, which determine the shapes of the parameters."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any, y: Any) -> IrrepsArray:
        """Return data of shape (..., irreps_out.dim) for inputs of shape (..., irreps.dim); leading axes broadcast."""
        x, y = floating(x, y)
        x, y = (
            # Where the irreps are given, the parameters depend on them alone, not on which chunks are zero.
            (
                x.remove_zero_chunks() if irreps is None else check_irreps(describe_layer(scope, self), name, irreps, x)
            ).simplify()
            for x, name, irreps in ((x, "irreps_in1", self.irreps_in1), (y, "irreps_in2", self.irreps_in2))
        )
        product = self._product(x.irreps, y.irreps)
        dtype = jnp.result_type(x.array, y.array)
        weights = [
            scope.parameter(product.parameter_name(ins), ins.path_shape, dtype, Normal(ins.weight_std))
            for ins in product.couplings
        ]
        return product(weights, x, y).rechunk(self.irreps_out)

    def _product(self, irreps1: Irreps, irreps2: Irreps) -> FunctionalFullyConnectedTensorProduct:
        return FunctionalFullyConnectedTensorProduct(
            irreps1,
            irreps2,
            Irreps(self.irreps_out).simplify(),
            irrep_normalization=self.irrep_normalization,
            path_normalization=self.path_normalization,
            gradient_normalization=self.gradient_normalization,
        )
