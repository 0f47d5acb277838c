"""Spherical and solid harmonics against their definition in high precision, and by the laws that define them."""

import gc
import math
import subprocess
import sys
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
from irreps_core import change_of_basis, solid_harmonics, spherical_harmonics

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    LIBRARIES = [np]
else:
    LIBRARIES = [np, jnp]

needs_jax = pytest.mark.skipif(len(LIBRARIES) == 1, reason="derivatives need JAX")
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


@pytest.fixture(params=LIBRARIES, ids=lambda xp: xp.__name__.removesuffix(".numpy"))
def xp(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    ("l", "dtype", "tolerance"),
    [(l, np.float32, 2e-6) for l in (0, 1, 2, 3, 7, 16)]
    + [(32, np.float32, 1e-5), (64, np.float32, 2e-5)]
    + [(120, np.float32, 4e-5)]
    + [(l, np.float64, 1e-14) for l in (3, 10, 64)],
)
def test_values_against_the_definition(xp, l, dtype, tolerance):
    v = points(3 if l > 20 else 12).astype(dtype)
    expected = np.array([[float(y) for y in exact(l, row)] for row in v])
    y = solid_harmonics([l], xp.asarray(v))
    assert isinstance(y, type(xp.asarray(v)))
    assert y.dtype == dtype
    assert np.abs(y - expected).max() < tolerance * math.sqrt(2 * l + 1)


@pytest.mark.parametrize("l", [3, 16, 64])
def test_directions_in_float32_are_accurate(xp, l):
    v = (points(300) * np.linspace(0.3, 5, 606)[:, None]).astype(np.float32)
    expected = spherical_harmonics([l], v.astype(np.float64))
    y = spherical_harmonics([l], xp.asarray(v))
    assert np.abs(y - expected).max() < (1.2e-6 if l <= 16 else 4e-6) * math.sqrt(2 * l + 1)


@pytest.mark.parametrize("l", [0, 1, 2, 5, 30, 86])
def test_they_are_the_harmonics_of_scipy_in_our_basis(xp, l):
    scipy = pytest.importorskip("scipy", minversion="1.15")
    v = points(20)
    x, y, z = v.T
    polar, azimuth = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)  # the polar axis of SciPy is z
    theirs = np.stack([scipy.special.sph_harm_y(l, m, polar, azimuth) for m in range(-l, l + 1)], axis=-1)
    expected = theirs @ change_of_basis("scipy", "e3nn", l).T
    # The angles are rounded, and degree l sees l times their error.
    np.testing.assert_allclose(expected.imag, 0, atol=1e-14 * (l + 1))
    ours = spherical_harmonics(l, xp.asarray(3 * v), normalization="integral")
    np.testing.assert_allclose(ours, expected.real, atol=1e-14 * (l + 1))


@needs_jax
@pytest.mark.parametrize("l", [1, 12])
def test_gradient_against_the_definition(l):
    v = np.array([*AXES[:4], [0.3, -0.8, 0.4], [1e-5, 0.9, -1e-5]])
    expected = np.array([exact_gradient(l, row) for row in v])

    def f(v):
        return solid_harmonics([l], v)

    for derivative in (jax.jacfwd, jax.jacrev):
        found = jax.jit(jax.vmap(derivative(f)))(jnp.asarray(v))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * l * (2 * l + 1))


@needs_jax
@pytest.mark.parametrize("l", [3, 8])
def test_harmonics_are_harmonic(l):
    """Laplace's equation, and Euler's: v . grad Y = l Y."""

    def f(v):
        return solid_harmonics([l], v)

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


@needs_jax
@pytest.mark.parametrize("normalize", [False, True])
def test_derivatives_to_third_order_against_the_definition(normalize):
    """At zero, on the axes (poles included) and elsewhere, forwards and backwards."""
    degrees = [0, 1, 2, 3]
    v = np.array([*AXES, [0.3, -0.8, 0.4]] + ([] if normalize else [[0, 0, 0]]), float)
    u = np.random.default_rng(0).normal(size=v.shape)

    def along(v, u):
        def f(t):
            return (spherical_harmonics if normalize else solid_harmonics)(degrees, v + t * u)

        def forwards(f):
            return lambda t: jax.jvp(f, (t,), (1.0,))[1]

        first, second = jax.jacrev(f), forwards(jax.jacrev(f))
        return [forwards(f)(0.0), second(0.0), jax.jacrev(second)(0.0)], [first(0.0), jax.jacrev(first)(0.0)]

    forth, back = jax.jit(jax.vmap(along))(jnp.asarray(v), jnp.asarray(u))
    for found in (forth, back):
        for order, derivative in enumerate(found, 1):
            rows = [[exact_along(l, a, b, order, normalize) for l in degrees] for a, b in zip(v, u, strict=True)]
            np.testing.assert_allclose(derivative, [np.concatenate(row) for row in rows], rtol=1e-12, atol=1e-11)


