"""``e3nn.nn.Gate``, whose scalars, gates and gated irreps are told apart by the arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, concatenate
from irreps_ops._inputs._operands import floating, split_items
from irreps_ops.pointwise._activation import Activation, scalar_activation
from irreps_ops.products._tensor_product import elementwise_tensor_product
from irreps_ops.scope._scope import Scope, example_inputs

from ._instructions import sort
from ._normalize2mom import normalize2mom
from ._state import Converted, StateDict, refuse_all


@dataclass(frozen=True)
class Gate:
    """The gate of e3nn: a layer without parameters, made by :func:`gate`.

    Attributes:
        irreps_scalars: scalars that are activated.
        act_scalars: for each item of them a function, already scaled, or None.
        irreps_gates: scalars that are activated and multiply irreps.
        act_gates: for each item of them a function, already scaled, or None.
        irreps_gated: the irreps that are multiplied.
    """

    irreps_scalars: Irreps
    act_scalars: tuple[Activation | None, ...]
    irreps_gates: Irreps
    act_gates: tuple[Activation | None, ...]
    irreps_gated: Irreps

    @property
    def irreps_in(self) -> Irreps:
        """Irreps of the input: all three, sorted as e3nn sorts and merged."""
        return self._sorted()[0].simplify()

    @property
    def irreps_out(self) -> Irreps:
        """Irreps of the output: the scalars, then what is gated."""
        return self._activated(self.irreps_scalars, self.act_scalars) + elementwise_tensor_product(
            self.irreps_gated, self._activated(self.irreps_gates, self.act_gates)
        )

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract input of one row."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any) -> IrrepsArray:
        """Data of shape (..., irreps_out.dim), from data of shape (..., irreps_in.dim)."""
        (x,) = floating(x)
        irreps, places = self._sorted()
        items = split_items(x.rechunk(irreps).array, irreps)
        parts, start = [], 0
        for of in (self.irreps_scalars, self.irreps_gates, self.irreps_gated):
            stop = start + len(of.simplify())
            found = [x.array[..., :0], *(items[n] for n in places[start:stop])]
            parts.append(IrrepsArray(of, jnp.concatenate(found, axis=-1)))
            start = stop
        scalars, gates, gated = parts
        scalars = scalar_activation(scalars, self.act_scalars, normalize_act=False)
        gates = scalar_activation(gates, self.act_gates, normalize_act=False)
        return concatenate([scalars, elementwise_tensor_product(gated, gates)])

    def _sorted(self) -> tuple[Irreps, list[int]]:
        """The irreps of the input, and where the items of scalars, gates and gated irreps are there."""
        return sort([*self.irreps_scalars.simplify(), *self.irreps_gates.simplify(), *self.irreps_gated.simplify()])

    @staticmethod
    def _activated(irreps: Irreps, acts: Sequence[Activation | None]) -> Irreps:
        return scalar_activation(irreps, acts, normalize_act=False)


def gate(
    state: StateDict,
    prefix: str,
    irreps_scalars: IntoIrreps,
    act_scalars: Sequence[Activation | None],
    irreps_gates: IntoIrreps,
    act_gates: Sequence[Activation | None],
    irreps_gated: IntoIrreps,
) -> Converted:
    """An ``e3nn.nn.Gate`` as a layer; it has no weights.

    The input is scalars, gates and gated irreps sorted as e3nn sorts: 0o, 0e, 1o, 1e, ..., at equal irreps the scalars
    first. The function :func:`irreps_ops.gate` is for inputs in which all gates come after all scalars, and scales
    functions by :func:`irreps_ops.normalize_function`.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_scalars: scalars that are activated.
        act_scalars: for each item of them JAX's function for the PyTorch function of the module, or None; scaled by
            :func:`normalize2mom`.
        irreps_gates: scalars that are activated and multiply irreps, one for each.
        act_gates: likewise for each item of the gates.
        irreps_gated: the irreps that are multiplied.

    Raises:
        ValueError: gates that are no scalars or not as many as irreps, a function that does not fit the parity of its
            scalars, or weights in the state dict.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from irreps_compat import e3nn
        >>> layer, _ = e3nn.gate({}, "", "8x0e", [jax.nn.silu], "2x0e + 0o", [jax.nn.sigmoid, jnp.tanh], "3x1o")
        >>> layer.irreps_in, layer.irreps_out
        (1x0o+10x0e+3x1o, 8x0e+2x1o+1x1e)
    """
    scalars, gates, gated = Irreps(irreps_scalars), Irreps(irreps_gates), Irreps(irreps_gated)
    what = f"Gate({scalars}, {gates}, {gated})"
    if gates.lmax > 0 if gates else False:
        raise ValueError(f"{what}: the gates must be scalars, got {gates}")
    if gates.num_irreps != gated.num_irreps:
        raise ValueError(f"{what} needs a gate for each irrep, got {gates.num_irreps} for {gated.num_irreps}")
    refuse_all(state, prefix, what)
    acts = [tuple(None if act is None else normalize2mom(act) for act in of) for of in (act_scalars, act_gates)]
    layer = Gate(scalars, acts[0], gates, acts[1], gated)
    layer.irreps_out  # noqa: B018  (refuses functions that do not fit)
    return Converted(layer, {})
