"""e3nn-jax's Flax modules: our layers in the linen binding, which is looked for when one of them is asked for.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.flax.Linear("0e + 1o")  # doctest: +SKIP
"""

from . import _flax_layers
from ._modules import lookup, named

_MODULES = named("linen", _flax_layers.BatchNorm, _flax_layers.Linear, _flax_layers.MultiLayerPerceptron)
__getattr__ = lookup(__name__, _MODULES)


def __dir__() -> list[str]:
    return list(_MODULES)
