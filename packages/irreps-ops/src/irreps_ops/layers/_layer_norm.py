"""The layer `LayerNorm`: normalization over the channels, with learned factors and biases."""

from dataclasses import KW_ONLY
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.pointwise._layer_norm import LayerNormalization, layer_norm
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs

from ._fields import optional


@frozen
class LayerNorm:
    """Equivariant layer normalization: :func:`layer_norm` with learned factors and biases.

    The parameters are `weight` (initially ones), a factor for each irrep, and `bias` (zeros), a number for each scalar
    (0e). There is no state: the layer treats each element of the batch alone, in training as in evaluation.

    Args:
        irreps: expected irreps of the data (default: any).
        eps: see :func:`layer_norm`.
        affine: whether the layer has factors and biases.
        normalization: see :func:`layer_norm`.

    Raises:
        ValueError: an `eps` that is not positive, an unknown normalization, or data of other irreps.

    Source: see :func:`layer_norm`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("2x0e + 2x1o", jnp.array([1.0, 3.0, 0.0, 0.0, 2.0, 0.0, 4.0, 0.0]))
        >>> params = irr.init(irr.LayerNorm(), jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, params)
        {'bias': (2,), 'weight': (4,)}
        >>> irr.apply(irr.LayerNorm(), params, x)
        2x0e+2x1o [-1.     1.     0.     0.     1.095  0.     2.191  0.   ]
    """

    _: KW_ONLY
    irreps: IntoIrreps = converted(optional(Irreps), default=None)
    eps: float = converted(partial(check.positive, "LayerNorm", "eps"), default=1e-5)
    affine: bool = True
    normalization: LayerNormalization = "component"

    def validate(self) -> None:
        """Refuse an unknown normalization."""
        if self.normalization not in ("component", "norm"):
            raise ValueError(f"LayerNorm: normalization must be 'component' or 'norm', got {self.normalization!r}")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Normalize data of shape (..., irreps.dim)."""
        (x,) = floating(x)
        x = x if self.irreps is None else check_irreps(describe_layer(scope, self), "irreps", self.irreps, x)
        weight = bias = None
        if self.affine:
            scalars = x.irreps.count("0e")
            weight = scope.parameter("weight", (x.irreps.num_irreps,), x.dtype, jax.nn.initializers.ones)
            bias = scope.parameter("bias", (scalars,), x.dtype, jax.nn.initializers.zeros)
        return layer_norm(x, weight, bias, eps=self.eps, normalization=self.normalization)
