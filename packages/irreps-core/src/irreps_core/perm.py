"""Permutations of 0, 1, ..., n-1, written as tuples p: i goes to p[i].

They compose like functions, :math:`(p_1 ∘ p_2)(i) = p_1(p_2(i))`.

Example:
    >>> from irreps_core import perm
    >>> cycle = (1, 2, 0)
    >>> perm.compose(cycle, cycle), perm.sign(cycle), sorted(perm.germinate({cycle}))
    ((2, 0, 1), 1, [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
"""

import itertools
import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

Perm: TypeAlias = tuple[int, ...]
"""A permutation of 0, ..., n-1: a tuple p that sends i to ``p[i]``."""


def is_perm(p: Iterable[int]) -> bool:
    """Return whether `p` contains each of 0, ..., n-1 once.

    Args:
        p: a tuple of integers.

    Example:
        >>> is_perm((1, 0)), is_perm((0, 0))
        (True, False)
    """
    p = tuple(p)
    return sorted(p) == list(range(len(p)))


def _checked(p: Iterable[int]) -> Perm:
    p = tuple(p)
    if not is_perm(p):
        raise ValueError(f"expected a permutation of 0, ..., {len(p) - 1}, got {p}")
    return p


def identity(n: int) -> Perm:
    """Return the permutation that moves nothing.

    Args:
        n: number of objects.

    Example:
        >>> identity(3)
        (0, 1, 2)
    """
    return tuple(range(n))


def compose(p1: Perm, p2: Perm) -> Perm:
    """Return the permutation that applies first `p2`, then `p1`.

    Args:
        p1: the permutation that acts second.
        p2: the one that acts first, of as many objects.

    Raises:
        ValueError: an argument is not a permutation, or their lengths differ.

    Example:
        >>> compose((1, 0, 2), (0, 2, 1))
        (1, 2, 0)
    """
    p1, p2 = _checked(p1), _checked(p2)
    if len(p1) != len(p2):
        raise ValueError(f"permutations of {len(p1)} and {len(p2)} objects cannot be composed: {p1}, {p2}")
    return tuple(p1[i] for i in p2)


def inverse(p: Perm) -> Perm:
    """Return the permutation that undoes `p`.

    Args:
        p: permutation.

    Example:
        >>> inverse((1, 2, 0))
        (2, 0, 1)
    """
    return tuple(sorted(range(len(p)), key=_checked(p).__getitem__))


def rand(n: int, rng: "np.random.Generator | None" = None) -> Perm:  # quoted: numpy.random is slow to import
    """Return a permutation of n objects, each with probability 1/n!.

    Args:
        n: number of objects.
        rng: NumPy random generator. Default: a new one, with a random seed.

    Example:
        >>> import numpy as np
        >>> is_perm(rand(5, np.random.default_rng(0)))
        True
    """
    rng = np.random.default_rng() if rng is None else rng
    return tuple(rng.permutation(n).tolist())


def from_int(i: int, n: int) -> Perm:
    """Return the permutation of n objects with number `i`, :math:`0 ≤ i < n!`. Number 0 is the identity.

    Args:
        i: the number.
        n: number of objects.

    Raises:
        ValueError: the number is out of range.

    Example:
        >>> [from_int(i, 3) for i in range(4)]
        [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)]
    """
    if not 0 <= i < math.factorial(n):
        raise ValueError(f"permutations of {n} objects are numbered 0, ..., {math.factorial(n) - 1}, got {i}")
    left = list(range(n))
    p = []
    while left:
        i, place = divmod(i, len(left))
        p.append(left.pop(place))
    return tuple(p)


def to_int(p: Perm) -> int:
    """Return the number of `p`: the inverse of :func:`from_int`.

    Args:
        p: permutation.

    Example:
        >>> to_int((0, 2, 1))
        3
    """
    left = sorted(_checked(p))
    number, weight = 0, 1
    for x in p:
        place = left.index(x)
        number += weight * place
        weight *= len(left)
        left.pop(place)
    return number


