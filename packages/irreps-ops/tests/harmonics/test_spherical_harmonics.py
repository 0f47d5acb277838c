"""Spherical harmonics against their definition in high precision, and by the laws that define them."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
from irreps_core.testing import assert_equivariant
from irreps_ops import sh, spherical_harmonics

AXES = [*np.eye(3), *-np.eye(3)]


def exact(l: int, v) -> list:
    """Y_lm(v) with component normalization in 120 digits: the sum of Legendre's polynomial, made homogeneous."""
    with mpmath.workdps(150):
        x, y, z = (mpmath.mpf(c) if isinstance(c, mpmath.mpf) else mpmath.mpf(float(c)) for c in v)
        r2 = x * x + y * y + z * z
        out = [mpmath.mpf(0)] * (2 * l + 1)
        for m in range(l + 1):
            q = (
                mpmath.fsum(
                    (-1) ** k
                    * (math.comb(l, k) * math.comb(2 * l - 2 * k, l) * math.perm(l - 2 * k, m))
                    * y ** (l - 2 * k - m)
                    * r2**k
                    for k in range((l - m) // 2 + 1)
                )
                / mpmath.mpf(2) ** l
            )
            ratio = mpmath.mpf(math.factorial(l - m)) / math.factorial(l + m)
            q *= mpmath.sqrt((2 * l + 1) * ratio * (2 if m else 1))
            w = mpmath.mpc(z, x) ** m
            out[l + m] = q * w.real
            if m > 0:
                out[l - m] = q * w.imag
        return out


def exact_gradient(l: int, v) -> np.ndarray:
    """Central differences of `exact`, whose error is far below float64."""
    with mpmath.workdps(150):
        h = mpmath.mpf(10) ** -40
        columns = []
        for axis in range(3):
            plus, minus = ([mpmath.mpf(float(c)) + s * h * (i == axis) for i, c in enumerate(v)] for s in (1, -1))
            pairs = zip(exact(l, plus), exact(l, minus), strict=True)
            columns.append([float((a - b) / (2 * h)) for a, b in pairs])
        return np.array(columns).T


def points(n: int) -> np.ndarray:
    """Unit vectors all over the sphere, near the poles, and the axes."""
    rng = np.random.default_rng(0)
    anywhere = rng.normal(size=(n, 3))
    tilt = 10.0 ** rng.uniform(-6, -0.5, size=(n, 1))
    polar = rng.normal(size=(n, 3)) * tilt * [1, 0, 1] + [0, 1, 0]
    polar[::2] *= [1, -1, 1]
    v = np.concatenate([anywhere, polar, AXES])
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("l", "dtype", "tolerance"),
    [(l, np.float32, 2e-6) for l in (0, 1, 2, 3, 7, 16)]
    + [(32, np.float32, 1e-5), (64, np.float32, 2e-5)]
    + [(120, np.float32, 4e-5)]
    + [(l, np.float64, 1e-14) for l in (3, 10, 64)],
)
def test_values_against_the_definition(l, dtype, tolerance):
    v = points(3 if l > 20 else 12).astype(dtype)
    expected = np.array([[float(y) for y in exact(l, row)] for row in v])
    y = sh([l], jnp.asarray(v), normalize=False)
    assert y.dtype == dtype
    assert np.abs(y - expected).max() < tolerance * math.sqrt(2 * l + 1)


@pytest.mark.parametrize("l", [3, 16, 64])
def test_normalized_values_in_float32(l):
    v = (points(300) * np.linspace(0.3, 5, 606)[:, None]).astype(np.float32)
    expected = sh([l], jnp.asarray(v, jnp.float64), normalize=True)
    y = sh([l], jnp.asarray(v), normalize=True)
    assert np.abs(y - expected).max() < (1.2e-6 if l <= 16 else 4e-6) * math.sqrt(2 * l + 1)


