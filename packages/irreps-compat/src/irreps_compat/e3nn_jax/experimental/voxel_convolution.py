"""Convolution of fields on a grid: :class:`irreps_ops.VoxelConvolution` as a module of Haiku and of Flax."""

from irreps_compat.e3nn_jax import _earlier_layers, _flax_layers, _layers
from irreps_compat.e3nn_jax._modules import lookup, named

_MODULES = named("haiku", _layers.ConvolutionHaiku, _earlier_layers.Convolution) | named(
    "linen", _flax_layers.ConvolutionFlax
)
__getattr__ = lookup(__name__, _MODULES)
