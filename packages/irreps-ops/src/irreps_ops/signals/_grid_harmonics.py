"""Spherical harmonics on a grid, as the tables that transform signals on the sphere: in float64, made once.

On a grid harmonics are a product of a function of the height and a wave,

    Y_(l, m) = Λ_l^m(y) cos(m alpha),    Y_(l, -m) = Λ_l^m(y) sin(m alpha),    m >= 0,

with "component" normalization. So a transformation is a matrix product over l for each m, and one over the waves.
A component of the coefficients has its place [s, m, i] in a box, s = 0 for the cosine and 1 for the sine and i the
number of the degree in a list of degrees; places where m > l stay empty.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from irreps_core import cached

from ._grid import Quadrature, rings
from ._meridian_harmonics import meridian_harmonics


class Expansion(NamedTuple):
    """Which coefficients belong to which grid: f = Σ scale_l c_lm Y_lm, with harmonics in "component" normalization.

    Attributes:
        degrees: of the coefficients, in their order, each once.
        scales: a factor for each degree.
        res_beta: how many rings the grid has.
        res_alpha: how many points each ring has.
        quadrature: where the rings are.
    """

    degrees: tuple[int, ...]
    scales: tuple[float, ...]
    res_beta: int
    res_alpha: int
    quadrature: Quadrature

    @property
    def lmax(self) -> int:
        """The highest degree; 0 if there is none."""
        return max(self.degrees, default=0)

    @property
    def dim(self) -> int:
        """How many coefficients there are."""
        return sum(2 * l + 1 for l in self.degrees)


class Places(NamedTuple):
    """Where the components of some degrees, one after the other and m = -l .. l in each, are in their box.

    Attributes:
        s: for each component 0 for a cosine, 1 for a sine.
        m: for each component the order, without sign.
        i: for each component the number of its degree in the list.
        component: for each place of the box the component there; in empty places how many components there are.
    """

    s: np.ndarray
    m: np.ndarray
    i: np.ndarray
    component: np.ndarray


@cached(maxsize=256)
def places(degrees: tuple[int, ...]) -> Places:
    """The places of the components of these degrees."""
    index = [(int(m < 0), abs(m), i) for i, l in enumerate(degrees) for m in range(-l, l + 1)]
    s, m, i = np.array(index, dtype=np.int32).reshape(-1, 3).T
    component = np.full((2, max(degrees, default=0) + 1, len(degrees)), len(index), dtype=np.int32)
    component[s, m, i] = np.arange(len(index))
    return Places(s, m, i, component)


@cached(maxsize=16)
def heights(expansion: Expansion, inverse: bool, dtype: Any) -> np.ndarray:
    """Λ_l^m on each ring, times the scale of the degree; `inverse`: divided by it, times the weight of the ring.

    Returns:
        Array of shape (lmax+1, res_beta, degrees), indexed [m, b, i].
    """
    y, rho, weights = rings(expansion.res_beta, expansion.quadrature)
    scales = np.array(expansion.scales, dtype=float)
    table = meridian_harmonics(expansion.lmax, expansion.lmax, y, rho)[:, :, list(expansion.degrees)]
    table = table * (weights[:, None] / scales) if inverse else table * scales
    # Numbers that are not normal in the dtype would slow down every product.
    return np.where(np.abs(table) < jnp.finfo(dtype).tiny, 0, table).astype(dtype)


@cached(maxsize=64)
def waves(lmax: int, res_alpha: int, dtype: Any) -> np.ndarray:
    """cos(m alpha) and sin(m alpha), of shape (2, lmax+1, res_alpha), indexed [s, m, a]."""
    # The multiples of an angle are taken modulo the circle as integers: no digits are lost.
    turns = np.outer(np.arange(lmax + 1), np.arange(res_alpha)) % res_alpha
    angles = turns * (2 * np.pi / res_alpha)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(dtype)


@cached(maxsize=64)
def whole(expansion: Expansion, inverse: bool, dtype: Any) -> np.ndarray:
    """All harmonics on all points, of shape (dim, res_beta, res_alpha): heights times waves."""
    place = places(expansion.degrees)
    height = heights(expansion, inverse, np.dtype(np.float64))
    wave = waves(expansion.lmax, expansion.res_alpha, np.dtype(np.float64))
    return np.einsum("kb,ka->kba", height[place.m, :, place.i], wave[place.s, place.m]).astype(dtype)
