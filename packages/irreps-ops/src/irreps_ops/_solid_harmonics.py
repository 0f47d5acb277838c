"""Solid harmonics: the homogeneous polynomials behind the spherical harmonics, and their derivative.

With w = z + i x (the polar axis is y) and R of :mod:`._legendre`,

    Y_(l, m) = K_lm R_l^m(y, x² + z²) Re w^m,    Y_(l, -m) = K_lm R_l^m(y, x² + z²) Im w^m,    m >= 0.

Only products and sums of the coordinates: nothing is singular anywhere. The derivative of degree l is made of
harmonics of degree l - 1 (:func:`gradient_terms`), so it is evaluated anew, not stored, and is again of this kind.
Low degrees are written out as one straight line of scalar operations; higher ones are a loop over the degree, whose
compilation takes no longer for a higher degree.
"""

import math
from collections.abc import Iterable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ._columns import from_columns
from ._legendre import harmonic_scales, legendre_ratios

# Above, compiling the straight line takes seconds; the loop is slower at run time.
HIGHEST_STRAIGHT = 10

Axes = tuple[jax.Array, jax.Array, jax.Array]


@partial(jax.jit, static_argnums=0, inline=True)
def solid_harmonics(scales: tuple[tuple[int, float], ...], v: jax.Array) -> jax.Array:
    """Solid harmonics of some degrees, times a factor for each degree.

    Args:
        scales: pairs of a degree and its factor, degrees ascending; with factor 1 each component has variance 1 on the
            unit sphere.
        v: vectors (x, y, z), shape (..., 3), of a floating dtype.

    Returns:
        Array of shape (..., sum of 2l+1): the degrees one after the other, m = -l, ..., l.
    """
    if not scales:
        return jnp.zeros((*v.shape[:-1], 0), v.dtype)
    degrees = tuple(l for l, _ in scales)
    if max(degrees) <= HIGHEST_STRAIGHT:
        components = _components(degrees, (v[..., 0], v[..., 1], v[..., 2]))
        return from_columns(tuple(scale * components[l, m] for l, scale in scales for m in range(-l, l + 1)))
    rows = _looped(max(degrees), v.reshape(-1, 3).T)
    rows = jnp.concatenate([scale * rows[l * l : (l + 1) ** 2] for l, scale in scales])
    return rows.T.reshape(*v.shape[:-1], len(rows))


def gradient_terms(l: int, m: int) -> list[tuple[int, int, float]]:
    """The derivative of Y_lm as a combination of harmonics of degree l - 1.

    Returns:
        Triples (axis, m', c): the derivative along the axis (0, 1, 2 for x, y, z) is the sum of its c Y_(l-1, m').
        From d/dy and (d/dz ± i d/dx) of regular solid harmonics (Hobson, Spherical and Ellipsoidal Harmonics, §89).
    """
    a = abs(m)
    ratio = (2 * l + 1) / (2 * l - 1)
    along = math.sqrt(ratio * (l - a) * (l + a))
    up = math.sqrt(ratio * (l - a) * (l - a - 1)) / 2
    down = math.sqrt(ratio * (l + a) * (l + a - 1) * (2 if a == 1 else 1)) / 2
    if m == 0:
        up *= math.sqrt(2)
        terms = [(1, 0, along), (2, 1, -up), (0, -1, -up)]
    else:
        sign = 1 if m > 0 else -1
        terms = [(1, m, along), (2, m + sign, -up), (0, -m - sign, -sign * up)]
        # Im w^0 = 0: of the two harmonics of |m| = 1, each lowers to m' = 0 along one axis only.
        terms += [(2, m - sign, down)] if m != -1 else []
        terms += [(0, sign - m, -sign * down)] if m != 1 else []
    return [(axis, m_, c) for axis, m_, c in terms if abs(m_) < l and c != 0]


# Low degrees: components one by one, each an array over the batch


def _components(degrees: tuple[int, ...], v: Axes) -> dict[tuple[int, int], jax.Array]:
    """Harmonics by degree and order."""
    varying = tuple(l for l in degrees if l > 0)
    components: dict[tuple[int, int], jax.Array] = {}
    if varying:
        components.update(zip(_indices(varying), _straight(varying, *v), strict=True))
    if 0 in degrees:
        components[0, 0] = jnp.ones_like(v[0])
    return components


def _indices(degrees: Iterable[int]) -> list[tuple[int, int]]:
    return [(l, m) for l in degrees for m in range(-l, l + 1)]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _straight(degrees: tuple[int, ...], x: jax.Array, y: jax.Array, z: jax.Array) -> tuple[jax.Array, ...]:
    """Harmonics of positive degrees. (Of degree 0, a constant, vmap and grad would not agree whether it is mapped.)"""
    lmax = max(degrees)
    scale = np.ldexp(*harmonic_scales(lmax)).tolist()
    cos, sin = _circular(lmax, x, z)
    rho2 = x * x + z * z
    components = {}
    for m in range(lmax + 1):
        ratios = _ratios(lmax, m, y, rho2)
        for l in degrees:
            if l >= m:
                radial = scale[l][m] * ratios[l - m]
                components[l, m] = radial * cos[m]
                if m > 0:
                    components[l, -m] = radial * sin[m]
    return tuple(components[index] for index in _indices(degrees))


