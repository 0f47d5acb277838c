"""Radial functions: their definitions, orthonormality, and derivatives at 0 and at the cutoff."""

import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from irreps_ops import (
    bessel,
    chebyshev_basis,
    cosine_cutoff,
    exponential_bernstein_basis,
    gaussian_basis,
    poly_envelope,
    soft_envelope,
    soft_one_hot_linspace,
    sus,
    xplor_cutoff,
)


def derivatives(f, order):
    """f, f', f'', ..., of a function of one number."""
    out = [f]
    for _ in range(order):
        out.append(jax.jacfwd(out[-1]))
    return [jax.jit(g) for g in out]


def test_bessel_and_its_derivatives():
    x = np.array([0.0, 1e-9, 1e-4, 0.15, 0.16, 0.7, 2.0, 2.5])
    several = [lambda t: bessel(t, 3, 2.0)]
    for _ in range(4):
        several.append(jax.jacfwd(several[-1]))
    with jax.debug_nans(True):
        found = np.stack(jax.jit(jax.vmap(lambda t: [f(t) for f in several]))(x), -1)
    with mpmath.workdps(60):
        for k in (1, 3):

            def exact(t, k=k):
                return mpmath.sinc(k * mpmath.pi * t / 2) * k * mpmath.pi / 2

            scale = (k * math.pi / 2) ** np.arange(1, 6)
            for place, ours in zip(x, found[:, k - 1], strict=True):
                taylor = mpmath.taylor(exact, mpmath.mpf(place), 4)
                expected = [float(c * math.factorial(i)) for i, c in enumerate(taylor)]
                np.testing.assert_allclose(ours / scale, expected / scale, rtol=0, atol=1e-13)


def test_bessel_is_orthonormal():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    r = 1.5 * (nodes + 1)
    b = np.asarray(bessel(jnp.asarray(r), 6, 3.0))
    np.testing.assert_allclose(np.einsum("r,ri,rj->ij", 1.5 * weights * r**2, b, b), np.eye(6), atol=1e-12)


@pytest.mark.parametrize(("n0", "n1"), [(0, 0), (1, 2), (5, 2), (3, 3)])
def test_envelope_is_flat_at_both_ends(n0, n1):
    f = poly_envelope(n0, n1, 2.0)
    at_zero = [float(g(0.0)) for g in derivatives(f, n0)]
    at_cutoff = [float(g(2.0 - 1e-15)) for g in derivatives(f, n1)]
    beyond = [float(g(x)) for g in derivatives(f, n1) for x in (2.0, 3.0)]
    np.testing.assert_allclose(at_zero, [1] + [0] * n0, atol=1e-7)
    np.testing.assert_allclose(at_cutoff, 0, atol=1e-8)
    assert not any(beyond)


