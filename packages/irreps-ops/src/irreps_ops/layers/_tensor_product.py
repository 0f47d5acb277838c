"""The layer `TensorProduct`: a tensor product with given instructions, and learned or external weights."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._normalization import IrrepNormalization, Normalization
from irreps_ops._inputs._operands import floating
from irreps_ops.products._weighted import FunctionalTensorProduct
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs

from ._fields import optional


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _tuples(instructions: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(tuple, instructions))


@frozen
class TensorProduct:
    """Tensor product with given instructions, whose weights are parameters or external.

    It is called with data of shapes (..., irreps_in1.dim) and (..., irreps_in2.dim) in one of two ways:

    * ``(x, y)``: each instruction that has weights has a parameter;
    * ``(weights, x, y)``: `weights` holds the weights of all instructions, in order, in one array of shape
      (..., num_weights). Leading axes broadcast, so each element of the batch may have its own weights, for example
      from a radial network.

    The name of a parameter is ``w[i_in1,i_in2,i_out]`` and the items that the instruction connects. The connection mode
    follows where instructions connect the same items, and a number where they also share the mode.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output; items that no instruction reaches are zero.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]). For these and for the other
            arguments see :class:`FunctionalTensorProduct`.
        in1_var: variance of each item of the first input.
        in2_var: variance of each item of the second input.
        out_var: desired variance of each item of the output.
        irrep_normalization: normalization of the Clebsch-Gordan coefficients.
        path_normalization: normalization of the sum of paths.
        gradient_normalization: normalization of the gradients.
        convention: convention of the signs of the coefficients.

    Raises:
        ValueError: instructions that :class:`FunctionalTensorProduct` refuses, data of other irreps, or weights of the
            wrong shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> layer = irr.TensorProduct("2x1o", "1o", "2x0e + 2x1e", [(0, 0, 0, "uvu", True), (0, 0, 1, "uvu", False)])
        >>> x, y = irr.ones("2x1o"), irr.ones("1o")
        >>> params = irr.init(layer, jax.random.key(0), x, y)
        >>> jax.tree.map(jnp.shape, params)
        {'w[0,0,0] 2x1o,1x1o,2x0e': (2, 1)}
        >>> irr.apply(layer, params, x, y).irreps
        2x0e+2x1e
        >>> irr.apply(layer, {}, jnp.ones((5, 2)), x, y).shape
        (5, 8)
    """

    irreps_in1: IntoIrreps = converted(Irreps)
    irreps_in2: IntoIrreps = converted(Irreps)
    irreps_out: IntoIrreps = converted(Irreps)
    instructions: Sequence[Sequence[Any]] = converted(_tuples)
    _: KW_ONLY
    in1_var: Sequence[float] | None = converted(optional(_floats), default=None)
    in2_var: Sequence[float] | None = converted(optional(_floats), default=None)
    out_var: Sequence[float] | None = converted(optional(_floats), default=None)
    irrep_normalization: IrrepNormalization = "component"
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None
    convention: str = "e3nn"

    def validate(self) -> None:
        """Refuse wrong instructions."""
        self.product()  # raises the error

    def product(self) -> FunctionalTensorProduct:
        """Return the product without parameters, which is called with weights and data."""
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
        """Return abstract inputs for the irreps of both inputs, which determine the shapes of the parameters."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, *inputs: Any) -> IrrepsArray:
        """Apply the layer to ``(x, y)`` or ``(weights, x, y)``, see the class."""
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
            scope.parameter(name, ins.path_shape, dtype, Normal(ins.weight_std))
            for name, ins in zip(self.parameter_names(), product.weighted, strict=True)
        ]
        return product(weights, x, y)
