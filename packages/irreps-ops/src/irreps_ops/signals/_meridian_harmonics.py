"""Spherical harmonics on the meridian alpha = 0, in float64 with NumPy, for tables that are computed once."""

import numpy as np


def meridian_harmonics(lmax: int, highest_order: int, y: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return Λ_l^m(y), the harmonics at alpha = 0, of variance 1: Y_(l, ±m) = Λ_l^m (cos m alpha, sin m alpha).

    The recursion is that of :func:`irreps_core.legendre`, which is accurate at the poles, for Λ = K R ρ^m in place of
    R, with step = K_l / K_(l-1). Up to degree 1,500 all values that underflow are negligible.

    Args:
        lmax: highest degree.
        highest_order: highest m.
        y: heights cos(beta), of shape (N,).
        rho: distances from the axis, sin(beta), of shape (N,).

    Returns:
        Array of shape (highest_order+1, N, lmax+1), indexed [m, :, l]; zero where m > l.
    """
    m = np.arange(highest_order + 1)[:, None]
    first = np.sqrt(np.where(m == 1, 2, 1) * (2 * m + 1) / np.maximum(2 * m, 1))
    sectoral = np.cumprod(np.where(m == 0, 1, first * rho), axis=0)
    out = np.zeros((lmax + 1, highest_order + 1, len(y)))
    below, two_below, e = np.zeros((3, highest_order + 1, len(y)))
    last_step = np.zeros_like(first)
    for l in range(lmax + 1):
        step = np.where(m < l, np.sqrt((2 * l + 1) / max(2 * l - 1, 1) * (l + m) / np.maximum(l - m, 1)), 0)
        e = (l - m - 1) / np.maximum(l + m, 1) * step * (y * e - rho**2 * (last_step * two_below))
        out[l] = step * y * below + e + np.where(m == l, sectoral, 0)
        below, two_below, last_step = out[l], below, step
    return out.transpose(1, 2, 0)
