"""Values of solid harmonics, as products over their nodal surfaces, for NumPy and JAX arrays.

Y_lm vanishes on cones around the polar axis y and on planes through it. Both come in mirror pairs, and each pair is a
quadric in the squared coordinates:

    cones at polar angle θ and π - θ:       y² - cot²θ (x² + z²),      cos θ > 0 a root of P_l^(|m|)
    planes at azimuth a and π - a:          4 (sin²a z² - cos²a x²),   a = i π / 2|m|,  0 < i < |m|,
                                                                       i odd for m > 0, even for m < 0

(P_l^(m) the m-th derivative of the Legendre polynomial, tan(azimuth) = x / z); at most one of the planes x = 0, y = 0,
z = 0 each is left over. With K of :func:`._legendre_constants.harmonic_scales`, which belongs to P_l^(m) scaled to 1 at
the pole,

    Y_lm = K x^i y^j z^k (product of its quadrics),    i, j, k = 0 or 1,    times 2 or 1/2 where m is even.

A quadric loses no digits where another one vanishes, so that errors stay small relative to Y_lm except on the nodal
surface itself, poles included; nothing is singular anywhere. All components are computed in one loop, in which none
depends on another: each is written once, in order, and no degree takes longer to compile than another.
"""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace

from ._solid_constants import Degrees, product_table


def solid_product(degrees: Degrees, is_unit: bool, x: Any, y: Any, z: Any) -> Any:
    """Return the harmonics of some degrees, times a factor for each degree.

    Args:
        degrees: pairs of a degree and its factor; with factor 1 each component has variance 1 on the unit sphere.
        is_unit: whether the vectors are unit vectors, of which no product overflows.
        x: first coordinates, shape (..., 1).
        y: second coordinates.
        z: third coordinates.

    Returns:
        Array of shape ``(..., sum of 2l+1)``: the degrees one after the other, m = -l, ..., l.
    """
    xp = array_namespace(x)
    table = product_table(degrees)

    def row(array: np.ndarray) -> Any:
        array = array.reshape((1,) * (x.ndim - 1) + (-1,))
        return xp.asarray(array, dtype=bool if array.dtype == bool else x.dtype)

    out = row(table.scale)
    for coordinate, is_factor in zip((x, y, z), table.is_factor, strict=True):
        out = xp.where(row(is_factor), out * coordinate, out)
    can_overflow = not is_unit and max((l for l, _ in degrees), default=0) > 1
    shrink, stretch = _scales(x, y, z) if can_overflow else (1, 1)
    squares = [(coordinate * shrink) ** 2 if can_overflow else coordinate * coordinate for coordinate in (x, y, z)]
    for quadric, is_quadric in zip(table.quadrics, table.is_quadric, strict=True):
        a, b, c = (row(coefficient) * square for coefficient, square in zip(quadric, squares, strict=True))
        value = (a + b + c) * stretch if can_overflow else a + b + c
        out = xp.where(row(is_quadric), out * value, out)
    if can_overflow:
        # Of finite coordinates the only NaN is an infinite product times the zero of a nodal surface.
        out = xp.where(xp.isnan(out), x * 0 + y * 0 + z * 0, out)
    return out


def _scales(x: Any, y: Any, z: Any) -> tuple[Any, Any]:
    """Return factors of the coordinates and of quadrics, 1 unless squares would overflow; then signs stay right."""
    xp = array_namespace(x)
    size = xp.maximum(xp.maximum(xp.abs(x), xp.abs(y)), xp.abs(z))
    # Powers of 2 up to the largest of the dtype, 2^(2 half). The first factors restore the exact values.
    half = xp.finfo(x.dtype).maxexp // 2 - 1
    long, longest = size > 2.0 ** (half - 3), size > 2.0 ** (2 * half - 6)
    one = xp.ones_like(x)
    shrink = xp.where(long, xp.where(longest, one * 2.0 ** -(half + half // 4), one * 2.0**-half), one)
    return shrink, xp.where(long, one * 2.0 ** (2 * half), one)