@pytest.mark.parametrize("l", [1, 12])
def test_gradient_against_the_definition(l):
    v = np.array([*AXES[:4], [0.3, -0.8, 0.4], [1e-5, 0.9, -1e-5]])
    expected = np.array([exact_gradient(l, row) for row in v])

    def f(v):
        return sh([l], v, normalize=False)

    for derivative in (jax.jacfwd, jax.jacrev):
        found = jax.jit(jax.vmap(derivative(f)))(jnp.asarray(v))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * l * (2 * l + 1))


@pytest.mark.parametrize("l", [3, 8])
def test_harmonics_are_harmonic(l):
    """Laplace's equation, and Euler's: v . grad Y = l Y."""

    def f(v):
        return sh([l], v, normalize=False)

    v = jnp.array([*AXES, np.zeros(3), [0.3, -0.8, 0.4]])
    hessian = jax.jit(jax.vmap(jax.hessian(f)))(v)
    np.testing.assert_allclose(jnp.trace(hessian, axis1=2, axis2=3), 0, atol=1e-13 * jnp.abs(hessian).max())
    gradient = jax.jit(jax.vmap(jax.jacfwd(f)))(v)
    np.testing.assert_allclose(jnp.einsum("nca,na->nc", gradient, v), l * f(v), atol=1e-11)


def exact_along(l: int, v, u, order: int, normalize: bool) -> list[float]:
    """The derivative of Y_l(v + t u) by t at 0: central differences, whose error is far below float64."""
    stencil = {1: {1: 0.5, -1: -0.5}, 2: {1: 1, 0: -2, -1: 1}, 3: {2: 0.5, 1: -1, -1: 1, -2: -0.5}}[order]
    with mpmath.workdps(150):
        h = mpmath.mpf(10) ** -30
        total = [mpmath.mpf(0)] * (2 * l + 1)
        for steps, weight in stencil.items():
            at = [mpmath.mpf(float(a)) + steps * h * mpmath.mpf(float(b)) for a, b in zip(v, u, strict=True)]
            length = mpmath.sqrt(mpmath.fsum(c * c for c in at)) if normalize else 1
            values = exact(l, [c / length for c in at])
            total = [t + weight * y for t, y in zip(total, values, strict=True)]
        return [float(t / h**order) for t in total]


