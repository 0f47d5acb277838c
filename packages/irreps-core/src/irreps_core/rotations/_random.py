"""Random rotations, all equally likely (the Haar measure), in each parametrization.

Four independent normal numbers have no preferred direction. Divided by their length, they are a uniform quaternion.
"""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import is_jax
from irreps_core._inputs._shown import shown
from irreps_core._inputs._vectors import normalize

from ._quaternion import (
    IDENTITY,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    quaternion_to_matrix,
)


def rand_quaternion(key: Any, shape: tuple[int, ...] = (), dtype: Any = None) -> Any:
    """Return random unit quaternions.

    Args:
        key: a :class:`numpy.random.Generator`, for NumPy arrays, or a JAX random key, for JAX arrays.
        shape: the leading axes.
        dtype: floating dtype. Default: float64 for NumPy, JAX's default float for JAX.

    Returns:
        Array of shape ``(*shape, 4)``.

    Raises:
        TypeError: the key is neither of the two.

    Example:
        >>> import numpy as np
        >>> q = rand_quaternion(np.random.default_rng(0), (5,))
        >>> np.linalg.norm(q, axis=-1)
        array([1., 1., 1., 1., 1.])
    """
    if isinstance(key, np.random.Generator):
        normal = key.normal(size=(*shape, 4)).astype(float if dtype is None else dtype)
    elif is_jax(key):
        import jax  # optional; the key is JAX's

        normal = jax.random.normal(key, (*shape, 4), dtype=float if dtype is None else dtype)
    else:
        raise TypeError(f"key must be a numpy.random.Generator or a JAX random key, received {shown(key)}")
    return normalize(normal, IDENTITY)


def rand_matrix(key: Any, shape: tuple[int, ...] = (), dtype: Any = None) -> Any:
    """Return random rotation matrices.

    Args:
        key: a :class:`numpy.random.Generator` or a JAX random key.
        shape: the leading axes.
        dtype: floating dtype. Default: float64 for NumPy, JAX's default float for JAX.

    Returns:
        Array of shape ``(*shape, 3, 3)``.

    Example:
        >>> import numpy as np
        >>> float(np.linalg.det(rand_matrix(np.random.default_rng(0))))
        1.0
    """
    return quaternion_to_matrix(rand_quaternion(key, shape, dtype))


def rand_angles(key: Any, shape: tuple[int, ...] = (), dtype: Any = None) -> tuple[Any, Any, Any]:
    r"""Return the Euler angles of random rotations.

    α and γ are uniform in :math:`[-π, π]`, :math:`\cos β` is uniform in :math:`[-1, 1]`.

    Args:
        key: a :class:`numpy.random.Generator` or a JAX random key.
        shape: the leading axes.
        dtype: floating dtype. Default: float64 for NumPy, JAX's default float for JAX.

    Returns:
        alpha, beta and gamma, each of shape `shape`, in radians.

    Example:
        >>> import numpy as np
        >>> alpha, beta, gamma = rand_angles(np.random.default_rng(0), (1000,))
        >>> bool(beta.min() >= 0 and beta.max() <= np.pi)
        True
    """
    return quaternion_to_angles(rand_quaternion(key, shape, dtype))


def rand_axis_angle(key: Any, shape: tuple[int, ...] = (), dtype: Any = None) -> tuple[Any, Any]:
    """Return the axis and the angle, in :math:`[0, 2π]`, of random rotations.

    Args:
        key: a :class:`numpy.random.Generator` or a JAX random key.
        shape: the leading axes.
        dtype: floating dtype. Default: float64 for NumPy, JAX's default float for JAX.

    Returns:
        Unit axes of shape ``(*shape, 3)`` and angles of shape `shape`, in radians.

    Example:
        >>> import numpy as np
        >>> axis, angle = rand_axis_angle(np.random.default_rng(0))
        >>> float(np.linalg.norm(axis))
        1.0
    """
    return quaternion_to_axis_angle(rand_quaternion(key, shape, dtype))


def rand_log_coordinates(key: Any, shape: tuple[int, ...] = (), dtype: Any = None) -> Any:
    """Return the log coordinates, of length up to :math:`2π`, of random rotations.

    Args:
        key: a :class:`numpy.random.Generator` or a JAX random key.
        shape: the leading axes.
        dtype: floating dtype. Default: float64 for NumPy, JAX's default float for JAX.

    Returns:
        Array of shape ``(*shape, 3)``, in radians.

    Example:
        >>> import numpy as np
        >>> rand_log_coordinates(np.random.default_rng(0), (2, 5)).shape
        (2, 5, 3)
    """
    return quaternion_to_log_coordinates(rand_quaternion(key, shape, dtype))
