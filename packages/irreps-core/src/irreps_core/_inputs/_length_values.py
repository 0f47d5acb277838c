"""Values of lengths, which neither overflow nor underflow on the way, for NumPy and JAX arrays."""

from typing import Any

from ._namespace import array_namespace


def length_values(x: Any) -> Any:
    """Return the lengths along the last axis, which is kept, without a rule for derivatives."""
    xp = array_namespace(x)
    exponent = xp.finfo(x.dtype).maxexp
    size = xp.max(xp.abs(x), axis=-1, keepdims=True, initial=0)
    one = xp.ones_like(size)
    # Powers of 2, which are exact: ordinary lengths are rounded as without them.
    small, large = size < 2.0 ** -(exponent * 3 // 10), size > 2.0 ** (exponent * 3 // 10)
    scale = xp.where(small, one * 2.0 ** (exponent * 11 // 16), xp.where(large, one * 2.0 ** -(exponent * 5 // 8), one))
    scaled = x * scale
    return xp.sqrt(xp.sum(scaled * scaled, axis=-1, keepdims=True)) / scale
