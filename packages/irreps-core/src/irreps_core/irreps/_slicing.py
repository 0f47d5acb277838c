"""Slices of irreps and of their data, counted in irreps, in components or in items."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from irreps_core._inputs._shown import shown

T = TypeVar("T")

# The class `Irreps` is not imported, because its methods use this file.
_Irreps: TypeAlias = Any
# A function that makes the result of a contiguous slice from the sliced irreps, the place of the item that each of them
# comes from, the first component of the slice and the one after its last.
Cut = Callable[[_Irreps, Sequence[int], int, int], T]


def _bounds(index: object, length: int, name: str) -> tuple[int, int]:
    if not isinstance(index, slice):
        raise IndexError(f"{name} takes a slice such as {name}[2:4], got {shown(index)}")
    start, stop, step = index.indices(length)
    if step != 1:
        raise IndexError(f"{name} takes slices of step 1, got {shown(index)}")
    return start, max(start, stop)


class MulSlicer(Generic[T]):
    """Slices that count irreps: item ``mul x ir`` is `mul` long."""

    def __init__(self, irreps: _Irreps, cut: Cut[T]) -> None:
        """Slice `irreps`; the result is that of `cut`."""
        self._irreps, self._cut = irreps, cut

    def __getitem__(self, index: slice) -> T:
        """Return the irreps from number start to before number stop."""
        start, stop = _bounds(index, self._irreps.num_irreps, "slice_by_mul")
        items, sources = [], []
        seen, first, length = 0, 0, 0
        for i, (mul, ir) in enumerate(self._irreps):
            a, b = max(start, seen), min(stop, seen + mul)
            if a < b:
                items.append((b - a, ir))
                sources.append(i)
                length += (b - a) * ir.dim
            # Components before the slice.
            first += max(0, min(start, seen + mul) - seen) * ir.dim
            seen += mul
        return self._cut(type(self._irreps)(items), sources, first, first + length)


class DimSlicer(Generic[T]):
    """Slices that count components; the cuts must fall between irreps."""

    def __init__(self, irreps: _Irreps, cut: Cut[T]) -> None:
        """Slice `irreps`; the result is that of `cut`."""
        self._irreps, self._by_mul = irreps, MulSlicer(irreps, cut)

    def __getitem__(self, index: slice) -> T:
        """Return the components from start to before stop.

        Raises:
            IndexError: a cut falls inside an irrep.
        """
        start, stop = _bounds(index, self._irreps.dim, "slice_by_dim")
        return self._by_mul[self._irreps_before(start) : self._irreps_before(stop)]

    def _irreps_before(self, component: int) -> int:
        """Return the number of irreps before a component."""
        before = count = 0
        for mul, ir in self._irreps:
            if component < before + mul * ir.dim:
                irreps, rest = divmod(component - before, ir.dim)
                if rest:
                    raise IndexError(
                        f"cannot cut {self._irreps} at component {component}, inside an irrep {ir}: "
                        f"cut at {component - rest} or {component - rest + ir.dim}"
                    )
                return count + irreps
            before += mul * ir.dim
            count += mul
        return count


class ChunkSlicer(Generic[T]):
    """Slices that count items."""

    def __init__(self, irreps: _Irreps, pick: Callable[[_Irreps, Sequence[int]], T]) -> None:
        """Slice `irreps`; the result is that of `pick`, given the sliced irreps and the places of their items."""
        self._irreps, self._pick = irreps, pick

    def __getitem__(self, index: slice) -> T:
        """Return the items of the slice, which may have any step."""
        if not isinstance(index, slice):
            raise IndexError(f"slice_by_chunk takes a slice such as slice_by_chunk[1:3], got {shown(index)}")
        places = range(*index.indices(len(self._irreps)))
        return self._pick(self._irreps[index], places)
