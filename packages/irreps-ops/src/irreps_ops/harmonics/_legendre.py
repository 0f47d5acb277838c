"""Associated Legendre functions by a recursion that keeps its digits at the poles.

For an order m >= 0 let

    Q_l = r^(l-m) P_l^(m)(y / r)        (m-th derivative of the Legendre polynomial, made homogeneous)

with r² = y² + ρ². The textbook recursion in y and r² computes 1 - y²/r² by cancellation, and near the poles
loses l² units in the last place. With ρ² instead of r², and with Q scaled to R_l = c_l Q_l such that
R_l = y^(l-m) at ρ = 0, it reads

    E_l = (l-m-1)/(l+m) (y E_(l-1) - ρ² R_(l-2)),    R_l = y R_(l-1) + E_l,    R_m = 1,  E_m = 0.

It follows from (l-m) Q_l = (2l-1) y Q_(l-1) - (l+m-1) r² Q_(l-2) (DLMF 14.10.3) and E_l := R_l - y R_(l-1). E is
small near the poles, so its rounding errors are too: the same remedy as Reinsch's for Clenshaw sums.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check


def harmonic_scales(lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors K that make harmonics of variance 1 out of R: Y_(l, ±m) = K_lm R_l^m (cos mφ, sin mφ).

    They grow as 2^l, so they come as K = mantissa * 2^exponent.

    Args:
        lmax: highest degree.

    Returns:
        Mantissas in [1/2, 1) and integer exponents, both of shape (lmax+1, lmax+1), indexed [l, m]; where
        m > l the mantissa is 0.
    """
    mantissa = np.zeros((lmax + 1, lmax + 1))
    exponent = np.zeros((lmax + 1, lmax + 1), dtype=int)
    sectoral = 1.0
    for m in range(lmax + 1):
        if m > 0:
            sectoral *= math.sqrt((2 * m + 1) / (2 * m) * (2 if m == 1 else 1))
        k, e = math.frexp(sectoral)
        mantissa[m, m], exponent[m, m] = k, e
        for l in range(m + 1, lmax + 1):
            k, step = math.frexp(k * math.sqrt((2 * l + 1) / (2 * l - 1) * (l + m) / (l - m)))
            e += step
            mantissa[l, m], exponent[l, m] = k, e
    return mantissa, exponent


def legendre_ratios(exponent: np.ndarray, y: jax.Array, rho2: jax.Array) -> jax.Array:
    """R_l^m of the module docstring, times 2^exponent[l, m], for all l and m at once.

    Powers of two cost no digits and keep high degrees within the range of floating point numbers.

    Args:
        exponent: integers of shape (lmax+1, lmax+1), indexed [l, m].
        y: coordinate along the polar axis, shape (N,).
        rho2: squared distance from the polar axis, shape (N,).

    Returns:
        Array of shape (lmax+1, lmax+1, N), indexed [l, m]; zero where m > l.
    """
    lmax = len(exponent) - 1
    l, m = np.arange(lmax + 1)[:, None], np.arange(lmax + 1)
    factor = np.where(m < l, (l - m - 1) / np.maximum(l + m, 1), 0.0)
    step = np.exp2(np.where(m < l, exponent - np.roll(exponent, 1, axis=0), 0))
    previous_step = np.where(m < l - 1, np.roll(step, 1, axis=0), 0.0)
    start = np.where(m == l, np.exp2(np.where(m == l, exponent, 0)), 0.0)
    table = np.stack([step, factor * step, factor * step * previous_step, start], axis=1)[..., None]

    def next_degree(carry: tuple[jax.Array, ...], row: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
        r1, r2, e1 = carry
        step, factor_y, factor_rho, start = row
        e = factor_y * (y[None] * e1) - factor_rho * (rho2[None] * r2)
        r = step * (y[None] * r1) + e + start
        return (r, r1, e), r

    zero = jnp.zeros((lmax + 1, *y.shape), y.dtype)
    return jax.lax.scan(next_degree, (zero, zero, zero), jnp.asarray(table, y.dtype))[1]


def legendre(lmax: int, x: jax.Array, phase: float, is_normalized: bool = False) -> jax.Array:
    r"""Associated Legendre functions P(l, m) of all degrees l <= lmax and orders 0 <= m <= l.

    .. math:: P_{lm}(x) = \text{phase}^m (1 - x^2)^{m/2} \frac{d^m}{dx^m} P_l(x)

    Args:
        lmax: highest degree.
        x: cosines, from -1 to 1, of any shape.
        phase: 1, or -1 for the Condon-Shortley phase (-1)^m.
        is_normalized: multiply by sqrt((2l+1)/(4π) (l-m)!/(l+m)!), which makes integral-normalized
            spherical harmonics of them.

    Returns:
        Array of shape (lmax+1, lmax+1, ...), indexed [l, m]; zero where m > l. At x = ±1, where the derivative
        of odd orders is infinite, it is taken as zero.

    Raises:
        ValueError: `lmax` is negative or no integer.

    Source: NIST Digital Library of Mathematical Functions, 14.6 and 14.10.

    Example:
        >>> import irreps_ops as irr
        >>> irr.legendre(2, 0.6, phase=1.0)[2]
        Array([0.04, 1.44, 1.92], dtype=float...)
    """
    lmax = check.count("legendre", "lmax", lmax, 0)
    x = check.float_array("legendre", x)
    flat = x.reshape(-1)
    rho2 = (1 - flat) * (1 + flat)
    inside = rho2 > 0
    rho = jnp.where(inside, jnp.sqrt(jnp.where(inside, rho2, 1)), 0)

    mantissa, exponent = harmonic_scales(lmax)
    m = np.arange(lmax + 1)
    # At the ends the ratios are 1 and ρ = 0, in the middle ρ = 1 and they are about 1/K: half of K to each.
    half = exponent // 2
    mantissa = np.ldexp(mantissa, exponent - half)
    scale = mantissa * np.sqrt(1 / (np.where(m > 0, 2, 1) * 4 * math.pi))
    if not is_normalized:
        scale = _unnormalized(mantissa)
    signs = jnp.asarray(np.power(float(phase), m), x.dtype)
    powers = signs[:, None] * _powers(rho, lmax)
    ratios = legendre_ratios(half, flat, rho2)
    out = ratios * (jnp.asarray(scale, x.dtype)[..., None] * powers[None])
    return out.reshape(lmax + 1, lmax + 1, *x.shape)


def _unnormalized(mantissa: np.ndarray) -> np.ndarray:
    """Factors from harmonics of variance 1 back to Legendre functions; infinite where those overflow."""
    scale = np.zeros_like(mantissa)
    for l in range(len(mantissa)):
        log_norm = 0.0
        for m in range(l + 1):
            if m > 0:
                log_norm += math.log(l + m) + math.log(l - m + 1)
            factor = (2 * l + 1) * (2 if m else 1)
            with np.errstate(over="ignore"):
                scale[l, m] = mantissa[l, m] * np.exp((log_norm - math.log(factor)) / 2)
    return scale


def _powers(x: jax.Array, highest: int) -> jax.Array:
    """x^0, ..., x^highest on a new first axis, by products, so that derivatives at 0 are finite."""
    powers = jnp.broadcast_to(x[None], (highest, *x.shape))
    return jnp.concatenate([jnp.ones_like(x)[None], jnp.cumprod(powers, axis=0)])
