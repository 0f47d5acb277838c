"""Signals on the sphere as in e3nn-jax 0.11 to 0.16, which passed the grid and the values separately."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from irreps_core import IrrepsArray


def s2grid(res_beta: int, res_alpha: int, *, quadrature: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the heights y, angles alpha and weights of a grid, see :func:`irreps_ops.s2_grid`."""
    return irr.s2_grid(res_beta, res_alpha, quadrature)


def s2grid_vectors(y: Any, alpha: Any) -> np.ndarray:
    r"""Return the points of a grid; the present form is :attr:`irreps_ops.SphericalSignal.grid_vectors`.

    Args:
        y: heights, from -1 to 1, of shape (res_beta,).
        alpha: angles in radians, of shape (res_alpha,).

    Returns:
        Points :math:`(\sin β \sin α, y, \sin β \cos α)` with :math:`y = \cos β`, of shape (res_beta, res_alpha, 3).

    Raises:
        ValueError: `y` or `alpha` does not have exactly one axis.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> y, alpha, _ = e3nn.s2grid(10, 19, quadrature="soft")
        >>> e3nn.s2grid_vectors(y, alpha).shape
        (10, 19, 3)
    """
    return _points(*_grid("s2grid_vectors", y, alpha))


def pad_to_plot_on_s2grid(
    y: Any, alpha: Any, signal: Any, *, translation: Any = None, scale_radius_by_amplitude: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return a signal as a closed surface that includes both poles.

    The present form is :meth:`irreps_ops.SphericalSignal.pad_to_plot`.

    Args:
        y: heights, from -1 to 1, of shape (res_beta,).
        alpha: angles in radians, of shape (res_alpha,).
        signal: values, of shape (res_beta, res_alpha).
        translation: centre of the surface, of shape (3,).
        scale_radius_by_amplitude: multiply the radius by the absolute value of the signal.

    Returns:
        Points of shape (res_beta+2, res_alpha+1, 3), and values of shape (res_beta+2, res_alpha+1). The value at a pole
        is the mean of the nearest ring.

    Raises:
        ValueError: `signal` is not a single signal on this grid.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> y, alpha, _ = e3nn.s2grid(10, 19, quadrature="soft")
        >>> points, values = e3nn.pad_to_plot_on_s2grid(y, alpha, y[:, None] * alpha)
        >>> points.shape, values.shape
        ((12, 20, 3), (12, 20))
    """
    y, alpha = _grid("pad_to_plot_on_s2grid", y, alpha)
    if np.shape(signal) != (len(y), len(alpha)):
        raise ValueError(
            f"pad_to_plot_on_s2grid expects one signal of shape {(len(y), len(alpha))}, got {np.shape(signal)}"
        )
    rings = np.asarray(signal)
    south, north = (np.broadcast_to(np.mean(ring), (1, len(alpha))) for ring in (rings[0], rings[-1]))
    values = np.concatenate([south, rings, north])
    values = np.concatenate([values, values[:, :1]], axis=1)
    points = _points(np.array([-1.0, *y, 1.0]), np.array([*alpha, alpha[0]]))
    if scale_radius_by_amplitude:
        points = points * abs(values)[..., None]
    if translation is not None:
        points = points + np.asarray(translation)
    return points, values


def s2_sum_of_diracs(positions: Any, weights: Any, lmax: int, *, p_val: int, p_arg: int) -> IrrepsArray:
    """Return a weighted sum of delta functions, each of integral 1, see :func:`irreps_ops.s2_dirac`.

    Args:
        positions: vectors of shape (..., n, 3).
        weights: of shape (..., n).
        lmax: highest degree.
        p_val: parity of the values, 1 or -1.
        p_arg: parity of the argument, 1 or -1.

    Returns:
        Data of :func:`irreps_ops.s2_irreps`, of shape (..., (lmax+1)**2).

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> poles = jnp.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
        >>> 4 * jnp.pi * e3nn.s2_sum_of_diracs(poles, jnp.array([1.0, 2.0]), 1, p_val=1, p_arg=-1)
        1x0e+1x1o [ 3.     0.    -1.732  0.   ]
    """
    diracs = irr.s2_dirac(positions, lmax, p_val=p_val, p_arg=p_arg)
    return irr.sum(diracs * jnp.asarray(weights)[..., None], axis=-2)


def _points(y: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    sin_beta = np.sqrt((1 - y) * (1 + y))
    height = np.broadcast_to(y[:, None], (len(y), len(alpha)))
    return np.stack([np.outer(sin_beta, np.sin(alpha)), height, np.outer(sin_beta, np.cos(alpha))], axis=-1)


def _grid(name: str, y: Any, alpha: Any) -> tuple[np.ndarray, np.ndarray]:
    y, alpha = np.asarray(y), np.asarray(alpha)
    if y.ndim != 1 or alpha.ndim != 1:
        raise ValueError(
            f"{name} expects y of shape (res_beta,) and alpha of shape (res_alpha,), got {y.shape} and {alpha.shape}"
        )
    return y, alpha
