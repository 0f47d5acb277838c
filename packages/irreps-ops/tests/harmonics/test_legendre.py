import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_ops import legendre


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
def test_against_the_definition(phase, is_normalized):
    lmax, x = 12, np.array([[-1.0, -0.999, -0.3], [0.0, 0.7, 1.0]])
    p = legendre(lmax, x, phase, is_normalized)
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


def test_high_degree_stays_in_range():
    p = legendre(150, jnp.linspace(-1, 1, 41), 1.0, is_normalized=True)
    assert jnp.isfinite(p).all()
    # Σ_m |Y_lm|² = (2l + 1) / 4π
    total = p[:, 0] ** 2 + 2 * jnp.sum(p[:, 1:] ** 2, axis=1)
    np.testing.assert_allclose(total, np.broadcast_to((2 * np.arange(151)[:, None] + 1) / (4 * np.pi), total.shape))


def test_derivatives_are_finite_at_the_poles():
    with jax.debug_nans(True):
        for x in (-1.0, 0.0, 1.0):
            assert jnp.isfinite(jax.jit(jax.hessian(lambda x: legendre(5, x, 1.0)))(x)).all()


def test_dtype_and_empty_batch():
    assert legendre(3, jnp.zeros(0, jnp.float32), 1.0).shape == (4, 4, 0)
    with jax.numpy_dtype_promotion("strict"):
        assert legendre(3, jnp.ones(2, jnp.float32), -1.0).dtype == jnp.float32


@pytest.mark.parametrize("lmax", [-1, 1.5, None])
def test_bad_degree(lmax):
    with pytest.raises(ValueError, match="lmax"):
        legendre(lmax, jnp.zeros(2), 1.0)


def test_agreement_with_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    x = np.linspace(-0.9, 0.9, 7)
    np.testing.assert_allclose(legendre(6, x, -1.0, True), e3nn.legendre.legendre(6, x, -1.0, True), atol=1e-12)
