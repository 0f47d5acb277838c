"""The layer `Gate`: the gate nonlinearity, optionally after a linear map that makes the gates."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops.pointwise._activation import Activation, soft_odd
from irreps_ops.pointwise._gate import gate
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs

from ._fields import optional
from ._linear import Linear

_SCALARS = ("0e", "0o")


@frozen
class Gate:
    """The gate nonlinearity :func:`gate`: scalars are activated, and other irreps multiplied by activated scalars.

    Without `irreps_out` the layer has no parameters; the last scalars of the data are the gates. With `irreps_out`, a
    linear map (:class:`Linear`, with the parameters `linear`) first makes the input of the gate: the scalars of
    `irreps_out`, its other irreps, and an even scalar for each of these as its gate.

    Args:
        irreps_out: irreps of the output; those that a linear map of the data cannot reach are dropped. The output has
            the scalars first, then all other irreps, each in the given order.
        even_act: activation of the even scalars that are not gates.
        odd_act: activation of the odd scalars that are not gates.
        even_gate_act: activation of the even gates.
        odd_gate_act: activation of the odd gates.
        normalize_act: whether to scale each activation by :func:`normalize_function`.

    Raises:
        ValueError: data with fewer scalars than gated irreps or, with `irreps_out`, data without even scalars from
            which to make the gates.

    Source: see :func:`gate`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.ones("4x0e + 2x1o")
        >>> irr.apply(irr.Gate(), {}, x).irreps
        2x0e+2x1o
        >>> layer = irr.Gate("8x0e + 3x1o")
        >>> params = irr.init(layer, jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, params)
        {'linear': {'w[0,0] 4x0e,11x0e': (4, 11), 'w[1,1] 2x1o,3x1o': (2, 3)}}
        >>> irr.apply(layer, params, x).irreps
        8x0e+3x1o
    """

    irreps_out: IntoIrreps = converted(optional(Irreps), default=None)
    _: KW_ONLY
    even_act: Activation = jax.nn.gelu
    odd_act: Activation = soft_odd
    even_gate_act: Activation = jax.nn.sigmoid
    odd_gate_act: Activation = jax.nn.tanh
    normalize_act: bool = True

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Apply the gate to data of shape (..., irreps.dim)."""
        (x,) = floating(x)
        if self.irreps_out is not None:
            x = self._with_gates(scope, x)
        return gate(x, self.even_act, self.odd_act, self.even_gate_act, self.odd_gate_act, self.normalize_act)

    def _with_gates(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Return a linear map of `x` to scalars, gates and gated irreps."""
        kept = Irreps(self.irreps_out).filter(keep=x.irreps)
        gated = kept.filter(drop=_SCALARS)
        if gated.num_irreps > 0 and x.irreps.count("0e") == 0:
            raise ValueError(
                f"{describe_layer(scope, self)} expects data with even scalars (0e), from which to make the gates of "
                f"{gated}, got {x.irreps}"
            )
        scalars = kept.filter(keep=_SCALARS) + Irreps([(gated.num_irreps, "0e")])
        linear = Linear(scalars + gated, force_irreps_out=True)
        return linear(scope.child("linear"), x)
