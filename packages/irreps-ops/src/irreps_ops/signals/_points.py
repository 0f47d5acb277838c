"""Points of a signal on the sphere: random samples and local maxima."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import widened

from ._base import SignalBase
from ._sphere_transform import to_grid
from ._transforms import coefficients, expansion

# A half turn about the axis x = y: it exchanges x and y, and is its own inverse.
_EXCHANGE = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
# Each grid is used up to this height |y|. Points whose height is above sin(45°) = 0.71 on one grid are below it on the
# other, so the two cover the sphere.
_HEIGHT = 0.8


def sample(signal: SignalBase, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Draw a point of the grid for each signal; see :meth:`SphericalSignal.sample`."""
    batch = signal.shape[:-2]
    values = widened(check.float_array("SphericalSignal.sample", signal.grid_values)).reshape(
        -1, *signal.grid_resolution
    )
    ring, point = _sample(jax.random.split(key, math.prod(batch)), values, signal.quadrature_weights)
    return ring.reshape(batch), point.reshape(batch)


@jax.jit
def _sample(keys: jax.Array, values: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Draw a ring and then a point on it, for each key and signal."""

    def single(key: jax.Array, values: jax.Array) -> tuple[jax.Array, jax.Array]:
        ring_key, point_key = jax.random.split(key)
        ring = jax.random.choice(ring_key, len(values), p=weights * jnp.sum(values, axis=1))
        return ring, jax.random.choice(point_key, values.shape[1], p=values[ring])

    return jax.vmap(single)(keys, values)


def find_peaks(signal: SignalBase, lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and values of the local maxima; see :meth:`SphericalSignal.find_peaks`.

    Near the poles the cells of a grid are narrow, and a ridge across them looks like many peaks. There the signal is
    searched on a second grid, whose axis is x.
    """
    if signal.ndim != 2 or min(signal.shape) < 3:
        raise ValueError(
            f"find_peaks expects a single signal with 3 rings of 3 points at least, got shape {signal.shape}"
        )
    coeffs = coefficients(signal, lmax)
    # In NumPy, to compile nothing for a rotation that is used once.
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
    """Return where a value exceeds its eight neighbours.

    Of equal neighbours the last one counts as the maximum. The first and the last ring have no maxima.
    """
    found = np.ones(values.shape, dtype=bool)
    found[[0, -1]] = False
    for ring, point in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = np.roll(values, (-ring, -point), axis=(0, 1))
        found &= (values > neighbour) if (ring, point) > (0, 0) else (values >= neighbour)
    return found


def _cell(grid_resolution: tuple[int, int]) -> float:
    """Return the largest distance of two points, one of each grid, next to the same peak."""
    res_beta, res_alpha = grid_resolution
    return math.hypot(math.pi / res_beta, 2 * math.pi / res_alpha)


def _merged(points: np.ndarray, values: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the points by descending value, without those within `distance` of a higher one."""
    order = np.argsort(-values, kind="stable")
    kept: list[int] = []
    for i in order:
        if all(np.linalg.norm(points[i] - points[j]) > distance for j in kept):
            kept.append(int(i))
    return points[kept], values[kept]
