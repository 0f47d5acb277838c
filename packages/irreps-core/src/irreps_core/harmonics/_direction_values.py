"""Unit vectors of NumPy and JAX arrays, without checks."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core._inputs._precision import rounded_to, widened
from irreps_core._inputs._vectors import constant


def divided_by_length(r: Any) -> Any:
    """Return the unit vectors of an array of floating-point numbers of shape (..., n)."""
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


def corrected(u: Any) -> Any:
    """Correct the lengths of unit vectors, see :func:`._directions.with_exact_length`."""
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