def _circular(lmax: int, x: jax.Array, z: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
    """Real and imaginary parts of (z + i x)^m for m = 0, ..., lmax."""
    cos, sin = [jnp.ones_like(x), z], [jnp.zeros_like(x), x]
    for m in range(1, lmax):
        c, s = cos[m], sin[m]
        cos.append(z * c - x * s)
        sin.append(z * s + x * c)
    return cos, sin


def _ratios(lmax: int, m: int, y: jax.Array, rho2: jax.Array) -> list[jax.Array]:
    """R_l^m for l = m, ..., lmax, by the recursion of :mod:`._legendre`."""
    ratios, e = [jnp.ones_like(y), y], jnp.zeros_like(y)
    for l in range(m + 2, lmax + 1):
        e = (l - m - 1) / (l + m) * (y * e - rho2 * ratios[-2])
        ratios.append(y * ratios[-1] + e)
    return ratios


def _straight_tangent(degrees: tuple[int, ...], v: Axes, dv: Axes) -> tuple[jax.Array, ...]:
    below = _components(tuple(l - 1 for l in degrees), v)
    out = []
    for l, m in _indices(degrees):
        slopes = [jnp.zeros_like(dv[0])] * 3
        for axis, m_, c in gradient_terms(l, m):
            slopes[axis] = slopes[axis] + c * below[l - 1, m_]
        out.append(slopes[0] * dv[0] + slopes[1] * dv[1] + slopes[2] * dv[2])
    return tuple(out)


@_straight.defjvp
def _(degrees: tuple[int, ...], v: Axes, dv: Axes) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    # checkpoint: backwards, the lower harmonics are computed again from v instead of being kept.
    return _straight(degrees, *v), jax.checkpoint(partial(_straight_tangent, degrees))(v, dv)


# High degrees: one array, components first


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _looped(lmax: int, v: jax.Array) -> jax.Array:
    """All harmonics up to lmax of vectors of shape (3, N), shape ((lmax+1)², N)."""
    x, y, z = v
    mantissa, exponent = harmonic_scales(lmax)
    # At the poles R = 1 and w = 0, at the equator w = 1 and R is about 1/K: half of K to each keeps both in range.
    half = exponent // 2
    ratios = legendre_ratios(half, y, x * x + z * z)
    l, m = np.array(_indices(range(lmax + 1))).T
    order = np.abs(m)
    scale = jnp.asarray(np.ldexp(mantissa, exponent - half)[l, order], v.dtype)
    return ratios[l, order] * (scale[:, None] * _looped_circular(lmax, x, z)[m + lmax])


def _looped_circular(lmax: int, x: jax.Array, z: jax.Array) -> jax.Array:
    """Im w^lmax, ..., Im w, 1, Re w, ..., Re w^lmax with w = z + i x, shape (2 lmax + 1, N)."""

    def multiply(w: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], Sequence[jax.Array]]:
        c, s = w
        w = (z * c - x * s, z * s + x * c)
        return w, w

    one = (jnp.ones_like(x), jnp.zeros_like(x))
    cos, sin = jax.lax.scan(multiply, one, None, length=lmax)[1]
    return jnp.concatenate([sin[::-1], one[0][None], cos])


def _looped_tangent(lmax: int, v: jax.Array, dv: jax.Array) -> jax.Array:
    # For each axis two terms at most; a term that is missing has coefficient 0.
    place = np.zeros((3, 2, (lmax + 1) ** 2), dtype=int)
    coefficient = np.zeros(place.shape)
    for i, (l, m) in enumerate(_indices(range(lmax + 1))):
        used = [0, 0, 0]
        for axis, m_, c in gradient_terms(l, m) if l > 0 else ():
            place[axis, used[axis], i] = (l - 1) ** 2 + (l - 1) + m_
            coefficient[axis, used[axis], i] = c
            used[axis] += 1
    below = _looped(lmax - 1, v)
    c = jnp.asarray(coefficient, v.dtype)[..., None]
    slopes = (c[axis, 0] * below[place[axis, 0]] + c[axis, 1] * below[place[axis, 1]] for axis in range(3))
    return sum((slope * dv[axis][None] for axis, slope in enumerate(slopes)), jnp.zeros((), v.dtype))


@_looped.defjvp
def _(lmax: int, v: tuple[jax.Array], dv: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    if lmax == 0:
        return _looped(lmax, *v), jnp.zeros_like(_looped(lmax, *v))
    return _looped(lmax, *v), jax.checkpoint(partial(_looped_tangent, lmax))(*v, *dv)
