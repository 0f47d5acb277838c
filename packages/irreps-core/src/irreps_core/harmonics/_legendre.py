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
from irreps_core._inputs._precision import rounded_to, widened

from ._legendre_constants import harmonic_scales, without_normalization


def legendre(lmax: SupportsIndex, x: Any, phase: float = 1.0, is_normalized: bool = False) -> Any:
    r"""Return the associated Legendre functions of all degrees up to lmax and their orders :math:`0 ≤ m ≤ l`.

    .. math:: P_{lm}(x) = \text{phase}^m (1 - x^2)^{m/2} \frac{d^m}{dx^m} P_l(x)

    Args:
        lmax: highest degree.
        x: cosines, from -1 to 1, of any shape: a number, a NumPy array or a JAX array.
        phase: 1, or -1 for the Condon-Shortley phase :math:`(-1)^m`.
        is_normalized: multiply by :math:`\sqrt{\frac{2l+1}{4\pi} \frac{(l-m)!}{(l+m)!}}`, the factor that turns them
            into integral-normalized spherical harmonics. High degrees need it: without it, they are infinite where they
            are beyond the range of the dtype.

    Returns:
        Array of shape (lmax+1, lmax+1, ...), indexed [l, m]; zero where :math:`m > l`. With JAX it is differentiable to
        every order; at :math:`x = ±1`, where the derivative of odd orders is infinite, that derivative is taken as
        zero.

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
    dtype, x = x.dtype, widened(x)
    flat = x.reshape(-1)
    rho2 = (1 - flat) * (1 + flat)
    inside = rho2 > 0
    rho = xp.where(inside, xp.sqrt(xp.where(inside, rho2, 1)), 0)

    mantissa, exponent = harmonic_scales(lmax)
    m = np.arange(lmax + 1)
    if is_normalized:
        mantissa = mantissa * np.sqrt(1 / (np.where(m > 0, 2, 1) * 4 * math.pi))
    else:
        mantissa, exponent = without_normalization(mantissa, exponent)
    ratios, ratio_exponent = _legendre_ratios(lmax, flat, rho2)
    powers, power_exponent = _powers(rho, lmax)
    signs = xp.asarray(np.power(float(phase), m)[:, None], dtype=x.dtype)
    out = ratios * (xp.asarray(mantissa[..., None], dtype=x.dtype) * (signs * powers)[None])
    # Each factor may leave the range of the floats where the product does not.
    exponent = xp.asarray(exponent[..., None], dtype=x.dtype) + ratio_exponent + power_exponent[None]
    info = xp.finfo(x.dtype)
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(3):
            part = xp.clip(exponent, info.minexp, info.maxexp - 1)
            out = out * xp.ldexp(xp.ones_like(part), part.astype(np.int32))
            exponent = exponent - part
    return rounded_to(dtype, out.reshape(lmax + 1, lmax + 1, *x.shape))


def _legendre_ratios(lmax: int, y: Any, rho2: Any) -> tuple[Any, Any]:
    """Return R_l^m of the module docstring as mantissa * 2^exponent, which do not underflow.

    Args:
        lmax: highest degree.
        y: coordinate along the polar axis, shape (N,).
        rho2: squared distance from the polar axis, shape (N,).

    Returns:
        Mantissas and exponents of shape (lmax+1, lmax+1, N), indexed [l, m], of floating dtype; the mantissa is zero
        where m > l.
    """
    xp = array_namespace(y)
    l, m = np.arange(lmax + 1)[:, None], np.arange(lmax + 1)
    factor = np.where(m < l, (l - m - 1) / np.maximum(l + m, 1), 0.0)
    table = np.stack([factor, np.where(m == l, 1.0, 0.0)], axis=1)[..., None]

    def next_degree(carry: tuple[Any, ...], row: Any) -> tuple[tuple[Any, ...], Any]:
        r1, r2, e1, exponent = carry
        factor, start = row
        e = factor * (y[None] * e1 - rho2[None] * r2)
        r = y[None] * r1 + e + start
        exponent = xp.where(start > 0, 0, exponent)
        scale, step = _rescaling(xp.maximum(xp.abs(r), xp.abs(r1)))
        return (r * scale, r1 * scale, e * scale, exponent - step), xp.stack([r, exponent])

    zero = xp.zeros((lmax + 1, *y.shape), y.dtype)
    both = scan(next_degree, (zero, zero, zero, zero), xp.asarray(table, dtype=y.dtype))
    return both[:, 0], both[:, 1]


def _rescaling(size: Any) -> tuple[Any, Any]:
    """Return factors that scale small numbers by a power of 2, and their exponents."""
    xp = array_namespace(size)
    step = xp.finfo(size.dtype).maxexp // 4
    small = size < 2.0**-step
    return xp.where(small, 2.0**step, 1).astype(size.dtype), xp.where(small, step, 0).astype(size.dtype)


def _powers(x: Any, highest: int) -> tuple[Any, Any]:
    """Return x^0, ..., x^highest on a new first axis, as mantissa * 2^exponent.

    They are products, so that derivatives at 0 are finite.
    """
    xp = array_namespace(x)

    def next_power(carry: tuple[Any, Any], _: Any) -> tuple[tuple[Any, Any], Any]:
        power, exponent = carry
        scale, step = _rescaling(power)
        return (power * scale * x, exponent - step), xp.stack([power, exponent])

    rows = xp.zeros(highest + 1, x.dtype)
    both = scan(next_power, (xp.ones_like(x), xp.zeros_like(x)), rows)
    return both[:, 0], both[:, 1]
