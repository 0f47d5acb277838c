"""Unit vectors: without NaN at zero, and with lengths that are 1 to full precision."""

from typing import Any

from irreps_core._inputs._namespace import as_float_arrays, is_jax

from . import _direction_values


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
    if is_jax(r):
        from . import _jitted_directions  # imports JAX, which is optional

        return _jitted_directions.divided_by_length(r)
    return _direction_values.divided_by_length(r)


def with_exact_length(u: Any) -> Any:
    """Correct the lengths of unit vectors (x, y, z) for rounding: harmonics grow as length^l.

    The square of the length is computed in twice the precision: products of numbers of half the digits are exact.
    """
    if is_jax(u):
        from . import _jitted_directions  # imports JAX, which is optional

        return _jitted_directions.corrected(u)
    return _direction_values.corrected(u)
