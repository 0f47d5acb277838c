"""Attention: :class:`irreps_ops.Transformer` for Haiku."""

from irreps_compat.e3nn_jax._layers import _renamed
from irreps_compat.e3nn_jax._layers._lookup import classes_of, module_lookup

__getattr__ = module_lookup(__name__, classes_of("haiku", _renamed.Transformer))
