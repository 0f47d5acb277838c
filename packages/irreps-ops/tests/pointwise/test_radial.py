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
    sine_basis,
    soft_envelope,
    soft_one_hot_linspace,
    sus,
    xplor_cutoff,
)


def derivatives(f, order):
    """A function of an array that returns f, f', f'', ... of each number, on a first axis."""
    each = [f]
    for _ in range(order):
        each.append(jax.jacfwd(each[-1]))
    return jax.jit(jax.vmap(lambda t: jnp.stack([g(t) for g in each]), out_axes=1))


def test_bessel_functions_and_their_derivatives_are_exact():
    x = np.array([0.0, 1e-9, 1e-4, 0.15, 0.16, 0.7, 2.0, 2.5])
    with jax.debug_nans(True):
        found = np.asarray(derivatives(lambda t: bessel(t, 3, 2.0), 4)(x))
    with mpmath.workdps(60):
        for k in (1, 3):

            def exact(t, k=k):
                return mpmath.sinc(k * mpmath.pi * t / 2) * k * mpmath.pi / 2

            scale = (k * math.pi / 2) ** np.arange(1, 6)
            for place, ours in zip(x, found[:, :, k - 1].T, strict=True):
                taylor = mpmath.taylor(exact, mpmath.mpf(place), 4)
                expected = [float(c * math.factorial(i)) for i, c in enumerate(taylor)]
                np.testing.assert_allclose(ours / scale, expected / scale, rtol=0, atol=1e-13)


def test_sine_basis_and_its_derivatives_by_frequencies():
    x, k = np.array([0.0, 0.3, 2.0]), np.array([0.5, 0.0, -3.0])
    found = np.asarray(sine_basis(x, k))
    np.testing.assert_allclose(found[1:], np.sin(k * x[1:, None]) / x[1:, None], rtol=1e-14)
    np.testing.assert_allclose(found[0], k)
    by_frequency = jax.jit(jax.jacfwd(sine_basis, argnums=1))(x, k)
    np.testing.assert_allclose(np.einsum("rkk->rk", by_frequency), np.cos(k * x[:, None]), atol=1e-14)
    with pytest.raises(ValueError, match=r"shape \(n,\), got \(2, 2\)"):
        sine_basis(x, np.ones((2, 2)))


def test_bessel_functions_are_orthonormal():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    r = 1.5 * (nodes + 1)
    b = np.asarray(jax.jit(lambda r: bessel(r, 6, 3.0))(r))
    np.testing.assert_allclose(np.einsum("r,ri,rj->ij", 1.5 * weights * r**2, b, b), np.eye(6), atol=1e-12)


ENVELOPES = [(0, 0), (1, 2), (5, 2), (3, 3)]


@pytest.fixture(scope="module")
def envelopes():
    """For some orders the derivatives of the envelope at 0, at the cutoff and beyond it, compiled once."""
    x = np.array([0.0, 2.0 - 1e-15, 2.0, 3.0])
    found = jax.jit(
        lambda x: {(n0, n1): derivatives(poly_envelope(n0, n1, 2.0), max(n0, n1))(x) for n0, n1 in ENVELOPES}
    )
    return found(x)


@pytest.mark.parametrize(("n0", "n1"), ENVELOPES)
def test_the_envelope_is_flat_at_both_ends_and_zero_beyond(envelopes, n0, n1):
    at_zero, at_cutoff, *beyond = np.asarray(envelopes[n0, n1]).T
    np.testing.assert_allclose(at_zero[: n0 + 1], [1] + [0] * n0, atol=1e-7)
    np.testing.assert_allclose(at_cutoff[: n1 + 1], 0, atol=1e-8)
    assert not np.any(np.array(beyond)[:, : n1 + 1])


