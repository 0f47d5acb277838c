"""The layer `FullyConnectedTensorProduct`: a tensor product all of whose paths have weights, which are parameters."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._normalization import IrrepNormalization, Normalization
from irreps_ops._inputs._operands import floating
from irreps_ops.products._weighted import FunctionalFullyConnectedTensorProduct
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs


@dataclass(frozen=True)
class FullyConnectedTensorProduct:
    """Fully connected tensor product of two inputs, with learned weights.

    z[w, k] = sum over all irreps and multiplicities u, v of weight[u, v, w] C[i, j, k] x[u, i] y[v, j], see
    :class:`FunctionalFullyConnectedTensorProduct`. What is known to be zero has no parameters, unless the irreps of
    that input are given.

    Args:
        irreps_out: irreps of the output; those that the inputs cannot make are zero.
        irreps_in1: expected irreps of the first input (default: those that come).
        irreps_in2: expected irreps of the second input.
        irrep_normalization: see :func:`tensor_product`.
        path_normalization: see :class:`FunctionalTensorProduct`.
        gradient_normalization: see :class:`FunctionalTensorProduct`.

    Raises:
        ValueError: input of other irreps than given.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x, y = ic.ones("4x0e + 2x1o"), ic.ones("0e + 1o")
        >>> layer = irr.FullyConnectedTensorProduct("3x0e + 1o")
        >>> irr.apply(layer, irr.init(layer, jax.random.key(0), x, y), x, y).irreps
        3x0e+1x1o
    """

    irreps_out: IntoIrreps
    _: KW_ONLY
    irreps_in1: IntoIrreps = None
    irreps_in2: IntoIrreps = None
    irrep_normalization: IrrepNormalization = "component"
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None

    def __post_init__(self) -> None:
        """Read the irreps, and check what can be checked without input."""
        object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))
        for name in ("irreps_in1", "irreps_in2"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Irreps(getattr(self, name)))
        self._product(Irreps("0e"), Irreps(""))  # for its refusals of normalizations

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow: irreps or data of both inputs."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any, y: Any) -> IrrepsArray:
        """Data of shape (..., irreps_out.dim), from data of shape (..., irreps.dim); leading axes broadcast."""
        x, y = floating(x, y)
        x, y = (
            # What is known to be zero has no parameters, but where the irreps are given those depend on them alone.
            (
                x.remove_zero_chunks() if irreps is None else check_irreps(describe_layer(scope, self), name, irreps, x)
            ).simplify()
            for x, name, irreps in ((x, "irreps_in1", self.irreps_in1), (y, "irreps_in2", self.irreps_in2))
        )
        product = self._product(x.irreps, y.irreps)
        dtype = jnp.result_type(x.array, y.array)
        weights = [
            scope.parameter(
                product.parameter_name(ins), ins.path_shape, dtype, jax.nn.initializers.normal(ins.weight_std)
            )
            for ins in product.instructions
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
