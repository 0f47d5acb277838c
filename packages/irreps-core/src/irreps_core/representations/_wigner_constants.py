"""Constant matrices of the Wigner D computation: the exchange of two axes, of any degree, by a stable recursion."""

import numpy as np

from irreps_core._inputs._caches import cached


@cached()
def axis_exchange(l: int) -> np.ndarray:
    """Return J = D^l of the rotation by pi about the diagonal of x and y: symmetric, and its own inverse.

    It is Z(pi/2) d(pi/2) Z(pi/2), and a rotation about x becomes one about y: d(beta) = J Z(beta) J.

    Returns:
        float64 array of shape ``(2l+1, 2l+1)``. Read-only.
    """
    # Z(pi/2) permutes components and changes signs: cos(m pi/2) at (m, m), -sin(m pi/2) at (m, -m).
    m = np.arange(-l, l + 1)
    quarter_cos, quarter_sin = np.where(m % 2, 0, 1 - m % 4), np.where(m % 2, 2 - m % 4, 0)
    Z = np.diag(quarter_cos) - np.fliplr(np.diag(quarter_sin))
    return Z @ real_quarter_turn(l) @ Z


@cached()
def rotation_x_table(l: int) -> np.ndarray:
    """Return J Z(beta) J as a linear function of the waves sin(l b) .. sin(b), 1, cos(b) .. cos(l b).

    Returns:
        float64 array of shape (2l+1, (2l+1)^2). Read-only.
    """
    # The sum over m of J[:, m] cos(m b) J[m, :] - J[:, m] sin(m b) J[-m, :], with m and -m combined.
    J = axis_exchange(l)
    even, odd = J.T[:, :, None] * J[:, None, :], J.T[:, :, None] * J[::-1, None, :]
    table = np.concatenate([(odd - odd[::-1])[:l], even[l : l + 1], (even + even[::-1])[l + 1 :]])
    return table.reshape(2 * l + 1, -1)


def real_quarter_turn(l: int) -> np.ndarray:
    """Return D^l of the rotation by pi/2 about x. The cosines (m >= 0) and the sines (m < 0) do not mix.

    d_{-m',m}(pi/2) = (-1)^(l+m) d_{m'm}(pi/2), so each entry of the real matrix is zero or twice one of d(pi/2).
    """
    d, m = quarter_turn(l), np.arange(l + 1)
    even = (m[:, None] + m[None, :]) % 2 == 0
    cosines = 2 * d * np.where(even, 1, -1) * (even == (l % 2 == 0))
    cosines[0] /= np.sqrt(2)
    cosines[:, 0] /= np.sqrt(2)
    sines = 2 * d * np.where(even, 1, -1) * (even != (l % 2 == 0))
    real = np.zeros((2 * l + 1, 2 * l + 1))
    real[l:, l:] = cosines
    real[:l, :l] = sines[:0:-1, :0:-1]
    return real


def quarter_turn(l: int) -> np.ndarray:
    """Return Wigner's d^l_{m'm}(pi/2) for m', m = 0 .. l.

    The rows descend from the closed form at m' = l by the recursion that follows from the rotation of J_z into J_x,
    2 m d_{m'm} = sqrt((l-m'+1)(l+m')) d_{m'-1,m} + sqrt((l+m'+1)(l-m')) d_{m'+1,m},
    which is stable in this direction (Trapani and Navaza, Acta Cryst. A62, 262, 2006).
    """
    m = np.arange(l + 1)
    d = np.zeros((l + 2, l + 1))
    # d_{lm} = (-1)^(l-m) sqrt(binomial(2l, l+m)) / 2^l, as a product of ratios that stay below 1.
    ratios = np.concatenate([[np.prod((m[1:] - 0.5) / m[1:])], (l + 1 - m[1:]) / (l + m[1:])])
    d[l] = np.where((l - m) % 2, -1, 1) * np.sqrt(np.cumprod(ratios))
    for row in range(l, 0, -1):
        above = np.sqrt((l + row + 1) * (l - row)) * d[row + 1]
        d[row - 1] = (2 * m * d[row] - above) / np.sqrt((l - row + 1) * (l + row))
    return d[: l + 1]
