"""Convolution of fields on a grid: :class:`irreps_ops.VoxelConvolution` for Haiku and for Flax."""

from irreps_compat.e3nn_jax._layers import _configured, _earlier, _flax
from irreps_compat.e3nn_jax._layers._lookup import classes_of, module_lookup

__getattr__ = module_lookup(
    __name__,
    classes_of("haiku", _configured.ConvolutionHaiku, _earlier.Convolution)
    | classes_of("linen", _flax.ConvolutionFlax),
)
