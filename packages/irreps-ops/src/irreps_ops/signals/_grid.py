r"""Grids on the sphere: rings of equal height :math:`y = \cos β`, each with the same equally spaced angles α.

The point (β, α) is :math:`(\sin β \sin α, \cos β, \sin β \cos α)`, see :func:`irreps_core.angles_to_xyz`.
All of it is computed once, in float64, with NumPy, and cached.
"""

from typing import Literal, TypeAlias, cast, get_args

import numpy as np

from irreps_core import cached
from irreps_ops._inputs import _checks as check

from ._meridian_harmonics import meridian_harmonics

Quadrature: TypeAlias = Literal["soft", "gausslegendre"]


def s2_grid(res_beta: int, res_alpha: int, quadrature: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return the heights, angles and weights of a grid on the sphere.

    .. math:: \frac{1}{4\pi} \int f \, d\Omega \approx \frac{1}{n_\alpha} \sum_{b=0}^{n_\beta - 1} \sum_{a=0}^{n_\alpha
    - 1} w_b \, f(y_b, \alpha_a)

    with the resolutions :math:`n_β`, `res_beta`, and :math:`n_α`, `res_alpha`.

    * "soft": the angles :math:`β_b = (b + \frac12) π / n_β`, from south to north, with the weights of Fejér's first
      rule (for even :math:`n_β` those of Kostelec and Rockmore). Exact for polynomials in y of degree below
      :math:`n_β`.
    * "gausslegendre": the zeros of the Legendre polynomial. Exact for polynomials in y of degree below :math:`2 n_β`.

    Sums over α are exact for frequencies below :math:`n_α`. So harmonics up to degree L are orthogonal on the grid, and
    a round trip is exact, if :math:`n_α > 2L` and :math:`n_β > 2L` ("soft") or :math:`n_β > L` ("gausslegendre").

    Args:
        res_beta: number of rings.
        res_alpha: number of points on each ring.
        quadrature: "soft" or "gausslegendre".

    Returns:
        Read-only arrays of float64: y of shape (res_beta,), ascending; :math:`α_a = 2π a / n_α` of shape (res_alpha,),
        in radians; the weights w of shape (res_beta,), whose sum is 1.

    Raises:
        ValueError: an unknown quadrature, or a resolution that is not a positive integer.

    Source: Kostelec and Rockmore, FFTs on the rotation group, J. Fourier Anal. Appl. 14 (2008); Fejér, Mechanische
    Quadraturen mit positiven Cotesschen Zahlen, Math. Z. 37 (1933).

    Example:
        >>> import irreps_ops as irr
        >>> y, alpha, weights = irr.s2_grid(2, 4, "gausslegendre")
        >>> y, weights
        (array([-0.5774,  0.5774]), array([0.5, 0.5]))
        >>> alpha
        array([0.    , 1.5708, 3.1416, 4.7124])
    """
    res_beta = check.count("a grid on the sphere", "res_beta", res_beta)
    res_alpha = check.count("a grid on the sphere", "res_alpha", res_alpha)
    y, _, weights = rings(res_beta, checked_quadrature(quadrature))
    return y, _angles(res_alpha), weights


def checked_quadrature(quadrature: object) -> Quadrature:
    """Return `quadrature` if there is a quadrature of that name, else raise a ValueError."""
    if quadrature not in get_args(Quadrature):
        raise ValueError(f"quadrature must be 'soft' or 'gausslegendre', got {quadrature!r}")
    return cast(Quadrature, quadrature)


def grid_vectors(y: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the points of a grid, of shape (len(y), len(alpha), 3)."""
    sin_beta = np.sqrt((1 - y) * (1 + y))
    height = np.broadcast_to(y[:, None], (len(y), len(alpha)))
    return np.stack([np.outer(sin_beta, np.sin(alpha)), height, np.outer(sin_beta, np.cos(alpha))], axis=-1)


@cached(maxsize=64)
def rings(res_beta: int, quadrature: Quadrature) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heights, distances from the axis, and weights of sum 1."""
    if quadrature == "gausslegendre":
        beta, weights = _gauss_legendre(res_beta)
    else:
        beta = (np.arange(res_beta) + 0.5) * np.pi / res_beta
        k = np.arange(1, res_beta // 2 + 1)
        waves = np.cos(2 * k * beta[:, None]) / (4 * k**2 - 1)
        weights = (1 - 2 * np.sum(waves, axis=1)) / res_beta
    return -np.cos(beta), np.sin(beta), weights


def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles beta of the zeros of P_n(-cos beta), and weights.

    Near the poles angles are more accurate than heights. By Newton's method from beta = (b + 3/4) π / (n + 1/2), with
    harmonics of order 0 and 1 for P and dP/dbeta.
    """
    beta = (np.arange(n) + 0.75) * np.pi / (n + 0.5)
    slope = np.ones(n)
    for _ in range(4):
        zero, slope = meridian_harmonics(n, 1, -np.cos(beta), np.sin(beta))[:, :, n]
        beta = beta - zero / (slope * np.sqrt(n * (n + 1) / 2))
    return beta, 2 * (2 * n + 1) / (n * (n + 1) * slope**2)


@cached(maxsize=64)
def _angles(res_alpha: int) -> np.ndarray:
    return np.arange(res_alpha) * (2 * np.pi / res_alpha)