def test_the_envelope_is_that_of_dimenet():
    x, p = np.linspace(0, 1, 20), 6
    u = 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)
    np.testing.assert_allclose(jax.jit(poly_envelope(p - 1, 2))(x), u, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smooth_functions_have_finite_derivatives_everywhere(dtype):
    tiny = np.finfo(dtype).tiny
    x = np.array([-1.0, 0.0, tiny, 1e-30, 1e-10, 1e-3, 0.01, 0.02, 1.0, 1.5, 2.0, 2.1], dtype)

    def each(x):
        return jnp.stack([sus(x), soft_envelope(x, 2.0), cosine_cutoff(x, 2.0), xplor_cutoff(x, 1.0, 2.0)])

    found = derivatives(each, 3)(x)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0, -3:, 0], np.exp(-1 / x[-3:]), rtol=1e-6)


def test_cutoffs_and_their_slopes_are_continuous():
    def each(x):
        return jnp.stack([cosine_cutoff(x), soft_envelope(x), xplor_cutoff(x, 0.6)])

    h = 1e-9
    below, above = (derivatives(each, 1)(np.array([0.6, 1.0]) + step) for step in (-h, h))
    np.testing.assert_allclose(below, above, rtol=0, atol=1e-6)
    at_zero, at_onset = each(0.0), each(0.6)
    assert (at_zero[0], at_zero[2], at_onset[2]) == (1, 1, 1)


def test_bases_are_their_definition():
    x = np.linspace(0, 2, 9)

    @jax.jit
    def evaluate(x):
        slope = jax.jacfwd(lambda x: exponential_bernstein_basis(x, 7))(0.0)
        gaussians = gaussian_basis(jnp.linspace(0, 2, 5), 5, 2.0)
        return chebyshev_basis(x, 6, 2.0), exponential_bernstein_basis(x, 7, 0.8), gaussians, slope

    chebyshev, bernstein, gaussians, slope = map(np.asarray, evaluate(x))
    np.testing.assert_allclose(chebyshev, np.cos(np.arange(6) * np.arccos(x - 1)[:, None]), atol=1e-12)
    np.testing.assert_allclose(np.sum(bernstein, -1), 1, rtol=1e-12)
    np.testing.assert_allclose(bernstein[:, 2], 15 * np.exp(-0.8 * x) ** 2 * (1 - np.exp(-0.8 * x)) ** 4, atol=1e-14)
    np.testing.assert_allclose(np.diag(gaussians), 1)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("basis", ["gaussian", "cosine", "smooth_finite", "fourier"])
@pytest.mark.parametrize("cutoff", [True, False])
def test_soft_one_hot_squares_sum_to_one(basis, cutoff):
    def encode(x):
        return soft_one_hot_linspace(x, start=0.0, end=3.0, number=12, basis=basis, cutoff=cutoff)

    y = np.asarray(jax.jit(encode)(np.linspace(1.0, 2.0, 50)))
    assert y.shape == (50, 12)
    assert abs(np.mean(np.sum(y**2, -1)) - 1) < 0.1


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
    x = np.array([0.0, 1e-38, 1e-20, 1e-4, 0.5, 1.0, 2.0, 3.0], np.float32)
    with jax.debug_nans(True):
        assert np.isfinite(derivatives(every_function, 2)(x)).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_shape_is_kept_and_integers_become_floats(name):
    f = FUNCTIONS[name]
    assert jax.eval_shape(f, jax.ShapeDtypeStruct((2, 3), np.float32)).shape[:2] == (2, 3)
    assert jnp.issubdtype(jax.eval_shape(f, jax.ShapeDtypeStruct((2,), int)).dtype, jnp.floating)


def test_many_bernstein_polynomials_are_accurate_in_float32():
    n = 200
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
    found = exponential_bernstein_basis(np.asarray(x, np.float32), n, 1.0)  # not compiled: 200 polynomials take long
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
def test_errors_name_the_wrong_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@jax.numpy_rank_promotion("allow")  # theirs needs it
def test_values_are_those_of_e3nn_jax(dtype):
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
