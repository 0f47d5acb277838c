"""Tables of spherical harmonics on a grid for the transformation of signals, computed once in float64.

On a grid a harmonic is the product of a function of the height and a wave,

    Y_(l, m) = Λ_l^m(y) cos(m alpha),    Y_(l, -m) = Λ_l^m(y) sin(m alpha),    m >= 0,

with "component" normalization. So a transformation is a matrix product over l for each m, and one over the waves. For
it, the coefficients are arranged in a padded block indexed [s, m, i]: s is 0 for cosines and 1 for sines, i is the
position of the degree in a list of degrees, and entries with m > l are empty.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from irreps_core import cached

from ._grid import Quadrature, rings
from ._meridian_harmonics import meridian_harmonics


class Expansion(NamedTuple):
    """Coefficients and the grid of a function f = Σ scale_l c_lm Y_lm, with harmonics in "component" normalization.

    Attributes:
        degrees: of the coefficients, in their order, each once.
        scales: a factor for each degree.
        res_beta: number of rings of the grid.
        res_alpha: number of points on each ring.
        quadrature: of the grid.
    """

    degrees: tuple[int, ...]
    scales: tuple[float, ...]
    res_beta: int
    res_alpha: int
    quadrature: Quadrature

    @property
    def lmax(self) -> int:
        """The highest degree; 0 without degrees."""
        return max(self.degrees, default=0)

    @property
    def dim(self) -> int:
        """The number of coefficients."""
        return sum(2 * l + 1 for l in self.degrees)


class Positions(NamedTuple):
    """Positions of the components of some degrees, with m = -l .. l for each degree, in the padded block [s, m, i].

    Attributes:
        s: for each component 0 for a cosine, 1 for a sine.
        m: for each component the absolute value of its order.
        i: for each component the position of its degree in the list.
        component: for each entry of the block its component; for empty entries the number of components.
    """

    s: np.ndarray
    m: np.ndarray
    i: np.ndarray
    component: np.ndarray


@cached(maxsize=256)
def positions(degrees: tuple[int, ...]) -> Positions:
    """Return the positions of the components of these degrees."""
    index = [(int(m < 0), abs(m), i) for i, l in enumerate(degrees) for m in range(-l, l + 1)]
    s, m, i = np.array(index, dtype=np.int32).reshape(-1, 3).T
    component = np.full((2, max(degrees, default=0) + 1, len(degrees)), len(index), dtype=np.int32)
    component[s, m, i] = np.arange(len(index))
    return Positions(s, m, i, component)


@cached(maxsize=16)
def heights(expansion: Expansion, inverse: bool, dtype: Any) -> np.ndarray:
    """Return Λ_l^m on each ring times the scale of the degree; if `inverse`, divided by it, times the ring's weight.

    Returns:
        Array of shape (lmax+1, res_beta, degrees), indexed [m, b, i].
    """
    y, rho, weights = rings(expansion.res_beta, expansion.quadrature)
    scales = np.array(expansion.scales, dtype=float)
    table = meridian_harmonics(expansion.lmax, expansion.lmax, y, rho)[:, :, list(expansion.degrees)]
    table = table * (weights[:, None] / scales) if inverse else table * scales
    # Subnormal numbers would slow down every product.
    return np.where(np.abs(table) < jnp.finfo(dtype).tiny, 0, table).astype(dtype)


@cached(maxsize=64)
def waves(lmax: int, res_alpha: int, dtype: Any) -> np.ndarray:
    """Return cos(m alpha) and sin(m alpha), of shape (2, lmax+1, res_alpha), indexed [s, m, a]."""
    # Reduce multiples of an angle modulo the circle as integers, which is exact.
    turns = np.outer(np.arange(lmax + 1), np.arange(res_alpha)) % res_alpha
    angles = turns * (2 * np.pi / res_alpha)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(dtype)


@cached(maxsize=64)
def all_harmonics(expansion: Expansion, inverse: bool, dtype: Any) -> np.ndarray:
    """Return all harmonics at all points, of shape (dim, res_beta, res_alpha): heights times waves."""
    position = positions(expansion.degrees)
    height = heights(expansion, inverse, np.dtype(np.float64))
    wave = waves(expansion.lmax, expansion.res_alpha, np.dtype(np.float64))
    return np.einsum("kb,ka->kba", height[position.m, :, position.i], wave[position.s, position.m]).astype(dtype)
