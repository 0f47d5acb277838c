"""Conversion of ``e3nn.nn.Gate``, whose arguments distinguish scalars, gates and gated irreps."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, as_irreps_array, concatenate, frozen
from irreps_ops import Activation, elementwise_tensor_product, scalar_activation
from irreps_ops.bindings import Scope, example_inputs

from ._instructions import sort
from ._normalize2mom import normalize2mom
from ._state import Converted, StateDict, refuse_all


@frozen
class Gate:
    """The gate of e3nn as a layer without parameters, see :func:`gate`.

    Attributes:
        irreps_scalars: scalars that are activated.
        act_scalars: for each of their items a function, already scaled, or None.
        irreps_gates: scalars that are activated and multiply irreps.
        act_gates: for each of their items a function, already scaled, or None.
        irreps_gated: the irreps that are multiplied.
    """

    irreps_scalars: Irreps
    act_scalars: tuple[Activation | None, ...]
    irreps_gates: Irreps
    act_gates: tuple[Activation | None, ...]
    irreps_gated: Irreps

    @property
    def irreps_in(self) -> Irreps:
        """Irreps of the input: all three, merged and in the order of e3nn."""
        return self._sorted()[0].simplify()

    @property
    def irreps_out(self) -> Irreps:
        """Irreps of the output: the scalars, then the gated irreps."""
        return self._activated(self.irreps_scalars, self.act_scalars) + elementwise_tensor_product(
            self.irreps_gated, self._activated(self.irreps_gates, self.act_gates)
        )

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return an abstract input without a batch."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any) -> IrrepsArray:
        """Return data of shape (..., irreps_out.dim), from data of shape (..., irreps_in.dim)."""
        irreps, places = self._sorted()
        x = as_irreps_array(x).rechunk(irreps)
        items = [x.array[..., place] for place in irreps.slices()]
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
        """Return the irreps of the input, and the place in it of each item of scalars, gates and gated irreps."""
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
    """Convert an ``e3nn.nn.Gate`` to a layer; it has no weights.

    The input contains scalars, gates and gated irreps in the order of e3nn: 0o, 0e, 1o, 1e, ..., and the scalars first
    among equal irreps. The function :func:`irreps_ops.gate` instead expects all gates after all scalars, and scales
    activations by :func:`irreps_ops.normalize_function`.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_scalars: scalars that are activated.
        act_scalars: for each of their items the JAX function that corresponds to the module's activation, or None;
            :func:`normalize2mom` scales it.
        irreps_gates: scalars that are activated and multiply irreps, one for each irrep.
        act_gates: as `act_scalars`, for each item of the gates.
        irreps_gated: the irreps that are multiplied.

    Raises:
        ValueError: gates are not scalars, or not as many as gated irreps; a function has no parity where its scalars
            need one; or the state dict has weights.

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
    layer.irreps_out  # noqa: B018  (raises if an activation does not have the parity of its scalars)
    return Converted(layer, {})
