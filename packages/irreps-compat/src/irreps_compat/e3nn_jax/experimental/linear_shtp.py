"""Linear maps of the product with spherical harmonics: :class:`irreps_ops.LinearSHTP` as a module of Flax, `shtp`."""

from irreps_compat.e3nn_jax import _layers
from irreps_compat.e3nn_jax._modules import lookup, named
from irreps_ops import shtp as shtp

__getattr__ = lookup(__name__, named("linen", _layers.LinearSHTP))
