"""Unit vectors: without NaN at zero, and with lengths that are 1 to full precision."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, as_float_arrays, is_jax
from irreps_core._inputs._precision import rounded_to, widened
from irreps_core._inputs._vectors import constant


def unit_vectors(r: Any) -> Any:
    r"""Return the unit vectors :math:`r / |r|`, and 0 where :math:`r = 0`, with zero derivatives there.

    No length overflows or underflows, except that vectors below the smallest normal number count as zero.

    Args:
        r: NumPy or JAX array of shape (..., n).

    Returns:
        Array of the same shape and kind.

    Raises:
        ValueError: `r` is a number or complex.

    Example:
        >>> import numpy as np
        >>> from irreps_core import unit_vectors
        >>> unit_vectors(np.array([[0.0, 3e200, 4e200], [0.0, 0.0, 0.0]]))
        array([[0. , 0.6, 0.8],
               [0. , 0. , 0. ]])
    """
    (r,) = as_float_arrays(r)
    if r.ndim == 0:
        raise ValueError(f"r must have shape (..., n), received the number {r}")
    xp = array_namespace(r)
    dtype, r = r.dtype, widened(r)
    # r/|r| does not depend on the scale of r, so the scale may be taken as a constant; it saves r² from overflow. The
    # limits are those between which the reciprocal, by which XLA multiplies, is a normal number.
    tiny = xp.finfo(r.dtype).tiny
    size = constant(xp.max(xp.abs(r), axis=-1, keepdims=True))
    zero = size < tiny
    if is_jax(r):
        r = _with_subnormals(r, size)
        size = constant(xp.max(xp.abs(r), axis=-1, keepdims=True))
    scaled = xp.where(zero, 0, r / xp.where(zero, 1, xp.minimum(size, 1 / tiny)))
    square = xp.sum(scaled**2, axis=-1, keepdims=True)
    return rounded_to(dtype, scaled / xp.sqrt(xp.where(zero, 1, square)))


def _with_subnormals(r: Any, size: Any) -> Any:
    """Scale short vectors by a power of 2, components below the smallest normal number included.

    XLA takes these for zero in all arithmetic on CPUs; only their bits say what they are.
    """
    from jax import lax  # optional; the array is JAX's

    xp = array_namespace(r)
    info = xp.finfo(r.dtype)
    short = size < 2.0 ** (info.minexp + 2 * info.nmant)
    bits = lax.bitcast_convert_type(r, f"int{info.bits}")
    mantissa = bits & ((1 << info.nmant) - 1)
    is_subnormal = (bits >> info.nmant) & ((1 << info.nexp) - 1) == 0
    # mantissa * 2^(minexp - nmant) is the number, times 2^(2 nmant)
    lifted = xp.where(bits < 0, -mantissa, mantissa).astype(r.dtype) * 2.0 ** (info.minexp + info.nmant)
    scale = xp.where(short, 2.0 ** (2 * info.nmant), 1).astype(r.dtype)
    scaled = r * scale
    return scaled + constant(xp.where(is_subnormal & short, lifted - scaled, 0))


def with_exact_length(u: Any) -> Any:
    """Correct the lengths of unit vectors (x, y, z) for rounding: harmonics grow as length^l.

    The square of the length is computed in twice the precision: products of numbers of half the digits are exact.
    """
    xp = array_namespace(u)
    w = constant(u)
    upper = _upper_half(w)
    x2, y2, z2 = (upper[..., i : i + 1] ** 2 for i in range(3))
    excess = ((x2 - 1) + y2) + z2 + xp.sum((w + upper) * (w - upper), axis=-1, keepdims=True)
    return u - u * (excess / 2)


def _upper_half(x: Any) -> Any:
    """Round to half the digits."""
    if is_jax(x):
        import jax  # optional; the array is JAX's

        info = jax.numpy.finfo(x.dtype)
        return jax.lax.reduce_precision(x, info.nexp, info.nmant // 2)
    digits = np.finfo(x.dtype).nmant // 2 + 1
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(np.ldexp(mantissa, digits)), exponent - digits)
