"""SU(2): generators and Clebsch-Gordan coefficients of any spin, in the complex basis |j, m>."""

from typing import SupportsFloat

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core._inputs._degrees import check_spin


def su2_generators(j: SupportsFloat) -> np.ndarray:
    r"""Return the generators of the spin-j representation of SU(2), which are anti-Hermitian.

    Their commutators are :math:`[X_a, X_b] = ε_{abc} X_c`. In the order of this package's axes (x, y, z), whose polar
    axis is y, they are

    .. math:: X_x = -i J_2, \qquad X_y = i J_3, \qquad X_z = i J_1

    with the textbook operators

    .. math:: J_3 |m\rangle = m \, |m\rangle, \qquad
              (J_1 \pm i J_2) |m\rangle = \sqrt{j(j+1) - m(m \pm 1)} \, |m \pm 1\rangle

    Args:
        j: spin, 0, 1/2, 1, 3/2, ...

    Returns:
        complex128 array of shape ``(3, 2j+1, 2j+1)``; components run :math:`m = -j, ..., j`. Read-only.

    Raises:
        TypeError: j is not a number.
        ValueError: j is negative or :math:`2j` is not an integer.

    Example:
        >>> import numpy as np
        >>> from irreps_core import su2_generators
        >>> x, y, z = su2_generators(1 / 2)
        >>> bool(np.allclose(x @ y - y @ x, z))
        True
    """
    return _su2_generators(check_spin("j", j))


@cached()
def _su2_generators(jj: int) -> np.ndarray:
    mm = np.arange(-jj, jj + 1, 2)
    # <m+1| J_1 + i J_2 |m>, from the exact integer 4 (j-m)(j+m+1)
    raising = np.diag(np.sqrt((jj - mm[:-1]) * (jj + mm[:-1] + 2)) / 2, k=-1)
    j_1 = (raising + raising.T) / 2
    i_j_2 = (raising - raising.T) / 2
    return np.stack([-i_j_2 + 0j, 0.5j * np.diag(mm), 1j * j_1])


def su2_clebsch_gordan(j1: SupportsFloat, j2: SupportsFloat, j3: SupportsFloat) -> np.ndarray:
    r"""Return the Clebsch-Gordan coefficients of SU(2), of Frobenius norm 1.

    .. math:: \langle j_1 m_1 \, j_2 m_2 | j_3 m_3 \rangle / \sqrt{2 j_3 + 1}

    Their phases are those of Condon and Shortley.
    They are all zero unless :math:`|j_1 - j_2| ≤ j_3 ≤ j_1 + j_2` and :math:`j_1 + j_2 + j_3` is an integer.
    They are exact to rounding for every spin: the three-term recursion of :math:`J^2` in :math:`m_1` (Schulten and
    Gordon, J. Math. Phys. 16, 1961 (1975)) runs from both ends into the oscillating region, where the two are matched.

    Args:
        j1: first spin, 0, 1/2, 1, ...
        j2: second spin.
        j3: spin of the product.

    Returns:
        float64 array of shape ``(2*j1+1, 2*j2+1, 2*j3+1)``, components :math:`m = -j, ..., j`. Read-only.

    Raises:
        TypeError: a spin is not a number.
        ValueError: a spin is negative or not a multiple of 1/2.

    Example:
        >>> from irreps_core import su2_clebsch_gordan
        >>> c = su2_clebsch_gordan(1 / 2, 1 / 2, 0)  # the singlet
        >>> c[:, :, 0].round(3).tolist()
        [[0.0, -0.707], [0.707, 0.0]]
    """
    return _su2_clebsch_gordan(check_spin("j1", j1), check_spin("j2", j2), check_spin("j3", j3))


