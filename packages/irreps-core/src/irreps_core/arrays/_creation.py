"""Functions that make an IrrepsArray: of chunks or arrays, of zeros, of ones, of random numbers."""

import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace
from irreps_core.irreps._irreps import IntoIrreps, Irreps
from irreps_core.irreps._random import normal_array

from ._base import default_backend
from ._base import from_chunks as chunks_of
from ._irreps_array import IrrepsArray


def from_chunks(
    irreps: IntoIrreps,
    chunks: Sequence[Any],
    leading_shape: Sequence[int],
    dtype: Any = None,
    *,
    backend: Any = None,
) -> IrrepsArray:
    """Make an IrrepsArray from the data of each item.

    Args:
        irreps: the irreps.
        chunks: for each item an array of shape ``(*leading_shape, mul, 2l+1)``, or None for zeros.
        leading_shape: shape without the irreps axis.
        dtype: dtype of the result if every chunk is None.
        backend: array library, ``numpy`` or ``jax.numpy``, if every chunk is None.

    Raises:
        ValueError: the number of chunks or a shape is wrong, or every chunk is None and there is no dtype.
        TypeError: a chunk is not an array.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.from_chunks("2x0e + 1o", [None, np.ones((1, 3))], ())
        2x0e+1x1o [0. 0. 1. 1. 1.]
    """
    return chunks_of(IrrepsArray, irreps, chunks, leading_shape, dtype, backend=backend)


def as_irreps_array(array: Any, *, backend: Any = None) -> IrrepsArray:
    """Return an IrrepsArray unchanged, and any other array as scalars ``n x 0e`` on its last axis.

    Args:
        array: an IrrepsArray, or an array of shape (..., n), or a list of numbers.
        backend: array library of the result for a list. Default: JAX where it is installed.

    Returns:
        IrrepsArray of shape (..., n).

    Raises:
        ValueError: the array has no axis.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.as_irreps_array(np.ones(3))
        3x0e [1. 1. 1.]
    """
    if isinstance(array, IrrepsArray):
        return array
    if not hasattr(array, "shape"):
        array = (backend or default_backend()).asarray(array)
    if len(array.shape) == 0:
        raise ValueError(
            "as_irreps_array expects an array with an axis for the irreps, got a number: give it shape (1,)"
        )
    return IrrepsArray(Irreps([(array.shape[-1], "0e")]), array)


def zeros(
    irreps: IntoIrreps, leading_shape: Sequence[int] = (), dtype: Any = None, *, backend: Any = None
) -> IrrepsArray:
    """Return zeros, which are known to be zero.

    Args:
        irreps: the irreps.
        leading_shape: shape without the irreps axis.
        dtype: dtype of the numbers. Default: the default float of the array library.
        backend: array library, ``numpy`` or ``jax.numpy``. Default: JAX where it is installed.

    Returns:
        IrrepsArray of shape (*leading_shape, irreps.dim).

    Example:
        >>> import irreps_core as ic
        >>> ic.zeros("0e + 1o", (2,)).zero_flags
        (True, True)
    """
    irreps = Irreps(irreps)
    array = (backend or default_backend()).zeros((*leading_shape, irreps.dim), dtype=dtype)
    return IrrepsArray(irreps, array, zero_flags=(True,) * len(irreps))


def ones(
    irreps: IntoIrreps, leading_shape: Sequence[int] = (), dtype: Any = None, *, backend: Any = None
) -> IrrepsArray:
    """Return ones in every component.

    This is for tests: a constant vector is not equivariant.

    Args:
        irreps: the irreps.
        leading_shape: shape without the irreps axis.
        dtype: dtype of the numbers. Default: the default float of the array library.
        backend: array library, ``numpy`` or ``jax.numpy``. Default: JAX where it is installed.

    Returns:
        IrrepsArray of shape (*leading_shape, irreps.dim).

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.ones("0e + 1o", backend=np)
        1x0e+1x1o [1. 1. 1. 1.]
    """
    irreps = Irreps(irreps)
    array = (backend or default_backend()).ones((*leading_shape, irreps.dim), dtype=dtype)
    return IrrepsArray(irreps, array)


def zeros_like(irreps_array: IrrepsArray) -> IrrepsArray:
    """Return zeros of the irreps, shape and dtype of `irreps_array`.

    Args:
        irreps_array: the data.

    Returns:
        IrrepsArray, which is known to be zero.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.zeros_like(ic.IrrepsArray("1o", np.array([1, 2, 3])))
        1x1o [0 0 0]
    """
    x = irreps_array
    return zeros(x.irreps, x.shape[:-1], x.dtype, backend=array_namespace(x.array))


def ones_like(irreps_array: IrrepsArray) -> IrrepsArray:
    """Return ones of the irreps, shape and dtype of `irreps_array`.

    Args:
        irreps_array: the data.

    Returns:
        IrrepsArray of the same kind of array.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.ones_like(ic.IrrepsArray("1o", np.array([1, 2, 3])))
        1x1o [1 1 1]
    """
    x = irreps_array
    return ones(x.irreps, x.shape[:-1], x.dtype, backend=array_namespace(x.array))


def normal(
    irreps: IntoIrreps,
    key: Any = None,
    leading_shape: Sequence[int] = (),
    *,
    normalize: bool = False,
    normalization: str | None = None,
    dtype: Any = None,
) -> IrrepsArray:
    """Return normally distributed data.

    Args:
        irreps: the irreps.
        key: a JAX random key, or a ``numpy.random.Generator``, which gives NumPy arrays. Without one the numbers
            depend on the irreps alone, and a warning says so.
        leading_shape: shape without the irreps axis.
        normalize: whether every irrep is scaled to norm 1.
        normalization: ``"component"`` (default): every component has variance 1; ``"norm"``: every irrep has mean
            squared norm 1. Not used with `normalize`.
        dtype: dtype of the numbers. Default: the default float of the array library.

    Returns:
        IrrepsArray of shape (*leading_shape, irreps.dim).

    Raises:
        TypeError: `key` is neither of the two.
        ValueError: the normalization is unknown.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.normal("0e + 1o", np.random.default_rng(0), (10,), normalize=True)
        >>> ic.norm(x)[0]
        1x0e+1x0e [1. 1.]
    """
    irreps = Irreps(irreps)
    key = _key_of(irreps) if key is None else key
    options = {"normalize": normalize, "normalization": normalization, "dtype": dtype}
    return IrrepsArray(irreps, normal_array(irreps, key, tuple(leading_shape), **options))


def _key_of(irreps: Irreps) -> Any:
    """Make a random key of the irreps alone, and warn that every call gives the same numbers."""
    warnings.warn("normal without a key gives the same numbers in every call: pass a random key", stacklevel=3)
    seed = zlib.crc32(repr(irreps).encode())
    try:
        import jax  # optional
    except ImportError:
        return np.random.default_rng(seed)
    return jax.random.key(seed)
