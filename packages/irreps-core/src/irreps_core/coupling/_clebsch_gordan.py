"""SO(3): Clebsch-Gordan coefficients and generators of any degree, in the real basis."""

import itertools
import math
from typing import SupportsIndex

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core._inputs._degrees import check_degree

from ._su2 import clebsch_gordan_half, in_triangle, su2_generators

_LARGEST = 2**31  # bytes of a dense array


def change_basis_real_to_complex(l: SupportsIndex) -> np.ndarray:
    r"""Return the unitary matrix :math:`Q` from the real to the complex basis of degree l.

    It gives the components in the complex basis :math:`|l, m⟩` as :math:`x_\text{complex} = Q x_\text{real}`. With the
    real components :math:`c_m` (cosines), :math:`c_0` and :math:`c_{-m}` (sines), :math:`m > 0`,

    .. math::

        x_m = \frac{(-i)^l (-1)^m (c_m + i c_{-m})}{\sqrt 2}, \qquad x_0 = (-i)^l c_0, \qquad
        x_{-m} = \frac{(-i)^l (c_m - i c_{-m})}{\sqrt 2}

    The factor :math:`(-i)^l` makes all real Clebsch-Gordan coefficients real.

    Args:
        l: degree.

    Returns:
        complex128 array of shape ``(2l+1, 2l+1)``; rows and columns run :math:`m = -l, ..., l`. Read-only.

    Raises:
        TypeError: l is not an integer.
        ValueError: l is negative.

    Example:
        >>> from irreps_core import change_basis_real_to_complex
        >>> change_basis_real_to_complex(1).round(3)
        array([[-0.707+0.j   ,  0.   +0.j   ,  0.   -0.707j],
               [ 0.   +0.j   ,  0.   -1.j   ,  0.   +0.j   ],
               [-0.707+0.j   ,  0.   +0.j   ,  0.   +0.707j]])
    """
    return _change_basis_real_to_complex(check_degree("l", l))


@cached()
def _change_basis_real_to_complex(l: int) -> np.ndarray:
    return (-1j) ** (l % 4) * _phases(l) * np.where(np.arange(-l, l + 1) == 0, 1, np.sqrt(0.5))


def _phases(l: int) -> np.ndarray:
    """Return the matrix of change_basis_real_to_complex without its norms and (-i)^l: only 0, ±1 and ±i."""
    m = np.arange(1, l + 1)
    sign = (-1.0) ** m
    phases = np.zeros((2 * l + 1, 2 * l + 1), complex)
    phases[l, l] = 1
    phases[l + m, l + m] = sign
    phases[l + m, l - m] = 1j * sign
    phases[l - m, l + m] = 1
    phases[l - m, l - m] = -1j
    return phases


def generators(l: SupportsIndex) -> np.ndarray:
    r"""Return the generators of the rotations about x, y and z on the real basis of degree l.

    :math:`\exp(θ X_a)` is the Wigner D matrix of the rotation by θ about the axis a. The generators are real and
    antisymmetric, and :math:`[X_a, X_b] = ε_{abc} X_c`. For :math:`l = 1` they act on (x, y, z):
    :math:`(X_a)_{bc} = -ε_{abc}`.

    Args:
        l: degree.

    Returns:
        float64 array of shape ``(3, 2l+1, 2l+1)``. Read-only.

    Raises:
        TypeError: l is not an integer.
        ValueError: l is negative.

    Example:
        >>> from irreps_core import generators
        >>> generators(1)[1].astype(int)  # about y: z turns to x, x to -z
        array([[ 0,  0,  1],
               [ 0,  0,  0],
               [-1,  0,  0]])
    """
    return _generators(check_degree("l", l))


@cached()
def _generators(l: int) -> np.ndarray:
    phases = _phases(l)
    # The sums are over ±1 times equal numbers, so that terms cancel exactly. The norms are multiplied afterwards.
    x = np.real(phases.conj().T @ su2_generators(l) @ phases)
    paired = np.arange(-l, l + 1) != 0
    return x * 0.5 ** (np.add.outer(paired, paired, dtype=float) / 2)


def clebsch_gordan(l1: SupportsIndex, l2: SupportsIndex, l3: SupportsIndex) -> np.ndarray:
    r"""Return the real Clebsch-Gordan coefficients: the invariant tensor of three degrees, of Frobenius norm 1.

    :math:`\sum_{ij} C_{ijk} x_i y_j` transforms with degree :math:`l_3` when x and y transform with degrees :math:`l_1`
    and :math:`l_2`:

    .. math:: \sum_{abc} D^{l_1}_{ia} D^{l_2}_{jb} D^{l_3}_{kc} \, C_{abc} = C_{ijk}

    All are zero unless :math:`|l_1 - l_2| ≤ l_3 ≤ l_1 + l_2`. The sign is fixed by

    .. math::

        C_{ijk} = \frac{1}{\sqrt{2 l_3 + 1}} \sum_{m_1 m_2 m_3} Q^{l_1}_{m_1 i} \, Q^{l_2}_{m_2 j} \,
        Q^{l_3 *}_{m_3 k} \; \langle l_1 m_1 \, l_2 m_2 | l_3 m_3 \rangle

    with the Condon-Shortley coefficients and the Q of :func:`change_basis_real_to_complex`: the convention of e3nn-jax,
    and of e3nn from 0.5 on. An even permutation of the degrees transposes C; an odd one also multiplies it by
    :math:`(-1)^{l_1 + l_2 + l_3}`.

    Args:
        l1: degree of the first factor.
        l2: degree of the second factor.
        l3: degree of the product.

    Returns:
        float64 array of shape ``(2*l1+1, 2*l2+1, 2*l3+1)``, components :math:`m = -l, ..., l`. Read-only.

    Raises:
        TypeError: a degree is not an integer.
        ValueError: a degree is negative, or the array would take more than 2 GiB.

    Example:
        >>> from irreps_core import clebsch_gordan
        >>> clebsch_gordan(1, 1, 1)[0].round(3).tolist()  # the cross product, divided by sqrt(6)
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.408], [0.0, -0.408, 0.0]]
    """
    degrees = check_degree("l1", l1), check_degree("l2", l2), check_degree("l3", l3)
    size = 8 * math.prod(2 * l + 1 for l in degrees)
    if size > _LARGEST:
        raise ValueError(
            f"the coefficients of the degrees {degrees!s:.200} would take {size / 2**30:.3g} GiB, more than the 2 GiB "
            "allowed: use clebsch_gordan_sparse"
        )
    return _clebsch_gordan(*degrees)


