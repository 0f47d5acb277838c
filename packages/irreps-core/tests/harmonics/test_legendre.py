"""Legendre functions against their definition in rational numbers, and SciPy's."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from irreps_core import legendre

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    LIBRARIES = [np]
else:
    LIBRARIES = [np, jnp]

needs_jax = pytest.mark.skipif(len(LIBRARIES) == 1, reason="derivatives need JAX")


@pytest.fixture(params=LIBRARIES, ids=lambda xp: xp.__name__.removesuffix(".numpy"))
def xp(request: pytest.FixtureRequest) -> Any:
    return request.param


def exact(l: int, m: int, x: float) -> float:
    """(1 - x²)^(m/2) d^m P_l / dx^m, the polynomial summed in rational numbers."""
    u = Fraction(x)
    terms = (
        Fraction((-1) ** k * math.comb(l, k) * math.comb(2 * l - 2 * k, l) * math.perm(l - 2 * k, m), 2**l)
        * u ** (l - 2 * k - m)
        for k in range((l - m) // 2 + 1)
    )
    return float(sum(terms)) * math.sqrt(float(1 - u * u)) ** m


@pytest.mark.parametrize("phase", [1.0, -1.0])
@pytest.mark.parametrize("is_normalized", [False, True])
def test_against_the_definition(xp, phase, is_normalized):
    lmax, x = 12, np.array([[-1.0, -0.999, -0.3], [0.0, 0.7, 1.0]])
    p = legendre(lmax, xp.asarray(x), phase, is_normalized)
    assert isinstance(p, type(xp.asarray(x)))
    assert p.shape == (lmax + 1, lmax + 1, 2, 3)
    for l in range(lmax + 1):
        for m in range(lmax + 1):
            if m > l:
                assert not p[l, m].any()
                continue
            expected = phase**m * np.vectorize(lambda u, l=l, m=m: exact(l, m, u))(x)
            if is_normalized:
                ratio = math.factorial(l - m) / math.factorial(l + m)
                expected *= math.sqrt((2 * l + 1) / (4 * math.pi) * ratio)
            np.testing.assert_allclose(p[l, m], expected, rtol=1e-12, atol=1e-14)


def test_against_scipy(xp):
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-1, 1, 23)
    p = legendre(40, xp.asarray(x), phase=-1.0)  # SciPy has the Condon-Shortley phase
    for l in (0, 1, 7, 40):
        for m in {0, 1, l // 2, l}:
            expected = special.lpmv(m, l, x) if m <= l else np.zeros_like(x)
            np.testing.assert_allclose(p[l, m], expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_high_degree_stays_in_range(xp):
    p = legendre(150, xp.linspace(-1, 1, 41), is_normalized=True)
    assert xp.isfinite(p).all()
    # Σ_m |Y_lm|² = (2l + 1) / 4π
    total = p[:, 0] ** 2 + 2 * xp.sum(p[:, 1:] ** 2, axis=1)
    np.testing.assert_allclose(total, np.broadcast_to((2 * np.arange(151)[:, None] + 1) / (4 * np.pi), total.shape))


def test_high_degrees_in_float32(xp):
    """Against float64: ρ^m and the ratios leave the range of float32 where their product does not."""
    x = np.array([-1.0, -0.7, 0.0, 0.5, 0.99, 0.999999], np.float32)
    p = legendre(300, xp.asarray(x), is_normalized=True)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, legendre(300, x.astype(np.float64), is_normalized=True), rtol=0, atol=3e-5)
    total = p[300, 0] ** 2 + 2 * xp.sum(p[300, 1:] ** 2, axis=0)
    np.testing.assert_allclose(total, np.full(6, 601 / (4 * math.pi)), rtol=1e-4)


def test_without_normalization_high_degrees_are_infinite_and_never_nan(xp):
    p = np.asarray(legendre(200, xp.asarray(np.array([-1.0, 0.0, 0.6, 1.0], np.float32))))
    assert np.isinf(p).any()
    assert not np.isnan(p).any()
    np.testing.assert_allclose(p[:, 0, 3], np.ones(201), rtol=1e-5)  # P_l(1)
    assert not p[:, 1:, 3].any()


@needs_jax
def test_derivatives_of_high_degrees_in_float32():
    """Against Legendre's equation: (1 - x²) P'' - 2 x P' + (l(l+1) - m²/(1-x²)) P = 0."""
    l, x = 140, jnp.float32(0.3)
    f = lambda x: legendre(l, x, is_normalized=True)[l]  # noqa: E731
    first = jax.jacfwd(f)
    p, slope, curvature = (np.asarray(g(x), np.float64) for g in (f, first, jax.jacfwd(first)))
    s, m = 1 - float(x) ** 2, np.arange(l + 1)
    rest = s * curvature - 2 * float(x) * slope + (l * (l + 1) - m**2 / s) * p
    assert np.abs(rest).max() < 1e-4 * l * (l + 1)


@needs_jax
def test_derivatives_are_finite_at_the_poles():
    with jax.debug_nans(True):
        for x in (-1.0, 0.0, 1.0):
            assert jnp.isfinite(jax.jit(jax.hessian(lambda x: legendre(5, x)))(x)).all()


@needs_jax
def test_the_derivative_is_that_of_the_definition():
    x = np.array([-0.999, -0.3, 0.0, 0.7])
    slope = jax.vmap(jax.jacfwd(lambda x: legendre(6, x)))(jnp.asarray(x))
    for l in range(7):
        # (1 - x²) dP_l/dx = l (P_(l-1) - x P_l)
        expected = l * (legendre(6, x)[l - 1, 0] - x * legendre(6, x)[l, 0]) / (1 - x**2) if l else 0 * x
        np.testing.assert_allclose(slope[:, l, 0], expected, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_empty_arrays(xp, dtype):
    assert legendre(3, xp.zeros(0, dtype)).shape == (4, 4, 0)
    assert legendre(3, xp.ones(2, dtype), -1.0).dtype == dtype
    assert legendre(3, 0.5).dtype == np.float64


@needs_jax
def test_strict_promotion_keeps_the_dtype():
    with jax.numpy_dtype_promotion("strict"):
        assert legendre(3, jnp.ones(2, jnp.float32), -1.0).dtype == jnp.float32


@pytest.mark.parametrize(("lmax", "error"), [(-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_a_bad_degree_is_named(lmax, error):
    with pytest.raises(error, match="lmax must be"):
        legendre(lmax, np.zeros(2))