@needs_jax
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_at_zero_are_zero_by_definition(dtype):
    degrees = [0, 1, 2, 4]

    def f(v):
        return spherical_harmonics(degrees, v)

    zero = jnp.zeros(3, dtype)
    with jax.debug_nans(True):
        np.testing.assert_array_equal(f(zero), np.eye(f(zero).size)[0])
        for derivative in (jax.jacfwd(f), jax.jacrev(f), jax.hessian(f)):
            assert not jax.jit(derivative)(zero).any()


@needs_jax
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_of_polynomials_at_zero(dtype):
    degrees = [0, 1, 2, 3]

    def f(v):
        return solid_harmonics(degrees, v)

    zero = jnp.zeros(3, dtype)
    with jax.debug_nans(True):
        derivatives = [f(zero), jax.jit(jax.jacrev(f))(zero), jax.jit(jax.hessian(f))(zero)]
    # The derivative of order k at 0 is that of degree k alone.
    for k, derivative in enumerate(derivatives):
        own = np.zeros(len(derivative), bool)
        own[k**2 : (k + 1) ** 2] = True
        assert not derivative[~own].any()
        assert derivative[own].any(axis=tuple(range(1, k + 1))).all()


@pytest.mark.parametrize(("l", "dtype", "tolerance"), [(400, np.float32, 3e-5), (400, np.float64, 1e-13)])
def test_high_degrees(xp, l, dtype, tolerance):
    """No product of quadrics overflows: all orders at once by the addition theorem, m = 0 by Legendre's polynomial."""
    v = points(20).astype(dtype)
    y = spherical_harmonics(l, xp.asarray(v))
    np.testing.assert_allclose(np.sum(np.asarray(y) ** 2, -1), np.full(len(v), 2 * l + 1), rtol=4 * tolerance)
    with mpmath.workdps(50):
        cosines = [mpmath.mpf(float(b)) / mpmath.norm([float(a), float(b), float(c)]) for a, b, c in v]
        expected = [float(mpmath.sqrt(2 * l + 1) * mpmath.legendre(l, c)) for c in cosines]
    np.testing.assert_allclose(np.asarray(y)[:, l], expected, rtol=0, atol=tolerance * math.sqrt(2 * l + 1))


@needs_jax
def test_derivatives_of_a_high_degree():
    """Euler's equation, and that the surface gradient of all orders has the length sqrt(l(l+1)(2l+1)) on the sphere."""
    l = 120
    v = jnp.asarray(points(1), jnp.float32)
    value, slopes = jax.vmap(lambda v: (solid_harmonics(l, v), jax.jacfwd(lambda v: solid_harmonics(l, v))(v)))(v)
    radial = jnp.einsum("nca,na->nc", slopes, v)
    np.testing.assert_allclose(radial, l * value, rtol=0, atol=1e-4 * l * math.sqrt(2 * l + 1))
    surface = jnp.sum(slopes**2, (1, 2)) - jnp.sum(radial**2, 1)
    np.testing.assert_allclose(surface, np.full(len(v), l * (l + 1) * (2 * l + 1)), rtol=1e-3)


@pytest.mark.parametrize("scale", [1e6, 1e15, 5e18, 1e20, 1e30, 1e38])
@pytest.mark.parametrize(
    "direction", [(0.6, 0.8, 0.1), (1.0, -0.9, 0.3), (-1.0, 1.0, 1e-3), (0, 0, -1), (0, 1, 0), (1, 0, 1)]
)
def test_overflow_keeps_the_sign(xp, direction, scale):
    """Finite where float64 is in the range of float32, else infinite with the sign of float64; zero on nodal planes."""
    v = (np.array(direction) * scale).astype(np.float32)
    for l in (1, 2, 3, 5, 9):
        exact64 = solid_harmonics(l, v.astype(np.float64))
        # On nodal surfaces float64 has rounding errors.
        nodal = np.abs(exact64) < 1e-12 * np.abs(exact64).max()
        exact64 = np.where(nodal, 0, exact64)
        with np.errstate(over="ignore"):
            expected = exact64.astype(np.float32)
        np.testing.assert_allclose(solid_harmonics(l, xp.asarray(v)), expected, rtol=1e-4, atol=0, err_msg=str(l))