def test_envelope_is_that_of_dimenet():
    x, p = jnp.linspace(0, 1, 20), 6
    u = 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)
    np.testing.assert_allclose(poly_envelope(p - 1, 2)(x), u, atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_smooth_functions_have_finite_derivatives_everywhere(dtype):
    tiny = jnp.finfo(dtype).tiny
    x = jnp.array([-1.0, 0.0, tiny, 1e-30, 1e-10, 1e-3, 0.01, 0.02, 1.0, 1.5, 2.0, 2.1], dtype)
    for f in (
        sus,
        lambda x: soft_envelope(x, 2.0),
        lambda x: cosine_cutoff(x, 2.0),
        lambda x: xplor_cutoff(x, 1.0, 2.0),
    ):
        for g in derivatives(f, 3):
            assert jnp.isfinite(jax.vmap(g)(x)).all()
    np.testing.assert_allclose(sus(x[-3:]), np.exp(-1 / np.asarray(x[-3:])), rtol=1e-6)


def test_cutoffs_are_continuous():
    h = 1e-9
    for f in (cosine_cutoff, soft_envelope, lambda x: xplor_cutoff(x, 0.6)):
        for g in derivatives(f, 1):
            for x in (0.6, 1.0):
                assert abs(g(x - h) - g(x + h)) < 1e-6
    assert (cosine_cutoff(0.0), xplor_cutoff(0.0, 0.6), xplor_cutoff(0.6, 0.6)) == (1, 1, 1)


def test_bases_by_definition():
    x = np.linspace(0, 2, 9)
    np.testing.assert_allclose(chebyshev_basis(x, 6, 2.0), np.cos(np.arange(6) * np.arccos(x - 1)[:, None]), atol=1e-12)
    bernstein = exponential_bernstein_basis(x, 7, 0.8)
    np.testing.assert_allclose(jnp.sum(bernstein, -1), 1, rtol=1e-12)
    np.testing.assert_allclose(bernstein[:, 2], 15 * np.exp(-0.8 * x) ** 2 * (1 - np.exp(-0.8 * x)) ** 4, atol=1e-14)
    np.testing.assert_allclose(np.diag(gaussian_basis(np.linspace(0, 2, 5), 5, 2.0)), 1)
    assert jnp.isfinite(jax.jacfwd(lambda x: exponential_bernstein_basis(x, 7))(0.0)).all()


@pytest.mark.parametrize("basis", ["gaussian", "cosine", "smooth_finite", "fourier"])
@pytest.mark.parametrize("cutoff", [True, False])
def test_soft_one_hot_squares_sum_to_one(basis, cutoff):
    x = jnp.linspace(1.0, 2.0, 50)
    y = soft_one_hot_linspace(x, start=0.0, end=3.0, number=12, basis=basis, cutoff=cutoff)
    assert y.shape == (50, 12)
    assert abs(jnp.mean(jnp.sum(y**2, -1)) - 1) < 0.1


FUNCTIONS = {
    "bessel": lambda x: bessel(x, 4, 2.0),
    "envelope": poly_envelope(5, 2, 2.0),
    "sus": sus,
    "soft_envelope": soft_envelope,
    "cosine": cosine_cutoff,
    "xplor": lambda x: xplor_cutoff(x, 0.5),
    "gaussian": lambda x: gaussian_basis(x, 4),
    "chebyshev": lambda x: chebyshev_basis(x, 4),
    "bernstein": lambda x: exponential_bernstein_basis(x, 4),
    "one-hot": lambda x: soft_one_hot_linspace(x, start=0.0, end=2.0, number=4, basis="smooth_finite", cutoff=True),
    "fourier": lambda x: soft_one_hot_linspace(x, start=0.0, end=2.0, number=4, basis="fourier", cutoff=False),
}


def every_function(x):
    return jnp.concatenate([jnp.ravel(f(x)) for f in FUNCTIONS.values()])


def test_derivatives_are_finite_at_zero_and_at_the_cutoff():
    first = jax.jacfwd(every_function)
    x = jnp.array([0.0, 1e-38, 1e-20, 1e-4, 0.5, 1.0, 2.0, 3.0], jnp.float32)
    with jax.debug_nans(True):
        for derivative in jax.jit(jax.vmap(lambda x: (first(x), jax.jacfwd(first)(x))))(x):
            assert jnp.isfinite(derivative).all()


def test_any_shape_and_integers():
    for f in FUNCTIONS.values():
        assert jax.eval_shape(f, jnp.ones((2, 3), jnp.float32)).shape[:2] == (2, 3)
        assert jnp.issubdtype(jax.eval_shape(f, jnp.ones(2, int)).dtype, jnp.floating)


@pytest.mark.parametrize("n", [64, 128, 200])
def test_many_bernstein_polynomials_in_float32(n):
    x = np.array([0.0, 0.1, np.log(2), 3.0])
    u = np.exp(-x)
    with mpmath.workdps(40):
        expected = [
            [
                float(mpmath.binomial(n - 1, k) * mpmath.mpf(v) ** k * (1 - mpmath.mpf(v)) ** (n - 1 - k))
                for k in range(n)
            ]
            for v in u.tolist()
        ]
    found = exponential_bernstein_basis(jnp.asarray(x, jnp.float32), n, 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bessel(1.0, 0), "integer n of 1 or more, got 0"),
        (lambda: bessel(1.0, 2.0), "integer n"),
        (lambda: bessel(1.0, 2, -1.0), "positive number x_max, got -1.0"),
        (lambda: bessel(1j, 2), "real numbers"),
        (lambda: poly_envelope(-1, 2), "n0"),
        (lambda: poly_envelope(1, 2, 0.0), "x_max"),
        (lambda: xplor_cutoff(1.0, 2.0, 1.0), "x_on = 2.0"),
        (lambda: gaussian_basis(1.0, 1), "n of 2 or more"),
        (lambda: soft_one_hot_linspace(1.0, start=0, end=1, number=3, basis="x", cutoff=True), "basis must be"),
        (lambda: soft_one_hot_linspace(1.0, start=0, end=1, number=3, basis="cosine"), "expects cutoff"),
        (lambda: soft_one_hot_linspace(1.0, start=1, end=1, number=3, basis="cosine", cutoff=True), "start < end"),
        (lambda: soft_one_hot_linspace(1.0, start=0, end=1, number=1, basis="cosine", cutoff=False), "2 or more"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@jax.numpy_rank_promotion("allow")  # theirs needs it
def test_agreement_with_e3nn_jax(dtype):
    e3nn = pytest.importorskip("e3nn_jax")
    x = jnp.linspace(-0.2, 2.4, 40, dtype=dtype)
    close = {"rtol": 1e-6 if dtype == jnp.float32 else 1e-13, "atol": 1e-6 if dtype == jnp.float32 else 1e-13}
    np.testing.assert_allclose(bessel(x, 5, 2.0), e3nn.bessel(x, 5, 2.0), **close)
    np.testing.assert_allclose(poly_envelope(5, 2, 2.0)(x), e3nn.poly_envelope(5, 2, 2.0)(x), **close)
    np.testing.assert_allclose(soft_envelope(x), e3nn.soft_envelope(x), **close)
    for basis, start_zero, end_zero in itertools.product(
        ("gaussian", "cosine", "smooth_finite", "fourier"), (True, False), (True, False)
    ):
        if basis == "fourier" and start_zero != end_zero:
            continue
        options = {
            "start": -0.1,
            "end": 2.0,
            "number": 5,
            "basis": basis,
            "start_zero": start_zero,
            "end_zero": end_zero,
        }
        theirs = e3nn.soft_one_hot_linspace(x, **options)
        np.testing.assert_allclose(soft_one_hot_linspace(x, **options), theirs, **close)
