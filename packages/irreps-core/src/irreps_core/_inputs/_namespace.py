"""Array libraries: NumPy arrays in, NumPy arrays out; JAX arrays in, JAX arrays out."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ._precision import is_narrow


def is_jax(x: object) -> bool:
    """Return whether `x` is a JAX array or tracer. JAX is never imported: until it is, nothing is a JAX array."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(x, jax.Array)


def array_namespace(*arrays: Any) -> Any:
    """Return the array library of `arrays`: ``jax.numpy`` if any of them is a JAX array, else ``numpy``.

    Python numbers, lists and None are compatible with both.

    Example:
        >>> array_namespace(np.ones(3), 1.0).__name__
        'numpy'
    """
    for x in arrays:
        if is_jax(x):
            return x.__array_namespace__()
    return np


def as_float_arrays(*arrays: Any) -> tuple[Any, ...]:
    """Return arrays of one library and one floating dtype, made from numbers, lists and arrays.

    NumPy integers and Python numbers become float64; JAX ones follow JAX's default float.

    Raises:
        ValueError: an array is complex.
    """
    xp = array_namespace(*arrays)
    dtypes = [x.dtype for x in arrays if hasattr(x, "dtype")]
    dtype = xp.result_type(*dtypes) if dtypes else np.dtype(float)
    if is_narrow(dtype):
        return tuple(xp.asarray(x, dtype=dtype) for x in arrays)
    if xp.isdtype(dtype, "complex floating"):
        raise ValueError(f"expected real numbers, got an array of dtype {dtype}")
    if not xp.isdtype(dtype, "real floating"):
        dtype = xp.zeros(()).dtype
    return tuple(xp.asarray(x, dtype=dtype) for x in arrays)


def matmul(a: Any, b: Any) -> Any:
    """Return ``a @ b`` in the full precision of its dtype: float32 is not rounded to TF32 on a GPU."""
    if is_jax(a) or is_jax(b):
        import jax  # optional; an array is JAX's

        return jax.numpy.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
    return a @ b


def scan(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, rows: Any) -> Any:
    """Return the outputs of ``carry, output = step(carry, row)`` for the rows of an array, stacked on a new first axis.

    In JAX it is one loop, whose body is compiled once.
    """
    if is_jax(rows):
        import jax  # optional; the array is JAX's

        return jax.lax.scan(step, carry, rows)[1]
    outputs = []
    for row in rows:
        carry, output = step(carry, row)
        outputs.append(output)
    return np.stack(outputs)
