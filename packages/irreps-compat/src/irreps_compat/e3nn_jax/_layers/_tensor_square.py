"""Tensor squares with weights: `FunctionalTensorSquare` and `TensorSquare` of e3nn-jax 0.4 to 0.13."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_compat.e3nn_jax._config import default
from irreps_compat.e3nn_jax._functional import FunctionalTensorProduct
from irreps_compat.e3nn_jax._irreps_data import floating, for_irreps_data, of_irreps
from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray, frozen
from irreps_ops.bindings import Scope, example_inputs

from ._haiku import from_haiku


def FunctionalTensorSquare(
    irreps_in: IntoIrreps, irreps_out: IntoIrreps, irrep_normalization: Any = None, **options: Any
) -> FunctionalTensorProduct:
    """Return the tensor product of data with itself, with weights for each distinct pair.

    The present form is :func:`irreps_ops.tensor_square` followed by :class:`irreps_ops.Linear`.

    Args:
        irreps_in: irreps of the data.
        irreps_out: irreps of the output.
        irrep_normalization: ``"component"`` maps normal components to outputs whose components have variance 1;
            ``"norm"`` maps irreps of length 1 to outputs of mean square length 1; or ``"none"``.
        options: further arguments of :class:`FunctionalTensorProduct`.

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
                if ir_out.l % 2 == 0:  # the square of an irrep contains even degrees only
                    found.append((i, i, k, "uuw", True, _scale_of_square(ir, ir_out, normalization)))
    return found


def _scale_of_square(ir: Irrep, ir_out: Irrep, normalization: str) -> float:
    """Return the squared factor of the product of an irrep with itself, whose components have fourth moments."""
    if normalization == "none":
        return 1
    if ir_out.l == 0:
        return ir_out.dim / (ir.dim + 2) if normalization == "component" else ir.dim
    return ir_out.dim / 2 if normalization == "component" else ir.dim * (ir.dim + 2) / 2


@frozen
class TensorSquare:
    """The layer of :func:`FunctionalTensorSquare`.

    Args:
        irreps_out: irreps of the output.
        irreps_in: irreps of data that is given as a plain array.
        init: returns Haiku's initializer of weights of a standard deviation (default: a normal distribution).

    Raises:
        ValueError: the data has other irreps.
    """

    irreps_out: IntoIrreps
    _: KW_ONLY
    irreps_in: IntoIrreps = None
    init: Callable[[float], Any] | None = None

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs without a batch, from which the shapes of the parameters follow."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, input: Any) -> Any:
        """Return data of shape (..., irreps_out.dim), from data of shape (..., irreps.dim)."""
        return for_irreps_data(self._square)(scope, of_irreps(self.irreps_in, input))

    def _square(self, scope: Scope, x: Any) -> IrrepsArray:
        x = floating(x)
        if self.irreps_in is not None:
            x = x.rechunk(self.irreps_in)
        x, out = x.remove_zero_chunks().simplify(), Irreps(self.irreps_out)
        product = irr.FunctionalTensorProduct(
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
            # Two instructions of an item with itself differ in their mode.
            name = f"{product.parameter_name(ins)} {ins.connection_mode}"
            initializer = jax.nn.initializers.normal(ins.weight_std)
            if self.init is not None:
                initializer = from_haiku(self.init(ins.weight_std))
            weights.append(scope.parameter(name, ins.path_shape, x.dtype, initializer))
        return product(weights, x, x).rechunk(out)
