"""Equivariant homogeneous polynomials: a basis of the polynomials of degree n that map some irreps to an irrep.

A symmetric tensor of n indices and a homogeneous polynomial of degree n are equivalent: p(x) = T x x ... x. Polynomials
are smaller (816 monomials of 16 variables in degree 3, where the tensor has 4096 components), so only polynomials are
computed. Tensors of Frobenius norm 1 are polynomials of norm 1 in Bombieri's inner product, <p, q> = sum over monomials
of p_m q_m / multinomial(m).

The basis is that of e3nn-jax's ``reduced_symmetric_tensor_product_basis``, copy by copy, because saved weights refer to
it. First come the powers of each single irrep: smaller powers are coupled, then symmetrized and, by Gram-Schmidt in the
order of the couplings, made orthonormal. Then come the products of powers of different irreps.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from irreps_core import Irrep, Irreps, cached, clebsch_gordan, orthonormal_range

_Keep: TypeAlias = frozenset[Irrep] | None


class Polynomials(NamedTuple):
    """Polynomials to several irreps, in terms of the same monomials.

    Attributes:
        variables: the components of x in each monomial, ascending; shape (monomials, degree).
        values: for each irrep the coefficients, of shape ``(copies, monomials, 2l+1)``.
    """

    variables: np.ndarray
    values: dict[Irrep, np.ndarray]


class Terms(NamedTuple):
    """The terms of all polynomials to an irrep.

    Attributes:
        copies: the number of polynomials.
        terms: for each term the copy, the components of x and the component of the irrep; shape (terms, degree + 2).
        values: coefficient of each term, of shape (terms,).
    """

    copies: int
    terms: np.ndarray
    values: np.ndarray


@cached(maxsize=64)
def equivariant_polynomials(
    irreps: Irreps, degree: int, keep: _Keep = None, max_order: int | None = None
) -> dict[Irrep, Terms]:
    """Return an orthonormal basis of the equivariant polynomials of a degree, by irrep, in the order of the irreps.

    Args:
        irreps: irreps of x.
        degree: degree of the polynomials, at least 1.
        keep: the wanted irreps (default: all).
        max_order: upper limit for the sum of the degrees l of the components in a product (default: none).

    Example:
        >>> from irreps_core import Irrep, Irreps
        >>> square = equivariant_polynomials(Irreps("1o"), 2)
        >>> square[Irrep("0e")].values * 3**0.5
        array([1., 1., 1.])
        >>> square[Irrep("2e")].copies
        1
    """
    items = zip(irreps, irreps.slices(), strict=True)
    singles = [(ir, place.start + n * ir.dim) for (mul, ir), place in items for n in range(mul)]
    found: dict[Irrep, list[tuple[np.ndarray, np.ndarray]]] = {}
    for powers in _compositions(degree, len(singles)):
        factors = [(ir, n, start) for (ir, start), n in zip(singles, powers, strict=True) if n]
        if max_order is not None and sum(ir.l * n for ir, n, _ in factors) > max_order:
            continue
        variables, product = _product(factors, keep)
        arrangements = math.factorial(degree) // math.prod(math.factorial(n) for _, n, _ in factors)
        for ir, values in product.items():
            found.setdefault(ir, []).append((variables, math.sqrt(arrangements) * values))
    return {ir: _terms(found[ir]) for ir in sorted(found)}


def _compositions(total: int, length: int) -> Iterator[tuple[int, ...]]:
    """Generate all tuples of `length` numbers of a given sum, the largest first number first."""
    if length == 0:
        if total == 0:
            yield ()
        return
    for first in range(total, -1, -1):
        for rest in _compositions(total - first, length - 1):
            yield (first, *rest)


def _terms(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Terms:
    """Return the nonzero terms of several products, whose copies are counted one after another."""
    copies, terms, numbers = 0, [], []
    for variables, values in parts:
        at = np.argwhere(np.abs(values) > 1e-12)
        terms.append(np.column_stack([copies + at[:, 0], variables[at[:, 1]], at[:, 2]]))
        numbers.append(values[tuple(at.T)])
        copies += len(values)
    return Terms(copies, np.concatenate(terms), np.concatenate(numbers))


def _partners(keep: _Keep, others: Sequence[Irrep]) -> _Keep:
    """Return the irreps whose product with the others contains a wanted irrep."""
    if keep is None:
        return None
    for other in others:
        keep = frozenset(ir for wanted in keep for ir in wanted * other)
    return keep


def _product(factors: Sequence[tuple[Irrep, int, int]], keep: _Keep) -> Polynomials:
    """Return the products of powers of different irreps, given as (irrep, power, its first component)."""
    rest = [ir for ir, n, _ in factors for _ in range(n)]
    current: Polynomials | None = None
    for ir, n, start in factors:
        del rest[:n]
        done = [i for other, m, s in factors if s < start for i in [other] * m]
        variables, values = power(ir, n, _partners(keep, done + rest))
        here = Polynomials(variables + start, values)
        current = here if current is None else _couple(current, here, _partners(keep, rest))
    if current is None:
        raise ValueError("expected a degree of 1 or more, got 0")
    return current


def _couple(first: Polynomials, second: Polynomials, keep: _Keep) -> Polynomials:
    """Return all products of polynomials in different variables, reduced to irreps."""
    (variables1, basis1), (variables2, basis2) = first, second
    found: dict[Irrep, list[np.ndarray]] = {}
    for ir1, a in basis1.items():
        for ir2, b in basis2.items():
            for ir in ir1 * ir2:
                if keep is None or ir in keep:
                    c = clebsch_gordan(ir1.l, ir2.l, ir.l) * math.sqrt(ir.dim)
                    y = np.einsum("umi,vnj,ijk->uvmnk", a, b, c, optimize=True)
                    found.setdefault(ir, []).append(y.reshape(len(a) * len(b), -1, ir.dim))
    variables = [(*m, *n) for m in variables1 for n in variables2]
    return Polynomials(np.array(variables), {ir: np.concatenate(found[ir]) for ir in sorted(found)})


@cached(maxsize=1024)
def power(ir: Irrep, degree: int, keep: _Keep = None) -> Polynomials:
    """Return the equivariant polynomials of a degree in the components of one irrep."""
    if degree == 1:
        own = {ir: np.eye(ir.dim)[None]} if keep is None or ir in keep else {}
        return Polynomials(np.arange(ir.dim)[:, None], own)
    first, second = _halves(ir.dim, degree)
    a, b = (power(ir, n, _partners(keep, [ir] * (degree - n))) for n in (first, second))
    pairs, products = _couple(a, b, keep)
    variables, place = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    counts = [math.prod(math.factorial(n) for n in np.unique(row, return_counts=True)[1]) for row in variables]
    norm = np.array(counts) / math.factorial(degree)  # one over the multinomial coefficient
    same = np.eye(len(variables))[place.reshape(-1)]  # which products of monomials are the same monomial
    found = {}
    for ir_out, values in products.items():
        symmetric = np.einsum("upk,pm->umk", values, same, optimize=True)
        one = symmetric[..., 0]  # by Schur's lemma one component is enough
        rows = orthonormal_range((one * norm) @ one.T)
        if len(rows):
            found[ir_out] = np.tensordot(rows, symmetric, 1)
    return Polynomials(variables, found)


def _halves(dim: int, degree: int) -> tuple[int, int]:
    """Return the two smaller powers that e3nn couples.

    Starting from single factors, e3nn repeatedly joins the two factors with the fewest monomials, and puts the result
    before the others.
    """
    sizes = [1] * degree
    while len(sizes) > 2:
        pairs = itertools.combinations(range(len(sizes)), 2)
        i, j = min(pairs, key=lambda p: math.comb(dim + sizes[p[0]] + sizes[p[1]] - 1, dim - 1))
        joined = sizes[i] + sizes[j]
        sizes = [joined, *(n for place, n in enumerate(sizes) if place not in (i, j))]
    return sizes[0], sizes[1]


def as_tensors(found: Terms, dim: int, components: int) -> np.ndarray:
    """Return polynomials as symmetric tensors, of shape (copies, dim, ..., dim, components)."""
    copy, *variables, component = found.terms.T
    out = np.zeros((found.copies, *(dim,) * len(variables), components))
    # Each arrangement of the variables gets an equal share; shares of equal arrangements add up, and are divided at
    # last: 6/6 is exactly 1, while 1/6 + ... + 1/6 is not.
    for arranged in itertools.permutations(variables):
        out[(copy, *arranged, component)] += found.values
    return out / math.factorial(len(variables))
