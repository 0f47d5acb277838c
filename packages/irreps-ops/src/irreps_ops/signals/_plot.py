"""Signals on the sphere as surfaces to plot; plotly itself is not needed."""

from typing import TYPE_CHECKING, Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check

from ._grid import grid_vectors, s2_grid

if TYPE_CHECKING:
    from ._spherical_signal import SphericalSignal


class Surface(TypedDict):
    """What plotly's ``Surface`` takes: coordinates and colours of a mesh, each of shape (res_beta+2, res_alpha+1)."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    surfacecolor: jax.Array


def closed_surface(
    signal: "SphericalSignal", translation: Any, radius: float, scale_by_amplitude: bool, normalize: bool
) -> tuple[jax.Array, jax.Array]:
    """See :meth:`SphericalSignal.pad_to_plot`."""
    if signal.ndim != 2:
        raise ValueError(f"one signal can be plotted, got {signal.shape[:-2]} of them: index the leading axes")
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
    """The points of a grid with both poles and each ring closed, and the values there: at a pole, its ring's mean."""
    south, north = (jnp.broadcast_to(jnp.mean(ring), (1, len(alpha))) for ring in (values[0], values[-1]))
    values = jnp.concatenate([south, values, north])
    values = jnp.concatenate([values, values[:, :1]], axis=1)
    return grid_vectors(np.array([-1.0, *y, 1.0]), np.array([*alpha, alpha[0]])), values
