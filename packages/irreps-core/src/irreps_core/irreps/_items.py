"""Reading irreps from everything that denotes them, as a sequence of :class:`MulIrrep`."""

from collections.abc import Mapping, Sequence
from typing import Any

from irreps_core._inputs._caches import cached
from irreps_core._inputs._shown import shown

from ._irrep import Irrep, MulIrrep
from ._parsing import parse_term


def items_of(irreps: Any) -> Sequence[MulIrrep]:
    """Return the items that `irreps` denotes, of exactly the class :class:`MulIrrep`; see :class:`Irreps`.

    Raises:
        ValueError: it does not denote irreps.
    """
    if irreps is None:
        return ()
    if isinstance(irreps, str):
        return _parse(irreps)
    if isinstance(irreps, (Irrep, MulIrrep)):
        irreps = (irreps,)
    if isinstance(irreps, (set, frozenset, Mapping)):
        raise ValueError(
            f"expected irreps in an order, got a {type(irreps).__name__} {shown(irreps)}: pass a list, or text such as "
            "'16x0e + 8x1o'"
        )
    try:
        items = iter(irreps)
    except TypeError:
        raise ValueError(f"expected irreps such as '16x0e + 8x1o', got {shown(irreps)}") from None
    return [_item(x) for x in items]


@cached()
def _parse(text: str) -> tuple[MulIrrep, ...]:
    if text.strip() in ("", "Irreps()"):  # the second is the repr of the empty sum
        return ()
    terms = [parse_term(term, text) for term in text.split("+")]
    return tuple(MulIrrep(mul, Irrep(l, p)) for mul, l, p in terms)


def _item(x: Any) -> MulIrrep:
    if isinstance(x, MulIrrep):
        return x if type(x) is MulIrrep else MulIrrep(x.mul, x.ir)
    if isinstance(x, Irrep):
        return MulIrrep(1, x)
    if isinstance(x, str):
        items = _parse(x)
        if len(items) == 1:
            return items[0]
    elif isinstance(x, Sequence) and len(x) == 2:
        return MulIrrep(x[0], x[1])
    raise ValueError(f"expected an irrep, '16x1o' or a pair (multiplicity, irrep), got {shown(x)}")
