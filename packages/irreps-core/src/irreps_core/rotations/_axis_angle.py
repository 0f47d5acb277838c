"""Rotations as an axis n and an angle t, counterclockwise if n points to the viewer. Its length does not matter."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core._inputs._vectors import checked, normalize

from ._quaternion import (
    Y_AXIS,
    compose_quaternion,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_matrix,
    rotation_angle_from_quaternion,
)


def compose_axis_angle(axis1: Any, angle1: Any, axis2: Any, angle2: Any) -> tuple[Any, Any]:
    """Return the rotation (axis2, angle2) followed by the rotation (axis1, angle1).

    Args:
        axis1: array of shape ``(..., 3)``.
        angle1: array of shape ``(...)``, in radians.
        axis2: array of shape ``(..., 3)``.
        angle2: array of shape ``(...)``, in radians.

    Returns:
        The unit axis of shape ``(..., 3)`` and the angle of shape ``(...)``.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 0.0, 0.0])
        >>> axis, angle = compose_axis_angle(x, 0.5, x, 0.25)
        >>> axis, float(angle)
        (array([1., 0., 0.]), 0.75)
    """
    q1, q2 = axis_angle_to_quaternion(axis1, angle1), axis_angle_to_quaternion(axis2, angle2)
    return quaternion_to_axis_angle(compose_quaternion(q1, q2))


def inverse_axis_angle(axis: Any, angle: Any) -> tuple[Any, Any]:
    """Return the inverse rotation: the same axis and the opposite angle.

    Args:
        axis: array of shape ``(..., 3)``.
        angle: array of shape ``(...)``, in radians.

    Returns:
        The axis of shape ``(..., 3)`` and the angle of shape ``(...)``.

    Example:
        >>> import numpy as np
        >>> axis, angle = inverse_axis_angle(np.array([1.0, 0.0, 0.0]), 0.5)
        >>> axis, float(angle)
        (array([1., 0., 0.]), -0.5)
    """
    axis, angle = _axis_and_angle(axis, angle)
    return axis, -angle


def rotation_angle_from_axis_angle(axis1: Any, angle1: Any, axis2: Any, angle2: Any) -> Any:
    """Return the angle, from 0 to π, of the rotation from one rotation to the other.

    Args:
        axis1: array of shape ``(..., 3)``.
        angle1: array of shape ``(...)``, in radians.
        axis2: array of shape ``(..., 3)``.
        angle2: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 0.0, 0.0])
        >>> float(rotation_angle_from_axis_angle(x, 0.5, x, 0.25))
        0.25
    """
    q1, q2 = axis_angle_to_quaternion(axis1, angle1), axis_angle_to_quaternion(axis2, angle2)
    return rotation_angle_from_quaternion(q1, q2)


def axis_angle_to_quaternion(axis: Any, angle: Any) -> Any:
    r"""Convert an axis n and an angle t to the unit quaternion :math:`(\cos(t/2), n \sin(t/2))`.

    Args:
        axis: array of shape ``(..., 3)``; zero counts as y.
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 4)``.

    Example:
        >>> import numpy as np
        >>> axis_angle_to_quaternion(np.array([2.0, 0.0, 0.0]), np.pi).round(9)
        array([0., 1., 0., 0.])
    """
    axis, angle = _axis_and_angle(axis, angle)
    xp = array_namespace(axis)
    half = angle[..., None] / 2
    return xp.concat([xp.cos(half), normalize(axis, Y_AXIS) * xp.sin(half)], axis=-1)


def axis_angle_to_matrix(axis: Any, angle: Any) -> Any:
    """Convert an axis and an angle to the rotation matrix.

    Args:
        axis: array of shape ``(..., 3)``.
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> axis_angle_to_matrix(np.array([0.0, 0.0, 1.0]), np.pi / 2).round(9) @ [1, 0, 0]
        array([0., 1., 0.])
    """
    return quaternion_to_matrix(axis_angle_to_quaternion(axis, angle))


def axis_angle_to_angles(axis: Any, angle: Any) -> tuple[Any, Any, Any]:
    """Convert an axis and an angle to the Euler angles (alpha, beta, gamma).

    Args:
        axis: array of shape ``(..., 3)``.
        angle: array of shape ``(...)``, in radians.

    Returns:
        alpha, beta and gamma, each of shape ``(...)``, in the ranges of :func:`quaternion_to_angles`.

    Example:
        >>> import numpy as np
        >>> np.stack(axis_angle_to_angles(np.array([1.0, 0.0, 0.0]), 0.5))
        array([0. , 0.5, 0. ])
    """
    return quaternion_to_angles(axis_angle_to_quaternion(axis, angle))


def axis_angle_to_log_coordinates(axis: Any, angle: Any) -> Any:
    """Convert an axis n and an angle t to the log coordinates :math:`t n`.

    Args:
        axis: array of shape ``(..., 3)``; zero counts as y.
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> import numpy as np
        >>> axis_angle_to_log_coordinates(np.array([2.0, 0.0, 0.0]), 0.5)
        array([0.5, 0. , 0. ])
    """
    axis, angle = _axis_and_angle(axis, angle)
    return normalize(axis, Y_AXIS) * angle[..., None]


def _axis_and_angle(axis: Any, angle: Any) -> tuple[Any, Any]:
    """Check both, and return them in one dtype, with broadcast leading axes."""
    axis, angle = as_float_arrays(axis, angle)
    (axis,) = checked((3,), axis=axis)
    xp = array_namespace(axis)
    axis, angle = xp.broadcast_arrays(axis, angle[..., None])
    return axis, angle[..., 0]
