"""The identity rotation in each parametrization, as NumPy arrays, which JAX functions accept."""

from typing import Any

import numpy as np

from ._quaternion import IDENTITY, Y_AXIS


def identity_matrix(shape: tuple[int, ...] = (), dtype: Any = float) -> np.ndarray:
    """Return identity matrices.

    Args:
        shape: the leading axes.
        dtype: floating dtype.

    Returns:
        Array of shape ``(*shape, 3, 3)``.

    Example:
        >>> identity_matrix()
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]])
    """
    return np.tile(np.eye(3, dtype=dtype), (*shape, 1, 1))


def identity_quaternion(shape: tuple[int, ...] = (), dtype: Any = float) -> np.ndarray:
    """Return quaternions (1, 0, 0, 0).

    Args:
        shape: the leading axes.
        dtype: floating dtype.

    Returns:
        Array of shape ``(*shape, 4)``.

    Example:
        >>> identity_quaternion()
        array([1., 0., 0., 0.])
    """
    return np.tile(np.array(IDENTITY, dtype=dtype), (*shape, 1))


def identity_angles(shape: tuple[int, ...] = (), dtype: Any = float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Euler angles alpha = beta = gamma = 0.

    Args:
        shape: the leading axes.
        dtype: floating dtype.

    Returns:
        Three arrays of that shape.

    Example:
        >>> identity_angles((2,))
        (array([0., 0.]), array([0., 0.]), array([0., 0.]))
    """
    return np.zeros(shape, dtype), np.zeros(shape, dtype), np.zeros(shape, dtype)


def identity_axis_angle(shape: tuple[int, ...] = (), dtype: Any = float) -> tuple[np.ndarray, np.ndarray]:
    """Return the axis y and the angle 0. Any other axis would do as well.

    Args:
        shape: the leading axes.
        dtype: floating dtype.

    Returns:
        Axes of shape ``(*shape, 3)`` and angles of that shape.

    Example:
        >>> identity_axis_angle()
        (array([0., 1., 0.]), array(0.))
    """
    return np.tile(np.array(Y_AXIS, dtype=dtype), (*shape, 1)), np.zeros(shape, dtype)


def identity_log_coordinates(shape: tuple[int, ...] = (), dtype: Any = float) -> np.ndarray:
    """Return log coordinates (0, 0, 0).

    Args:
        shape: the leading axes.
        dtype: floating dtype.

    Returns:
        Array of shape ``(*shape, 3)``.

    Example:
        >>> identity_log_coordinates()
        array([0., 0., 0.])
    """
    return np.zeros((*shape, 3), dtype)
