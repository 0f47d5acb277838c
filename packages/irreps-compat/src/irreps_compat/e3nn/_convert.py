"""Conversion of all modules of a network."""

from collections.abc import Callable, Mapping
from typing import Any

from ._state import StateDict, carries_weights, key_of


def convert(
    state: StateDict, modules: Mapping[str, Callable[..., tuple[Any, ...]]], *, strict: bool = True
) -> dict[str, Any]:
    """Convert all modules of a network.

    Args:
        state: state dict of NumPy arrays.
        modules: for each prefix, a function of the state dict and the prefix: a function of this package with its other
            arguments bound (by ``functools.partial``), or your own for your own module.
        strict: refuse a state dict with weights outside these modules.

    Returns:
        For each prefix the result of its function, ``(layer, params)``, or ``(layer, params, state)`` for a batch
        normalization.

    Raises:
        ValueError: a function raises it; or, if strict, weights belong to none of the modules. The message names them.

    Example:
        >>> from functools import partial
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> state = {"radial.layer0.weight": np.ones((8, 3)), "lin.weight": np.ones(6), "lin.bias": np.ones(3)}
        >>> network = e3nn.convert(
        ...     state,
        ...     {
        ...         "radial": partial(e3nn.fully_connected_net, hs=[8, 3]),
        ...         "lin": partial(e3nn.linear, irreps_in="2x0e", irreps_out="3x0e", biases=True),
        ...     },
        ... )
        >>> network["lin"].layer.irreps_out
        3x0e
        >>> params = {name: found.params for name, found in network.items()}
        >>> sorted(params["lin"])
        ['b[0] 3x0e', 'w[0,0] 2x0e,3x0e']
    """
    if strict:
        starts = tuple(key_of(prefix, "") for prefix in modules)
        left = sorted(key for key, value in state.items() if carries_weights(key, value) and not key.startswith(starts))
        if left:
            raise ValueError(
                f"the state dict has weights that belong to none of the modules {sorted(modules)}: {left}; add their "
                "modules, or pass strict=False"
            )
    return {prefix: make(state, prefix) for prefix, make in modules.items()}
