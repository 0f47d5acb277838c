"""Cutoff functions: functions of a distance that fall to zero at a cutoff and are zero beyond it."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import computed_in_float32


def poly_envelope(n0: int, n1: int, x_max: float = 1.0) -> Callable[[Any], jax.Array]:
    r"""Return the polynomial envelope, which falls from 1 at 0 to 0 at the cutoff and is flat at both ends.

    .. math:: f(u) = (1 - u)^{n_1 + 1} \sum_{k=0}^{n_0} \binom{n_1 + k}{k} u^k, \qquad u = x / x_\text{max}

    It is the only polynomial of degree :math:`n_0 + n_1 + 1` whose first :math:`n_0` derivatives at 0 and first
    :math:`n_1` derivatives at the cutoff are zero. It is zero beyond the cutoff. For :math:`n_0 = p - 1` and
    :math:`n_1 = 2` it is the envelope :math:`u_p` of DimeNet.

    Args:
        n0: number of derivatives that vanish at 0.
        n1: number of derivatives that vanish at the cutoff.
        x_max: cutoff.

    Returns:
        An elementwise function of an array of distances, in the unit of `x_max`.

    Raises:
        ValueError: a negative or non-integer count, or a cutoff that is not positive.

    Source: Gasteiger et al., Directional Message Passing for Molecular Graphs (2020), arXiv:2003.03123, equation (8).
    The form above has only positive terms, so that nothing cancels.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.poly_envelope(5, 2, x_max=4.0)(jnp.array([0.0, 2.0, 4.0, 5.0]))
        Array([1.    , 0.8555, 0.    , 0.    ], dtype=float...)
    """
    n0, n1 = check.count("poly_envelope", "n0", n0, 0), check.count("poly_envelope", "n1", n1, 0)
    x_max = check.positive("poly_envelope", "x_max", x_max)

    @computed_in_float32
    def envelope(x: Any) -> jax.Array:
        u = check.float_array("poly_envelope", x) / x_max
        inside = u < 1
        u = jnp.where(inside, u, 1)
        total = jnp.full_like(u, math.comb(n0 + n1, n0))
        for k in reversed(range(n0)):
            total = total * u + math.comb(n1 + k, k)
        return jnp.where(inside, (1 - u) ** (n1 + 1) * total, 0)

    return envelope


@computed_in_float32
def sus(x: jax.Array) -> jax.Array:
    r"""Return the smooth unit step, :math:`\exp(-1/x)` for :math:`x > 0` and 0 otherwise.

    All derivatives are finite, and zero at 0.

    Args:
        x: numbers of any shape.

    Returns:
        Array of the shape of `x`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.sus(jnp.array([-1.0, 0.0, 1.0, 2.0]))
        Array([0.    , 0.    , 0.3679, 0.6065], dtype=float...)
    """
    x = check.float_array("sus", x)
    # For smaller x, exp(-1/x) is not a normal number, and the powers of 1/x in its derivatives would be infinite.
    inside = x > -1 / math.log(float(jnp.finfo(x.dtype).tiny))
    return jnp.where(inside, jnp.exp(-1 / jnp.where(inside, x, 1)), 0)


@computed_in_float32
def soft_envelope(
    x: jax.Array, x_max: float = 1.0, arg_multiplicator: float = 2.0, value_at_origin: float = 1.2
) -> jax.Array:
    r"""Return an infinitely smooth envelope, which is zero beyond the cutoff.

    It is a multiple of :math:`\text{sus}(a (1 - x / x_\text{max}))`, see :func:`sus`.

    Args:
        x: distances, any shape.
        x_max: cutoff, in the unit of `x`.
        arg_multiplicator: a; a larger value makes the envelope steeper at the cutoff.
        value_at_origin: value at :math:`x = 0`.

    Returns:
        Array of the shape of `x`.

    Raises:
        ValueError: `x_max` or `arg_multiplicator` is not positive.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.soft_envelope(jnp.array([0.0, 0.5, 1.0]))
        Array([1.2   , 0.7278, 0.    ], dtype=float...)
    """
    x_max = check.positive("soft_envelope", "x_max", x_max)
    a = check.positive("soft_envelope", "arg_multiplicator", arg_multiplicator)
    x = check.float_array("soft_envelope", x)
    return value_at_origin * math.exp(1 / a) * sus(a * (1 - x / x_max))


@computed_in_float32
def cosine_cutoff(x: jax.Array, x_max: float = 1.0) -> jax.Array:
    r"""Return :math:`\frac12 (1 + \cos(π x / x_\text{max}))` below the cutoff, and zero beyond it.

    Args:
        x: distances, any shape.
        x_max: cutoff, in the unit of `x`.

    Returns:
        Array of the shape of `x`.

    Raises:
        ValueError: `x_max` is not positive.

    Source: Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007), equation (4).

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.cosine_cutoff(jnp.array([0.0, 1.0, 2.0, 3.0]), x_max=2.0)
        Array([1. , 0.5, 0. , 0. ], dtype=float...)
    """
    x_max = check.positive("cosine_cutoff", "x_max", x_max)
    u = check.float_array("cosine_cutoff", x) / x_max
    inside = u < 1
    return jnp.where(inside, jnp.cos(math.pi / 2 * jnp.where(inside, u, 1)) ** 2, 0)


@computed_in_float32
def xplor_cutoff(x: jax.Array, x_on: float, x_max: float = 1.0) -> jax.Array:
    r"""Return a function that falls smoothly from 1 to 0 between two distances.

    It is 1 below :math:`x_\text{on}`, 0 beyond the cutoff, and a cubic in :math:`x^2` with continuous slopes between
    them.

    Args:
        x: distances, any shape.
        x_on: distance at which the function begins to fall, from 0 to below `x_max`.
        x_max: cutoff, in the unit of `x`.

    Returns:
        Array of the shape of `x`.

    Raises:
        ValueError: not ``0 <= x_on < x_max``.

    Source: Brooks et al., CHARMM, J. Comput. Chem. 4, 187 (1983), the SWITCH function, as in X-PLOR.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.xplor_cutoff(jnp.array([0.5, 1.0, 1.5, 2.0]), x_on=1.0, x_max=2.0)
        Array([1.   , 1.   , 0.624, 0.   ], dtype=float...)
    """
    x_max = check.positive("xplor_cutoff", "x_max", x_max)
    if not 0 <= x_on < x_max:
        raise ValueError(f"xplor_cutoff expects 0 <= x_on < x_max = {x_max}, got x_on = {x_on!r}")
    x = check.float_array("xplor_cutoff", x)
    u, u_on = x / x_max, x_on / x_max
    # t goes from 0 at x_on to 1 at the cutoff, linear in x².
    square = jnp.where((u > u_on) & (u < 1), u, u_on) ** 2
    t = (square - u_on**2) / (1 - u_on**2)
    return jnp.where(u < 1, (1 - t) ** 2 * (1 + 2 * t), 0)
