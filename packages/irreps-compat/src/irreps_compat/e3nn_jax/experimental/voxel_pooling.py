"""Resampling of fields on a grid."""

from irreps_ops import interpolate_nearest as interpolate_nearest
from irreps_ops import interpolate_trilinear as interpolate_trilinear
from irreps_ops import zoom as zoom
