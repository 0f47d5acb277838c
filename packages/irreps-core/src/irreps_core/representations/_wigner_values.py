"""Values of Wigner D matrices, for NumPy and JAX arrays, without derivative rules."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, matmul
from irreps_core.rotations._quaternion import euler_phases

from ._wigner_constants import axis_exchange, rotation_x_table

# Up to this degree, J Z(beta) J is one product with a table of (2l+1)^3 numbers. For higher degrees the table would be
# large.
TABLE_DEGREE = 12


def evaluate_blocks(ls: tuple[int, ...], q: Any) -> list[Any]:
    """Return the values of :func:`wigner_D_blocks`, for increasing degrees."""
    if not ls:
        return []
    xp = array_namespace(q)
    lmax = ls[-1]
    # Errors of the phases grow with the degree: they are computed in the default float, if that is wider.
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
    """Return the cosines and sines of m times an angle, m = -lmax .. lmax on a new last axis.

    They are powers of the phase. Each step doubles their number and projects them to the unit circle.
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
    """Return D of the rotation about x, J Z J, from the cosines and sines of the multiples of its angle."""
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
