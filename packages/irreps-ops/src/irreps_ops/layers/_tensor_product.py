"""The layer `TensorProduct`: the general tensor product, its weights parameters or given."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._normalization import IrrepNormalization, Normalization
from irreps_ops._inputs._operands import floating
from irreps_ops.products._weighted import FunctionalTensorProduct
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs


@dataclass(frozen=True)
class TensorProduct:
    """Tensor product with given connections; the weights are parameters, or come with the data.

    Called in one of two ways, on data of shapes (..., irreps_in1.dim) and (..., irreps_in2.dim):

    * ``(x, y)``: each instruction that has weights has a parameter;
    * ``(weights, x, y)``: the weights are given, one array of shape (..., num_weights), instruction by instruction.
      Leading axes broadcast, so that each row of the data may have its own (of a radial network, say).

    A parameter is named ``w[i_in1,i_in2,i_out]`` and the items that meet there; where instructions share these, the
    mode follows, and where they share that too, a number.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output; items that no instruction reaches are zero.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]), see
            :class:`FunctionalTensorProduct`, as the rest.
        in1_var: variance of each item of the first input.
        in2_var: variance of each item of the second input.
        out_var: wanted variance of each item of the output.
        irrep_normalization: of the Clebsch-Gordan coefficients.
        path_normalization: of the sum of paths.
        gradient_normalization: of weights and paths.
        convention: of the signs of the coefficients.

    Raises:
        ValueError: instructions that :class:`FunctionalTensorProduct` refuses, data of other irreps, or wrong shapes of
            weights.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> layer = irr.TensorProduct("2x1o", "1o", "2x0e + 2x1e", [(0, 0, 0, "uvu", True), (0, 0, 1, "uvu", False)])
        >>> x, y = ic.ones("2x1o"), ic.ones("1o")
        >>> params = irr.init(layer, jax.random.key(0), x, y)
        >>> jax.tree.map(jnp.shape, params)
        {'w[0,0,0] 2x1o,1x1o,2x0e': (2, 1)}
        >>> irr.apply(layer, params, x, y).irreps
        2x0e+2x1e
        >>> irr.apply(layer, {}, jnp.ones((5, 2)), x, y).shape
        (5, 8)
    """

    irreps_in1: IntoIrreps
    irreps_in2: IntoIrreps
    irreps_out: IntoIrreps
    instructions: Sequence[Sequence[Any]]
    _: KW_ONLY
    in1_var: Sequence[float] | None = None
    in2_var: Sequence[float] | None = None
    out_var: Sequence[float] | None = None
    irrep_normalization: IrrepNormalization = "component"
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None
    convention: str = "e3nn"

    def __post_init__(self) -> None:
        """Read the arguments, and check them."""
        for name in ("irreps_in1", "irreps_in2", "irreps_out"):
            object.__setattr__(self, name, Irreps(getattr(self, name)))
        object.__setattr__(self, "instructions", tuple(tuple(ins) for ins in self.instructions))
        for name in ("in1_var", "in2_var", "out_var"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        self.product()

    def product(self) -> FunctionalTensorProduct:
        """The product without parameters: call it with weights and data."""
        return FunctionalTensorProduct(
            self.irreps_in1,
            self.irreps_in2,
            self.irreps_out,
            self.instructions,
            self.in1_var,
            self.in2_var,
            self.out_var,
            self.irrep_normalization,
            self.path_normalization,
            self.gradient_normalization,
            self.convention,
        )

    def parameter_names(self) -> list[str]:
        """Return a distinct parameter name for each instruction that has weights, in their order."""
        product = self.product()
        names = [product.parameter_name(ins) for ins in product.weighted]
        shared = Counter(names)
        names = [
            f"{name} {ins.connection_mode}" if shared[name] > 1 else name
            for name, ins in zip(names, product.weighted, strict=True)
        ]
        shared, seen = Counter(names), Counter[str]()
        for n, name in enumerate(names):
            if shared[name] > 1:
                names[n] = f"{name} {seen[name]}"
            seen[name] += 1
        return names

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow: irreps or data of both inputs."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, *inputs: Any) -> IrrepsArray:
        """Apply the layer: ``(x, y)`` or ``(weights, x, y)``, see the class."""
        if len(inputs) not in (2, 3):
            raise ValueError(f"TensorProduct takes (x, y) or (weights, x, y), got {len(inputs)} inputs")
        product = self.product()
        *weights, x, y = inputs
        x, y = floating(x, y)
        x = check_irreps(describe_layer(scope, self), "irreps_in1", self.irreps_in1, x)
        y = check_irreps(describe_layer(scope, self), "irreps_in2", self.irreps_in2, y)
        if weights:
            return product(jnp.asarray(weights[0]), x, y)
        dtype = jnp.result_type(x.array, y.array)
        weights = [
            scope.parameter(name, ins.path_shape, dtype, jax.nn.initializers.normal(ins.weight_std))
            for name, ins in zip(self.parameter_names(), product.weighted, strict=True)
        ]
        return product(weights, x, y)
