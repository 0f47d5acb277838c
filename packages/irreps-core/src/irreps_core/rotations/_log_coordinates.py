r"""Rotations as log coordinates v: by the angle :math:`|v|` about v, :math:`R = \exp(\sum_a v_a X_a)`."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace
from irreps_core._inputs._vectors import checked, length, normalize

from ._analytic import cos_sqrt, sinc_sqrt
from ._quaternion import (
    Y_AXIS,
    compose_quaternion,
    quaternion_to_angles,
    quaternion_to_log_coordinates,
    quaternion_to_matrix,
    rotation_angle_from_quaternion,
)


def compose_log_coordinates(log1: Any, log2: Any) -> Any:
    """Return the rotation log2 followed by the rotation log1.

    Args:
        log1: array of shape ``(..., 3)``, in radians.
        log2: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> import numpy as np
        >>> compose_log_coordinates(np.array([0.0, 0.5, 0.0]), np.array([0.0, 0.25, 0.0])) + 0
        array([0.  , 0.75, 0.  ])
    """
    q1, q2 = log_coordinates_to_quaternion(log1), log_coordinates_to_quaternion(log2)
    return quaternion_to_log_coordinates(compose_quaternion(q1, q2))


def inverse_log_coordinates(log_coordinates: Any) -> Any:
    """Return the inverse rotation: the opposite vector.

    Args:
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> import numpy as np
        >>> inverse_log_coordinates(np.array([0.1, 0.2, -0.3]))
        array([-0.1, -0.2,  0.3])
    """
    (log_coordinates,) = checked((3,), log_coordinates=log_coordinates)
    return -log_coordinates


def rotation_angle_from_log_coordinates(log1: Any, log2: Any) -> Any:
    """Return the angle, from 0 to π, of the rotation from one rotation to the other.

    Args:
        log1: array of shape ``(..., 3)``, in radians.
        log2: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> float(rotation_angle_from_log_coordinates(np.array([0, 0.5, 0]), np.array([0, 0.25, 0])))
        0.25
    """
    return rotation_angle_from_quaternion(log_coordinates_to_quaternion(log1), log_coordinates_to_quaternion(log2))


def log_coordinates_to_quaternion(log_coordinates: Any) -> Any:
    r"""Convert log coordinates v to the unit quaternion, smooth everywhere.

    It is :math:`(\cos(|v|/2), v \sin(|v|/2) / |v|)`.

    Args:
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(..., 4)``.

    Example:
        >>> import numpy as np
        >>> log_coordinates_to_quaternion(np.array([0.0, np.pi, 0.0])).round(9)
        array([0., 0., 1., 0.])
    """
    (v,) = checked((3,), log_coordinates=log_coordinates)
    xp = array_namespace(v)
    t = xp.sum(v * v, axis=-1, keepdims=True) / 4
    return xp.concat([cos_sqrt(t), v * (sinc_sqrt(t) / 2)], axis=-1)


def log_coordinates_to_matrix(log_coordinates: Any) -> Any:
    r"""Convert log coordinates to the rotation matrix, smooth everywhere.

    It is :math:`\exp(v_x X_x + v_y X_y + v_z X_z)`, by Rodrigues' formula; X are the :func:`generators` of degree 1.

    Args:
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> log_coordinates_to_matrix(np.zeros(3))
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]])
    """
    return quaternion_to_matrix(log_coordinates_to_quaternion(log_coordinates))


def log_coordinates_to_angles(log_coordinates: Any) -> tuple[Any, Any, Any]:
    """Convert log coordinates to the Euler angles (alpha, beta, gamma).

    Args:
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        alpha, beta and gamma, each of shape ``(...)``, in the ranges of :func:`quaternion_to_angles`.

    Example:
        >>> import numpy as np
        >>> np.stack(log_coordinates_to_angles(np.array([0.5, 0.0, 0.0]))) + 0
        array([0. , 0.5, 0. ])
    """
    return quaternion_to_angles(log_coordinates_to_quaternion(log_coordinates))


def log_coordinates_to_axis_angle(log_coordinates: Any) -> tuple[Any, Any]:
    """Convert log coordinates v to the unit axis :math:`v / |v|` and the angle :math:`|v|`.

    The axis of :math:`v = 0` is y.

    Args:
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        The axis of shape ``(..., 3)`` and the angle of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> axis, angle = log_coordinates_to_axis_angle(np.array([0.0, 0.0, -0.5]))
        >>> axis, float(angle)
        (array([ 0.,  0., -1.]), 0.5)
    """
    (v,) = checked((3,), log_coordinates=log_coordinates)
    return normalize(v, Y_AXIS), length(v)
