"""Surfaces for plots of signals on the sphere; works without plotly."""

from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check

from ._base import SignalBase
from ._grid import grid_vectors, s2_grid


class Surface(TypedDict):
    """Arguments of plotly's ``Surface``: coordinates and colours of a mesh, of shape (res_beta+2, res_alpha+1)."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    surfacecolor: jax.Array


def closed_surface(
    signal: SignalBase, translation: Any, radius: float, scale_by_amplitude: bool, normalize: bool
) -> tuple[jax.Array, jax.Array]:
    """Return points and values of a closed surface; see :meth:`SphericalSignal.pad_to_plot`."""
    if signal.ndim != 2:
        raise ValueError(f"one signal can be plotted, got leading axes {signal.shape[:-2]}: index them")
    values = check.float_array("SphericalSignal", signal.grid_values)
    y, alpha, _ = s2_grid(*signal.grid_resolution, signal.quadrature)
    points, values = closed(values, y, alpha)
    points = jnp.asarray(points, values.dtype)
    if scale_by_amplitude:
        size = jnp.abs(values)
        largest = jnp.max(size)
        size = size / jnp.where(largest > 0, largest, 1) if normalize else size
        points = points * size[..., None]
    points = points * radius
    if translation is not None:
        points = points + jnp.asarray(translation, points.dtype).reshape(1, 1, 3)
    return points, values


def closed(values: Any, y: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, jax.Array]:
    """Return points of a grid with both poles and closed rings, and values there: at a pole the mean of its ring."""
    south, north = (jnp.broadcast_to(jnp.mean(ring), (1, len(alpha))) for ring in (values[0], values[-1]))
    values = jnp.concatenate([south, values, north])
    values = jnp.concatenate([values, values[:, :1]], axis=1)
    return grid_vectors(np.array([-1.0, *y, 1.0]), np.array([*alpha, alpha[0]])), values
