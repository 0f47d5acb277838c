"""Functions that rearrange the items, multiplicities and axes of an `IrrepsArray`, without changing the data."""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

from irreps_core._inputs._namespace import array_namespace
from irreps_core.irreps._irreps import Irreps
from irreps_core.irreps._slicing import ChunkSlicer, DimSlicer, MulSlicer

from ._base import A, ArrayBase, describe, from_chunks


def normalize_axis(axis: int, ndim: int, function: str) -> int:
    """Return a leading axis of an array of `ndim` axes as a non-negative number.

    Raises:
        ValueError: the axis does not exist, or is the last one, which belongs to the irreps.
    """
    if not -ndim <= axis < ndim:
        raise ValueError(f"{function}: axis {axis} does not exist, there are {ndim} axes")
    if axis % ndim == ndim - 1:
        raise ValueError(f"{function}: axis {axis} is the last one, which belongs to the irreps")
    return axis % ndim


def take_items(x: A, places: Sequence[int]) -> A:
    """Return the items at `places`, in that order."""
    if list(places) == list(range(len(x.irreps))):
        return x
    irreps = Irreps([x.irreps[i] for i in places])
    zero_flags = [x.zero_flags[i] for i in places]
    slices = x.irreps.slices()
    xp = array_namespace(x.array)
    # Items that stay neighbours are cut out in one piece.
    pieces: list[slice] = []
    for i in places:
        if pieces and pieces[-1].stop == slices[i].start:
            pieces[-1] = slice(pieces[-1].start, slices[i].stop)
        else:
            pieces.append(slices[i])
    pieces = [piece for piece in pieces if piece.stop > piece.start] or [slice(0, 0)]
    cut = [x.array[..., piece] for piece in pieces]
    array = cut[0] if len(cut) == 1 else xp.concatenate(cut, axis=-1)
    return type(x)(irreps, array, zero_flags=zero_flags)


def slice_by_mul(x: A) -> MulSlicer[A]:
    """Return a slicer of the last axis that counts irreps."""
    return MulSlicer(x.irreps, partial(_cut, x))


def slice_by_dim(x: A) -> DimSlicer[A]:
    """Return a slicer of the last axis that counts components."""
    return DimSlicer(x.irreps, partial(_cut, x))


def slice_by_chunk(x: A) -> ChunkSlicer[A]:
    """Return a slicer of the last axis that counts items."""
    return ChunkSlicer(x.irreps, lambda _irreps, places: take_items(x, places))


def _cut(x: A, irreps: Irreps, places: Sequence[int], start: int, stop: int) -> A:
    return type(x)(irreps, x.array[..., start:stop], zero_flags=[x.zero_flags[i] for i in places])


def rechunk(x: A, irreps: Irreps) -> A:
    """Cut the same data into the items of `irreps`. An item is known to be zero if all its parts are."""
    if irreps == x.irreps:
        return x
    if irreps.simplify() != x.irreps.simplify():
        raise ValueError(f"cannot rechunk {describe(x)} into {irreps}: the simplified irreps must be equal")
    zero = [z for item, z in zip(x.irreps, x.zero_flags, strict=True) for _ in range(item.mul)]
    flags, seen = [], 0
    for item in irreps:
        flags.append(all(zero[seen : seen + item.mul]))
        seen += item.mul
    return type(x)(irreps, x.array, zero_flags=flags)


def align(x: A, y: A) -> tuple[A, A]:
    """Rechunk two arrays of the same number of irreps so that their items have equal multiplicities.

    Args:
        x: data of shape (..., irreps.dim).
        y: data with as many irreps.

    Returns:
        Both arrays with the same numbers and other items.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x, y = ic.align(ic.IrrepsArray("3x0e", np.arange(3)), ic.IrrepsArray("0e + 2x1o", np.arange(7)))
        >>> x.irreps, y.irreps
        (1x0e+2x0e, 1x0e+2x1o)
    """
    boundaries = {0}
    for irreps in (x.irreps, y.irreps):
        seen = 0
        for item in irreps:
            seen += item.mul
            boundaries.add(seen)
    cuts = sorted(boundaries)
    return rechunk(x, _cut_at(x.irreps, cuts)), rechunk(y, _cut_at(y.irreps, cuts))


def _cut_at(irreps: Irreps, cuts: list[int]) -> Irreps:
    each = [ir for mul, ir in irreps for _ in range(mul)]
    return Irreps([(b - a, each[a]) for a, b in itertools.pairwise(cuts)])


def extend_with_zeros(x: A, irreps: Irreps) -> A:
    """Put the items of `x`, in their order, among the items of `irreps`, and zeros elsewhere."""
    chunks: list[Any] = []
    old = list(zip(x.irreps, x.chunks, strict=True))
    for item in irreps:
        chunks.append(old.pop(0)[1] if old and old[0][0] == item else None)
    if old:
        raise ValueError(f"cannot extend {describe(x)} to {irreps}: {old[0][0]} has no place there in this order")
    return from_chunks(type(x), irreps, chunks, x.shape[:-1], x.dtype, backend=array_namespace(x.array))


