"""Makes the golden tables from textbook formulas, in exact or 40-digit arithmetic, without irreps_core.

Textbook frame: polar axis Z; spherical harmonics Y_l^m with the Condon-Shortley phase; Wigner D of
R = Rz(α) Ry(β) Rz(γ).
Documented change of basis to the convention of irreps_core:

1. axes: (X, Y, Z) = (z, x, y), so that y is the polar axis and R = Ry(α) Rx(β) Ry(γ);
2. real harmonics S_m, m = -l .. l: (-1)^m sqrt(2) Im Y_l^|m| for m < 0, Y_l^0 for m = 0,
   (-1)^m sqrt(2) Re Y_l^m for m > 0;
3. real Clebsch-Gordan coefficients: the invariant tensor of norm 1 on the components of S, its sign fixed by
   C = (-i)^(l1 + l2 - l3) Σ conj(A1) conj(A2) A3 <l1 μ1 l2 μ2 | l3 μ3> / sqrt(2 l3 + 1) with S = A Y.

Run ``python make_golden.py``: it writes clebsch_gordan.npz, spherical_harmonics.npz and wigner_d.npz.
"""

import itertools
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mp, mpf
from sympy.physics.wigner import clebsch_gordan

HERE = Path(__file__).parent
CG_DEGREE, SH_DEGREE, D_DEGREE = 6, 8, 6

POINTS = [
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0, -1, 0),
    (-1, 0, 0),
    (0.3, -0.5, 0.8),
    (-0.7, 0.2, 0.1),
    (0.25, 0.75, -1.5),
    (-1.25, -0.5, -0.375),
    (1e-3, 1, -2e-3),
    (2, -3e-5, 1e-2),
    (0.6, 0.6, 0.6),
]
ANGLES = [
    (0.0, 0.0, 0.0),
    (0.4, 0.9, -1.3),
    (-2.1, 2.6, 0.7),
    (3.0, -0.8, 1.5),
    (1.0, 0.0, 0.5),
    (0.3, 3.0, -0.2),
    (-0.6, 1e-9, 0.6),
    (5.0, 1.5, -4.0),
]


def real_from_complex(l: int) -> dict[tuple[int, int], mpmath.mpc]:
    """The elements A[m, μ] that are not zero of S = A Y (rule 2)."""
    a = {(0, 0): mpmath.mpc(1)}
    half = mp.sqrt(mpf(1) / 2)
    for m in range(1, l + 1):
        # conj(Y^m) = (-1)^m Y^-m
        a[m, m], a[m, -m] = mpmath.mpc((-1) ** m * half), mpmath.mpc(half)
        a[-m, m], a[-m, -m] = mpmath.mpc(0, -((-1) ** m) * half), mpmath.mpc(0, half)
    return a


def real_clebsch_gordan(l1: int, l2: int, l3: int) -> np.ndarray:
    """Rule 3, from SymPy's exact coefficients."""
    out = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    exact = {
        (a, b): mpf(clebsch_gordan(l1, l2, l3, a, b, a + b).evalf(40))
        for a in range(-l1, l1 + 1)
        for b in range(-l2, l2 + 1)
        if abs(a + b) <= l3
    }
    a1, a2, a3 = (real_from_complex(l) for l in (l1, l2, l3))
    phase = mpmath.mpc(0, -1) ** (l1 + l2 - l3) / mp.sqrt(2 * l3 + 1)
    for m1, m2, m3 in itertools.product(*(range(-l, l + 1) for l in (l1, l2, l3))):
        total = mpmath.mpc(0)
        for s1, s2 in itertools.product({1, -1} if m1 else {1}, {1, -1} if m2 else {1}):
            mu1, mu2 = s1 * abs(m1), s2 * abs(m2)
            if abs(mu1 + mu2) == abs(m3):
                u1, u2, u3 = a1[m1, mu1], a2[m2, mu2], a3[m3, mu1 + mu2]
                total += mpmath.conj(u1) * mpmath.conj(u2) * u3 * exact[mu1, mu2]
        value = phase * total
        if abs(value.imag) > 1e-30:
            raise ArithmeticError(f"not real: {l1, l2, l3} {m1, m2, m3} {value}")
        out[l1 + m1, l2 + m2, l3 + m3] = float(value.real) if abs(value.real) > 1e-30 else 0.0
    return out


