"""The delta function on the sphere."""

import math
from typing import Any

from irreps_core import Irreps, IrrepsArray
from irreps_ops.harmonics._spherical import sh

from ._s2_irreps import s2_irreps


def s2_dirac(
    position: Any,
    lmax: int,
    *,
    p_val: int = 1,
    p_arg: int = -1,
) -> IrrepsArray:
    r"""Return the coefficients of the delta function at a point of the sphere, up to a degree.

    .. math:: \delta_p(x) = \sum_{lm} \frac{Y_{lm}(p)}{4\pi} Y_{lm}(x), \qquad \int \delta_p \, d\Omega = 1

    with harmonics of "component" normalization: these are coefficients for :func:`to_s2grid` with "integral"
    normalization. For a weighted sum of delta functions, sum coefficients:
    ``ic.sum(irr.s2_dirac(positions, lmax) * weights[:, None], axis=0)``.

    Args:
        position: vectors 1o or 1e, or an array of shape (..., 3), of any length. A zero vector has no direction and
            gives the constant :math:`1 / 4π`.
        lmax: highest degree.
        p_val: parity of the values, 1 or -1.
        p_arg: parity of the argument: that of the vectors.

    Returns:
        Data of :func:`s2_irreps`, of shape (..., (lmax+1)**2).

    Raises:
        ValueError: `position` has other irreps than one vector of the parity `p_arg`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> 4 * jnp.pi * irr.s2_dirac(jnp.array([0.0, 2.0, 0.0]), 1)
        1x0e+1x1o [1.    0.    1.732 0.   ]
    """
    irreps = s2_irreps(lmax, p_val, p_arg)
    vectors = position
    if isinstance(position, IrrepsArray):
        expected = "1e" if p_arg == 1 else "1o"
        if position.irreps.simplify() != Irreps(expected):
            raise ValueError(f"s2_dirac with p_arg = {p_arg} expects vectors {expected}, got {position.irreps}")
        vectors = position.array
    return IrrepsArray(irreps, sh(range(lmax + 1), vectors, True, "component") / (4 * math.pi))
