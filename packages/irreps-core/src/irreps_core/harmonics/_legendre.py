"""Associated Legendre functions by a recursion that stays accurate at the poles.

For an order m >= 0 let

    Q_l = r^(l-m) P_l^(m)(y / r)        (m-th derivative of the Legendre polynomial, made homogeneous)

with r² = y² + ρ². The textbook recursion in y and r² computes 1 - y²/r² by cancellation, and near the poles
loses l² units in the last place. With ρ² instead of r², and with Q scaled to R_l = c_l Q_l such that
R_l = y^(l-m) at ρ = 0, it reads

    E_l = (l-m-1)/(l+m) (y E_(l-1) - ρ² R_(l-2)),    R_l = y R_(l-1) + E_l,    R_m = 1,  E_m = 0.

It follows from (l-m) Q_l = (2l-1) y Q_(l-1) - (l+m-1) r² Q_(l-2) (DLMF 14.10.3) and E_l := R_l - y R_(l-1). E is
small near the poles, and so are its rounding errors: the same remedy as Reinsch's for Clenshaw sums.
"""

import math
from typing import Any, SupportsIndex

import numpy as np

from irreps_core._inputs._degrees import check_degree
from irreps_core._inputs._namespace import array_namespace, as_float_arrays, scan

from ._legendre_constants import harmonic_scales, without_normalization


def legendre(lmax: SupportsIndex, x: Any, phase: float = 1.0, is_normalized: bool = False) -> Any:
    r"""Return the associated Legendre functions P(l, m) of all degrees l <= lmax and orders 0 <= m <= l.

    .. math:: P_{lm}(x) = \text{phase}^m (1 - x^2)^{m/2} \frac{d^m}{dx^m} P_l(x)

    Args:
        lmax: highest degree.
        x: cosines, from -1 to 1, of any shape: a number, a NumPy array or a JAX array.
        phase: 1, or -1 for the Condon-Shortley phase (-1)^m.
        is_normalized: multiply by sqrt((2l+1)/(4π) (l-m)!/(l+m)!), the factor that turns them into
            integral-normalized spherical harmonics. High degrees need it: without it, they overflow.

    Returns:
        Array of shape (lmax+1, lmax+1, ...), indexed [l, m]; zero where m > l. With JAX it is differentiable to
        every order; at x = ±1, where the derivative of odd orders is infinite, that derivative is taken as zero.

    Raises:
        ValueError: `lmax` is negative, or `x` is complex.
        TypeError: `lmax` is not an integer.

    Source: NIST Digital Library of Mathematical Functions, 14.6 and 14.10.

    Example:
        >>> from irreps_core import legendre
        >>> legendre(2, 0.6)[2]
        array([0.04, 1.44, 1.92])
    """
    lmax = check_degree("lmax", lmax)
    (x,) = as_float_arrays(x)
    xp = array_namespace(x)
    flat = x.reshape(-1)
    rho2 = (1 - flat) * (1 + flat)
    inside = rho2 > 0
    rho = xp.where(inside, xp.sqrt(xp.where(inside, rho2, 1)), 0)

    mantissa, exponent = harmonic_scales(lmax)
    m = np.arange(lmax + 1)
    # At the ends the ratios are 1 and ρ = 0, in the middle ρ = 1 and they are about 1/K: half of K to each.
    half = exponent // 2
    mantissa = np.ldexp(mantissa, exponent - half)
    scale = mantissa * np.sqrt(1 / (np.where(m > 0, 2, 1) * 4 * math.pi))
    if not is_normalized:
        scale = without_normalization(mantissa)
    signs = xp.asarray(np.power(float(phase), m), dtype=x.dtype)
    powers = signs[:, None] * _powers(rho, lmax)
    ratios = _legendre_ratios(half, flat, rho2)
    out = ratios * (xp.asarray(scale, dtype=x.dtype)[..., None] * powers[None])
    return out.reshape(lmax + 1, lmax + 1, *x.shape)


def _legendre_ratios(exponent: np.ndarray, y: Any, rho2: Any) -> Any:
    """Return R_l^m of the module docstring, times 2^exponent[l, m], for all l and m at once.

    Powers of two are exact and keep high degrees within the range of floating-point numbers.

    Args:
        exponent: integers of shape (lmax+1, lmax+1), indexed [l, m].
        y: coordinate along the polar axis, shape (N,).
        rho2: squared distance from the polar axis, shape (N,).

    Returns:
        Array of shape (lmax+1, lmax+1, N), indexed [l, m]; zero where m > l.
    """
    xp = array_namespace(y)
    lmax = len(exponent) - 1
    l, m = np.arange(lmax + 1)[:, None], np.arange(lmax + 1)
    factor = np.where(m < l, (l - m - 1) / np.maximum(l + m, 1), 0.0)
    step = np.exp2(np.where(m < l, exponent - np.roll(exponent, 1, axis=0), 0))
    previous_step = np.where(m < l - 1, np.roll(step, 1, axis=0), 0.0)
    start = np.where(m == l, np.exp2(np.where(m == l, exponent, 0)), 0.0)
    table = np.stack([step, factor * step, factor * step * previous_step, start], axis=1)[..., None]

    def next_degree(carry: tuple[Any, ...], row: Any) -> tuple[tuple[Any, ...], Any]:
        r1, r2, e1 = carry
        step, factor_y, factor_rho, start = row
        e = factor_y * (y[None] * e1) - factor_rho * (rho2[None] * r2)
        r = step * (y[None] * r1) + e + start
        return (r, r1, e), r

    zero = xp.zeros((lmax + 1, *y.shape), y.dtype)
    return scan(next_degree, (zero, zero, zero), xp.asarray(table, dtype=y.dtype))


def _powers(x: Any, highest: int) -> Any:
    """Return x^0, ..., x^highest on a new first axis, by products, so that derivatives at 0 are finite."""
    xp = array_namespace(x)
    powers = xp.broadcast_to(x[None], (highest, *x.shape))
    return xp.concatenate([xp.ones_like(x)[None], xp.cumprod(powers, axis=0)])
