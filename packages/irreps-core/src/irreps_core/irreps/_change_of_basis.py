"""Conventions of other software: order, axes and phases of the harmonics, signs of Clebsch-Gordan coefficients."""

from collections.abc import Callable
from typing import SupportsIndex

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core._inputs._degrees import check_degree
from irreps_core._inputs._shown import shown
from irreps_core.coupling._clebsch_gordan import change_basis_real_to_complex, clebsch_gordan_sparse

from ._irrep import Irrep
from ._irreps import IntoIrreps, Irreps

# Each convention is the matrix M of y = M s, with s the textbook real harmonics of degree l: polar axis z,
# m = -l .. l, sin(|m|φ) at m < 0 and cos(mφ) at m > 0, without the Condon-Shortley phase.


def _e3nn(l: int) -> np.ndarray:
    # y has the polar axis y: y(r) = s(C r), C (x, y, z) = (z, x, y). So s(r) = y(C⁻¹ r) = D(C)⁻¹ y(r).
    return Irrep(l, 1).D_from_matrix(np.eye(3)[[2, 0, 1]])


def _e3x(l: int) -> np.ndarray:
    return np.eye(2 * l + 1)[[l + m for n in range(l, 0, -1) for m in (n, -n)] + [l]]


def _pyscf(l: int) -> np.ndarray:
    return np.eye(3)[[2, 0, 1]] if l == 1 else np.eye(2 * l + 1)


def _scipy(l: int) -> np.ndarray:
    return 1j ** (l % 4) * change_basis_real_to_complex(l)


def _sphericart(l: int) -> np.ndarray:
    return np.eye(2 * l + 1)


_CONVENTIONS: dict[str, Callable[[int], np.ndarray]] = {
    "e3nn": _e3nn,
    "e3nn-0.4": _e3nn,
    "e3x": _e3x,
    "pyscf": _pyscf,
    "scipy": _scipy,
    "sphericart": _sphericart,
}


def change_of_basis(source: str, target: str, irreps: SupportsIndex | IntoIrreps) -> np.ndarray:
    r"""Return the matrix B of :math:`y_\text{target} = B y_\text{source}`, for components in two conventions.

    Here y are harmonics of one direction :math:`r = (x, y, z)`, in one normalization, or any components that transform
    like them. B is unitary. Components that transform with D in the source convention transform with :math:`B D B^{-1}`
    in the target convention.

    * ``"e3nn"``: e3nn from 0.5 on, e3nn-jax, this package. Real, polar axis y, :math:`m = -l, ..., l`; degree 1 is (x,
      y, z).
    * ``"e3nn-0.4"``: e3nn up to 0.4. The same components; :func:`clebsch_gordan_sign` gives the signs that differ.
    * ``"e3x"``: e3x in its Cartesian order. Real, polar axis z, :math:`m = l, -l, l - 1, ..., 1, -1, 0`; degree 1 is
      (x, y, z).
    * ``"pyscf"``: spherical orbitals of PySCF. Real, polar axis z, :math:`m = -l, ..., l`, but degree 1 is (x, y, z).
    * ``"scipy"``: ``scipy.special.sph_harm_y``. Complex, polar axis z, :math:`m = -l, ..., l`, Condon-Shortley phase.
    * ``"sphericart"``: sphericart and most textbooks. Real, polar axis z, :math:`m = -l, ..., l`; degree 1 is (y, z,
      x).

    Where the polar axis differs, B is the rotation by 120 degrees that permutes x, y and z, so that it is a full matrix
    from degree 2 on. To rename the axes instead, permute the coordinates: :math:`y_\text{e3nn}` at (x, y, z) is
    :math:`y_\text{sphericart}` at (z, x, y).

    Args:
        source: name of a convention.
        target: name of a convention.
        irreps: a degree, or irreps (the parities do not matter).

    Returns:
        Array of shape ``(2l+1, 2l+1)``, or (dim, dim) and block diagonal for irreps: float64, or complex128 if one of
        the conventions is ``"scipy"``. For a degree it is read-only.

    Raises:
        ValueError: a convention is unknown, the degree is negative, or the irreps are malformed.
        TypeError: the degree is not an integer.

    Example:
        >>> from irreps_core import change_of_basis
        >>> change_of_basis("e3nn", "sphericart", 1).round().astype(int)  # (x, y, z) to (y, z, x)
        array([[0, 1, 0],
               [0, 0, 1],
               [1, 0, 0]])
        >>> change_of_basis("scipy", "e3nn", "2x0e + 1o").shape
        (5, 5)
    """
    for name in (source, target):
        _check_convention(name, tuple(_CONVENTIONS))
    if isinstance(irreps, SupportsIndex):
        return _one_degree(source, target, check_degree("the degree", irreps))
    irreps = Irreps(irreps)
    blocks = [_one_degree(source, target, ir.l) for mul, ir in irreps for _ in range(mul)]
    out = np.zeros((irreps.dim, irreps.dim), np.result_type(float, *blocks))
    start = 0
    for block in blocks:
        stop = start + len(block)
        out[start:stop, start:stop] = block
        start = stop
    return out


@cached()
def _one_degree(source: str, target: str, l: int) -> np.ndarray:
    return _CONVENTIONS[target](l) @ _CONVENTIONS[source](l).conj().T


def _check_convention(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"unknown convention {shown(name)}: expected one of {', '.join(known)}")


def clebsch_gordan_sign(convention: str, l1: SupportsIndex, l2: SupportsIndex, l3: SupportsIndex) -> int:
    """Return the sign, 1 or -1, by which another convention's real Clebsch-Gordan coefficients differ from ours.

    The coefficients of the convention are this sign times ``clebsch_gordan(l1, l2, l3)``. For ``"e3nn"`` (e3nn from 0.5
    on, e3nn-jax) the sign is always 1. For ``"e3nn-0.4"``: with :math:`l_1 ≤ l_2 ≤ l_3`, the coefficient at
    :math:`m_1 = m_2 = m_3 = 0` is positive, or where that is zero (:math:`l_1 + l_2 + l_3` odd), the first one that is
    not zero. Other orders of the degrees follow by the same transpositions as in :func:`clebsch_gordan`. To use weights
    trained with e3nn 0.4, multiply each path from :math:`l_1` and :math:`l_2` to :math:`l_3` by this sign.

    Args:
        convention: ``"e3nn"`` or ``"e3nn-0.4"``.
        l1: degree of the first factor.
        l2: degree of the second factor.
        l3: degree of the product.

    Returns:
        1 or -1.

    Raises:
        ValueError: the convention is unknown, a degree is negative, or ``l3`` does not occur in the product of ``l1``
            and ``l2``.
        TypeError: a degree is not an integer.

    Example:
        >>> from irreps_core import clebsch_gordan_sign
        >>> clebsch_gordan_sign("e3nn-0.4", 1, 1, 2), clebsch_gordan_sign("e3nn-0.4", 1, 2, 2)
        (1, -1)
    """
    _check_convention(convention, ("e3nn", "e3nn-0.4"))
    degrees = sorted(check_degree(name, l) for name, l in (("l1", l1), ("l2", l2), ("l3", l3)))
    if degrees[2] > degrees[0] + degrees[1]:
        raise ValueError(f"degrees {(l1, l2, l3)} do not couple: each must be at most the sum of the others")
    if convention == "e3nn":
        return 1
    indices, values = clebsch_gordan_sparse(*degrees)
    central = np.all(indices == degrees, axis=1)
    decisive = values[central] if np.any(central) else values
    return 1 if decisive[0] > 0 else -1
