"""Points of a signal on the sphere: drawn at random, and its local maxima."""

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check

from ._sphere_transform import to_grid
from ._transforms import coefficients, expansion

if TYPE_CHECKING:
    from ._spherical_signal import SphericalSignal

# Turns by half a circle about the axis x = y: it exchanges x and y, and is its own inverse.
_EXCHANGE = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
# Each grid is used up to this height. Whoever is farther from the equators of both grids than 45 degrees is nowhere.
_HEIGHT = 0.8


def sample(signal: "SphericalSignal", key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """See :meth:`SphericalSignal.sample`."""
    batch = signal.shape[:-2]
    values = check.float_array("SphericalSignal.sample", signal.grid_values).reshape(-1, *signal.grid_resolution)
    ring, point = _sample(jax.random.split(key, math.prod(batch)), values, signal.quadrature_weights)
    return ring.reshape(batch), point.reshape(batch)


@jax.jit
def _sample(keys: jax.Array, values: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """For each key and signal the ring, then the point on it."""

    def single(key: jax.Array, values: jax.Array) -> tuple[jax.Array, jax.Array]:
        ring_key, point_key = jax.random.split(key)
        ring = jax.random.choice(ring_key, len(values), p=weights * jnp.sum(values, axis=1))
        return ring, jax.random.choice(point_key, values.shape[1], p=values[ring])

    return jax.vmap(single)(keys, values)


def find_peaks(signal: "SphericalSignal", lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """See :meth:`SphericalSignal.find_peaks`.

    Near its poles the cells of a grid are narrow, and a ridge across them looks like many peaks. There the signal on a
    grid with the axis x is searched instead.
    """
    if signal.ndim != 2 or min(signal.shape) < 3:
        raise ValueError(
            f"find_peaks expects a single signal with 3 rings of 3 points at least, got shape {signal.shape}"
        )
    coeffs = coefficients(signal, lmax)
    # In NumPy: nothing has to be compiled for a rotation that is used once.
    exchanged = IrrepsArray(coeffs.irreps, np.asarray(coeffs.array)).transform_by_matrix(_EXCHANGE).array
    other = to_grid(jnp.asarray(exchanged, coeffs.dtype), expansion(lmax, *signal.grid_resolution, signal.quadrature))
    grid = np.asarray(signal.grid_vectors)
    points, values = [], []
    for on_grid, vectors in ((np.asarray(signal.grid_values), grid), (np.asarray(other), grid @ _EXCHANGE)):
        found = _is_maximum(on_grid) & (np.abs(grid[..., 1]) < _HEIGHT)
        points.append(vectors[found])
        values.append(on_grid[found])
    return _merged(np.concatenate(points), np.concatenate(values), _cell(signal.grid_resolution))


def _is_maximum(values: np.ndarray) -> np.ndarray:
    """Where a value is above its eight neighbours. Of equal neighbours the last is; the first and last ring are not."""
    found = np.ones(values.shape, dtype=bool)
    found[[0, -1]] = False
    for ring, point in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = np.roll(values, (-ring, -point), axis=(0, 1))
        found &= (values > neighbour) if (ring, point) > (0, 0) else (values >= neighbour)
    return found


def _cell(grid_resolution: tuple[int, int]) -> float:
    """How far two points of two grids can be that are next to the same peak."""
    res_beta, res_alpha = grid_resolution
    return math.hypot(math.pi / res_beta, 2 * math.pi / res_alpha)


def _merged(points: np.ndarray, values: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """The highest first, without those that are as close to a higher one."""
    order = np.argsort(-values, kind="stable")
    kept: list[int] = []
    for i in order:
        if all(np.linalg.norm(points[i] - points[j]) > distance for j in kept):
            kept.append(int(i))
    return points[kept], values[kept]
