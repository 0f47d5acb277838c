"""Normalizations of spherical harmonics."""

import math
from typing import Literal, SupportsIndex, TypeAlias, get_args

from irreps_core._inputs._degrees import check_degree
from irreps_core._inputs._shown import shown

HarmonicNormalization: TypeAlias = Literal["component", "norm", "integral"]
"""Name of a normalization of harmonics, see :func:`harmonic_scale`."""


def harmonic_scale(l: SupportsIndex, normalization: HarmonicNormalization) -> float:
    """Return the factor from harmonics of degree l of "component" normalization to those of another one.

    Args:
        l: degree.
        normalization: on the unit sphere,
            "component": every component has mean square 1, :math:`|Y_l|^2 = 2l + 1`;
            "norm": :math:`|Y_l| = 1`;
            "integral": the integral of :math:`Y_{lm}^2` is 1, :math:`|Y_l|^2 = (2l + 1) / 4π`.

    Raises:
        ValueError: l is negative, or the normalization is unknown.
        TypeError: l is not an integer.

    Example:
        >>> from irreps_core import harmonic_scale
        >>> harmonic_scale(4, "norm")
        0.3333333333333333
    """
    l = check_degree("l", l)
    if normalization == "component":
        return 1.0
    if normalization == "norm":
        return (2 * l + 1) ** -0.5
    if normalization == "integral":
        return (4 * math.pi) ** -0.5
    *others, last = map(repr, get_args(HarmonicNormalization))
    raise ValueError(f"normalization must be {', '.join(others)} or {last}, got {shown(normalization)}")
