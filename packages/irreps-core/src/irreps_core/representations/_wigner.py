"""Real Wigner D matrices of any degree.

D^l(q) is the rotation q written on the 2l+1 real components of degree l, m = -l .. l about the polar axis y; D^1(q)
is the rotation matrix on (x, y, z).

With the Euler angles of R = Ry(alpha) Rx(beta) Ry(gamma), D = Z(alpha) J Z(beta) J Z(gamma): Z turns the
components m and -m by m times the angle, and J is the constant matrix of the rotation by pi that exchanges x and y.
Only the phases of the angles are needed, which are algebraic functions of the quaternion. So the computation needs no
trigonometry and has no pole. The derivative rule for JAX is in ``_derivatives``.
"""

from collections.abc import Sequence
from typing import Any, SupportsIndex

from irreps_core._inputs._degrees import check_degree
from irreps_core._inputs._namespace import is_jax
from irreps_core._inputs._vectors import checked
from irreps_core.rotations._angles import angles_to_quaternion
from irreps_core.rotations._axis_angle import axis_angle_to_quaternion
from irreps_core.rotations._log_coordinates import log_coordinates_to_quaternion
from irreps_core.rotations._matrix import matrix_to_quaternion

from ._wigner_values import evaluate_blocks


def wigner_D_from_quaternion(l: SupportsIndex, q: Any) -> Any:
    """Return the Wigner D matrix of a quaternion.

    Args:
        l: degree.
        q: array of shape ``(..., 4)``, (w, x, y, z). Its norm does not matter; zero counts as the identity.

    Returns:
        Array of shape ``(..., 2l+1, 2l+1)``.

    Raises:
        ValueError: l is negative, or the last axis of q is not 4.

    Example:
        >>> import numpy as np
        >>> wigner_D_from_quaternion(1, np.array([0.0, 0.0, 1.0, 0.0])) + 0.0
        array([[-1.,  0.,  0.],
               [ 0.,  1.,  0.],
               [ 0.,  0., -1.]])
    """
    return wigner_D_blocks((check_degree("l", l),), q)[0]


def wigner_D_from_matrix(l: SupportsIndex, R: Any) -> Any:
    """Return the Wigner D matrix of a rotation matrix.

    Args:
        l: degree.
        R: array of shape ``(..., 3, 3)``, of determinant 1.

    Returns:
        Array of shape ``(..., 2l+1, 2l+1)``.

    Example:
        >>> import numpy as np
        >>> R = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> np.allclose(wigner_D_from_matrix(1, R), R)
        True
    """
    return wigner_D_from_quaternion(l, matrix_to_quaternion(R))


def wigner_D_from_angles(l: SupportsIndex, alpha: Any, beta: Any, gamma: Any) -> Any:
    """Return the Wigner D matrix of the Euler angles of :math:`R = R_y(α) R_x(β) R_y(γ)`.

    Args:
        l: degree.
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.
        gamma: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 2l+1, 2l+1)``.

    Example:
        >>> wigner_D_from_angles(2, 0.0, 0.0, 0.0).shape
        (5, 5)
    """
    return wigner_D_from_quaternion(l, angles_to_quaternion(alpha, beta, gamma))


def wigner_D_from_axis_angle(l: SupportsIndex, axis: Any, angle: Any) -> Any:
    """Return the Wigner D matrix of the rotation by an angle about an axis.

    Args:
        l: degree.
        axis: array of shape ``(..., 3)``, of any length but zero.
        angle: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 2l+1, 2l+1)``.

    Example:
        >>> import numpy as np
        >>> wigner_D_from_axis_angle(1, np.array([0.0, 1.0, 0.0]), np.pi / 2).round(9) + 0.0
        array([[ 0.,  0.,  1.],
               [ 0.,  1.,  0.],
               [-1.,  0.,  0.]])
    """
    return wigner_D_from_quaternion(l, axis_angle_to_quaternion(axis, angle))


def wigner_D_from_log_coordinates(l: SupportsIndex, log_coordinates: Any) -> Any:
    r"""Return the Wigner D matrix :math:`\exp(\sum_a v_a X_a)` of log coordinates v, with the :func:`generators` X.

    Args:
        l: degree.
        log_coordinates: array of shape ``(..., 3)``, in radians.

    Returns:
        Array of shape ``(..., 2l+1, 2l+1)``.

    Example:
        >>> import numpy as np
        >>> wigner_D_from_log_coordinates(1, np.zeros(3))
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]])
    """
    return wigner_D_from_quaternion(l, log_coordinates_to_quaternion(log_coordinates))


def wigner_D_blocks(ls: Sequence[SupportsIndex], q: Any) -> list[Any]:
    """Return the Wigner D matrices of several degrees, which share the computation of the angles.

    Args:
        ls: degrees.
        q: array of shape ``(..., 4)``, (w, x, y, z). Its norm does not matter; zero counts as the identity.

    Returns:
        One array of shape ``(..., 2l+1, 2l+1)`` for each degree.

    Raises:
        ValueError: a degree is negative, or the last axis of q is not 4.

    Example:
        >>> import numpy as np
        >>> [D.shape for D in wigner_D_blocks((0, 1, 2), np.ones((10, 4)))]
        [(10, 1, 1), (10, 3, 3), (10, 5, 5)]
    """
    ls = tuple(check_degree("l", l) for l in ls)
    (q,) = checked((4,), q=q)
    distinct = tuple(sorted(set(ls)))
    if is_jax(q):
        from ._derivatives import blocks  # imports JAX, which is optional

        D = blocks(distinct, q)
    else:
        D = evaluate_blocks(distinct, q)
    return [D[distinct.index(l)] for l in ls]
