"""e3nn-jax's Flax modules: our layers in the linen binding, which is looked for when one of them is asked for.

Example:
    >>> import irreps_ops.compat.e3nn_jax as e3nn
    >>> linear = e3nn.flax.Linear("0e + 1o")  # doctest: +SKIP
"""

from typing import Any

import irreps_ops

from . import _flax_layers

_MODULES = {layer.__name__: layer for layer in (_flax_layers.Linear, _flax_layers.MultiLayerPerceptron)}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; modules: {', '.join(_MODULES)}")
    return irreps_ops.binding("linen").module(_MODULES[name])


def __dir__() -> list[str]:
    return list(_MODULES)
