"""Real Wigner D matrices of any degree.

D^l(q) is the rotation q written on the 2l+1 real components of degree l, m = -l .. l about the polar axis y; D^1(q)
is the rotation matrix on (x, y, z).

With the Euler angles of R = Ry(alpha) Rx(beta) Ry(gamma), D = Z(alpha) J Z(beta) J Z(gamma): Z turns the
components m and -m by m times the angle, and J is the constant matrix of the rotation by pi that exchanges x and y.
Only the phases of the angles are needed, and those are algebraic in the quaternion: there is no trigonometry, and no
pole.
The derivative, for JAX, is the group's own: see ``_wigner_jvp``.
"""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from ._angles import angles_to_quaternion
from ._axis_angle import axis_angle_to_quaternion
from ._block_diagonal import block_diagonal as block_diagonal
from ._degrees import check_degree
from ._log_coordinates import log_coordinates_to_quaternion
from ._matrix import matrix_to_quaternion
from ._namespace import array_namespace, is_jax, matmul
from ._quaternion import euler_phases
from ._vectors import checked
from ._wigner_constants import axis_exchange, rotation_x_table

# Up to here one product with a table of (2l+1)^3 numbers gives J Z(beta) J; those of higher degrees would be large.
TABLE_DEGREE = 12


def wigner_D_from_quaternion(l: SupportsIndex, q: Any) -> Any:
    """The Wigner D matrix of a quaternion.

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
    """The Wigner D matrix of a rotation matrix.

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
    """The Wigner D matrix of the Euler angles of R = Ry(alpha) Rx(beta) Ry(gamma).

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
    """The Wigner D matrix of the rotation by an angle about an axis.

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
    """The Wigner D matrix exp(v_x X_x + v_y X_y + v_z X_z) of log coordinates v, with the generators X.

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
    """The Wigner D matrices of several degrees at once, which share the work on the angles.

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
        from ._wigner_jvp import blocks

        D = blocks(distinct, q)
    else:
        D = evaluate_blocks(distinct, q)
    return [D[distinct.index(l)] for l in ls]


def evaluate_blocks(ls: tuple[int, ...], q: Any) -> list[Any]:
    """The values of :func:`wigner_D_blocks`, for increasing degrees."""
    if not ls:
        return []
    xp = array_namespace(q)
    lmax = ls[-1]
    # An error of the phase grows with the degree: the few phases are computed in the default float, if that is wider.
    wide = np.promote_types(q.dtype, xp.zeros(()).dtype)
    cos, sin = (x.astype(q.dtype) for x in multiples(*euler_phases(q.astype(wide)), lmax))
    blocks = []
    for l in ls:
        m = slice(lmax - l, lmax + l + 1)
        (cos_a, cos_b, cos_c), (sin_a, sin_b, sin_c) = ([x[..., i, m] for i in range(3)] for x in (cos, sin))
        d = _rotation_x(l, cos_b, sin_b)
        # Z(alpha) d Z(gamma), where Z has cos(m a) at (m, m) and -sin(m a) at (m, -m).
        d = d * cos_c[..., None, :] + xp.flip(d, -1) * sin_c[..., None, :]
        d = d * cos_a[..., :, None] - xp.flip(d, -2) * sin_a[..., :, None]
        blocks.append(d)
    return blocks


def multiples(cos: Any, sin: Any, lmax: int) -> tuple[Any, Any]:
    """The cosines and sines of m times an angle, m = -lmax .. lmax on a new last axis.

    Powers of the phase, doubled in number in each step and brought back to the unit circle.
    """
    xp = array_namespace(cos)
    c, s = xp.stack([xp.ones_like(cos), cos], axis=-1), xp.stack([xp.zeros_like(sin), sin], axis=-1)
    while c.shape[-1] <= lmax:
        c1, s1, c2, s2 = c[..., -1:], s[..., -1:], c[..., 1:], s[..., 1:]
        c2, s2 = c1 * c2 - s1 * s2, s1 * c2 + c1 * s2
        # One Newton step for 1 / sqrt(c^2 + s^2), which is 1 up to rounding.
        unit = 1.5 - (c2 * c2 + s2 * s2) / 2
        c, s = xp.concat([c, c2 * unit], axis=-1), xp.concat([s, s2 * unit], axis=-1)
    c, s = c[..., : lmax + 1], s[..., : lmax + 1]
    negative_c, negative_s = xp.flip(c[..., 1:], -1), -xp.flip(s[..., 1:], -1)
    return xp.concat([negative_c, c], axis=-1), xp.concat([negative_s, s], axis=-1)


def _rotation_x(l: int, cos: Any, sin: Any) -> Any:
    """D of the rotation about x by the angle whose multiples these are: J Z J."""
    xp = array_namespace(cos)
    n = 2 * l + 1
    if l <= TABLE_DEGREE:
        waves = xp.concat([-sin[..., :l], cos[..., l:]], axis=-1)
        table = xp.asarray(rotation_x_table(l), dtype=cos.dtype)
        return matmul(waves, table).reshape(*cos.shape[:-1], n, n)
    J, mirrored = (xp.asarray(x, dtype=cos.dtype) for x in (axis_exchange(l), axis_exchange(l)[:, ::-1]))
    shape = (*cos.shape[:-1], n, n)
    left = xp.broadcast_to(J, shape) * cos[..., None, :] + xp.broadcast_to(mirrored, shape) * sin[..., None, :]
    return matmul(left, J)
