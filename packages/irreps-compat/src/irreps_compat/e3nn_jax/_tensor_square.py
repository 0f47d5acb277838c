"""Squares of data with weights, `FunctionalTensorSquare` and `TensorSquare` of e3nn-jax 0.4 to 0.13."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray
from irreps_ops._inputs._operands import floating
from irreps_ops.products._weighted import FunctionalTensorProduct as Product
from irreps_ops.scope._scope import Scope, example_inputs

from ._config import default
from ._functional import FunctionalTensorProduct
from ._haiku_layers import initializer
from ._irreps_data import for_irreps_data, of_irreps


def FunctionalTensorSquare(
    irreps_in: IntoIrreps, irreps_out: IntoIrreps, irrep_normalization: Any = None, **options: Any
) -> FunctionalTensorProduct:
    """The product of data with itself, with weights for each pair that is not the same as another.

    Today :func:`irreps_ops.tensor_square` and a `Linear` after it.

    Args:
        irreps_in: irreps of the data.
        irreps_out: irreps of the output.
        irrep_normalization: ``"component"`` gives components of variance 1, of normal numbers; ``"norm"`` a mean
            square length of 1, of vectors of length 1; or ``"none"``.
        options: others of :class:`FunctionalTensorProduct`.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.FunctionalTensorSquare("2x0e + 1o", "0e + 1e")
        FunctionalTensorProduct(2x0e+1x1o x 2x0e+1x1o -> 1x0e+1x1e | 4 paths | 4 weights)
    """
    irreps, out = Irreps(irreps_in), Irreps(irreps_out)
    normalization = default("irrep_normalization", irrep_normalization)
    instructions = _instructions(irreps, out, normalization)
    return FunctionalTensorProduct(irreps, irreps, out, instructions, irrep_normalization="none", **options)


def _instructions(irreps: Irreps, out: Irreps, normalization: str) -> list[tuple[Any, ...]]:
    if normalization not in ("component", "norm", "none"):
        raise ValueError(f"irrep_normalization must be 'component', 'norm' or 'none', got {normalization!r}")
    found = []
    for i, (mul, ir) in enumerate(irreps):
        for j, (_, other) in enumerate(irreps[i:], i):
            for k, (_, ir_out) in enumerate(out):
                if ir_out not in ir * other:
                    continue
                scale = {"component": ir_out.dim, "norm": ir.dim * other.dim, "none": 1}[normalization]
                if i != j:
                    found.append((i, j, k, "uvw", True, scale))
                    continue
                if mul > 1:
                    found.append((i, i, k, "u<vw", True, scale))
                if ir_out.l % 2 == 0:  # with itself an irrep makes no odd degree
                    found.append((i, i, k, "uuw", True, _scale_with_itself(ir, ir_out, normalization)))
    return found


def _scale_with_itself(ir: Irrep, ir_out: Irrep, normalization: str) -> float:
    """For an output of mean square 1 in a component, of normal numbers; or of length 1, of unit vectors."""
    if normalization == "none":
        return 1
    if ir_out.l == 0:
        return ir_out.dim / (ir.dim + 2) if normalization == "component" else ir.dim
    return ir_out.dim / 2 if normalization == "component" else ir.dim * (ir.dim + 2) / 2


@dataclass(frozen=True)
class TensorSquare:
    """The layer of :func:`FunctionalTensorSquare`.

    Args:
        irreps_out: irreps of the output.
        irreps_in: irreps of data that is a plain array.
        init: makes Haiku's initializer of weights from their standard deviation; by default a normal distribution.

    Raises:
        ValueError: data of other irreps.
    """

    irreps_out: IntoIrreps
    _: KW_ONLY
    irreps_in: IntoIrreps = None
    init: Callable[[float], Any] | None = None

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, input: Any) -> Any:
        """Data of shape (..., irreps_out.dim), from data of shape (..., irreps.dim)."""
        return for_irreps_data(self._square)(scope, of_irreps(self.irreps_in, input))

    def _square(self, scope: Scope, x: Any) -> IrrepsArray:
        (x,) = floating(x)
        if self.irreps_in is not None:
            x = x.rechunk(self.irreps_in)
        x, out = x.remove_zero_chunks().simplify(), Irreps(self.irreps_out)
        product = Product(
            x.irreps,
            x.irreps,
            out.simplify(),
            _instructions(x.irreps, out.simplify(), default("irrep_normalization", None)),
            irrep_normalization="none",
            path_normalization=default("path_normalization", None),
            gradient_normalization=default("gradient_normalization", None),
        )
        weights = []
        for ins in product.weighted:
            name = f"{product.parameter_name(ins)} {ins.connection_mode}"  # two of an item with itself
            made = jax.nn.initializers.normal(ins.weight_std)
            if self.init is not None:
                made = initializer(self.init(ins.weight_std))
            weights.append(scope.parameter(name, ins.path_shape, x.dtype, made))
        return product(weights, x, x).rechunk(out)
