"""Symmetries of the indices of a tensor, such as :math:`T_{ijk} = -T_{jik}`, as groups of signed permutations."""

from typing import TypeAlias

from irreps_core import perm
from irreps_core._inputs._shown import shown

SignedPermutation: TypeAlias = tuple[int, perm.Perm]
SymmetryGroup: TypeAlias = frozenset[SignedPermutation]
"""Signed permutations of the indices of a tensor, closed under composition: pairs of a sign and a permutation."""

_LARGEST = 50_000  # members of a group; eight indices have 40,320 permutations
_LONGEST = 10_000  # characters of a formula


def parse_symmetry(formula: str) -> tuple[str, SymmetryGroup]:
    """Return the indices of a formula, and the group of all signed permutations that follow from it.

    A member (sign, p) of the group states that ``T == sign * T.transpose(p)``.

    Args:
        formula: the indices, one letter each, and the permutations of them that are equal up to a sign: ``"ij"``,
            ``"ij=-ji"``, ``"ijkl=jikl=klij"``.

    Returns:
        (indices, group), for example ("ij", {(1, (0, 1)), (-1, (1, 0))}).

    Raises:
        TypeError: the formula is not a string.
        ValueError: the formula is malformed, its terms do not have the same indices, or the group has more than
            50,000 members, or more than 400,000 divided by the number of indices.

    Example:
        >>> from irreps_core import parse_symmetry
        >>> indices, group = parse_symmetry("ijk=-jik")
        >>> indices, sorted(group)
        ('ijk', [(-1, (1, 0, 2)), (1, (0, 1, 2))])
    """
    if not isinstance(formula, str):
        raise TypeError(f"expected a formula of indices such as 'ij=-ji', got {shown(formula)}")
    if len(formula) > _LONGEST:
        raise ValueError(f"expected a formula of at most {_LONGEST} characters, got {len(formula)}: {shown(formula)}")
    first, *others = (term.strip() for term in formula.split("="))
    if not first.isalpha() or len(set(first)) != len(first):
        raise ValueError(
            "expected a formula such as 'ij=-ji', which starts with different letters without a sign, "
            f"got {shown(formula)}"
        )
    n = len(first)
    generators = {_encode(1, perm.identity(n))}
    for term in others:
        sign, letters = (-1, term[1:].strip()) if term.startswith("-") else (1, term)
        if sorted(letters) != sorted(first):
            raise ValueError(
                f"{shown(term)} is not a permutation of the indices {shown(first)} in the formula {shown(formula)}"
            )
        generators.add(_encode(sign, tuple(letters.index(i) for i in first)))
    return first, frozenset(_decode(p) for p in _generated(generators, formula))


def _generated(generators: set[perm.Perm], formula: str) -> set[perm.Perm]:
    """Return the group that the permutations generate."""
    elements, new = set(generators), generators
    while new:
        largest = min(_LARGEST, 8 * _LARGEST // len(min(elements)))
        if len(elements) > largest:
            raise ValueError(
                f"the permutations of the formula {shown(formula)} form a group of more than {largest:,} members: "
                "use fewer indices"
            )
        new = {perm.compose(g, p) for g in generators for p in new} - elements
        elements |= new
    return elements


def _encode(sign: int, p: perm.Perm) -> perm.Perm:
    """Encode a signed permutation of n objects as one of n + 2, which exchanges the last two for a minus sign."""
    n = len(p)
    return p + ((n, n + 1) if sign == 1 else (n + 1, n))


def _decode(p: perm.Perm) -> SignedPermutation:
    return (1 if p[-1] > p[-2] else -1), p[:-2]
