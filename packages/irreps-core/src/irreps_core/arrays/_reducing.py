"""Sums, means, norms, dot products and cross products of IrrepsArrays."""

import math
from collections.abc import Callable
from typing import Any

from irreps_core._inputs._lengths import lengths
from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core._inputs._precision import is_narrow, rounded_to, widened
from irreps_core.irreps._irreps import Irreps

from ._base import describe
from ._creation import from_chunks, zeros
from ._irreps_array import IrrepsArray
from ._rearranging import align

Axis = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis {a} does not exist, there are {ndim} axes")
    return tuple(sorted({a % ndim for a in axes}))


def _sum(x: Any, axis: Any, keepdims: bool) -> Any:
    return rounded_to(x.dtype, array_namespace(x).sum(widened(x), axis=axis, keepdims=keepdims))


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    count = math.prod(x.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))
    return rounded_to(x.dtype, array_namespace(x).sum(widened(x), axis=axis, keepdims=keepdims) / max(count, 1))


def _reduce(reduce: Callable[[Any, Any, bool], Any], x: IrrepsArray, axis: Axis, keepdims: bool) -> IrrepsArray:
    xp = array_namespace(x.array)
    axes = _axes(axis, x.ndim)
    leading = tuple(a for a in axes if a < x.ndim - 1)
    if leading:
        x = IrrepsArray(x.irreps, reduce(x.array, leading, keepdims), zero_flags=x.zero_flags)
    if len(leading) == len(axes):
        return x
    # On the irreps axis only the irreps of one item can be added: each item becomes one irrep.
    chunks = [None if chunk is None else reduce(chunk, -2, True) for chunk in x.chunks]
    return from_chunks(x.irreps.set_mul(1), chunks, x.shape[:-1], x.dtype, backend=xp)


def sum(array: IrrepsArray, axis: Axis = None, keepdims: bool = False) -> IrrepsArray:
    """Sum over axes; over the last one, sum the irreps of each item.

    Args:
        array: the data.
        axis: one or several axes (default: all).
        keepdims: keep the reduced leading axes with length 1.

    Returns:
        IrrepsArray. Over the last axis each item becomes one irrep.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("3x0e + 2x0e", np.arange(10).reshape(2, 5))
        >>> ic.sum(x, axis=0)
        3x0e+2x0e [ 5  7  9 11 13]
        >>> ic.sum(x)
        1x0e+1x0e [21 24]
    """
    return _reduce(_sum, array, axis, keepdims)


def mean(array: IrrepsArray, axis: Axis = None, keepdims: bool = False) -> IrrepsArray:
    """Return the mean over axes; over the last one, the mean of the irreps of each item.

    The mean over nothing, an axis of length 0 or an item of multiplicity 0, is zero.

    Args:
        array: the data.
        axis: one or several axes (default: all).
        keepdims: keep the reduced leading axes with length 1.

    Returns:
        IrrepsArray. Over the last axis each item becomes one irrep.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> ic.mean(ic.IrrepsArray("3x0e + 2x0e", np.arange(10.0).reshape(2, 5)))
        1x0e+1x0e [3.5 6. ]
    """
    return _reduce(_mean, array, axis, keepdims)


def _scalars(irreps: Irreps) -> Irreps:
    return Irreps([(mul, (0, 1)) for mul, _ in irreps])


def _real(xp: Any, dtype: Any) -> Any:
    return xp.zeros((), dtype).real.dtype


def norm(array: IrrepsArray, *, squared: bool = False, per_irrep: bool = True) -> IrrepsArray:
    """Return the Euclidean norm of each irrep, or of the whole last axis, as scalars 0e.

    At the zero vector its derivatives of every order are zero. Neither it nor its derivatives overflow or underflow on
    the way: they are right over the whole range of the dtype. (XLA on CPUs takes subnormal numbers for zero.)

    Args:
        array: the data.
        squared: whether to return the squared norm.
        per_irrep: one norm for each irrep; otherwise one for the whole last axis.

    Returns:
        IrrepsArray of scalars, of shape (..., num_irreps), or (..., 1).

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("2x0e + 1o", np.array([1.0, -2.0, 2.0, 3.0, 6.0]))
        >>> ic.norm(x)
        2x0e+1x0e [1. 2. 7.]
        >>> ic.norm(x, squared=True, per_irrep=False)
        1x0e [54.]
    """
    x = array
    xp = array_namespace(x.array)

    def of(chunk: Any) -> Any:
        if squared:
            wide = widened(chunk)
            return rounded_to(chunk.dtype, xp.sum((xp.conj(wide) * wide).real, axis=-1, keepdims=True))
        if not is_narrow(chunk.dtype) and xp.isdtype(chunk.dtype, "complex floating"):
            chunk = xp.concatenate([chunk.real, chunk.imag], axis=-1)
        return lengths(*as_float_arrays(chunk))

    if not per_irrep:
        return IrrepsArray("0e", of(x.array))
    chunks = [None if chunk is None else of(chunk) for chunk in x.chunks]
    return from_chunks(_scalars(x.irreps), chunks, x.shape[:-1], _real(xp, x.dtype), backend=xp)


