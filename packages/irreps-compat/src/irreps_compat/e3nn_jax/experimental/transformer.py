"""Attention: :class:`irreps_ops.Transformer` as a module of Haiku."""

from irreps_compat.e3nn_jax import _layers
from irreps_compat.e3nn_jax._modules import lookup, named

_MODULES = named("haiku", _layers.Transformer)
__getattr__ = lookup(__name__, _MODULES)
