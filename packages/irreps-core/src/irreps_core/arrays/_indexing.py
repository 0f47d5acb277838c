"""Indices of an `IrrepsArray`: leading axes as in any array, the last axis by irreps or between irreps."""

from types import EllipsisType
from typing import Any, Generic, cast

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core._inputs._shown import shown
from irreps_core.irreps._irrep import Irrep, MulIrrep
from irreps_core.irreps._irreps import Irreps

from ._base import A, ArrayBase, describe
from ._rearranging import slice_by_chunk, slice_by_dim

_ALLOWED = 'index it with irreps such as x[..., "0e + 1o"] or with a slice between irreps such as x[..., 0:4]'


def get(x: A, index: Any) -> A:
    """Return ``x[index]``; see :meth:`IrrepsArray.__getitem__`."""
    leading, last = _parse(x, index)
    if last is not None:
        x = slice_by_dim(x)[last] if isinstance(last, slice) else _find(x, last)
    if leading == ():
        return x
    return type(x)(x.irreps, x.array[(*leading, slice(None))], zero_flags=x.zero_flags)


def _find(x: A, irreps: Irreps) -> A:
    """Return the items `irreps`, which occur in `x` next to one another exactly once."""
    start = _place(x, irreps)
    return slice_by_chunk(x)[start : start + len(irreps)]


def _place(x: ArrayBase, irreps: Irreps) -> int:
    n = len(irreps)
    places = [i for i in range(len(x.irreps) - n + 1) if x.irreps[i : i + n] == irreps]
    if len(places) != 1:
        found = "does not occur" if not places else f"occurs {len(places)} times"
        raise IndexError(f"x[..., {str(irreps)!r}]: {irreps} {found} in the items of {x.irreps}")
    return places[0]


def _is_irreps(index: Any) -> bool:
    return isinstance(index, (str, Irrep, MulIrrep, Irreps))


def _parse(x: ArrayBase, index: Any) -> tuple[tuple[Any, ...], slice | Irreps | None]:
    """Split an index into that of the leading axes (may be empty) and that of the last one (None for all of it)."""
    index = index if isinstance(index, tuple) else (index,)
    ellipses = sum(isinstance(i, EllipsisType) for i in index)
    if ellipses > 1:
        raise IndexError(f"an index can have one ellipsis, got {shown(index)}")
    consumed = sum(_consumed(i) for i in index)
    if consumed > x.ndim:
        raise IndexError(f"too many indices for {describe(x)}: {consumed} for {x.ndim} axes")
    if any(_is_irreps(i) for i in index[:-1]):
        raise IndexError(f"irreps must be the last entry of an index, got {shown(index)}")
    if index and _is_irreps(index[-1]):
        if not ellipses and consumed != x.ndim:
            raise IndexError(f"irreps index the last axis of {describe(x)}: write x[..., {str(index[-1])!r}]")
        return _leading(x, index[:-1]), Irreps(index[-1])
    # The last entry reaches the irreps axis after an ellipsis, or when every axis is indexed.
    after_ellipsis = ellipses == 1 and not isinstance(index[-1], EllipsisType)
    if not after_ellipsis and consumed != x.ndim:
        return _leading(x, index), None
    last = index[-1]
    if last is None:
        raise IndexError(f"cannot add an axis after the irreps axis of {describe(x)}")
    if isinstance(last, slice) and last.step is None:
        whole = last.start is None and last.stop is None
        return _leading(x, index[:-1]), None if whole else last
    hint = f"x[..., {last}:{last + 1}]" if isinstance(last, int) else _ALLOWED
    raise IndexError(f"cannot index the irreps axis of {describe(x)} with {shown(last)}: {hint}")


def _consumed(index: Any) -> int:
    """Return how many axes an entry of an index takes."""
    if index is None or isinstance(index, EllipsisType):
        return 0
    if (isinstance(index, np.ndarray) or is_jax(index)) and index.dtype == bool:
        return index.ndim
    return 1


