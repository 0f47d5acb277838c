"""Bases of tensors with a symmetry of their indices, reduced to irreps."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core import (
    IntoIrreps,
    Irrep,
    Irreps,
    IrrepsArray,
    SymmetryGroup,
    cached,
    check_basis_size,
    parse_symmetry,
    perm,
    product_basis,
    shown,
    stack_basis,
    symmetric_basis,
)
from irreps_ops._inputs import _checks as check

from ._symmetric_polynomials import as_tensors, equivariant_polynomials


def reduced_tensor_product_basis(
    formula_or_irreps_list: str | Sequence[IntoIrreps],
    *,
    epsilon: float = 1e-5,
    keep_ir: IntoIrreps | Sequence[str | Irrep] = None,
    max_order: int | None = None,
    **irreps: IntoIrreps,
) -> IrrepsArray:
    r"""Return an orthonormal basis of the tensors with a symmetry of their indices, reduced to irreps.

    The formula names the indices and their symmetries: "ij=ji" is a symmetric matrix, "ijk=-jik=-ikj" a tensor that
    changes sign whenever two indices are exchanged, "ijkl=jikl=klij" an elasticity tensor, "ij" any matrix. The tensors
    have the whole group of symmetries that the formula generates.

    The columns of an irrep transform with it: :math:`T(R x, R y, ...) = D(R) \, T(x, y, ...)` for the multilinear map

    .. math:: T(x, y, ...)_k = \sum_{ij...} \text{basis}_{ij...k} \, x_i \, y_j \cdots

    Args:
        formula_or_irreps_list: a formula, with the irreps of its indices as keywords; or, for tensors without symmetry,
            the irreps of each index.
        epsilon: a positive number, for compatibility with e3nn-jax. It has no effect: the number of linearly
            independent tensors is counted exactly.
        keep_ir: the wanted irreps (default: all). Intermediate irreps that cannot lead to them are skipped.
        max_order: upper limit for the sum of the degrees of the components (default: none). For indices that are
            spherical harmonics of one vector, this is the degree of the polynomials.
        irreps: for each index of the formula its irreps. For indices that the formula exchanges, one of them suffices.

    Returns:
        NumPy IrrepsArray, read-only, of shape ``(*dims, irreps_out.dim)`` with the dimensions of the indices;
        irreps_out sorted, each once. As a matrix with a row for each element of a tensor it has orthonormal columns, in
        float64.

        The basis depends on the arguments alone, not on a linear algebra library. The copies of an irrep, which an
        orthogonal matrix could mix, are ordered as in :func:`tensor_product`, from left to right. Fully symmetric bases
        are those of :func:`reduced_symmetric_tensor_product_basis`; bases without symmetry are those of e3nn-jax, copy
        by copy.

    Raises:
        ValueError: a malformed formula; an index without irreps; irreps of an index that the formula does not have;
            indices that are exchanged but differ in their irreps; the basis would take more than 128 MiB.
        TypeError: an unknown argument.

    Example:
        >>> import irreps_ops as irr
        >>> q = irr.reduced_tensor_product_basis("ij=-ji", i="1o")
        >>> q
        1x1e
        [[[ 0.    0.    0.  ]
          [ 0.    0.    0.71]
          [ 0.   -0.71  0.  ]]
         [[ 0.    0.   -0.71]
          [ 0.    0.    0.  ]
          [ 0.71  0.    0.  ]]
         [[ 0.    0.71  0.  ]
          [-0.71  0.    0.  ]
          [ 0.    0.    0.  ]]]
        >>> irr.reduced_tensor_product_basis("ijkl=jikl=klij", i="1o").irreps
        2x0e+2x2e+1x4e
        >>> irr.reduced_tensor_product_basis(["1o", "0e + 1o"], keep_ir="0e + 1o").irreps
        1x0e+1x1o
    """
    if isinstance(formula_or_irreps_list, str):
        indices, group = parse_symmetry(formula_or_irreps_list)
        chosen = _irreps_of_indices(formula_or_irreps_list, indices, group, irreps)
    else:
        if irreps:
            raise TypeError(f"irreps of indices belong to a formula, got {sorted(irreps)} with a list of irreps")
        chosen = tuple(map(Irreps, formula_or_irreps_list))
        group = frozenset({(1, perm.identity(len(chosen)))})
    return _basis("reduced_tensor_product_basis", chosen, group, epsilon, keep_ir, max_order)


def reduced_symmetric_tensor_product_basis(
    irreps: IntoIrreps,
    degree: int,
    *,
    epsilon: float = 1e-5,
    keep_ir: IntoIrreps | Sequence[str | Irrep] = None,
    max_order: int | None = None,
) -> IrrepsArray:
    """Return an orthonormal basis of the symmetric tensors of `degree` indices, the equivariant polynomials.

    It is, copy by copy, the basis of e3nn-jax's function of this name and of :class:`FunctionalSymmetricContraction`.

    Args:
        irreps: irreps of each index.
        degree: the number of indices.
        epsilon: see :func:`reduced_tensor_product_basis`, as the rest.
        keep_ir: the wanted irreps (default: all).
        max_order: upper limit for the sum of the degrees of the components (default: none).

    Returns:
        NumPy IrrepsArray, read-only, of shape (d, ..., d, irreps_out.dim).

    Raises:
        ValueError: a degree that is not an integer from 1 to 8.

    Example:
        >>> import irreps_ops as irr
        >>> irr.reduced_symmetric_tensor_product_basis("1o", 3).irreps
        1x1o+1x3o
        >>> irr.reduced_symmetric_tensor_product_basis("0e + 1o", 2, keep_ir="0e").irreps
        2x0e
    """
    n = _count_of_indices("reduced_symmetric_tensor_product_basis", degree)
    group = frozenset((1, p) for p in perm.group(n))
    return _basis("reduced_symmetric_tensor_product_basis", (Irreps(irreps),) * n, group, epsilon, keep_ir, max_order)


def reduced_antisymmetric_tensor_product_basis(
    irreps: IntoIrreps,
    degree: int,
    *,
    epsilon: float = 1e-5,
    keep_ir: IntoIrreps | Sequence[str | Irrep] = None,
    max_order: int | None = None,
) -> IrrepsArray:
    """Return an orthonormal basis of the tensors that change sign whenever two of their `degree` indices are exchanged.

    Args:
        irreps: irreps of each index.
        degree: the number of indices.
        epsilon: see :func:`reduced_tensor_product_basis`, as the rest.
        keep_ir: the wanted irreps (default: all).
        max_order: upper limit for the sum of the degrees of the components (default: none).

    Returns:
        NumPy IrrepsArray, read-only, of shape (d, ..., d, irreps_out.dim).

    Raises:
        ValueError: a degree that is not an integer from 1 to 8.

    Example:
        >>> import irreps_ops as irr
        >>> irr.reduced_antisymmetric_tensor_product_basis("1o", 3).irreps
        1x0o
    """
    name = "reduced_antisymmetric_tensor_product_basis"
    n = _count_of_indices(name, degree)
    group = frozenset((perm.sign(p), p) for p in perm.group(n))
    return _basis(name, (Irreps(irreps),) * n, group, epsilon, keep_ir, max_order)


def _count_of_indices(function: str, degree: int) -> int:
    """Return the degree, of which there are degree! permutations."""
    n = check.count(function, "degree", degree)
    if n > 8:
        raise ValueError(
            f"{function} expects a degree of at most 8, which has 40,320 permutations, got {degree!r:.100}"
        )
    return n


def _irreps_of_indices(
    formula: str, indices: str, group: SymmetryGroup, given: dict[str, IntoIrreps]
) -> tuple[Irreps, ...]:
    """Return the irreps of each index; those of exchanged indices follow from one another."""
    for name in given:
        if len(name) != 1:
            raise TypeError(f"reduced_tensor_product_basis has no argument {shown(name)}")
        if name not in indices:
            raise ValueError(f"there is no index {name!r} in the formula {shown(formula)}")
    chosen = {i: Irreps(x) for i, x in given.items()}
    for n, i in enumerate(indices):
        same = sorted({indices[p[n]] for _, p in group} & set(given))
        if not same:
            raise ValueError(f"the index {i!r} of the formula {shown(formula)} needs irreps, for example {i}='1o'")
        if any(chosen[j] != chosen[same[0]] for j in same):
            told = ", ".join(f"{j}={chosen[j]!s:.200}" for j in same)
            raise ValueError(f"the formula {shown(formula)} exchanges indices that differ in their irreps: {told}")
        chosen.setdefault(i, chosen[same[0]])
    return tuple(chosen[i] for i in indices)


def _basis(
    function: str, irreps: tuple[Irreps, ...], group: SymmetryGroup, epsilon: float, keep_ir: Any, max_order: int | None
) -> IrrepsArray:
    check.positive(function, "epsilon", epsilon)
    if max_order is not None:
        max_order = check.count(function, "max_order", max_order, least=0)
    keep = None if keep_ir is None else frozenset(ir for _, ir in Irreps(keep_ir))
    check_basis_size(irreps, group, keep, max_order)
    return IrrepsArray(*_arrays(irreps, group, keep, max_order))


@cached(maxsize=64)
def _arrays(
    irreps: tuple[Irreps, ...], group: SymmetryGroup, keep: frozenset[Irrep] | None, max_order: int | None
) -> tuple[Irreps, np.ndarray]:
    n, dims = len(irreps), [i.dim for i in irreps]
    if n and len(group) == math.factorial(n) and all(sign == 1 for sign, _ in group):
        polynomials = equivariant_polynomials(irreps[0], n, keep, max_order)
        return stack_basis({ir: as_tensors(found, dims[0], ir.dim) for ir, found in polynomials.items()}, dims)
    if len(group) == 1:
        return stack_basis(product_basis(irreps, keep, max_order), dims)
    return stack_basis(symmetric_basis(irreps, group, keep, max_order), dims)
