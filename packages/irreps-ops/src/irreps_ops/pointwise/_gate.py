"""The gate: activated scalars, and irreps that activated scalars multiply."""

from typing import Any, overload

import jax

from irreps_core import Irreps, IrrepsArray, concatenate, zeros
from irreps_ops._inputs._operands import floating
from irreps_ops.compute._tiled_map import map_in_tiles

from ._activation import Activation, scalar_activation, soft_odd


@overload
def gate(
    input: str | Irreps,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    even_gate_act: Activation = jax.nn.sigmoid,
    odd_gate_act: Activation = jax.nn.tanh,
    normalize_act: bool = True,
) -> Irreps: ...
@overload
def gate(
    input: IrrepsArray | jax.Array,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    even_gate_act: Activation = jax.nn.sigmoid,
    odd_gate_act: Activation = jax.nn.tanh,
    normalize_act: bool = True,
) -> IrrepsArray: ...
def gate(
    input: Any,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    even_gate_act: Activation = jax.nn.sigmoid,
    odd_gate_act: Activation = jax.nn.tanh,
    normalize_act: bool = True,
) -> Any:
    """Activate the scalars, and multiply all other irreps by activated scalars, their gates.

    The gates are the last scalars, one for each irrep that is not a scalar, in order. The other scalars are activated
    by :func:`irreps_ops.scalar_activation`. An odd gate changes the parity of the irrep that it multiplies.

    Args:
        input: data of shape (..., irreps.dim), a plain array of scalars, or irreps without data.
        even_act: function of the even scalars that are not gates.
        odd_act: function of the odd scalars that are not gates.
        even_gate_act: function of the even gates.
        odd_gate_act: function of the odd gates.
        normalize_act: whether to normalize each function by :func:`irreps_ops.normalize_function`.

    Returns:
        Data of the remaining scalars and then of the gated irreps; for irreps without data, their irreps.

    Raises:
        ValueError: fewer scalars than irreps to be gated, or for odd scalars a function that is neither odd nor even.

    Example:
        >>> import irreps_ops as irr
        >>> irr.gate("15x0e + 2x1e + 1x2e")
        12x0e+2x1e+1x2e
        >>> irr.gate("12x0e + 3x0o + 2x1e + 1x2e")
        12x0e+2x1o+1x2o
        >>> irr.gate("12x0e + 3x0o")
        12x0e+3x0o

    Source: Weiler et al., 3D Steerable CNNs (2018), arXiv:1807.02547, section 3.3.
    """
    acts = (even_act, odd_act, even_gate_act, odd_gate_act, normalize_act)
    if isinstance(input, (str, Irreps)):
        return jax.eval_shape(lambda: gate(zeros(input, ()), *acts)).irreps
    (x,) = floating(input)
    return map_in_tiles(lambda tile: _gate(tile, *acts), x)


def _gate(
    x: IrrepsArray,
    even_act: Activation,
    odd_act: Activation,
    even_gate_act: Activation,
    odd_gate_act: Activation,
    normalize_act: bool,
) -> IrrepsArray:
    scalars, gated = x.filter(["0e", "0o"]), x.filter(drop=["0e", "0o"])
    rest = scalars.irreps.num_irreps - gated.irreps.num_irreps
    if rest < 0:
        raise ValueError(
            f"gate of {x.irreps} expects {gated.irreps.num_irreps} scalars, one for each irrep that is not a scalar, "
            f"got {scalars.irreps.num_irreps}: put {-rest} more scalars (0e or 0o) in front"
        )
    activated = scalar_activation(
        scalars.slice_by_mul[:rest], even_act=even_act, odd_act=odd_act, normalize_act=normalize_act
    )
    if gated.irreps.num_irreps == 0:
        return activated
    gates = scalar_activation(
        scalars.slice_by_mul[rest:], even_act=even_gate_act, odd_act=odd_gate_act, normalize_act=normalize_act
    )
    return concatenate([activated, gates * gated])