@cached()
def _su2_clebsch_gordan(jj1: int, jj2: int, jj3: int) -> np.ndarray:
    table = np.zeros((jj1 + 1, jj2 + 1, jj3 + 1))
    if not in_triangle(jj1, jj2, jj3):
        return table
    exchange = (-1) ** ((jj1 + jj2 - jj3) // 2)  # sign of m -> -m, and of 1 <-> 2
    if jj1 > jj2:
        return exchange * _su2_clebsch_gordan(jj2, jj1, jj3).transpose(1, 0, 2)
    half = clebsch_gordan_half(jj1, jj2, jj3) / np.sqrt(jj3 + 1)
    i1, column = np.nonzero(half)
    mm3 = 2 * column + jj3 % 2
    i2 = (jj2 + mm3 - (2 * i1 - jj1)) // 2
    i3 = (jj3 + mm3) // 2
    table[jj1 - i1, jj2 - i2, jj3 - i3] = exchange * half[i1, column]
    table[i1, i2, i3] = half[i1, column]
    return table


def in_triangle(jj1: int, jj2: int, jj3: int) -> bool:
    """Return whether spin jj3/2 occurs in the product of jj1/2 and jj2/2."""
    return abs(jj1 - jj2) <= jj3 <= jj1 + jj2 and (jj1 + jj2 + jj3) % 2 == 0


def clebsch_gordan_half(jj1: int, jj2: int, jj3: int) -> np.ndarray:
    """Return <j1 m1 j2 m3-m1 | j3 m3> for j1 <= j2 in the triangle: rows m1 = -j1 .. j1, columns m3 >= 0 ascending.

    For each m3, the vector over m1 is the eigenvector of J² with eigenvalue j3(j3+1). J² is tridiagonal
    in m1, and where the eigenvector does not oscillate, it grows from the end of the range inwards. So a
    recursion from each end is stable up to the middle of the oscillating interval, where the two are matched.

    Args:
        jj1: 2 j1, at most jj2.
        jj2: 2 j2.
        jj3: 2 j3.

    Returns:
        float64 array of shape (jj1 + 1, jj3 // 2 + 1), zero where |m3 - m1| > j2.
    """
    mm1 = np.arange(-jj1, jj1 + 1, 2)[:, None]
    mm2 = np.arange(jj3 % 2, jj3 + 1, 2)[None, :] - mm1
    inside = mm2 <= jj2  # as j1 <= j2 and m3 >= 0, this is the only bound on m1 besides its own range
    # Four times J² - j3(j3+1): its diagonal, and its element between m1 and m1 + 1, both in exact integers.
    diagonal = jj1 * (jj1 + 2) + jj2 * (jj2 + 2) - jj3 * (jj3 + 2) + 2 * mm1 * mm2
    squared = ((jj1 - mm1) * (jj1 + mm1 + 2) * (jj2 + mm2) * (jj2 - mm2 + 2))[:-1]
    coupling = np.sqrt(np.maximum(squared, 0))

    # The solution oscillates where |diagonal| is below the sum of its neighbours; most so at `middle`.
    neighbours = np.pad(coupling, ((1, 0), (0, 0))) + np.pad(coupling, ((0, 1), (0, 0)))
    middle = np.argmin(np.where(inside, np.abs(diagonal) - neighbours, np.inf), axis=0)
    lower = _recursion(diagonal, coupling, np.argmax(inside, axis=0), middle + 1)
    upper = _recursion(diagonal[::-1], coupling[::-1], np.zeros_like(middle), jj1 - middle)[::-1]
    return _join(lower, upper, middle)


def _recursion(diagonal: np.ndarray, coupling: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Solve diagonal[i] f[i] + coupling[i] f[i+1] + coupling[i-1] f[i-1] = 0 in every column.

    Row `start` is the first one that is not zero, and is positive; row `stop` is the last one to compute.
    """
    step = (np.arange(len(coupling))[:, None] < stop) & (coupling > 0)
    inverse = np.divide(1.0, coupling, out=np.zeros_like(coupling), where=step)
    first = -diagonal[:-1] * inverse
    second = np.zeros_like(first)
    second[1:] = -coupling[:-1] * inverse[1:]
    f = np.zeros(diagonal.shape)
    f[start, np.arange(len(start))] = 1
    for i in range(len(f) - 1):
        f[i + 1] += first[i] * f[i] + second[i] * f[i - 1]
        if i % 16 == 15:  # far from overflow: a step multiplies by less than 4 (2j + 1)
            f[: i + 2] /= np.maximum(1, np.maximum(np.abs(f[i]), np.abs(f[i + 1])))
    return f


def _join(lower: np.ndarray, upper: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Join two solutions to unit columns whose last row is positive.

    Above row `middle` they are `lower`, from it on `upper`. At `middle` both solutions hold.
    """
    lower, upper = (f / np.max(np.abs(f), axis=0) for f in (lower, upper))
    # Two neighbours are never both a node. Beyond the last row the solution is zero.
    column = np.arange(len(middle))
    a = np.stack([lower[middle, column], np.pad(lower, ((0, 1), (0, 0)))[middle + 1, column]])
    b = np.stack([upper[middle, column], np.pad(upper, ((0, 1), (0, 0)))[middle + 1, column]])
    scale = np.sum(a * b, axis=0) / np.sum(a * a, axis=0)
    joined = np.where(np.arange(len(lower))[:, None] < middle, lower * scale, upper)
    # A node that falls on an m1 is computed as a rounding error: up to degree 25, at most 2e-15 of its neighbours,
    # where other elements stay above 1e-6 of them. Such nodes are set to zero.
    size = np.abs(joined)
    around = np.pad(size, ((1, 1), (0, 0)))
    joined[size < 1e-12 * (around[:-2] + around[2:])] = 0
    return joined / np.sqrt(np.sum(joined**2, axis=0))
