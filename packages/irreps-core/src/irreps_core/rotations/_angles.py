"""Rotations as Euler angles alpha, beta, gamma: :math:`R = R_y(α) R_x(β) R_y(γ)`."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace, as_float_arrays

from ._matrix import compose_matrix, matrix_x, matrix_y
from ._quaternion import (
    compose_quaternion,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    rotation_angle_from_quaternion,
)


def compose_angles(a1: Any, b1: Any, c1: Any, a2: Any, b2: Any, c2: Any) -> tuple[Any, Any, Any]:
    """Return the rotation with the second three angles, followed by that with the first three.

    Args:
        a1: alpha of the second rotation, array of shape ``(...)``, in radians, as are the others.
        b1: beta of the second rotation.
        c1: gamma of the second rotation.
        a2: alpha of the first rotation.
        b2: beta of the first rotation.
        c2: gamma of the first rotation.

    Returns:
        alpha, beta and gamma, each of shape ``(...)``, in the ranges of :func:`quaternion_to_angles`.

    Example:
        >>> import numpy as np
        >>> np.stack(compose_angles(0.1, 0.2, 0.3, -0.3, 0.4, 0.5)).round(9)
        array([0.1, 0.6, 0.5])
    """
    q1, q2 = angles_to_quaternion(a1, b1, c1), angles_to_quaternion(a2, b2, c2)
    return quaternion_to_angles(compose_quaternion(q1, q2))


def inverse_angles(a: Any, b: Any, c: Any) -> tuple[Any, Any, Any]:
    """Return the inverse rotation.

    Args:
        a: alpha, array of shape ``(...)``, in radians.
        b: beta.
        c: gamma.

    Returns:
        The angles (-c, -b, -a), each of shape ``(...)``.

    Example:
        >>> import numpy as np
        >>> np.stack(inverse_angles(0.1, 0.2, 0.3))
        array([-0.3, -0.2, -0.1])
    """
    a, b, c = as_float_arrays(a, b, c)
    return -c, -b, -a


def rotation_angle_from_angles(a1: Any, b1: Any, c1: Any, a2: Any, b2: Any, c2: Any) -> Any:
    """Return the angle, from 0 to π, of the rotation from one rotation to the other.

    Args:
        a1: alpha of one rotation, array of shape ``(...)``, in radians, as are the others.
        b1: beta of one rotation.
        c1: gamma of one rotation.
        a2: alpha of the other rotation.
        b2: beta of the other rotation.
        c2: gamma of the other rotation.

    Returns:
        Array of shape ``(...)``, in radians.

    Example:
        >>> float(rotation_angle_from_angles(0.1, 0.2, 0.3, 0.1, 0.6, 0.3))
        0.4
    """
    return rotation_angle_from_quaternion(angles_to_quaternion(a1, b1, c1), angles_to_quaternion(a2, b2, c2))


def angles_to_quaternion(alpha: Any, beta: Any, gamma: Any) -> Any:
    """Convert Euler angles to the unit quaternion of :math:`R_y(α) R_x(β) R_y(γ)`.

    Args:
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.
        gamma: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 4)``.

    Example:
        >>> import numpy as np
        >>> angles_to_quaternion(0.0, np.pi, 0.0).round(9) + 0
        array([0., 1., 0., 0.])
    """
    alpha, beta, gamma = as_float_arrays(alpha, beta, gamma)
    xp = array_namespace(alpha)
    alpha, beta, gamma = xp.broadcast_arrays(alpha, beta, gamma)
    plus, minus, c, s = (alpha + gamma) / 2, (alpha - gamma) / 2, xp.cos(beta / 2), xp.sin(beta / 2)
    return xp.stack([c * xp.cos(plus), s * xp.cos(minus), c * xp.sin(plus), -s * xp.sin(minus)], axis=-1)


def angles_to_matrix(alpha: Any, beta: Any, gamma: Any) -> Any:
    """Convert Euler angles to the matrix :math:`R_y(α) R_x(β) R_y(γ)`.

    Args:
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.
        gamma: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> np.allclose(angles_to_matrix(0.0, 0.5, 0.0), matrix_x(0.5))
        True
    """
    alpha, beta, gamma = as_float_arrays(alpha, beta, gamma)
    alpha, beta, gamma = array_namespace(alpha).broadcast_arrays(alpha, beta, gamma)
    return compose_matrix(compose_matrix(matrix_y(alpha), matrix_x(beta)), matrix_y(gamma))


def angles_to_axis_angle(alpha: Any, beta: Any, gamma: Any) -> tuple[Any, Any]:
    """Convert Euler angles to the unit axis and the angle in :math:`[0, 2π]` of :math:`R_y(α) R_x(β) R_y(γ)`.

    Args:
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.
        gamma: array of shape ``(...)``, in radians.

    Returns:
        The axis of shape ``(..., 3)`` and the angle of shape ``(...)``, in radians.

    Example:
        >>> axis, angle = angles_to_axis_angle(0.0, 0.5, 0.0)
        >>> axis + 0, float(angle)
        (array([1., 0., 0.]), 0.5)
    """
    return quaternion_to_axis_angle(angles_to_quaternion(alpha, beta, gamma))


def angles_to_log_coordinates(alpha: Any, beta: Any, gamma: Any) -> Any:
    """Convert Euler angles to the log coordinates of :math:`R_y(α) R_x(β) R_y(γ)`.

    Args:
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.
        gamma: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> angles_to_log_coordinates(0.1, 0.0, 0.2) + 0
        array([0. , 0.3, 0. ])
    """
    return quaternion_to_log_coordinates(angles_to_quaternion(alpha, beta, gamma))
