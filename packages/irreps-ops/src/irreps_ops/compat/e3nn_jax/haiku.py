"""e3nn-jax's Haiku modules: our layers in the Haiku binding, which is looked for when one of them is asked for.

Example:
    >>> import irreps_ops.compat.e3nn_jax as e3nn
    >>> linear = e3nn.haiku.Linear("0e + 1o")  # doctest: +SKIP
"""

from typing import Any

import irreps_ops

from . import _layers

_MODULES = {
    layer.__name__: layer
    for layer in (_layers.FullyConnectedTensorProduct, _layers.Linear, _layers.MultiLayerPerceptron)
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; modules: {', '.join(_MODULES)}")
    return irreps_ops.binding("haiku").module(_MODULES[name])


def __dir__() -> list[str]:
    return list(_MODULES)