def _leading_shape(x: ArrayBase, shape: Sequence[int], function: str) -> tuple[int, ...]:
    if len(shape) == 0 or shape[-1] not in (-1, x.irreps.dim):
        raise ValueError(
            f"{function} of {describe(x)}: the last entry of the shape must be {x.irreps.dim} or -1, got {tuple(shape)}"
        )
    return tuple(shape[:-1])


def reshape(x: A, shape: Sequence[int]) -> A:
    """Reshape the leading axes."""
    leading = _leading_shape(x, shape, "reshape")
    return type(x)(x.irreps, x.array.reshape((*leading, x.irreps.dim)), zero_flags=x.zero_flags)


def broadcast_to(x: A, shape: Sequence[int]) -> A:
    """Broadcast the leading axes."""
    leading = _leading_shape(x, shape, "broadcast_to")
    array = array_namespace(x.array).broadcast_to(x.array, (*leading, x.irreps.dim))
    return type(x)(x.irreps, array, zero_flags=x.zero_flags)


def mul_to_axis(x: A, factor: int | None, axis: int) -> A:
    """Move a factor of the multiplicities to a new axis."""
    if factor is None and x.irreps.num_irreps == 0:
        raise ValueError(
            f"mul_to_axis of {describe(x)} expects a factor, the length of the new axis: there are no multiplicities "
            "whose greatest common divisor it could be"
        )
    factor = x.irreps.mul_gcd if factor is None else factor
    axis = normalize_axis(axis, x.ndim + 1, "mul_to_axis")
    if factor <= 0 or any(item.mul % factor for item in x.irreps):
        raise ValueError(f"mul_to_axis: {factor} does not divide every multiplicity of {x.irreps}")
    xp = array_namespace(x.array)
    irreps = x.irreps // factor
    leading = x.shape[:-1]
    chunks = [
        None if chunk is None else xp.moveaxis(chunk.reshape((*leading, factor, mul, ir.dim)), -3, axis)
        for (mul, ir), chunk in zip(irreps, x.chunks, strict=True)
    ]
    return from_chunks(type(x), irreps, chunks, (*leading[:axis], factor, *leading[axis:]), x.dtype, backend=xp)


def axis_to_mul(x: A, axis: int) -> A:
    """Move an axis into the multiplicities."""
    axis = normalize_axis(axis, x.ndim, "axis_to_mul")
    xp = array_namespace(x.array)
    factor = x.shape[axis]
    leading = x.shape[:axis] + x.shape[axis + 1 : -1]
    irreps = factor * x.irreps
    chunks = [
        None if chunk is None else xp.moveaxis(chunk, axis, -3).reshape((*leading, mul, ir.dim))
        for (mul, ir), chunk in zip(irreps, x.chunks, strict=True)
    ]
    return from_chunks(type(x), irreps, chunks, leading, x.dtype, backend=xp)


def axis_to_irreps(x: A, axis: int) -> A:
    """Put the entries of an axis one after another on the last axis."""
    axis = normalize_axis(axis, x.ndim, "axis_to_irreps")
    n = x.shape[axis]
    array = array_namespace(x.array).moveaxis(x.array, axis, -2)
    array = array.reshape((*array.shape[:-2], n * x.irreps.dim))
    repeated = type(x)(x.irreps.repeat(n), array, zero_flags=x.zero_flags * n)
    return rechunk(repeated, repeated.irreps.simplify())


def irreps_to_axis(x: A, length: int, axis: int) -> A:
    """Cut the last axis into `length` equal sequences of items."""
    axis = normalize_axis(axis, x.ndim + 1, "irreps_to_axis")
    irreps = _period(x.irreps, length)
    if irreps is None:
        raise ValueError(f"irreps_to_axis: {x.irreps} is not {length} times the same sequence of irreps")
    pieces = rechunk(x, irreps.repeat(length))
    # An item is known to be zero if it is known to be so at every place of the new axis.
    flags = [all(pieces.zero_flags[i :: len(irreps)]) for i in range(len(irreps))]
    array = x.array.reshape((*x.shape[:-1], length, irreps.dim))
    return type(x)(irreps, array_namespace(array).moveaxis(array, -2, axis), zero_flags=flags)


def _period(irreps: Irreps, length: int) -> Irreps | None:
    """Return the irreps that give `irreps` when repeated `length` times, or None if there are none."""
    if length <= 0 or irreps.dim % length:
        return None
    try:
        period = irreps.slice_by_dim[: irreps.dim // length]
    except IndexError:  # the cut falls inside an irrep
        return None
    return period if period.repeat(length).simplify() == irreps.simplify() else None