def _leading(x: ArrayBase, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the index of the leading axes with an entry for each of them, ready for one more entry."""
    if all(isinstance(i, EllipsisType) for i in index):
        return ()
    missing = x.ndim - 1 - sum(_consumed(i) for i in index)
    fill = (slice(None),) * missing
    for place, i in enumerate(index):
        if isinstance(i, EllipsisType):
            return (*index[:place], *fill, *index[place + 1 :])
    return (*index, *fill)


class At(Generic[A]):
    """``x.at``; see :attr:`IrrepsArray.at`."""

    def __init__(self, x: A) -> None:
        """Keep the array."""
        self._x = x

    def __getitem__(self, index: Any) -> "Place[A]":
        """Return the place to update."""
        return Place(self._x, index)


class Place(Generic[A]):
    """``x.at[index]``: a place in an `IrrepsArray`, for updated copies."""

    def __init__(self, x: A, index: Any) -> None:
        """Find the entries `index` of `x`."""
        self._x = x
        self._leading, last = _parse(x, index)
        if last is None:
            self._slice = slice(0, x.irreps.dim)
            self._irreps = x.irreps
        elif isinstance(last, slice):
            self._irreps = x.irreps.slice_by_dim[last]
            self._slice = slice(*last.indices(x.irreps.dim)[:2])
        else:
            start = _place(x, last)
            first = x.irreps[:start].dim
            self._irreps, self._slice = last, slice(first, first + last.dim)

    def set(self, values: Any) -> A:
        """Return a copy in which `values` replace the data there.

        Args:
            values: an IrrepsArray of the irreps of the place, or 0; or for scalars 0e any array or number.

        Raises:
            ValueError: the irreps differ, or a plain array or number is not equivariant there.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> x = IrrepsArray("0e + 1o", np.ones((2, 4)))
            >>> x.at[0, "1o"].set(0)
            1x0e+1x1o
            [[1. 0. 0. 0.]
             [1. 1. 1. 1.]]
        """
        return self._update("set", values)

    def add(self, values: Any) -> A:
        """Return a copy in which `values`, as in :meth:`set`, are added to the data there. Duplicate indices add up."""
        return self._update("add", values)

    def _update(self, how: str, values: Any) -> A:
        x = self._x
        array = self._values(values)
        index = (*self._leading, self._slice) if self._leading else (..., self._slice)
        if is_jax(x.array) or is_jax(array):
            target = array_namespace(x.array, array).asarray(x.array).at[index]
            updated = target.set(array) if how == "set" else target.add(array)
        else:
            updated = x.array.copy()
            if how == "set":
                updated[index] = array
            else:
                np.add.at(updated, cast(Any, index), array)
        return type(x)(x.irreps, updated, zero_flags=self._zero_flags(values))

    def _values(self, values: Any) -> Any:
        if isinstance(values, ArrayBase):
            if values.irreps.simplify() != self._irreps.simplify():
                raise ValueError(f"expected values of irreps {self._irreps}, got {describe(values)}")
            return values.array
        zero = isinstance(values, (int, float)) and values == 0
        if not zero and not all(ir.is_scalar() for _, ir in self._irreps):
            raise ValueError(
                f"{describe(values)} in place of {self._irreps} is not equivariant: "
                f"use an IrrepsArray of irreps {self._irreps}, or 0"
            )
        return values

    def _zero_flags(self, values: Any) -> list[bool]:
        """Return the flags of the updated array.

        An item stays known to be zero if the update does not touch it, or updates it by data that is known to be zero.
        """
        start, touching = self._slice.start, [self._slice]
        if isinstance(values, ArrayBase):
            slices = zip(values.irreps.slices(), values.zero_flags, strict=True)
            touching = [slice(start + s.start, start + s.stop) for s, zero in slices if not zero]
        elif isinstance(values, (int, float)) and values == 0:
            touching = []
        return [
            zero and not any(s.start < t.stop and t.start < s.stop for t in touching)
            for s, zero in zip(self._x.irreps.slices(), self._x.zero_flags, strict=True)
        ]