def dot(a: IrrepsArray, b: IrrepsArray, per_irrep: bool = False) -> IrrepsArray:
    """Return the dot product of the whole last axis, or of each irrep, as scalars 0e. Complex `a` is conjugated.

    Args:
        a: data of shape (..., irreps.dim).
        b: data of the same irreps; leading axes broadcast.
        per_irrep: one product for each irrep; otherwise one for the whole last axis.

    Returns:
        IrrepsArray of scalars, of shape (..., num_irreps), or (..., 1).

    Raises:
        ValueError: the irreps differ.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("0e + 1o", np.array([2.0, 1.0, 0.0, 0.0]))
        >>> ic.dot(x, x), ic.dot(x, x, per_irrep=True)
        (1x0e [5.], 1x0e+1x0e [4. 1.])
    """
    x, y = a.simplify(), b.simplify()
    if x.irreps != y.irreps:
        raise ValueError(f"dot expects equal irreps, got {describe(x)} and {describe(y)}")
    xp = array_namespace(x.array, y.array)
    leading = xp.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    dtype = xp.result_type(x.array, y.array)
    products = [
        None if u is None or v is None else xp.sum(xp.conj(widened(u)) * widened(v), axis=-1, keepdims=True)
        for u, v in zip(x.chunks, y.chunks, strict=True)
    ]
    if per_irrep:
        rounded = [None if product is None else rounded_to(dtype, product) for product in products]
        return from_chunks(_scalars(x.irreps), rounded, leading, dtype, backend=xp)
    totals = [xp.sum(product, axis=-2) for product in products if product is not None]
    if not totals:
        return zeros("0e", leading, dtype, backend=xp)
    total = totals[0]
    for more in totals[1:]:
        total = total + more
    return IrrepsArray("0e", rounded_to(dtype, total))


def cross(a: IrrepsArray, b: IrrepsArray) -> IrrepsArray:
    """Return the cross product of the vectors of two arrays, one by one. The parities multiply.

    Args:
        a: vectors, irreps 1o or 1e of any multiplicities.
        b: as many vectors; leading axes broadcast.

    Returns:
        IrrepsArray of vectors, 1e where the parities are equal and 1o where they differ.

    Raises:
        ValueError: the arrays contain other irreps than vectors (degree 1), or different numbers of vectors.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("1o", np.array([1.0, 0.0, 0.0]))
        >>> y = ic.IrrepsArray("1e", np.array([0.0, 1.0, 0.0]))
        >>> ic.cross(x, y)
        1x1o [0. 0. 1.]
    """
    for x in (a, b):
        if any(ir.l != 1 for mul, ir in x.irreps if mul > 0):
            raise ValueError(f"cross expects vectors, 1o or 1e, got {describe(x)}")
    if a.irreps.num_irreps != b.irreps.num_irreps:
        raise ValueError(f"cross expects equally many vectors, got {describe(a)} and {describe(b)}")
    x, y = align(a, b)
    xp = array_namespace(x.array, y.array)
    leading = xp.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    irreps = Irreps([(m, (1, p.p * q.p)) for (m, p), (_, q) in zip(x.irreps, y.irreps, strict=True)])
    dtype = xp.result_type(x.array, y.array)
    chunks = [
        None if u is None or v is None else rounded_to(dtype, xp.cross(widened(u), widened(v), axis=-1))
        for u, v in zip(x.chunks, y.chunks, strict=True)
    ]
    return from_chunks(irreps, chunks, leading, dtype, backend=xp)
