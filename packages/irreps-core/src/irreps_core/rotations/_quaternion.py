r"""Rotations as quaternions (w, x, y, z), through which the other parametrizations are converted.

The unit quaternion :math:`q = (\cos(t/2), n \sin(t/2))` is the rotation by the angle t about the unit vector n. So is
:math:`-q`.
"""

from typing import Any

from irreps_core._inputs._namespace import array_namespace
from irreps_core._inputs._vectors import checked, length, normalize

from ._analytic import arc_ratio

IDENTITY = (1.0, 0.0, 0.0, 0.0)
Y_AXIS = (0.0, 1.0, 0.0)


def compose_quaternion(q1: Any, q2: Any) -> Any:
    """Return the rotation q2 followed by the rotation q1: Hamilton's product :math:`q_1 q_2`.

    Args:
        q1: array of shape ``(..., 4)``.
        q2: array of shape ``(..., 4)``.

    Returns:
        Array of shape ``(..., 4)``.

    Example:
        >>> import numpy as np
        >>> compose_quaternion(np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0]))
        array([0., 0., 0., 1.])
    """
    q1, q2 = checked((4,), q1=q1, q2=q2)
    xp = array_namespace(q1)
    q1, q2 = xp.broadcast_arrays(q1, q2)
    w1, x1, y1, z1 = (q1[..., i] for i in range(4))
    w2, x2, y2, z2 = (q2[..., i] for i in range(4))
    return xp.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def inverse_quaternion(q: Any) -> Any:
    """Return the inverse rotation: the conjugate :math:`(w, -x, -y, -z)`, which has the same norm.

    Args:
        q: array of shape ``(..., 4)``.

    Returns:
        Array of shape ``(..., 4)``.

    Example:
        >>> import numpy as np
        >>> inverse_quaternion(np.array([0.6, 0.8, 0.0, 0.0]))
        array([ 0.6, -0.8,  0. ,  0. ])
    """
    (q,) = checked((4,), q=q)
    xp = array_namespace(q)
    # Subtracting from zero avoids -0.
    return xp.concat([q[..., :1], 0 - q[..., 1:]], axis=-1)


def rotation_angle_from_quaternion(q1: Any, q2: Any) -> Any:
    """Return the angle, from 0 to π, of the rotation from one rotation to the other.

    Args:
        q1: array of shape ``(..., 4)``.
        q2: array of shape ``(..., 4)``.

    Returns:
        Array of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> float(rotation_angle_from_quaternion(np.array([1.0, 0, 0, 0]), np.array([0.0, 1, 0, 0])))
        3.14159
    """
    q = compose_quaternion(inverse_quaternion(q1), q2)
    xp = array_namespace(q)
    q = normalize(q, IDENTITY)
    return 2 * xp.arctan2(length(q[..., 1:]), xp.abs(q[..., 0]))


def quaternion_to_matrix(q: Any) -> Any:
    """Convert a quaternion to the rotation matrix. Its norm does not matter; zero counts as the identity.

    Args:
        q: array of shape ``(..., 4)``.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> quaternion_to_matrix(np.array([0.0, 0.0, 2.0, 0.0]))
        array([[-1.,  0.,  0.],
               [ 0.,  1.,  0.],
               [ 0.,  0., -1.]])
    """
    (q,) = checked((4,), q=q)
    xp = array_namespace(q)
    w, x, y, z = (normalize(q, IDENTITY)[..., i] for i in range(4))
    entries = [
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in entries], axis=-2)


def quaternion_to_axis_angle(q: Any) -> tuple[Any, Any]:
    r"""Convert a quaternion to the axis n and the angle t in :math:`[0, 2π]` of :math:`q = (\cos(t/2), n \sin(t/2))`.

    The axis of the identity, which is arbitrary, is y.

    Args:
        q: array of shape ``(..., 4)``; its norm does not matter.

    Returns:
        The unit axis of shape ``(..., 3)`` and the angle of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> axis, angle = quaternion_to_axis_angle(np.array([0.0, 1.0, 0.0, 0.0]))
        >>> axis, float(angle)
        (array([1., 0., 0.]), 3.14159)
    """
    (q,) = checked((4,), q=q)
    xp = array_namespace(q)
    q = normalize(q, IDENTITY)
    return normalize(q[..., 1:], Y_AXIS), 2 * xp.arctan2(length(q[..., 1:]), q[..., 0])


