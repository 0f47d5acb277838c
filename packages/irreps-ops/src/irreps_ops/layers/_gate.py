"""The layer `Gate`: the gate as a layer, after a linear map if it is told what to make."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._operands import floating
from irreps_ops.pointwise._activation import Activation, soft_odd
from irreps_ops.pointwise._gate import gate
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs

from ._linear import Linear

_SCALARS = ("0e", "0o")


@dataclass(frozen=True)
class Gate:
    """Activate the scalars, and multiply everything else by activated scalars: the nonlinearity :func:`gate`.

    Without `irreps_out` it has no parameters, and the last scalars of the data are used up as gates. With
    `irreps_out` a linear map (:class:`Linear`, with the parameters `linear`) makes before that what the gate needs:
    the scalars of `irreps_out`, its other irreps, and an even scalar for each of these as its gate.

    Args:
        irreps_out: irreps of the output; those that the data has no irreps for are dropped. The output has the
            scalars first, then all other irreps, each in the order given.
        even_act: function of the even scalars that are no gates.
        odd_act: function of the odd scalars that are no gates.
        even_gate_act: function of the even gates.
        odd_gate_act: function of the odd gates.
        normalize_act: scale each function by :func:`normalize_function`.

    Raises:
        ValueError: data with fewer scalars than irreps to be gated; with `irreps_out`, without even scalars to make
            gates of.

    Source: see :func:`gate`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.ones("4x0e + 2x1o")
        >>> irr.apply(irr.Gate(), {}, x).irreps
        2x0e+2x1o
        >>> layer = irr.Gate("8x0e + 3x1o")
        >>> params = irr.init(layer, jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, params)
        {'linear': {'w[0,0] 4x0e,11x0e': (4, 11), 'w[1,1] 2x1o,3x1o': (2, 3)}}
        >>> irr.apply(layer, params, x).irreps
        8x0e+3x1o
    """

    irreps_out: IntoIrreps = None
    _: KW_ONLY
    even_act: Activation = jax.nn.gelu
    odd_act: Activation = soft_odd
    even_gate_act: Activation = jax.nn.sigmoid
    odd_gate_act: Activation = jax.nn.tanh
    normalize_act: bool = True

    def __post_init__(self) -> None:
        """Read the irreps."""
        if self.irreps_out is not None:
            object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Gate data of shape (..., irreps.dim)."""
        (x,) = floating(x)
        if self.irreps_out is not None:
            x = self._with_gates(scope, x)
        return gate(x, self.even_act, self.odd_act, self.even_gate_act, self.odd_gate_act, self.normalize_act)

    def _with_gates(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """What the gate needs to make `irreps_out`, linear in `x`."""
        kept = Irreps(self.irreps_out).filter(keep=x.irreps)
        gated = kept.filter(drop=_SCALARS)
        if gated.num_irreps > 0 and x.irreps.count("0e") == 0:
            raise ValueError(
                f"{describe_layer(scope, self)} expects data with even scalars (0e), of which the gates of {gated} are made, "
                f"got {x.irreps}"
            )
        scalars = kept.filter(keep=_SCALARS) + Irreps([(gated.num_irreps, "0e")])
        linear = Linear(scalars + gated, force_irreps_out=True)
        return linear(scope.child("linear"), x)
