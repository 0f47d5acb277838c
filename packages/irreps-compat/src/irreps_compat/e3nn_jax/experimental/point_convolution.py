"""Convolution of points: :class:`irreps_ops.PointConvolution` as a module of Haiku and of Flax."""

from irreps_compat.e3nn_jax import _convolution, _flax_layers, _layers
from irreps_compat.e3nn_jax._modules import lookup, named
from irreps_ops import radial_basis as radial_basis

_MODULES = named("haiku", _layers.MessagePassingConvolutionHaiku, _convolution.Convolution) | named(
    "linen", _flax_layers.MessagePassingConvolutionFlax
)
__getattr__ = lookup(__name__, _MODULES)