def quaternion_to_log_coordinates(q: Any) -> Any:
    r"""Convert a quaternion to the log coordinates :math:`v = t n`.

    The unit quaternion is :math:`(\cos(t/2), n \sin(t/2))`, t in :math:`[0, 2π)`.
    It is smooth everywhere except at :math:`q = (-1, 0, 0, 0)`, where its value is 0.

    Args:
        q: array of shape ``(..., 4)``; its norm does not matter.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> import numpy as np
        >>> quaternion_to_log_coordinates(np.array([0.0, 1.0, 0.0, 0.0])) / np.pi
        array([1., 0., 0.])
    """
    (q,) = checked((4,), q=q)
    xp = array_namespace(q)
    q = normalize(q, IDENTITY)
    # For w < 0: t n = 2 pi n - (2 pi - t) n, where the last term belongs to -q, whose w is positive.
    negative = q[..., :1] < 0
    half = xp.where(negative, -q, q)
    log = 2 * half[..., 1:] * arc_ratio((1 - half[..., :1]) / 2)
    far = negative & (length(q[..., 1:])[..., None] > 0)
    axis = xp.broadcast_to(xp.asarray(Y_AXIS, dtype=q.dtype), log.shape)
    turn = 2 * xp.pi * normalize(xp.where(far, q[..., 1:], axis), Y_AXIS)
    return log + xp.where(far, turn, 0)


def quaternion_to_angles(q: Any) -> tuple[Any, Any, Any]:
    """Convert a quaternion to the Euler angles of :math:`R = R_y(α) R_x(β) R_y(γ)`.

    Where β is 0 or π, only :math:`α + γ` or :math:`α - γ` is determined: α is then 0.

    Args:
        q: array of shape ``(..., 4)``; its norm does not matter.

    Returns:
        alpha in :math:`[-π, π]`, beta in :math:`[0, π]` and gamma in :math:`[-π, π]`, each of shape ``(...)``, in
        radians.

    Example:
        >>> import numpy as np
        >>> np.stack(quaternion_to_angles(np.array([1.0, 1.0, 0.0, 0.0]))) / np.pi
        array([0. , 0.5, 0. ])
    """
    (q,) = checked((4,), q=q)
    xp = array_namespace(q)
    cos, sin = euler_phases(q)
    alpha, beta, gamma = (xp.arctan2(sin[..., i], cos[..., i]) for i in range(3))
    return alpha, beta, gamma


def euler_phases(q: Any) -> tuple[Any, Any]:
    """Return the cosines and sines of the Euler angles alpha, beta and gamma, each of shape (..., 3), by algebra alone.

    w + iy = cos(beta/2) exp(i(alpha+gamma)/2) and x - iz = sin(beta/2) exp(i(alpha-gamma)/2), so that the phases
    of alpha and gamma are the product and the quotient of two directions. At a pole one of the two is undefined, and is
    replaced by the conjugate of the other, which makes alpha zero.
    """
    xp = array_namespace(q)
    q = normalize(q, IDENTITY)
    plus = xp.stack([q[..., 0], q[..., 2]], axis=-1)
    minus = xp.stack([q[..., 1], 0 - q[..., 3]], axis=-1)
    cos_half, sin_half = length(plus), length(minus)
    tiny = xp.finfo(q.dtype).tiny
    conjugate = xp.broadcast_to(xp.asarray([1, -1], dtype=q.dtype), plus.shape)
    plus, minus = (
        normalize(xp.where((cos_half < tiny)[..., None], minus * conjugate, plus), (1.0, 0.0)),
        normalize(xp.where((sin_half < tiny)[..., None], plus * conjugate, minus), (1.0, 0.0)),
    )
    (c1, s1), (c2, s2) = (plus[..., 0], plus[..., 1]), (minus[..., 0], minus[..., 1])
    cos_beta, sin_beta = (cos_half - sin_half) * (cos_half + sin_half), 2 * cos_half * sin_half
    cos = xp.stack([c1 * c2 - s1 * s2, cos_beta, c1 * c2 + s1 * s2], axis=-1)
    sin = xp.stack([s1 * c2 + c1 * s2, sin_beta, s1 * c2 - c1 * s2], axis=-1)
    return cos, sin
