"""Selecting items of irreps: by irrep, by degree, by a mask or by a function."""

from collections.abc import Callable, Sequence
from typing import Any

from irreps_core._inputs._shown import shown

from ._irrep import Irrep, MulIrrep
from ._items import items_of


def selection_mask(
    items: Sequence[MulIrrep], keep: Any, drop: Any, lmax: int | None, mask: Sequence[bool] | None
) -> tuple[bool, ...]:
    """Return for each item whether it is selected; see :meth:`Irreps.filter`.

    Raises:
        ValueError: several criteria, or a mask of the wrong length.
    """
    criteria = {"keep": keep, "drop": drop, "lmax": lmax, "mask": mask}
    names = [name for name, value in criteria.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"filter takes one criterion, got {' and '.join(names)}")
    if keep is not None:
        selects = _selector(keep)
        return tuple(selects(item) for item in items)
    if drop is not None:
        selects = _selector(drop)
        return tuple(not selects(item) for item in items)
    if lmax is not None:
        return tuple(item.ir.l <= lmax for item in items)
    if mask is None:
        return (True,) * len(items)
    if len(mask) != len(items):
        raise ValueError(f"the mask has {len(mask)} entries for the {len(items)} items of {shown(items)}")
    return tuple(bool(yes) for yes in mask)


def _selector(selection: Any) -> Callable[[MulIrrep], bool]:
    """Return a predicate of items. Multiplicities in the selection do not matter."""
    if callable(selection):
        return lambda item: bool(selection(item))
    if isinstance(selection, (str, Irrep, MulIrrep)):
        wanted = {ir for _, ir in items_of(selection)}
    else:
        wanted = {_irrep(x) for x in selection}
    return lambda item: item.ir in wanted


def _irrep(x: Any) -> Irrep:
    """Return one irrep; a tuple is a pair (degree, parity)."""
    return Irrep(x) if isinstance(x, (Irrep, MulIrrep, tuple)) else items_of(x)[0].ir
