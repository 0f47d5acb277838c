"""Associated Legendre functions of JAX arrays."""

import jax

import irreps_core as ic
from irreps_ops._inputs import _checks as check


def legendre(lmax: int, x: jax.Array, phase: float, is_normalized: bool = False) -> jax.Array:
    r"""Return :func:`irreps_core.legendre` of a JAX array, or of anything that converts to one.

    .. math:: P_{lm}(x) = \text{phase}^m (1 - x^2)^{m/2} \frac{d^m}{dx^m} P_l(x)

    Args:
        lmax: highest degree.
        x: cosines, from -1 to 1, of any shape.
        phase: 1, or -1 for the Condon-Shortley phase :math:`(-1)^m`.
        is_normalized: multiply by :math:`\sqrt{\frac{2l+1}{4\pi} \frac{(l-m)!}{(l+m)!}}`, the factor that turns them
            into integral-normalized spherical harmonics.

    Returns:
        Array of shape (lmax+1, lmax+1, ...), indexed [l, m]; zero where :math:`m > l`. At :math:`x = ±1`, where the
        derivative of odd orders is infinite, it is taken as zero.

    Raises:
        ValueError: `lmax` is negative or not an integer.

    Example:
        >>> import irreps_ops as irr
        >>> irr.legendre(2, 0.6, phase=1.0)[2]
        Array([0.04, 1.44, 1.92], dtype=float...)
    """
    lmax = check.count("legendre", "lmax", lmax, 0)
    return ic.legendre(lmax, check.float_array("legendre", x), phase, is_normalized)
