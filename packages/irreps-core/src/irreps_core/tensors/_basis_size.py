"""The size of a basis of tensors, found without computing the basis."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from irreps_core.irreps._irrep import Irrep
from irreps_core.irreps._irreps import Irreps

from ._index_symmetry import SymmetryGroup

# Bytes of the largest basis that is computed; the computation takes a few times as much.
LARGEST = 2**27


def check_basis_size(
    irreps: Sequence[Irreps],
    group: SymmetryGroup | None = None,
    keep: Collection[Irrep] | None = None,
    max_order: int | None = None,
) -> None:
    """Raise an error if a basis of tensors would take more than 128 MiB.

    Args:
        irreps: the irreps of each index.
        group: signed permutations that the tensors obey, or None.
        keep: the wanted irreps (default: all).
        max_order: limit for the sum of the degrees. With one, the number of tensors is estimated; with wanted irreps as
            well, only the size of a single tensor is checked.

    Raises:
        ValueError: the message gives the size, or a lower limit where counting the tensors would take too long.

    Example:
        >>> from irreps_core import Irreps, check_basis_size
        >>> check_basis_size([Irreps("1o")] * 7)
        >>> check_basis_size([Irreps("1o")] * 9)
        Traceback (most recent call last):
        ...
        ValueError: the basis of tensors with the irreps 1x1o, ... would take 2.89 GiB, more than ...
    """
    components = 1
    for one in irreps:
        components *= max(one.dim, 1)  # the other indices of an empty one are coupled, too
    # No basis has more tensors than components; the exact number takes longer to find.
    if 8 * components**2 <= LARGEST:
        return
    # It has one tensor at least, and coupling starts with the identity of each index.
    size = 8 * max(components, *(one.dim**2 for one in irreps))
    least = "at least "
    if size <= LARGEST:  # few enough components to count the tensors
        least = ""
        if max_order is None:
            rank = _rank(irreps, group, keep)
        else:
            rank = 1 if keep is not None else _components(irreps, max_order) // len(group or "1")
        size = max(size, 8 * components * rank)
    if size > LARGEST:
        would = min(size, 10**300) / 2**30  # GiB; larger integers are no floats
        raise ValueError(
            f"the basis of tensors with the irreps {', '.join(map(str, irreps)):.200} would take {least}{would:.3g} "
            f"GiB, more than the {LARGEST / 2**30:.3g} GiB allowed: use fewer indices or irreps, or decompose the "
            "tensor step by step with tensor products"
        )


def _components(irreps: Sequence[Irreps], max_order: int) -> int:
    """Return the number of components whose degrees have a sum of at most `max_order`."""
    counts = np.ones(1, object)  # by the sum of the degrees
    for one in irreps:
        occurring = [(mul, ir) for mul, ir in one if mul]
        own = np.zeros(min(max((ir.l for _, ir in occurring), default=0), max_order) + 1, object)
        for mul, ir in occurring:
            if ir.l <= max_order:
                own[ir.l] += mul * ir.dim
        counts = np.convolve(counts, own)[: max_order + 1]
    return sum(counts)


def _rank(irreps: Sequence[Irreps], group: SymmetryGroup | None, keep: Collection[Irrep] | None) -> int:
    """Return the number of tensors in the basis: the dimension of the space of those that obey the group.

    It is the average trace of the group, (1/|G|) Σ sign Π_cycles of the irreps of one index of each cycle. To count an
    irrep alone, the trace is that of a rotation, a polynomial in its phase, for each parity.
    """
    elements = group or {(1, tuple(range(len(irreps))))}
    cycles: Counter[tuple[tuple[int, int], ...]] = Counter()
    for sign, p in elements:
        # Cycles of equal length whose indices have equal irreps count alike.
        cycles[tuple(sorted((irreps.index(irreps[start]), length) for start, length in _cycles(p)))] += sign
    even = odd = np.zeros(1, object)
    for kinds, count in cycles.items():
        part_even, part_odd = np.ones(1, object), np.zeros(1, object)
        for start, length in kinds:
            one_even, one_odd = _weights(irreps[start], length)
            part_even, part_odd = (
                _sum(np.convolve(part_even, one_even), np.convolve(part_odd, one_odd)),
                _sum(np.convolve(part_even, one_odd), np.convolve(part_odd, one_even)),
            )
        even, odd = _sum(even, count * part_even), _sum(odd, count * part_odd)
    rank = 0
    for p, weights in ((1, even), (-1, odd)):
        centre = len(weights) // 2
        upper = [*weights[centre:], 0]
        # As many copies of degree l as there are more vectors of weight l than of weight l + 1.
        copies = [int(upper[l] - upper[l + 1]) // len(elements) for l in range(centre + 1)]
        rank += sum((2 * l + 1) * n for l, n in enumerate(copies) if keep is None or Irrep(l, p) in keep)
    return rank


def _cycles(p: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the first element and the length of each cycle."""
    found, seen = [], set()
    for start in range(len(p)):
        length, place = 0, start
        while place not in seen:
            seen.add(place)
            length, place = length + 1, p[place]
        if length:
            found.append((start, length))
    return tuple(found)


def _weights(irreps: Irreps, power: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Σ x^(power m) over the vectors of even and of odd parity; the middle entry is that of x^0.

    The inversion to the given power is even, or has the parity of the irrep.
    """
    top = max((ir.l for mul, ir in irreps if mul), default=0)
    even, odd = np.zeros(2 * top * power + 1, object), np.zeros(2 * top * power + 1, object)
    for mul, ir in irreps:
        if mul == 0:
            continue
        target = even if ir.p == 1 or power % 2 == 0 else odd
        for m in range(-ir.l, ir.l + 1):
            target[(top + m) * power] += mul
    return even, odd


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add polynomials of different length, both centred at x^0."""
    if len(a) < len(b):
        a, b = b, a
    out = a.copy()
    margin = (len(a) - len(b)) // 2
    out[margin : margin + len(b)] += b
    return out