def group(n: int) -> set[Perm]:
    """Return the symmetric group: all n! permutations of n objects.

    Args:
        n: number of objects.

    Raises:
        ValueError: there are more than ten objects, whose 3,628,800 permutations take half a gigabyte.

    Example:
        >>> sorted(group(2))
        [(0, 1), (1, 0)]
    """
    if n > 10:
        raise ValueError(f"expected at most 10 objects, because {n!r:.100} objects have {n!r:.100}! permutations")
    return set(itertools.permutations(range(n)))


def germinate(subset: Iterable[Perm]) -> set[Perm]:
    """Return the group that some permutations of equally many objects generate.

    Args:
        subset: permutations of equally many objects.

    Raises:
        ValueError: an argument is not a permutation, or their lengths differ.

    Example:
        >>> sorted(germinate({(1, 0, 2)}))
        [(0, 1, 2), (1, 0, 2)]
    """
    generators = [_checked(p) for p in subset]
    # A finite set that is closed under composition contains inverses and the identity, as powers of its elements.
    elements = set(generators)
    new = elements
    while new:
        new = {compose(g, p) for g in generators for p in new} - elements
        elements |= new
    return elements


def is_group(g: set[Perm]) -> bool:
    """Return whether the permutations form a group: not empty, and closed under composition and inverse.

    Args:
        g: permutations of equally many objects.

    Example:
        >>> is_group({(0, 1), (1, 0)}), is_group({(1, 0)})
        (True, False)
    """
    return len(g) > 0 and germinate(g) == set(g)


def to_cycles(p: Perm) -> set[tuple[int, ...]]:
    """Return the cycles of length two and more, each from its least element on: i, p[i], p[p[i]], ...

    Args:
        p: permutation.

    Example:
        >>> sorted(to_cycles((2, 4, 0, 3, 1)))
        [(0, 2), (1, 4)]
    """
    _checked(p)
    cycles, seen = set(), set()
    for start in range(len(p)):
        cycle, i = [], start
        while i not in seen:
            seen.add(i)
            cycle.append(i)
            i = p[i]
        if len(cycle) >= 2:
            cycles.add(tuple(cycle))
    return cycles


def sign(p: Perm) -> int:
    """Return +1 for an even permutation, -1 for an odd one.

    Args:
        p: permutation.

    Example:
        >>> sign((1, 0, 2)), sign((1, 2, 0))
        (-1, 1)
    """
    return (-1) ** sum(len(cycle) - 1 for cycle in to_cycles(p))


def natural_representation(p: Perm) -> np.ndarray:
    """Return the permutation matrix M: :math:`M e_i = e_{p(i)}`, so that :math:`M(p_1 ∘ p_2) = M(p_1) M(p_2)`.

    Args:
        p: permutation of n objects.

    Returns:
        float64 array of shape (n, n).

    Example:
        >>> natural_representation((1, 2, 0)).astype(int)
        array([[0, 0, 1],
               [1, 0, 0],
               [0, 1, 0]])
    """
    return np.eye(len(p))[:, list(_checked(p))]


def standard_representation(p: Perm) -> np.ndarray:
    r"""Return the irreducible part of the natural representation: its complement to the invariant (1, ..., 1).

    The matrix is orthogonal, in the basis :math:`(1, ..., 1, -k, 0, ..., 0) / \sqrt{k (k + 1)}`,
    :math:`k = 1, ..., n - 1`.

    Args:
        p: permutation of n objects, :math:`n ≥ 1`.

    Returns:
        float64 array of shape (n-1, n-1).

    Example:
        >>> standard_representation((1, 0)).round().astype(int)
        array([[-1]])
    """
    n = len(p)
    k = np.arange(1, n)[:, None]
    basis = np.tri(n - 1, n) - k * np.eye(n - 1, n, 1)
    basis = basis / np.sqrt(k * (k + 1))
    return basis @ natural_representation(p) @ basis.T
