"""Solid harmonics, the homogeneous polynomials behind the spherical harmonics, as products over their nodal surfaces.

Y_lm vanishes on cones around the polar axis y and on planes through it. Both come in mirror pairs, and each pair is a
quadric in the squared coordinates:

    cones at polar angle θ and π - θ:       y² - cot²θ (x² + z²),      cos θ > 0 a root of P_l^(|m|)
    planes at azimuth a and π - a:          4 (sin²a z² - cos²a x²),   a = i π / 2|m|,  0 < i < |m|,
                                                                       i odd for m > 0, even for m < 0

(P_l^(m) the m-th derivative of the Legendre polynomial, tan(azimuth) = x / z); at most one of the planes x = 0, y = 0,
z = 0 each is left over. With K of :func:`._legendre.harmonic_scales`, which belongs to P_l^(m) scaled to 1 at the pole,

    Y_lm = K x^i y^j z^k (product of its quadrics),    i, j, k = 0 or 1,    times 2 or 1/2 where m is even.

A quadric loses no digits where another one vanishes, so that errors stay small relative to Y_lm but on the nodal
surface itself, poles included; nothing is singular anywhere. All components are one loop without data that goes from
one to another: what is written is written once, in order, and no degree takes longer to compile than another.
Derivatives of every order are forward-mode derivatives of this product, evaluated anew, never stored.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached

from ._legendre import harmonic_scales

Degrees = tuple[tuple[int, float], ...]
Quadric = tuple[float, float, float]
OfCoordinates = Callable[..., jax.Array]


@partial(jax.jit, static_argnums=0, inline=True)
def solid_harmonics(degrees: Degrees, v: jax.Array) -> jax.Array:
    """Solid harmonics of some degrees, times a factor for each degree.

    Args:
        degrees: pairs of a degree and its factor; with factor 1 each component has variance 1 on the unit sphere.
        v: vectors (x, y, z), shape (..., 3), of a floating dtype.

    Returns:
        Array of shape (..., sum of 2l+1): the degrees one after the other, m = -l, ..., l.
    """
    return _derivative(degrees, (), v)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
@partial(jax.jit, static_argnums=(0, 1), inline=True)
def _derivative(degrees: Degrees, axes: tuple[int, ...], v: jax.Array) -> jax.Array:
    """The derivative of the harmonics along the axes (0, 1, 2 for x, y, z), one after the other."""
    function = partial(_product, degrees)
    for axis in axes:
        function = _along(function, axis)
    return function(v[..., 0:1], v[..., 1:2], v[..., 2:3])


def _along(function: OfCoordinates, axis: int) -> OfCoordinates:
    def derivative(*v: jax.Array) -> jax.Array:
        def of_one(coordinate: jax.Array) -> jax.Array:
            return function(*v[:axis], coordinate, *v[axis + 1 :])

        return jax.jvp(of_one, (v[axis],), (jnp.ones_like(v[axis]),))[1]

    return derivative


@_derivative.defjvp
def _(
    degrees: Degrees, axes: tuple[int, ...], v: tuple[jax.Array], dv: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    # checkpoint: backwards, the derivative is computed from v instead of being kept.
    return _derivative(degrees, axes, *v), jax.checkpoint(partial(_tangent, degrees, axes))(*v, *dv)


def _tangent(degrees: Degrees, axes: tuple[int, ...], v: jax.Array, dv: jax.Array) -> jax.Array:
    # Transposed, the product with ones is a sum over the components that XLA fuses with what it sums; of jnp.sum it
    # would make windows first, on a CPU five times slower.
    ones = jnp.ones((1, sum(2 * l + 1 for l, _ in degrees)), v.dtype)
    tangent = jnp.zeros((), v.dtype)
    for axis in range(3):
        slope = _derivative(degrees, tuple(sorted((*axes, axis))), v)
        tangent = tangent + slope * jnp.matmul(dv[..., axis : axis + 1], ones, precision="highest")
    return tangent


def _product(degrees: Degrees, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """The harmonics of coordinates of shape (..., 1)."""
    table = _table(degrees)

    def row(array: np.ndarray) -> jax.Array:
        array = array.reshape((1,) * (x.ndim - 1) + (-1,))
        return jnp.asarray(array, bool if array.dtype == bool else x.dtype)

    out = row(table.scale)
    for coordinate, is_factor in zip((x, y, z), table.is_factor, strict=True):
        out = jnp.where(row(is_factor), out * coordinate, out)
    squares = x * x, y * y, z * z
    for quadric, is_quadric in zip(table.quadrics, table.is_quadric, strict=True):
        a, b, c = (row(coefficient) * square for coefficient, square in zip(quadric, squares, strict=True))
        out = jnp.where(row(is_quadric), out * (a + b + c), out)
    return out


class _Table(NamedTuple):
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
def _table(degrees: Degrees) -> _Table:
    components = [(factor, *component) for l, factor in degrees for component in _components(l)]
    most = max((len(quadrics) for *_, quadrics in components), default=0)
    table = _Table(
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
    """For m = -l, ..., l: scale, which of x, y, z are factors, quadrics."""
    mantissas, exponents = harmonic_scales(l)
    components = []
    for m in range(-l, l + 1):
        order = abs(m)
        quadrics = _alternating(_cones(l, order), _planes(m))
        is_factor = m < 0, (l - order) % 2 == 1, order > 0 and (order % 2 == 1) == (m > 0)
        exponent = int(exponents[l, order])
        if order > 0 and order % 2 == 0:
            exponent += 1 if m < 0 else -1
        # Half of K can be more than a float32 holds: every quadric takes its part, in powers of 2, which are exact.
        shares = [(exponent + k) // len(quadrics) for k in range(len(quadrics))]
        scale = math.ldexp(mantissas[l, order], exponent - sum(shares))
        scaled = [tuple(math.ldexp(c, share) for c in q) for q, share in zip(quadrics, shares, strict=True)]
        components.append((scale, is_factor, tuple(scaled)))
    return tuple(components)


def _cones(l: int, m: int) -> list[Quadric]:
    """Pairs of cones, the narrowest first.

    P_l^(m) is a Gegenbauer polynomial; its roots are the eigenvalues of a Jacobi matrix (Golub and Welsch) whose
    diagonal is zero: plus and minus the singular values of the part that takes odd to even places.
    """
    k = np.arange(1, l - m)
    beside = np.sqrt(k * (k + 2 * m) / ((2 * k + 2 * m + 1) * (2 * k + 2 * m - 1)))
    jacobi = np.diag(beside, 1) + np.diag(beside, -1)
    below_1 = 1 - np.linalg.svd(jacobi[::2, 1::2], compute_uv=False)
    # A step of Newton's method, with 1 - cos θ as unknown, gives the roots near 1 all their digits.
    y, rho2 = 1 - below_1, below_1 * (2 - below_1)
    slope = (l - m) * (l + m + 1) / (2 * m + 2) * _legendre_ratio(l, m + 1, y, rho2)
    below_1 += _legendre_ratio(l, m, y, rho2) / slope
    y, rho2 = 1 - below_1, below_1 * (2 - below_1)
    return [(-c, 1.0, -c) for c in (y**2 / rho2).tolist()]


def _legendre_ratio(l: int, m: int, y: np.ndarray, rho2: np.ndarray) -> np.ndarray:
    """R_l^m of :mod:`._legendre`."""
    before, ratio, e = np.zeros_like(y), np.ones_like(y), np.zeros_like(y)
    for k in range(m + 1, l + 1):
        e = (k - m - 1) / (k + m) * (y * e - rho2 * before)
        before, ratio = ratio, y * ratio + e
    return ratio


def _planes(m: int) -> list[Quadric]:
    """Pairs of planes."""
    angles = [i * math.pi / (2 * abs(m)) for i in range(1, abs(m)) if (i % 2 == 1) == (m > 0)]
    return [(-4 * math.cos(a) ** 2, 0.0, 4 * math.sin(a) ** 2) for a in angles]


def _alternating(cones: list[Quadric], planes: list[Quadric]) -> list[Quadric]:
    """In an order in which the product of the first few is never far from the whole in size."""

    def ends_first(quadrics: list[Quadric]) -> list[tuple[float, Quadric]]:
        n = len(quadrics)
        order = [i // 2 if i % 2 == 0 else n - 1 - i // 2 for i in range(n)]
        return [((place + 0.5) / n, quadrics[i]) for place, i in enumerate(order)]

    return [quadric for _, quadric in sorted(ends_first(cones) + ends_first(planes))]
