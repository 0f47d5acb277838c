"""Grids on the sphere: quadratures, and harmonics on the meridian."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import irreps_ops as irr
from irreps_ops.signals._meridian_harmonics import meridian_harmonics


@pytest.mark.parametrize("n", [1, 2, 3, 8, 25])
def test_quadratures_are_exact_for_polynomials(n):
    for quadrature, degree in (("soft", n - 1), ("gausslegendre", 2 * n - 1)):
        y, _, weights = irr.s2_grid(n, 1, quadrature)
        assert (np.diff(y) > 0).all()
        for k in range(degree + 1):
            assert abs(weights @ y**k - (1 - k % 2) / (k + 1)) < 1e-14


def test_nodes_and_weights_are_those_of_numpy_and_of_kostelec():
    for n in (1, 4, 19, 40):
        nodes, weights = np.polynomial.legendre.leggauss(n)
        y, _, w = irr.s2_grid(n, 1, "gausslegendre")
        np.testing.assert_allclose(y, nodes, atol=1e-15)
        np.testing.assert_allclose(w, weights / 2, rtol=1e-12)
    y, alpha, w = irr.s2_grid(8, 5, "soft")
    k, j = np.arange(4), np.arange(8)[:, None]
    kostelec = np.sin((2 * j + 1) * (2 * k + 1) * np.pi / 16) / (2 * k + 1)
    np.testing.assert_allclose(w, np.sin((2 * j[:, 0] + 1) * np.pi / 16) / 4 * kostelec.sum(1), atol=1e-16)
    np.testing.assert_allclose(y, np.cos(np.pi * (15 - 2 * np.arange(8)) / 16), atol=1e-15)
    np.testing.assert_allclose(alpha, 2 * np.pi * np.arange(5) / 5)


def test_the_gauss_weight_next_to_a_pole_is_exact():
    # np.polynomial.legendre.leggauss has lost five digits there.
    with mpmath.workdps(30):
        x = mpmath.findroot(lambda x: mpmath.legendre(101, x), mpmath.cos(mpmath.mpf(0.75) * mpmath.pi / 101.5))
        slope = mpmath.diff(lambda x: mpmath.legendre(101, x), x)
        weight = float(1 / ((1 - x * x) * slope**2))
    assert abs(irr.s2_grid(101, 1, "gausslegendre")[2][-1] / weight - 1) < 1e-13


def exact_on_the_meridian(l, m, y):
    """Return d^m P_l / dy^m, summed in rational numbers, times sin(beta)^m and the norm."""
    terms = (
        Fraction((-1) ** k * math.comb(l, k) * math.comb(2 * l - 2 * k, l) * math.perm(l - 2 * k, m), 2**l)
        * y ** (l - 2 * k - m)
        for k in range((l - m) // 2 + 1)
    )
    total, rho2 = sum(terms), 1 - y * y
    norm = Fraction((2 * l + 1) * (2 if m else 1), math.perm(l + m, 2 * m))
    square = total**2 * rho2**m * norm
    return mpmath.sign(total) * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)


def test_harmonics_on_the_meridian_are_exact_up_to_degree_100():
    heights = [Fraction(y) for y in (-1.0, 1 - 2**-20, -0.9998, 0.5, 0.03125, 0.0)]
    rho = np.array([float(mpmath.sqrt(mpmath.mpf((1 - y * y).numerator) / (1 - y * y).denominator)) for y in heights])
    table = meridian_harmonics(100, 100, np.array([float(y) for y in heights]), rho)
    for l, m in ((0, 0), (1, 1), (7, 3), (40, 1), (100, 0), (100, 2), (100, 60), (100, 100)):
        exact = np.array([float(exact_on_the_meridian(l, m, y)) for y in heights])
        np.testing.assert_allclose(table[m, :, l], exact, rtol=0, atol=2e-14 * (2 * l + 1) ** 0.5)
    assert not table[2, :, :2].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3, "soft"), "res_beta of 1 or more, got 0"),
        ((3, 1.5, "soft"), r"integer res_alpha of 1 or more, got 1\.5"),
        ((3, 3, "trapezoid"), "'soft' or 'gausslegendre', got 'trapezoid'"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        irr.s2_grid(*arguments)