def test_nan_stays_nan(xp):
    y = solid_harmonics([2, 3], xp.asarray([math.nan, 1.0, 0.0]))
    assert xp.isnan(y).all() or np.isnan(np.asarray(y)[[0, 5]]).all()


@pytest.mark.parametrize("v", [(1.2e-38, 1e-38, 1e-38), (1.2e-38, -1e-40, 0), (0, 1.3e-38, 5e-39)])
def test_directions_just_above_the_smallest_normal_number(xp, v):
    """XLA on CPUs takes subnormal numbers for zero: the components here, not the vector."""
    v = np.array(v, np.float32)
    expected = spherical_harmonics([1, 2], v.astype(np.float64))
    np.testing.assert_allclose(spherical_harmonics([1, 2], xp.asarray(v)), expected, atol=1e-6)
    np.testing.assert_allclose(ic.unit_vectors(xp.asarray(v)), v / np.linalg.norm(v.astype(np.float64)), atol=2e-7)


@pytest.mark.parametrize("scale", [0, 1e-44, 1e-37, 1e-25, 1e25, 3e38])
def test_lengths_neither_overflow_nor_underflow(xp, scale):
    v = np.array([0.3, -1.0, 0.7], np.float32)
    with np.errstate(all="raise", under="ignore"):
        y = spherical_harmonics([0, 1, 2], xp.asarray(v * np.float32(scale)))
    expected = spherical_harmonics([0, 1, 2], v) if scale > 1e-40 else np.eye(9)[0]
    np.testing.assert_allclose(y, expected, atol=1e-6)


@needs_jax
@pytest.mark.parametrize("scale", [1e-44, 1e-37, 1e-25, 1e25, 3e38])
def test_gradients_at_extreme_lengths_are_finite(scale):
    v = jnp.array([0.3, -1.0, 0.7], jnp.float32) * jnp.float32(scale)
    with jax.debug_nans(True):
        gradient = jax.jacrev(lambda v: spherical_harmonics([0, 1, 2], v))(v)
    assert jnp.isfinite(gradient).all()


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([0, 1, 2, 3, 5, 11]), st.integers(0, 2**31))
def test_addition_theorem(l, seed):
    u, v = np.random.default_rng(seed).normal(size=(2, 3))
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    total = np.sum(solid_harmonics([l], u) * spherical_harmonics([l], v))
    assert math.isclose(total, (2 * l + 1) * mpmath.legendre(l, u @ v), abs_tol=1e-12 * (2 * l + 1))


@pytest.mark.parametrize("l", [1, 4, 20])
def test_they_rotate_by_wigner_d(xp, l):
    rotation = ic.rand_matrix(np.random.default_rng(0))
    v = points(5)
    for function in (spherical_harmonics, solid_harmonics):
        rotated = function(l, xp.asarray(2 * v @ rotation.T))
        expected = function(l, 2 * v) @ ic.wigner_D_from_matrix(l, rotation).T
        np.testing.assert_allclose(rotated, expected, rtol=0, atol=1e-14 * np.abs(expected).max() * (l + 1))


@pytest.mark.parametrize("normalization", ["component", "norm", "integral"])
def test_normalization(normalization):
    v = points(5)
    for l in (0, 1, 3, 12):
        length = {"component": 2 * l + 1, "norm": 1, "integral": (2 * l + 1) / (4 * math.pi)}[normalization]
        y = spherical_harmonics(l, 3 * v, normalization=normalization)
        np.testing.assert_allclose(np.sum(y**2, -1), length, rtol=1e-12)
        np.testing.assert_allclose(solid_harmonics(l, 3 * v, normalization=normalization), 3.0**l * y, rtol=1e-11)
        component = spherical_harmonics(l, 3 * v)
        np.testing.assert_allclose(y, ic.harmonic_scale(l, normalization) * component, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, int])
