"""Normalization constants of Legendre functions, in float64, of degrees for which they overflow."""

import math

import numpy as np


def harmonic_scales(lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors K that make harmonics of variance 1 from R: Y_(l, ±m) = K_lm R_l^m (cos mφ, sin mφ).

    R is defined in :mod:`._legendre`. K grows as 2^l, so it is returned as mantissa * 2^exponent.

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


def without_normalization(mantissa: np.ndarray, exponent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide mantissa * 2^exponent, indexed [l, m], by the norms of the Legendre functions."""
    mantissa, exponent = mantissa.copy(), exponent.copy()
    for l in range(len(mantissa)):
        log_norm = 0.0
        for m in range(l + 1):
            if m > 0:
                log_norm += math.log2(l + m) + math.log2(l - m + 1)
            whole = math.floor(log_norm / 2)
            mantissa[l, m] *= 2.0 ** (log_norm / 2 - whole) / math.sqrt((2 * l + 1) * (2 if m else 1))
            exponent[l, m] += whole
    return mantissa, exponent
