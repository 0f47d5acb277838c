"""Convolution of points: :class:`irreps_ops.PointConvolution` for Haiku and for Flax."""

from irreps_compat.e3nn_jax._layers import _flax, _point_convolution, _renamed
from irreps_compat.e3nn_jax._layers._lookup import classes_of, module_lookup
from irreps_ops import radial_basis as radial_basis

__getattr__ = module_lookup(
    __name__,
    classes_of("haiku", _renamed.MessagePassingConvolutionHaiku, _point_convolution.Convolution)
    | classes_of("linen", _flax.MessagePassingConvolutionFlax),
)