@pytest.mark.parametrize("normalize", [False, True])
def test_derivatives_to_third_order_against_the_definition(normalize):
    """At zero, on the axes (poles included) and elsewhere, forwards and backwards."""
    degrees = [0, 1, 2, 3]
    v = np.array([*AXES, [0.3, -0.8, 0.4]] + ([] if normalize else [[0, 0, 0]]), float)
    u = np.random.default_rng(0).normal(size=v.shape)

    def along(v, u):
        def f(t):
            return sh(degrees, v + t * u, normalize)

        def forwards(f):
            return lambda t: jax.jvp(f, (t,), (1.0,))[1]

        first, second = jax.jacrev(f), forwards(jax.jacrev(f))
        return [forwards(f)(0.0), second(0.0), jax.jacrev(second)(0.0)], [first(0.0), jax.jacrev(first)(0.0)]

    forth, back = jax.jit(jax.vmap(along))(jnp.asarray(v), jnp.asarray(u))
    for found in (forth, back):
        for order, derivative in enumerate(found, 1):
            rows = [[exact_along(l, a, b, order, normalize) for l in degrees] for a, b in zip(v, u, strict=True)]
            np.testing.assert_allclose(derivative, [np.concatenate(row) for row in rows], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_zero_vectors_by_definition_have_direction_zero(dtype):
    degrees = [0, 1, 2, 4]

    def f(v):
        return sh(degrees, v, normalize=True)

    zero = jnp.zeros(3, dtype)
    with jax.debug_nans(True):
        np.testing.assert_array_equal(f(zero), np.eye(f(zero).size)[0])
        for derivative in (jax.jacfwd(f), jax.jacrev(f), jax.hessian(f)):
            assert not jax.jit(derivative)(zero).any()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_polynomials_at_zero(dtype):
    degrees = [0, 1, 2, 3]

    def f(v):
        return sh(degrees, v, normalize=False)

    zero = jnp.zeros(3, dtype)
    with jax.debug_nans(True):
        derivatives = [f(zero), jax.jit(jax.jacrev(f))(zero), jax.jit(jax.hessian(f))(zero)]
    # The derivative of order k at 0 is that of degree k alone.
    for k, derivative in enumerate(derivatives):
        own = np.zeros(len(derivative), bool)
        own[k**2 : (k + 1) ** 2] = True
        assert not derivative[~own].any()
        assert derivative[own].any(axis=tuple(range(1, k + 1))).all()


@pytest.mark.parametrize("scale", [1e-44, 1e-37, 1e-25, 1e25, 3e38])
def test_extreme_lengths(scale):
    v = jnp.array([0.3, -1.0, 0.7], jnp.float32) * jnp.float32(scale)
    with jax.debug_nans(True):
        y = sh([0, 1, 2], v, normalize=True)
        gradient = jax.jacrev(lambda v: sh([0, 1, 2], v, normalize=True))(v)
    assert jnp.isfinite(gradient).all()
    expected = sh([0, 1, 2], jnp.array([0.3, -1.0, 0.7]), normalize=True) if scale > 1e-40 else jnp.eye(9)[0]
    np.testing.assert_allclose(y, expected, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([0, 1, 2, 3, 5, 11]), st.integers(0, 2**31))
def test_addition_theorem(l, seed):
    u, v = np.random.default_rng(seed).normal(size=(2, 3))
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    total = jnp.sum(sh([l], jnp.asarray(u), False) * sh([l], jnp.asarray(v), False))
    assert math.isclose(total, (2 * l + 1) * mpmath.legendre(l, u @ v), abs_tol=1e-12 * (2 * l + 1))


@pytest.mark.parametrize("vector", ["1o", "1e"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("l", [4])
def test_equivariance(vector, normalize, l):
    f = jax.jit(lambda v: spherical_harmonics([0, 1, l], v, normalize))
    assert_equivariant(f, jax.random.key(0), vector, dtype=jnp.float64)


@pytest.mark.parametrize("normalization", ["component", "norm", "integral"])
def test_normalization(normalization):
    v = jnp.asarray(points(5))
    for l in (0, 1, 3, 12):
        length = {"component": 2 * l + 1, "norm": 1, "integral": (2 * l + 1) / (4 * math.pi)}[normalization]
        np.testing.assert_allclose(jnp.sum(sh([l], v, True, normalization) ** 2, -1), length, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_shapes_and_transformations(shape):
    degrees = [1, 0, 3]
    v = jax.random.normal(jax.random.key(0), (*shape, 3), jnp.float32)
    f = jax.jit(lambda v: sh(degrees, v, True))
    y = f(v)
    assert y.shape == (*shape, sum(2 * l + 1 for l in degrees))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(jax.jvp(f, (v,), (v,))[1], 0, atol=1e-4)
    weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
    gradient = jax.grad(lambda v: jnp.sum(weights * f(v)))(v)
    assert gradient.shape == v.shape
    if shape == (2, 3):
        np.testing.assert_allclose(jax.vmap(f)(v), y, atol=1e-5)
        mapped = jax.grad(lambda v: jnp.sum(weights * jax.vmap(f)(v)))(v)
        np.testing.assert_allclose(mapped, gradient, atol=1e-3)
        assert jax.vmap(jax.jacrev(f))(v).shape == (2, 3, y.shape[-1], 3, 3)


def test_many_vectors_are_as_few():
    """What sums over many components, and over few, and for many vectors is one and the same."""
    v = jnp.asarray(np.random.default_rng(0).normal(size=(500, 3)))
    w = jnp.asarray(np.random.default_rng(1).normal(size=(500, 49)))

    @jax.jit
    def gradient(v, w):
        return jax.grad(lambda v: jnp.sum(w * sh(range(7), v, False)))(v)

    expected = jnp.concatenate([gradient(v[i : i + 1], w[i : i + 1]) for i in range(0, 500, 100)])
    np.testing.assert_allclose(gradient(v, w)[::100], expected, rtol=1e-12)


def test_without_x64():
    with jax.enable_x64(False):
        y = sh([1, 3], np.ones((2, 3)), True)
        gradient = jax.grad(lambda v: jnp.sum(sh([1, 3], v, True)))(np.ones((2, 3)))
    assert y.dtype == gradient.dtype == jnp.float32


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64])
def test_strict_promotion_keeps_the_dtype(dtype):
    with jax.numpy_dtype_promotion("strict"):
        y = sh([0, 3], jnp.ones((2, 3), dtype), True, "integral")
        gradient = jax.grad(lambda v: jnp.sum(sh([0, 3], v, True)))(jnp.ones((2, 3), dtype))
        assert y.dtype == gradient.dtype == dtype
    assert sh([1], jnp.ones((2, 3), int), True).dtype == jnp.zeros(()).dtype


def test_no_tracer_leaks():
    with jax.checking_leaks():
        jax.jit(jax.grad(lambda v: jnp.sum(sh([0, 3], v, True) ** 3)))(jnp.ones((2, 3)))


def test_order_and_repetition():
    v = jnp.asarray(points(2))
    y = spherical_harmonics("2x2e + 0e + 1o + 2e + 0x3o", v, True)
    assert y.irreps == ic.Irreps("2x2e + 0e + 1o + 2e + 0x3o")
    two, zero, one = (sh([l], v, True) for l in (2, 0, 1))
    np.testing.assert_array_equal(y.array, jnp.concatenate([two, two, zero, one, two], -1))
    assert spherical_harmonics("", v, True).shape == (*v.shape[:-1], 0)


def test_degrees_take_the_parity_of_the_vector():
    v = jnp.ones(3)
    assert spherical_harmonics(3, ic.IrrepsArray("1o", v), True).irreps == "3o"
    assert spherical_harmonics([2, 3], ic.IrrepsArray("1e", v), True).irreps == "2e + 3e"
    assert spherical_harmonics(range(3), ic.IrrepsArray("1o", v), True).irreps == "0e + 1o + 2e"
    assert spherical_harmonics([np.int64(2)], ic.IrrepsArray("1o", v), True).irreps == "2e"
    assert spherical_harmonics(ic.Irrep("3e"), ic.IrrepsArray("1e", v), True).irreps == "3e"


@pytest.mark.parametrize(
    ("irreps_out", "vector", "normalization", "message"),
    [
        ([1], jnp.ones(3), "component", "plain array"),
        (2, jnp.ones(3), "component", "plain array"),
        ("1e", ic.IrrepsArray("1o", jnp.ones(3)), "component", "1x1o have parity o"),
        ("2o", jnp.ones(3), "component", "cannot give 2o"),
        ("1o + 3e", jnp.ones(3), "component", "one parity"),
        ([-1], ic.IrrepsArray("1o", jnp.ones(3)), "component", "got -1"),
        ([1], ic.IrrepsArray("3x0e", jnp.ones(3)), "component", "single vector"),
        ([1], ic.IrrepsArray("1o + 0e", jnp.ones(4)), "component", "single vector"),
        ("1o", jnp.ones((2, 4)), "component", r"\(2, 4\)"),
        ("1o", jnp.ones(()), "component", r"\(\.\.\., 3\)"),
        ("1o", jnp.ones(3, complex), "component", "complex"),
        ("1o", jnp.ones(3), "compnent", "'compnent'"),
        ("", jnp.ones(3), "compnent", "'compnent'"),
        ("1x", jnp.ones(3), "component", "1x"),
    ],
)
def test_bad_input(irreps_out, vector, normalization, message):
    with pytest.raises(ValueError, match=message):
        spherical_harmonics(irreps_out, vector, True, normalization)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("normalization", [None, "component", "norm", "integral"])
def test_agreement_with_e3nn_jax(normalize, normalization):
    e3nn = pytest.importorskip("e3nn_jax")
    v = jnp.asarray(points(20))
    theirs = e3nn.sh(range(8), v, normalize, normalization)
    np.testing.assert_allclose(sh(range(8), v, normalize, normalization), theirs, atol=1e-12)
