"""Signals on the sphere in e3nn-jax 0.11 to 0.16, which kept the grid beside the values instead of with them."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import irreps_core as ic
import irreps_ops as irr
from irreps_core import IrrepsArray
from irreps_ops.signals._grid import grid_vectors
from irreps_ops.signals._plot import closed


def s2grid(res_beta: int, res_alpha: int, *, quadrature: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The heights y, angles alpha and weights of a grid, see :func:`irreps_ops.s2_grid`."""
    return irr.s2_grid(res_beta, res_alpha, quadrature)


def s2grid_vectors(y: Any, alpha: Any) -> np.ndarray:
    """The points of a grid, today :attr:`SphericalSignal.grid_vectors`.

    Args:
        y: heights, from -1 to 1, of shape (res_beta,).
        alpha: angles in radians, of shape (res_alpha,).

    Returns:
        Points (sin(beta) sin(alpha), y, sin(beta) cos(alpha)) with y = cos(beta), of shape (res_beta, res_alpha, 3).

    Raises:
        ValueError: `y` or `alpha` is no vector.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> y, alpha, _ = e3nn.s2grid(10, 19, quadrature="soft")
        >>> e3nn.s2grid_vectors(y, alpha).shape
        (10, 19, 3)
    """
    return grid_vectors(*_grid("s2grid_vectors", y, alpha))


def pad_to_plot_on_s2grid(
    y: Any, alpha: Any, signal: Any, *, translation: Any = None, scale_radius_by_amplitude: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """A signal as a closed surface, with poles and each ring closed; today :meth:`SphericalSignal.pad_to_plot`.

    Args:
        y: heights, from -1 to 1, of shape (res_beta,).
        alpha: angles in radians, of shape (res_alpha,).
        signal: values, of shape (res_beta, res_alpha).
        translation: where to put the centre, of shape (3,).
        scale_radius_by_amplitude: multiply the radius by the absolute value of the signal.

    Returns:
        Points of shape (res_beta+2, res_alpha+1, 3) and values of shape (res_beta+2, res_alpha+1); those of the poles
        are the mean of the next ring.

    Raises:
        ValueError: the values are not those of one signal on this grid.

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
    points, padded = closed(signal, y, alpha)
    values = np.asarray(padded)
    if scale_radius_by_amplitude:
        points = points * abs(values)[..., None]
    if translation is not None:
        points = points + np.asarray(translation)
    return points, values


def s2_sum_of_diracs(positions: Any, weights: Any, lmax: int, *, p_val: int, p_arg: int) -> IrrepsArray:
    """A weighted sum of delta functions, each of integral 1, see :func:`irreps_ops.s2_dirac`.

    Args:
        positions: vectors of shape (..., n, 3).
        weights: of shape (..., n).
        lmax: highest degree.
        p_val: parity of the values, 1 or -1.
        p_arg: parity of the argument, 1 or -1.

    Returns:
        Data of :func:`irreps_ops.s2_irreps`, of shape (..., (lmax+1)²).

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> poles = jnp.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
        >>> 4 * jnp.pi * e3nn.s2_sum_of_diracs(poles, jnp.array([1.0, 2.0]), 1, p_val=1, p_arg=-1)
        1x0e+1x1o [ 3.     0.    -1.732  0.   ]
    """
    diracs = irr.s2_dirac(positions, lmax, p_val=p_val, p_arg=p_arg)
    return ic.sum(diracs * jnp.asarray(weights)[..., None], axis=-2)


def _grid(name: str, y: Any, alpha: Any) -> tuple[np.ndarray, np.ndarray]:
    y, alpha = np.asarray(y), np.asarray(alpha)
    if y.ndim != 1 or alpha.ndim != 1:
        raise ValueError(
            f"{name} expects y of shape (res_beta,) and alpha of shape (res_alpha,), got {y.shape} and {alpha.shape}"
        )
    return y, alpha
