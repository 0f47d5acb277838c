"""Making an `IrrepsArray`: from chunks or arrays, of zeros, of ones, of random numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core.irreps._irreps import IntoIrreps, Irreps

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
    """An IrrepsArray from the data of each item.

    Args:
        irreps: the irreps.
        chunks: for each item an array of shape (*leading_shape, mul, 2l+1), or None for zeros.
        leading_shape: shape without the irreps axis.
        dtype: of the result when every chunk is None.
        backend: the array library (``numpy`` or ``jax.numpy``) when every chunk is None.

    Raises:
        ValueError: wrong number of chunks, wrong shapes, or nothing says which dtype.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.from_chunks("2x0e + 1o", [None, np.ones((1, 3))], ())
        2x0e+1x1o [0. 0. 1. 1. 1.]
    """
    return chunks_of(IrrepsArray, irreps, chunks, leading_shape, dtype, backend=backend)


def as_irreps_array(array: Any, *, backend: Any = None) -> IrrepsArray:
    """An IrrepsArray unchanged; any other array as scalars ``n x 0e`` on its last axis.

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
        raise ValueError("as_irreps_array: a single number has no axis for its irreps; give it shape (1,)")
    return IrrepsArray(Irreps([(array.shape[-1], "0e")]), array)


def zeros(
    irreps: IntoIrreps, leading_shape: Sequence[int] = (), dtype: Any = None, *, backend: Any = None
) -> IrrepsArray:
    """Zeros, known to be zero.

    Args:
        irreps: the irreps.
        leading_shape: shape without the irreps axis.
        dtype: default: the array library's default float.
        backend: ``numpy`` or ``jax.numpy`` (default: JAX where it is installed).

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
    """Ones in every component (a constant vector is not equivariant: for tests). Arguments as :func:`zeros`."""
    irreps = Irreps(irreps)
    array = (backend or default_backend()).ones((*leading_shape, irreps.dim), dtype=dtype)
    return IrrepsArray(irreps, array)


def zeros_like(irreps_array: IrrepsArray) -> IrrepsArray:
    """Zeros of the irreps, shape and dtype of `irreps_array`."""
    x = irreps_array
    return zeros(x.irreps, x.shape[:-1], x.dtype, backend=array_namespace(x.array))


def ones_like(irreps_array: IrrepsArray) -> IrrepsArray:
    """Ones of the irreps, shape and dtype of `irreps_array`."""
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
    """Normally distributed data.

    Args:
        irreps: the irreps.
        key: a JAX random key, or a ``numpy.random.Generator`` (then the result is NumPy). Without one the
            numbers depend on the irreps alone, and a warning says so.
        leading_shape: shape without the irreps axis.
        normalize: whether every irrep is scaled to norm 1.
        normalization: ``"component"`` (default): every component has variance 1; ``"norm"``: every irrep has mean
            squared norm 1. Not used with `normalize`.
        dtype: default: the array library's default float.

    Raises:
        TypeError: `key` is neither of the two.
        ValueError: unknown normalization.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.normal("0e + 1o", np.random.default_rng(0), (10,), normalize=True)
        >>> ic.norm(x)[0]
        1x0e+1x0e [1. 1.]
    """
    irreps = Irreps(irreps)
    normalization = "component" if normalization is None else normalization
    if normalization not in ("component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {normalization!r}")
    if key is None:
        key = _key_of(irreps)
    leading = tuple(leading_shape)
    if not normalize and normalization == "component":
        return IrrepsArray(irreps, _standard_normal(key, (*leading, irreps.dim), dtype))
    chunks = []
    for mul, ir in irreps:
        key, own = _split_key(key)
        chunk = _standard_normal(own, (*leading, mul, ir.dim), dtype)
        xp = array_namespace(chunk)
        chunks.append(chunk / (xp.linalg.norm(chunk, axis=-1, keepdims=True) if normalize else ir.dim**0.5))
    empty = _standard_normal(key, (0,), dtype)
    return from_chunks(irreps, chunks, leading, empty.dtype, backend=array_namespace(empty))


def _key_of(irreps: Irreps) -> Any:
    """A random key made of the irreps alone: every call gives the same numbers, which is worth a warning."""
    import warnings
    import zlib

    warnings.warn("normal without a key gives the same numbers in every call: pass a random key", stacklevel=3)
    seed = zlib.crc32(repr(irreps).encode())
    try:
        import jax
    except ImportError:
        return np.random.default_rng(seed)
    return jax.random.key(seed)


def _split_key(key: Any) -> tuple[Any, Any]:
    """The key to go on with, and one to use now (the order is e3nn-jax's: the same key, the same numbers)."""
    if not is_jax(key):
        return key, key
    import jax

    key, own = jax.random.split(key)
    return key, own


def _standard_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if isinstance(key, np.random.Generator):
        return key.standard_normal(shape).astype(np.float64 if dtype is None else dtype)
    if is_jax(key):
        import jax

        return jax.random.normal(key, shape, float if dtype is None else dtype)
    raise TypeError(
        f"normal expects a JAX random key or a numpy.random.Generator, got {type(key).__name__}: "
        "for example ic.normal(irreps, jax.random.key(0))"
    )
