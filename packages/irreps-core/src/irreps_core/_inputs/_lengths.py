"""Lengths of vectors of any number of components, over the whole range of a dtype."""

from typing import Any

from ._length_values import length_values
from ._namespace import is_jax
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
    return rounded_to(x.dtype, length_values(wide))