def legendre(l: int, m: int, u: mpf) -> mpf:
    """P_l^m(u) / (1 - u²)^(m/2) without the Condon-Shortley phase: d^(l+m)/du^(l+m) (u² - 1)^l / (2^l l!)."""
    total = mpf(0)
    for k in range((l + m + 1) // 2, l + 1):
        power = 2 * k - l - m
        total += mp.binomial(l, k) * (-1) ** (l - k) * mp.factorial(2 * k) / mp.factorial(power) * u**power
    return total / (2**l * mp.factorial(l))


def real_spherical_harmonics(lmax: int, point: tuple[float, float, float]) -> np.ndarray:
    """S_lm of the direction of a point, l = 0 .. lmax, orthonormal on the sphere (rules 1 and 2)."""
    x, y, z = (mpf(c) for c in point)
    r = mp.sqrt(x * x + y * y + z * z)
    big_x, big_y, big_z = z / r, x / r, y / r
    out = []
    for l in range(lmax + 1):
        for m in range(-l, l + 1):
            n = abs(m)
            norm = mp.sqrt((2 * l + 1) * mp.factorial(l - n) / (4 * mp.pi * mp.factorial(l + n)))
            azimuth = mpmath.mpc(big_x, big_y) ** n  # sin(θ)^n exp(i n φ)
            part = 1 if m == 0 else mp.sqrt(2) * (azimuth.real if m > 0 else azimuth.imag)
            out.append(float(norm * legendre(l, n, big_z) * part))
    return np.array(out)


def small_d(l: int, a: int, b: int, beta: mpf) -> mpf:
    """Wigner's d^l_ab(β): Sakurai, Modern Quantum Mechanics, eq. 3.8.33."""
    f = mp.factorial
    total = mpf(0)
    for k in range(max(0, b - a), min(l + b, l - a) + 1):
        bottom = f(l + b - k) * f(k) * f(a - b + k) * f(l - a - k)
        angle = mp.cos(beta / 2) ** (2 * l + b - a - 2 * k) * mp.sin(beta / 2) ** (a - b + 2 * k)
        total += (-1) ** (a - b + k) * angle / bottom
    return total * mp.sqrt(f(l + a) * f(l - a) * f(l + b) * f(l - b))


def real_wigner_d(l: int, alpha: float, beta: float, gamma: float) -> np.ndarray:
    """D with S(R r) = D S(r): A conj(D_complex) A†, D_complex = exp(-i a α) d_ab(β) exp(-i b γ)."""
    size = range(-l, l + 1)
    a = real_from_complex(l)
    d = {(p, q): small_d(l, p, q, mpf(beta)) * mpmath.expj(p * mpf(alpha) + q * mpf(gamma)) for p in size for q in size}
    out = np.zeros((2 * l + 1, 2 * l + 1))
    for m, n in itertools.product(size, size):
        out[l + m, l + n] = sum((a[m, p] * d[p, q] * mpmath.conj(a[n, q])).real for p in {m, -m} for q in {n, -n})
    return out


def triples(lmax: int) -> list[tuple[int, int, int]]:
    """All (l1, l2, l3) up to lmax in the triangle, in lexical order."""
    return [
        (l1, l2, l3) for l1, l2, l3 in itertools.product(range(lmax + 1), repeat=3) if abs(l1 - l2) <= l3 <= l1 + l2
    ]


def main() -> None:
    """Write the three tables. Concatenations are flat, in the order of the loops."""
    mp.dps = 40
    degrees = triples(CG_DEGREE)
    values = np.concatenate([real_clebsch_gordan(*ls).ravel() for ls in degrees])
    np.savez_compressed(HERE / "clebsch_gordan.npz", degrees=np.array(degrees, np.int8), values=values)
    harmonics = np.stack([real_spherical_harmonics(SH_DEGREE, p) for p in POINTS])
    np.savez_compressed(HERE / "spherical_harmonics.npz", points=np.array(POINTS, float), values=harmonics)
    blocks = [[real_wigner_d(l, *angles).ravel() for l in range(D_DEGREE + 1)] for angles in ANGLES]
    matrices = np.stack([np.concatenate(row) for row in blocks])
    np.savez_compressed(HERE / "wigner_d.npz", angles=np.array(ANGLES), values=matrices)


if __name__ == "__main__":
    main()
