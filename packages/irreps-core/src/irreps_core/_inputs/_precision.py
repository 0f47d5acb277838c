"""Narrow dtypes, such as float16 and bfloat16, are stored; sums and squares of them are computed in float32."""

from typing import Any

import numpy as np


def widened(x: Any) -> Any:
    """Return an array in float32 if its floating dtype is narrower, else unchanged.

    Example:
        >>> widened(np.ones(2, np.float16)).dtype, widened(np.ones(2)).dtype
        (dtype('float32'), dtype('float64'))
    """
    return x.astype(np.float32) if is_narrow(x.dtype) else x


def is_narrow(dtype: Any) -> bool:
    """Return whether a dtype is one of floating-point numbers below 32 bits, those of ml_dtypes included."""
    dtype = np.dtype(dtype)
    # bfloat16 and float8 have the kind "V".
    return dtype.itemsize < 4 and dtype.kind in "fV" and dtype.names is None


def rounded_to(dtype: Any, x: Any) -> Any:
    """Return a result in a dtype that is narrow, which rounds it; for other dtypes, the result unchanged."""
    return x.astype(dtype) if is_narrow(dtype) and x.dtype != dtype else x
