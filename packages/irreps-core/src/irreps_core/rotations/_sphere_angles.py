"""Points on the unit sphere as angles: :math:`r = R_y(α) R_x(β) e_y`, so β is the polar angle from the axis y."""

from typing import Any

from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core._inputs._vectors import checked, length, normalize

from ._quaternion import Y_AXIS


def angles_to_xyz(alpha: Any, beta: Any) -> Any:
    r"""Convert angles to the point :math:`(\sin β \sin α, \cos β, \sin β \cos α)`.

    Args:
        alpha: array of shape ``(...)``, in radians.
        beta: array of shape ``(...)``, in radians.

    Returns:
        Array of shape ``(..., 3)``.

    Example:
        >>> angles_to_xyz(1.7, 0.0) + 0
        array([0., 1., 0.])
    """
    alpha, beta = as_float_arrays(alpha, beta)
    xp = array_namespace(alpha)
    alpha, beta = xp.broadcast_arrays(alpha, beta)
    return xp.stack(
        [xp.sin(beta) * xp.sin(alpha), xp.cos(beta), xp.sin(beta) * xp.cos(alpha)],
        axis=-1,
    )


def xyz_to_angles(xyz: Any) -> tuple[Any, Any]:
    """Convert a direction to angles, to full precision everywhere.

    On the axis y, alpha is not determined: it is 0, and its derivatives with respect to x and z, which do not exist,
    are taken as 0.

    Args:
        xyz: array of shape ``(..., 3)``. The length of the vectors does not matter; the angles of zero are zero.

    Returns:
        α in :math:`[-π, π]` and β in :math:`[0, π]`, each of shape ``(...)``, in radians.

    Example:
        >>> import numpy as np
        >>> alpha, beta = xyz_to_angles(np.array([0.0, 0.0, 2.0]))
        >>> float(alpha), float(beta)
        (0.0, 1.57079)
    """
    (xyz,) = checked((3,), xyz=xyz)
    xp = array_namespace(xyz)
    v = normalize(xyz, Y_AXIS)
    zx = xp.stack([v[..., 2], v[..., 0]], axis=-1)
    direction = normalize(zx, (1.0, 0.0))
    return xp.arctan2(direction[..., 1], direction[..., 0]), xp.arctan2(length(zx), v[..., 1])
