"""Lengths of vectors of any number of components, over the whole range of a dtype."""

from typing import Any

from ._namespace import array_namespace, is_jax
from ._precision import rounded_to, widened


def lengths(x: Any) -> Any:
    """Return the Euclidean lengths along the last axis, which is kept; at zero all derivatives are zero.

    Neither values nor derivatives overflow or underflow unless they are out of the range of the dtype themselves.

    Args:
        x: real NumPy or JAX array of floating dtype, of shape (..., n).
    """
    wide = widened(x)
    if is_jax(x):
        from ._lengths_rule import lengths_of_floats  # imports JAX, which is optional

        return rounded_to(x.dtype, lengths_of_floats(wide))
    return rounded_to(x.dtype, scaled_lengths(wide))


def scaled_lengths(x: Any) -> Any:
    """Return the lengths without a rule for derivatives."""
    xp = array_namespace(x)
    exponent = xp.finfo(x.dtype).maxexp
    size = xp.max(xp.abs(x), axis=-1, keepdims=True, initial=0)
    one = xp.ones_like(size)
    # Powers of 2, which are exact: ordinary lengths are rounded as without them.
    small, large = size < 2.0 ** -(exponent * 3 // 10), size > 2.0 ** (exponent * 3 // 10)
    scale = xp.where(small, one * 2.0 ** (exponent * 11 // 16), xp.where(large, one * 2.0 ** -(exponent * 5 // 8), one))
    scaled = x * scale
    return xp.sqrt(xp.sum(scaled * scaled, axis=-1, keepdims=True)) / scale
