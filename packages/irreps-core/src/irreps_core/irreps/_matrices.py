"""Representation matrices of an irrep or of irreps, in every parametrization of rotations."""

from collections.abc import Callable, Sequence
from typing import Any

from irreps_core.representations._direct_sum import representation_matrix, rotation_and_inversions
from irreps_core.rotations._angles import angles_to_quaternion
from irreps_core.rotations._axis_angle import axis_angle_to_quaternion
from irreps_core.rotations._log_coordinates import log_coordinates_to_quaternion


class HasMatrices:
    """The methods ``D_from_*`` of a representation. NumPy arrays give NumPy arrays, JAX arrays JAX arrays."""

    __slots__ = ()

    _items: Callable[..., Sequence[Any]]  # the representation as a sequence of `MulIrrep`

    def D_from_angles(self, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> Any:
        """Return the representation matrix of the rotation Ry(alpha) Rx(beta) Ry(gamma) after `k` inversions.

        Args:
            alpha: third rotation, about y, in radians, shape (...).
            beta: second rotation, about x, in radians, shape (...).
            gamma: first rotation, about y, in radians, shape (...).
            k: how many times space is inverted, integers of shape (...).

        Returns:
            Block diagonal orthogonal matrices of shape (..., dim, dim).

        Example:
            >>> import numpy as np
            >>> from irreps_core import Irreps
            >>> Irreps("0e + 0o").D_from_angles(0.0, 0.0, 0.0, k=1)
            array([[ 1.,  0.],
                   [ 0., -1.]])
        """
        return self.D_from_quaternion(angles_to_quaternion(alpha, beta, gamma), k)

    def D_from_quaternion(self, q: Any, k: Any = 0) -> Any:
        """Return the representation matrix of quaternions.

        Args:
            q: quaternions (w, x, y, z) of shape (..., 4), of any length but zero.
            k: how many times space is inverted, integers of shape (...).

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return representation_matrix(self._items(), q, k)

    def D_from_matrix(self, R: Any) -> Any:
        """Return the representation matrix of rotations and mirrors.

        Args:
            R: orthogonal matrices of shape (..., 3, 3), of determinant 1 or -1.

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.

        Raises:
            ValueError: a matrix is not orthogonal: an entry of :math:`R R^T - I` exceeds 0.01, or eight times the
                precision of a narrow dtype. Arrays that JAX traces are checked inside ``irreps_ops.checked`` alone.

        Example:
            >>> import numpy as np
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 1e").D_from_matrix(-np.eye(3)).diagonal()
            array([-1., -1., -1.,  1.,  1.,  1.])
        """
        return self.D_from_quaternion(*rotation_and_inversions(R))

    def D_from_axis_angle(self, axis: Any, angle: Any, k: Any = 0) -> Any:
        """Return the representation matrix of rotations about an axis.

        Args:
            axis: vectors of shape (..., 3), of any length but zero.
            angle: array of shape (...), in radians.
            k: how many times space is inverted, integers of shape (...).

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return self.D_from_quaternion(axis_angle_to_quaternion(axis, angle), k)

    def D_from_log_coordinates(self, log_coordinates: Any, k: Any = 0) -> Any:
        r"""Return the representation matrix :math:`\exp(\sum_a v_a X_a)` of log coordinates v, with the generators X.

        Args:
            log_coordinates: axis times angle, of shape (..., 3), in radians.
            k: how many times space is inverted, integers of shape (...).

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return self.D_from_quaternion(log_coordinates_to_quaternion(log_coordinates), k)
