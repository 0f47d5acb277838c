"""The factors of solid harmonics: for each component its scale, coordinates and quadrics.

Their definition is in :mod:`._solid_values`.
"""

import math
from typing import NamedTuple, TypeAlias

import numpy as np

from irreps_core._inputs._caches import cached

from ._legendre_constants import harmonic_scales

Degrees: TypeAlias = tuple[tuple[int, float], ...]
Quadric: TypeAlias = tuple[float, float, float]


class ProductTable(NamedTuple):
    """The products of all components.

    Attributes:
        scale: shape (components,).
        is_factor: whether x, y, z is a factor, shape (3, components).
        quadrics: coefficients of x², y², z², shape (most quadrics, 3, components).
        is_quadric: which of them there are, shape (most quadrics, components).
    """

    scale: np.ndarray
    is_factor: np.ndarray
    quadrics: np.ndarray
    is_quadric: np.ndarray


@cached(maxsize=64)
def product_table(degrees: Degrees) -> ProductTable:
    components = [(factor, *component) for l, factor in degrees for component in _components(l)]
    most = max((len(quadrics) for *_, quadrics in components), default=0)
    table = ProductTable(
        np.array([factor * scale for factor, scale, _, _ in components]),
        np.array([is_factor for *_, is_factor, _ in components], bool).reshape(-1, 3).T,
        np.zeros((most, 3, len(components))),
        np.zeros((most, len(components)), bool),
    )
    for i, (*_, quadrics) in enumerate(components):
        table.quadrics[: len(quadrics), :, i] = np.reshape(quadrics, (-1, 3))
        table.is_quadric[: len(quadrics), i] = True
    return table


@cached(maxsize=256)
def _components(l: int) -> tuple[tuple[float, tuple[bool, bool, bool], tuple[Quadric, ...]], ...]:
    """Return the scale, the coordinates x, y, z that are factors, and the quadrics, for m = -l, ..., l."""
    mantissas, exponents = harmonic_scales(l)
    components = []
    for m in range(-l, l + 1):
        order = abs(m)
        quadrics = _alternating(_cones(l, order), _planes(m))
        is_factor = m < 0, (l - order) % 2 == 1, order > 0 and (order % 2 == 1) == (m > 0)
        exponent = int(exponents[l, order])
        if order > 0 and order % 2 == 0:
            exponent += 1 if m < 0 else -1
        # K can be more than a float32 holds: every quadric takes its part, in powers of 2, which are exact.
        n = max(len(quadrics), 1)
        shares = [exponent * (k + 1) // n - exponent * k // n for k in range(len(quadrics))]
        scale = math.ldexp(mantissas[l, order], exponent - sum(shares))
        scaled = [tuple(math.ldexp(c, share) for c in q) for q, share in zip(quadrics, shares, strict=True)]
        components.append((scale, is_factor, tuple(scaled)))
    return tuple(components)


def _cones(l: int, m: int) -> list[Quadric]:
    """Return the pairs of cones, the narrowest first.

    P_l^(m) is a Gegenbauer polynomial; its roots are the eigenvalues of a Jacobi matrix (Golub and Welsch) whose
    diagonal is zero: plus and minus the singular values of the part that takes odd to even places.
    """
    k = np.arange(1, l - m)
    beside = np.sqrt(k * (k + 2 * m) / ((2 * k + 2 * m + 1) * (2 * k + 2 * m - 1)))
    jacobi = np.diag(beside, 1) + np.diag(beside, -1)
    below_1 = 1 - np.linalg.svd(jacobi[::2, 1::2], compute_uv=False)
    # A step of Newton's method, with 1 - cos θ as unknown, gives the roots near 1 all their digits.
    y, rho2 = 1 - below_1, below_1 * (2 - below_1)
    ratio, exponent = _legendre_ratio(l, m, y, rho2)
    slope, slope_exponent = _legendre_ratio(l, m + 1, y, rho2)
    slope *= (l - m) * (l + m + 1) / (2 * m + 2)
    below_1 += np.ldexp(ratio / slope, exponent - slope_exponent)
    y, rho2 = 1 - below_1, below_1 * (2 - below_1)
    return [(-c, 1.0, -c) for c in (y**2 / rho2).tolist()]


def _legendre_ratio(l: int, m: int, y: np.ndarray, rho2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return R_l^m of :mod:`._legendre` as mantissa * 2^exponent, because high degrees underflow."""
    before, ratio, e, exponent = np.zeros_like(y), np.ones_like(y), np.zeros_like(y), np.zeros(y.shape, int)
    for k in range(m + 1, l + 1):
        e = (k - m - 1) / (k + m) * (y * e - rho2 * before)
        before, ratio = ratio, y * ratio + e
        small = np.maximum(np.abs(ratio), np.abs(before)) < 2.0**-500
        if small.any():
            scale = np.where(small, 2.0**500, 1)
            before, ratio, e, exponent = before * scale, ratio * scale, e * scale, exponent - np.where(small, 500, 0)
    return ratio, exponent


def _planes(m: int) -> list[Quadric]:
    """Return the pairs of planes."""
    angles = [i * math.pi / (2 * abs(m)) for i in range(1, abs(m)) if (i % 2 == 1) == (m > 0)]
    return [(-4 * math.cos(a) ** 2, 0.0, 4 * math.sin(a) ** 2) for a in angles]


def _alternating(cones: list[Quadric], planes: list[Quadric]) -> list[Quadric]:
    """Order the quadrics so that the product of the first few is never far from the whole in size.

    Any first few of them are spread evenly over the angles, so that in every direction the logarithm of their product
    grows evenly, and at no degree do products leave the range of the floats unless the harmonic does.
    """

    def spread(quadrics: list[Quadric]) -> list[tuple[float, Quadric]]:
        n = len(quadrics)
        return [((place + 0.5) / n, quadrics[i]) for place, i in enumerate(_bit_reversed(n))]

    return [quadric for _, quadric in sorted(spread(cones) + spread(planes))]


def _bit_reversed(n: int) -> list[int]:
    """Return 0, ..., n-1 in the order of their reversed binary digits: 0, 4, 2, 6, 1, 5, 3, 7 for n = 8."""
    order = [0]
    while len(order) < n:
        order = [2 * i for i in order] + [2 * i + 1 for i in order]
    return [i for i in order if i < n]
