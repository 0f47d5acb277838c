"""e3nn-jax's Haiku modules: layers in the binding for Haiku, which is imported when a module is first used.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.haiku.Linear("0e + 1o")  # doctest: +SKIP
"""

from ._layers import _configured, _haiku
from ._layers._lookup import classes_of, module_lookup

_CLASSES = classes_of(
    "haiku",
    _configured.BatchNorm,
    _configured.Dropout,
    _configured.FullyConnectedTensorProduct,
    _haiku.Linear,
    _configured.MultiLayerPerceptron,
    _configured.SymmetricTensorProduct,
)
__getattr__ = module_lookup(__name__, _CLASSES)


def __dir__() -> list[str]:
    return list(_CLASSES)
