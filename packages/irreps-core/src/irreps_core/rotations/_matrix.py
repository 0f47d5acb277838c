"""Rotations as matrices R of shape (..., 3, 3), which act on columns (x, y, z)."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core._inputs._vectors import checked, normalize

from ._orthogonal import orthogonal
from ._quaternion import (
    IDENTITY,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    rotation_angle_from_quaternion,
)


def compose_matrix(R1: Any, R2: Any) -> Any:
    """Return the rotation R2 followed by the rotation R1: the matrix product :math:`R_1 R_2`.

    Args:
        R1: array of shape ``(..., 3, 3)``.
        R2: array of shape ``(..., 3, 3)``.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> compose_matrix(matrix_x(np.pi), matrix_y(np.pi)).round(9) + 0
        array([[-1.,  0.,  0.],
               [ 0., -1.,  0.],
               [ 0.,  0.,  1.]])
    """
    R1, R2 = checked((3, 3), R1=R1, R2=R2)
    R1, R2 = array_namespace(R1).broadcast_arrays(orthogonal(R1, mirrors=True), orthogonal(R2, mirrors=True))
    return _product(R1, R2)


def inverse_matrix(R: Any) -> Any:
    """Return the inverse rotation: the transposed matrix.

    Args:
        R: array of shape ``(..., 3, 3)``.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> np.allclose(inverse_matrix(matrix_x(0.3)), matrix_x(-0.3))
        True
    """
    (R,) = checked((3, 3), R=R)
    return array_namespace(R).swapaxes(orthogonal(R, mirrors=True), -1, -2)


def rotation_angle_from_matrix(R: Any, R2: Any = None) -> Any:
    """Return the angle, from 0 to π, of the rotation R, or of the rotation from R to R2.

    Args:
        R: array of shape ``(..., 3, 3)``.
        R2: array of shape ``(..., 3, 3)``; left out, it is the identity.

    Returns:
        Array of shape ``(...)``, in radians.

    Example:
        >>> float(rotation_angle_from_matrix(matrix_x(0.25)))
        0.25
    """
    q1 = matrix_to_quaternion(R)
    if R2 is not None:
        return rotation_angle_from_quaternion(q1, matrix_to_quaternion(R2))
    xp = array_namespace(q1)
    identity = xp.broadcast_to(xp.asarray(IDENTITY, dtype=q1.dtype), q1.shape)
    return rotation_angle_from_quaternion(identity, q1)


def matrix_x(angle: Any) -> Any:
    """Return the rotation about x, which turns y towards z.

    Args:
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> matrix_x(np.pi / 2).round(9) @ [0, 1, 0]
        array([0., 0., 1.])
    """
    (angle,) = as_float_arrays(angle)
    xp = array_namespace(angle)
    c, s, one, zero = xp.cos(angle), xp.sin(angle), xp.ones_like(angle), xp.zeros_like(angle)
    return _stack([[one, zero, zero], [zero, c, -s], [zero, s, c]], xp)


def matrix_y(angle: Any) -> Any:
    """Return the rotation about y, which turns z towards x.

    Args:
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> matrix_y(np.pi / 2).round(9) @ [0, 0, 1]
        array([1., 0., 0.])
    """
    (angle,) = as_float_arrays(angle)
    xp = array_namespace(angle)
    c, s, one, zero = xp.cos(angle), xp.sin(angle), xp.ones_like(angle), xp.zeros_like(angle)
    return _stack([[c, zero, s], [zero, one, zero], [-s, zero, c]], xp)


def matrix_z(angle: Any) -> Any:
    """Return the rotation about z, which turns x towards y.

    Args:
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3, 3)``.

    Example:
        >>> import numpy as np
        >>> matrix_z(np.pi / 2).round(9) @ [1, 0, 0]
        array([0., 1., 0.])
    """
    (angle,) = as_float_arrays(angle)
    xp = array_namespace(angle)
    c, s, one, zero = xp.cos(angle), xp.sin(angle), xp.ones_like(angle), xp.zeros_like(angle)
    return _stack([[c, -s, zero], [s, c, zero], [zero, zero, one]], xp)


def matrix_to_quaternion(R: Any) -> Any:
    """Convert a rotation matrix to the unit quaternion with :math:`w ≥ 0`.

    The quaternion is that of the nearest rotation, if the matrix is orthogonal only up to rounding. This holds for the
    derivatives with respect to all nine entries, too, up to third order.

    Args:
        R: array of shape ``(..., 3, 3)``, of determinant 1.

    Returns:
        Array of shape ``(..., 4)``.

    Raises:
        ValueError: a matrix is not orthogonal (within 0.01) or of determinant -1, unless JAX traces it
            (then ``irreps_ops.checked`` checks it).

    Example:
        >>> import numpy as np
        >>> matrix_to_quaternion(np.diag([1.0, -1.0, -1.0]))
        array([0., 1., 0., 0.])
    """
    (R,) = checked((3, 3), R=R)
    R = orthogonal(R, mirrors=False)
    xp = array_namespace(R)
    r = [[R[..., i, j] for j in range(3)] for i in range(3)]
    trace = r[0][0] + r[1][1] + r[2][2]
    w, x, y, z = 1 + trace, r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]
    xy, xz, yz = r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]
    squares = [w] + [1 + 2 * r[i][i] - trace for i in range(3)]
    # The symmetric matrix 4 q q^T: every row is q up to a factor, and the largest one is free of cancellation.
    K = _stack(
        [[w, x, y, z], [x, squares[1], xy, xz], [y, xy, squares[2], yz], [z, xz, yz, squares[3]]],
        xp,
    )
    largest = xp.argmax(xp.stack(squares, axis=-1), axis=-1)[..., None] == xp.arange(4).reshape(
        (1,) * (R.ndim - 2) + (4,)
    )
    q = xp.sum(xp.where(largest[..., None], K, 0), axis=-2)
    # The nearest rotation is the dominant eigenvector of K (Davenport). The other eigenvalues are rounding errors, so a
    # power of K yields it, and each factor yields its derivatives of one more order.
    for _ in range(3):
        q = xp.sum(K * q[..., None, :], axis=-1)
    q = normalize(q, IDENTITY)
    return xp.where(q[..., :1] < 0, -q, q)


def _product(a: Any, b: Any) -> Any:
    """Multiply small matrices by sums of products, which no device rounds to fewer bits."""
    return array_namespace(a, b).sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)


def _stack(rows: list[list[Any]], xp: Any) -> Any:
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_angles(R: Any) -> tuple[Any, Any, Any]:
    """Convert a rotation matrix to the Euler angles of :math:`R = R_y(α) R_x(β) R_y(γ)`.

    Where β is 0 or π, only :math:`α + γ` or :math:`α - γ` is determined: α is then 0.

    Args:
        R: array of shape ``(..., 3, 3)``, of determinant 1.

    Returns:
        alpha in :math:`[-π, π]`, beta in :math:`[0, π]` and gamma in :math:`[-π, π]`, each of shape ``(...)``, in
        radians.

    Example:
        >>> import numpy as np
        >>> np.stack(matrix_to_angles(matrix_x(0.5)))
        array([0. , 0.5, 0. ])
    """
    return quaternion_to_angles(matrix_to_quaternion(R))


def matrix_to_axis_angle(R: Any) -> tuple[Any, Any]:
    """Convert a rotation matrix to the unit axis and the angle in :math:`[0, π]`. The axis of the identity is y.

    Args:
        R: array of shape ``(..., 3, 3)``, of determinant 1.

    Returns:
        The axis of shape ``(..., 3)`` and the angle of shape ``(...)``, in radians.

    Example:
        >>> axis, angle = matrix_to_axis_angle(matrix_x(0.5))
        >>> axis, float(angle)
        (array([1., 0., 0.]), 0.5)
    """
    return quaternion_to_axis_angle(matrix_to_quaternion(R))


def matrix_to_log_coordinates(R: Any) -> Any:
    """Convert a rotation matrix to the log coordinates, of length at most π.

    Args:
        R: array of shape ``(..., 3, 3)``, of determinant 1.

    Returns:
        Array of shape ``(..., 3)``, in radians.

    Example:
        >>> matrix_to_log_coordinates(matrix_x(0.5))
        array([0.5, 0. , 0. ])
    """
    return quaternion_to_log_coordinates(matrix_to_quaternion(R))
