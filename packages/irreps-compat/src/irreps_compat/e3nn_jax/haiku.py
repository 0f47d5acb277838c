"""e3nn-jax's Haiku modules: our layers in the Haiku binding, which is looked for when one of them is asked for.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.haiku.Linear("0e + 1o")  # doctest: +SKIP
"""

from . import _haiku_layers, _layers
from ._modules import lookup, named

_MODULES = named(
    "haiku",
    _layers.BatchNorm,
    _layers.Dropout,
    _layers.FullyConnectedTensorProduct,
    _haiku_layers.Linear,
    _layers.MultiLayerPerceptron,
    _layers.SymmetricTensorProduct,
)
__getattr__ = lookup(__name__, _MODULES)


def __dir__() -> list[str]:
    return list(_MODULES)
