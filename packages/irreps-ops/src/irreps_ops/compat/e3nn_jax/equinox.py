"""e3nn-jax's Equinox module, from whichever binding of that name is installed when it is asked for."""

from . import _layers
from ._modules import lookup, named

_MODULES = named("equinox", _layers.Linear)
__getattr__ = lookup(__name__, _MODULES)


def __dir__() -> list[str]:
    return list(_MODULES)
