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


def solid_product(degrees: Degrees, x: Any, y: Any, z: Any) -> Any:
    """Return the harmonics of some degrees, times a factor for each degree.

    Args:
        degrees: pairs of a degree and its factor; with factor 1 each component has variance 1 on the unit sphere.
        x: first coordinates, shape (..., 1).
        y: second coordinates.
        z: third coordinates.

    Returns:
        Array of shape (..., sum of 2l+1): the degrees one after the other, m = -l, ..., l.
    """
    xp = array_namespace(x)
    table = product_table(degrees)

    def row(array: np.ndarray) -> Any:
        array = array.reshape((1,) * (x.ndim - 1) + (-1,))
        return xp.asarray(array, dtype=bool if array.dtype == bool else x.dtype)

    out = row(table.scale)
    for coordinate, is_factor in zip((x, y, z), table.is_factor, strict=True):
        out = xp.where(row(is_factor), out * coordinate, out)
    squares = x * x, y * y, z * z
    for quadric, is_quadric in zip(table.quadrics, table.is_quadric, strict=True):
        a, b, c = (row(coefficient) * square for coefficient, square in zip(quadric, squares, strict=True))
        out = xp.where(row(is_quadric), out * (a + b + c), out)
    return out
