"""Real Wigner D matrices of any degree.

D^l(q) is the rotation q written on the 2l+1 real components of degree l, m = -l .. l about the polar axis y; D^1(q) is the
rotation matrix on (x, y, z).

With the Euler angles of R = Ry(alpha) Rx(beta) Ry(gamma), D = Z(alpha) J Z(beta) J Z(gamma): Z turns the components
m and -m by m times the angle, and J is the constant matrix of the rotation by pi that exchanges x and y. Only the phases
of the angles are needed, and those are algebraic in the quaternion: there is no trigonometry, and no pole.
The derivative, for JAX, is the group's own: see ``_wigner_jvp``.
"""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from ._angles import angles_to_quaternion
from ._axis_angle import axis_angle_to_quaternion
from ._degrees import check_degree
from ._log_coordinates import log_coordinates_to_quaternion
from ._matrix import matrix_to_quaternion
from ._namespace import array_namespace, is_jax
from ._quaternion import euler_phases
from ._vectors import checked
from ._wigner_constants import axis_exchange, rotation_x_table

# Up to here one product with a table of (2l+1)^3 numbers gives d(beta); the tables of higher degrees would be large.
TABLE_DEGREE = 12


def wigner_D_from_quaternion(l: SupportsIndex, q: Any) -> Any:
    """The Wigner D matrix of a quaternion.

    Args:
        l: degree.
        q: array of shape ``(..., 4)``, in the order (w, x, y, z). Its norm does not matter; zero counts as the identity.

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
        q: array of shape ``(..., 4)``, in the order (w, x, y, z). Its norm does not matter; zero counts as the identity.

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
    (cos_a, sin_a), (cos_b, sin_b), (cos_c, sin_c) = (multiples(*phase, lmax) for phase in euler_phases(q))
    blocks = []
    for l in ls:
        d = _rotation_x(l, cos_b, sin_b)
        # Z(alpha) d Z(gamma), where Z has cos(m a) at (m, m) and -sin(m a) at (m, -m).
        d = d * _even(cos_c, l, xp)[..., None, :] + xp.flip(d, -1) * _odd(sin_c, l, xp)[..., None, :]
        d = d * _even(cos_a, l, xp)[..., :, None] - xp.flip(d, -2) * _odd(sin_a, l, xp)[..., :, None]
        blocks.append(d)
    return blocks


def multiples(cos: Any, sin: Any, n: int) -> tuple[Any, Any]:
    """The cosines and sines of 0, 1, ..., n times an angle, of shape (..., n+1).

    Powers of the phase, doubled in number in each step and brought back to the unit circle.
    """
    xp = array_namespace(cos)
    c, s = xp.stack([xp.ones_like(cos), cos], axis=-1), xp.stack([xp.zeros_like(sin), sin], axis=-1)
    while c.shape[-1] <= n:
        c1, s1, c2, s2 = c[..., -1:], s[..., -1:], c[..., 1:], s[..., 1:]
        c2, s2 = c1 * c2 - s1 * s2, s1 * c2 + c1 * s2
        # One Newton step for 1 / sqrt(c^2 + s^2), which is 1 up to rounding.
        unit = 1.5 - (c2 * c2 + s2 * s2) / 2
        c, s = xp.concat([c, c2 * unit], axis=-1), xp.concat([s, s2 * unit], axis=-1)
    return c[..., : n + 1], s[..., : n + 1]


def _even(cos: Any, l: int, xp: Any) -> Any:
    """cos(m a) for m = -l .. l."""
    return xp.concat([xp.flip(cos[..., 1 : l + 1], -1), cos[..., : l + 1]], axis=-1)


def _odd(sin: Any, l: int, xp: Any) -> Any:
    """sin(m a) for m = -l .. l."""
    return xp.concat([-xp.flip(sin[..., 1 : l + 1], -1), sin[..., : l + 1]], axis=-1)


def _rotation_x(l: int, cos: Any, sin: Any) -> Any:
    """D of the rotation about x whose angle has these multiples: J Z(beta) J."""
    xp = array_namespace(cos)
    n = 2 * l + 1
    if l <= TABLE_DEGREE:
        waves = xp.concat([xp.flip(sin[..., 1 : l + 1], -1), cos[..., : l + 1]], axis=-1)
        table = rotation_x_table(l)
        return matmul(waves, xp.asarray(table, dtype=cos.dtype)).reshape(*cos.shape[:-1], n, n)
    J = xp.broadcast_to(xp.asarray(axis_exchange(l), dtype=cos.dtype), (*cos.shape[:-1], n, n))
    JZ = J * _even(cos, l, xp)[..., None, :] + xp.flip(J, -1) * _odd(sin, l, xp)[..., None, :]
    return matmul(JZ, xp.asarray(axis_exchange(l), dtype=cos.dtype))


def matmul(a: Any, b: Any) -> Any:
    """The product of a stack of matrices (or one row) and one matrix; float32 stays float32 on every device."""
    if is_jax(a):
        import jax

        return jax.numpy.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
    return a @ b


def block_diagonal(blocks: Sequence[Any]) -> Any:
    """The block diagonal matrices of square blocks.

    Args:
        blocks: at least one array of shape ``(..., d, d)``; their leading axes are broadcast, each has its own d.

    Returns:
        Array of shape ``(..., n, n)``, where n is the sum of the d.

    Raises:
        ValueError: there are no blocks, or one is not square.

    Example:
        >>> import numpy as np
        >>> block_diagonal([np.array([[1.0]]), np.array([[2.0, 3.0], [4.0, 5.0]])])
        array([[1., 0., 0.],
               [0., 2., 3.],
               [0., 4., 5.]])
    """
    if not blocks:
        raise ValueError("block_diagonal needs at least one block, received none")
    for block in blocks:
        if block.ndim < 2 or block.shape[-1] != block.shape[-2]:
            raise ValueError(f"blocks must have shape (..., d, d), received shape {tuple(block.shape)}")
    xp = array_namespace(*blocks)
    leading = np.broadcast_shapes(*(block.shape[:-2] for block in blocks))
    dim = sum(block.shape[-1] for block in blocks)
    matrix = xp.zeros((*leading, dim, dim), dtype=xp.result_type(*blocks))
    start = 0
    for block in blocks:
        stop = start + block.shape[-1]
        index = (..., slice(start, stop), slice(start, stop))
        if xp is np:
            matrix[index] = block
        else:
            matrix = matrix.at[index].set(xp.broadcast_to(block, (*leading, *block.shape[-2:])))
        start = stop
    return matrix
