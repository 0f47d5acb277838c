"""e3nn-jax's Flax modules: layers in the binding for linen, which is imported when a module is first used.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.flax.Linear("0e + 1o")  # doctest: +SKIP
"""

from ._layers import _flax
from ._layers._lookup import classes_of, module_lookup

_CLASSES = classes_of("linen", _flax.BatchNorm, _flax.Linear, _flax.MultiLayerPerceptron)
__getattr__ = module_lookup(__name__, _CLASSES)


def __dir__() -> list[str]:
    return list(_CLASSES)