@cached(maxsize=1024)  # they are large, and quickly made from the sparse ones
def _clebsch_gordan(l1: int, l2: int, l3: int) -> np.ndarray:
    table = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    indices, values = _nonzeros(l1, l2, l3)
    table[tuple(indices)] = values
    return table


def clebsch_gordan_sparse(l1: SupportsIndex, l2: SupportsIndex, l3: SupportsIndex) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the elements of :func:`clebsch_gordan` that are not zero.

    By the selection rules :math:`|m_3|` is :math:`|m_1| + |m_2|` or :math:`\big| |m_1| - |m_2| \big|`, and the number
    of negative :math:`m` (sines) has the parity of :math:`l_1 + l_2 + l_3`. Elements that obey them and are zero
    nevertheless, such as :math:`⟨2\,0\,3\,2 | 3\,2⟩`, are left out, too.

    Args:
        l1: degree of the first factor.
        l2: degree of the second factor.
        l3: degree of the product.

    Returns:
        Indices and values: an int64 array of shape (n, 3), the places :math:`(l_1 + m_1, l_2 + m_2, l_3 + m_3)` in
        lexical order, and a float64 array of shape (n,). Both are read-only.

    Raises:
        TypeError: a degree is not an integer.
        ValueError: a degree is negative.

    Example:
        >>> from irreps_core import clebsch_gordan_sparse
        >>> indices, values = clebsch_gordan_sparse(1, 1, 0)  # the dot product, divided by sqrt(3)
        >>> indices
        array([[0, 0, 0],
               [1, 1, 0],
               [2, 2, 0]])
        >>> values
        array([0.577, 0.577, 0.577])
    """
    return _sparse(check_degree("l1", l1), check_degree("l2", l2), check_degree("l3", l3))


@cached()
def _sparse(l1: int, l2: int, l3: int) -> tuple[np.ndarray, np.ndarray]:
    indices, values = _nonzeros(l1, l2, l3)
    order = np.lexsort(indices[::-1])
    return np.ascontiguousarray(indices[:, order].T), values[order]


def _nonzeros(l1: int, l2: int, l3: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places (3, n) and values (n,) in no particular order: computed for sorted degrees, then permuted."""
    degrees = (l1, l2, l3)
    order = sorted(range(3), key=degrees.__getitem__)
    indices, values = _sorted_nonzeros(*(degrees[i] for i in order))
    odd = order in ([0, 2, 1], [2, 1, 0], [1, 0, 2]) and sum(degrees) % 2
    return indices[np.argsort(order)], -values if odd else values


@cached()
def _sorted_nonzeros(l1: int, l2: int, l3: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Compute the real coefficients from the complex ones, for l1 <= l2 <= l3.

    Each real coefficient is one complex coefficient <l1 μ1 l2 μ2 | l3 μ3>, |m_i| = |μ_i|, times a phase and a
    norm, because the two terms (μ1, μ2, μ3) and (-μ1, -μ2, -μ3) of Q1 Q2 conj(Q3) are equal or cancel.
    """
    if not in_triangle(2 * l1, 2 * l2, 2 * l3):
        return np.zeros((3, 0), int), np.zeros(0)
    half = clebsch_gordan_half(2 * l1, 2 * l2, 2 * l3)
    half[:l1, 0] = 0  # at μ3 = 0, -μ1 repeats μ1
    row, mu3 = np.nonzero(half)
    mu1 = row - l1
    mu = np.stack([mu1, mu3 - mu1, mu3])
    zeros = np.sum(mu == 0, axis=0)  # each of the three norms is sqrt(1/2) unless μ = 0; two equal terms unless all are
    norm = np.array([np.sqrt(0.5), 1.0, 1.0, 1.0])[zeros] / np.sqrt(2 * l3 + 1)
    minus_ones = np.sum(np.maximum(mu, 0), axis=0) + (l1 + l2 - l3) // 2
    value = norm * (1 - 2 * (minus_ones % 2)) * half[row, mu3]

    odd = (l1 + l2 + l3) % 2
    centre = np.array([[l1], [l2], [l3]])
    sign = np.where(mu < 0, -1, 1)
    places, values = [], []
    for sines in itertools.product((0, 1), repeat=3):
        if sum(sines) % 2 != odd:
            continue  # the two terms cancel
        a, b, c = sines
        phase = (1j ** (a + b) * (-1j) ** (c + odd)).real
        exists = np.all(mu[np.flatnonzero(sines)] != 0, axis=0)  # no sine has m = 0
        m = np.where(np.array(sines)[:, None], -np.abs(mu), np.abs(mu))
        places.append((centre + m)[:, exists])
        values.append((phase * sign[0] ** a * sign[1] ** b * value)[exists])
    return np.concatenate(places, axis=1), np.concatenate(values)