def test_shapes_dtypes_and_order_of_degrees(xp, shape, dtype):
    v = xp.asarray(np.random.default_rng(0).normal(size=(*shape, 3)) * (10 if dtype is int else 1), dtype=dtype)
    for function in (spherical_harmonics, solid_harmonics):
        y = function((3, 1, 9, 1), v)
        assert y.shape == (*shape, 7 + 3 + 19 + 3)
        assert y.dtype == (xp.zeros(()).dtype if dtype is int else dtype)
        assert isinstance(y, type(v))
        np.testing.assert_array_equal(y[..., 7:10], y[..., -3:])
        assert function([], v).shape == (*shape, 0)
        np.testing.assert_array_equal(function(3, v), function(np.array([3]), v))
    assert ic.unit_vectors(v).dtype == (xp.zeros(()).dtype if dtype is int else dtype)


def test_lists_of_numbers_are_vectors():
    np.testing.assert_allclose(spherical_harmonics(1, [0, 2, 0], normalization="norm"), [0, 1, 0], rtol=1e-15)


@needs_jax
def test_many_vectors_are_as_few():
    """What sums over many components, and over few, and for many vectors is one and the same."""
    v = jnp.asarray(np.random.default_rng(0).normal(size=(500, 3)))
    w = jnp.asarray(np.random.default_rng(1).normal(size=(500, 49)))

    @jax.jit
    def gradient(v, w):
        return jax.grad(lambda v: jnp.sum(w * solid_harmonics(range(7), v)))(v)

    expected = jnp.concatenate([gradient(v[i : i + 1], w[i : i + 1]) for i in range(0, 500, 100)])
    np.testing.assert_allclose(gradient(v, w)[::100], expected, rtol=1e-12)


@needs_jax
@pytest.mark.parametrize("function", [spherical_harmonics, solid_harmonics])
def test_transformations_and_strict_promotion(function):
    v = jax.random.normal(jax.random.key(0), (2, 3, 3), jnp.bfloat16)
    gc.freeze()  # JAX searches for leaked tracers among all objects, after each trace
    with jax.numpy_dtype_promotion("strict"), jax.checking_leaks():
        y = jax.jit(lambda v: function([0, 9], v))(v)
        gradient = jax.jit(jax.grad(lambda v: jnp.sum(function([0, 3], v) ** 3)))(v)
    assert y.dtype == gradient.dtype == jnp.bfloat16
    v = v.astype(jnp.float32)
    np.testing.assert_allclose(jax.vmap(lambda v: function([0, 9], v))(v), function([0, 9], v), atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_unit_vectors(xp, n):
    v = np.random.default_rng(0).normal(size=(4, n))
    v[0] = 0
    u = ic.unit_vectors(xp.asarray(v))
    np.testing.assert_allclose(u[1:], v[1:] / np.linalg.norm(v[1:], axis=-1, keepdims=True), rtol=1e-15)
    assert not u[0].any()


@pytest.mark.parametrize("function", [spherical_harmonics, solid_harmonics])
def test_bad_input_is_named(function):
    with pytest.raises(ValueError, match=r"r must have shape \(..., 3\), received shape \(2, 4\)"):
        function(1, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"received shape \(\)"):
        function(1, 1.0)
    with pytest.raises(ValueError, match="complex"):
        function(1, np.ones(3, complex))
    with pytest.raises(ValueError, match=r"a degree must be .*, got -1"):
        function([0, -1], np.ones(3))
    for bad in (1.5, [1.5], None, [True]):
        with pytest.raises(TypeError, match="a degree must be an integer"):
            function(bad, np.ones(3))
    for irreps in ("0e + 1o", ic.Irreps("0e + 1o")):
        with pytest.raises(TypeError, match=r"the degrees of irreps are irreps\.ls"):
            function(irreps, np.ones(3))
    for degrees in ([1], []):
        with pytest.raises(ValueError, match="'component', 'norm' or 'integral', got 'compnent'"):
            function(degrees, np.ones(3), normalization="compnent")


def test_unit_vectors_refuse_a_number():
    with pytest.raises(ValueError, match="received the number"):
        ic.unit_vectors(1.0)


def test_no_jax_is_needed():
    program = """
import sys; sys.modules["jax"] = None
import numpy as np, irreps_core as ic
ic.spherical_harmonics([0, 9], np.ones((2, 3))), ic.solid_harmonics(2, np.ones(3)), ic.legendre(3, 0.5)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
