"""Spherical harmonics as a polynomial of the compute core, term by term."""

import math
from collections.abc import Sequence

import numpy as np

from irreps_core import cached, clebsch_gordan
from irreps_ops._inputs import _checks as check
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access, Coefficients, Operand, Path

Monomial = tuple[int, ...]


def harmonics_polynomial(degrees: Sequence[int]) -> Polynomial:
    """Return the solid harmonics of component normalization as homogeneous polynomials of x, y and z.

    They are :math:`|v|^l Y_l(v / |v|)`, see :func:`irreps_core.solid_harmonics`.

    This is a description of them, to print, transform or compile. To evaluate them use :func:`spherical_harmonics`,
    which is stable at any degree and shares work among degrees.

    Args:
        degrees: the degree of each output.

    Returns:
        A polynomial of one input of shape (batch, 3), components (x, y, z), with outputs of shape ``(batch, 2l+1)``.

    Raises:
        ValueError: a degree is not an integer of 0 or more.

    Example:
        >>> import irreps_ops as irr
        >>> print(irr.harmonics_polynomial([2]).explain())
        1 path, 8 terms
        per batch element: 16 multiply-adds, 12 bytes read, 20 bytes written (float32)
          in0 vector: 3, batched
          out0 Y2: 5, batched
          out0[] += 8 terms of in0[] in0[]
    """
    degrees = [check.count("harmonics_polynomial", "degree", degree, least=0) for degree in degrees]
    outputs = [Operand(2 * degree + 1, (), Access.BATCHED, f"Y{degree}") for degree in degrees]
    paths = []
    for n, degree in enumerate(degrees):
        found = [(*monomial, m, value) for m, terms in enumerate(_monomials(degree)) for monomial, value in terms]
        terms = np.array([term[:-1] for term in found], np.int32).reshape(len(found), degree + 1)
        coefficients = Coefficients(terms, np.array([term[-1] for term in found]))
        paths.append(Path((0,) * degree, n, ("",) * (degree + 1), coefficients))
    return Polynomial((Operand(3, (), Access.BATCHED, "vector"),), tuple(outputs), tuple(paths))


@cached(maxsize=256)
def _monomials(degree: int) -> tuple[tuple[tuple[Monomial, float], ...], ...]:
    """Return for each m the monomials, as sorted components, and their coefficients.

    Y_l is the part of degree l of v times Y_(l-1). Its norm on the unit sphere is sqrt(2l+1), and at the pole y only
    its middle component is not zero.
    """
    if degree == 0:
        return ((((), 1.0),),)
    C = clebsch_gordan(1, degree - 1, degree)
    sums: list[dict[Monomial, float]] = [{} for _ in range(2 * degree + 1)]
    for i, j, k in np.argwhere(C).tolist():
        for monomial, value in _monomials(degree - 1)[j]:
            product = tuple(sorted((*monomial, i)))
            sums[k][product] = sums[k].get(product, 0.0) + float(C[i, j, k]) * value
    scale = math.sqrt(2 * degree + 1) / sums[degree][(1,) * degree]
    # Terms that cancel leave rounding errors.
    least = 1e-13 * max(abs(value) for of_m in sums for value in of_m.values())
    return tuple(tuple((m, scale * v) for m, v in sorted(of_m.items()) if abs(v) > least) for of_m in sums)
