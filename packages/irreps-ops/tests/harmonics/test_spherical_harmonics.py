"""Spherical harmonics as an operation: irreps and parities, JAX transformations, dtypes, messages.

Their values and derivatives are tested in irreps-core, whose functions compute them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
from irreps_core.testing import assert_equivariant
from irreps_ops import legendre, sh, spherical_harmonics

VECTORS = np.concatenate([np.eye(3), -np.eye(3), np.random.default_rng(0).normal(size=(8, 3))])


@pytest.mark.parametrize("normalization", [None, "norm", "integral"])
def test_the_numbers_are_those_of_irreps_core(normalization):
    v = jnp.asarray(VECTORS)
    chosen = {} if normalization is None else {"normalization": normalization}
    for normalize, function in ((True, ic.spherical_harmonics), (False, ic.solid_harmonics)):
        expected = function([2, 0, 9], v, **chosen)
        np.testing.assert_array_equal(sh([2, 0, 9], v, normalize, normalization), expected)
        y = spherical_harmonics("2e + 0e + 9o", v, normalize, normalization)
        np.testing.assert_array_equal(y.array, expected)


@pytest.mark.parametrize("vector", ["1o", "1e"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("l", [4])
def test_equivariance(vector, normalize, l):
    f = jax.jit(lambda v: spherical_harmonics([0, 1, l], v, normalize))
    assert_equivariant(f, jax.random.key(0), vector, dtype=jnp.float64)


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
    v = jnp.asarray(VECTORS)
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
        ([1, "2e"], ic.IrrepsArray("1o", jnp.ones(3)), "component", r"either degrees or irreps, got both: \[1, '2e'\]"),
        ([True], ic.IrrepsArray("1o", jnp.ones(3)), "component", "expected an irrep, .* got True"),
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
    v = jnp.asarray(VECTORS)
    theirs = e3nn.sh(range(8), v, normalize, normalization)
    np.testing.assert_allclose(sh(range(8), v, normalize, normalization), theirs, atol=1e-12)


def rounding_errors(function):
    """Of degrees 1 to 7 in float32, root mean squares: of |Y_l|² - 1, and of the distance to the polynomial / |v|^l."""
    v = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    lengths = np.linalg.norm(v.astype(float), axis=1, keepdims=True)
    both = jax.jit(lambda v: [function(range(1, 8), v, normalize, "norm") for normalize in (True, False)])(v)
    for l in range(1, 8):
        y, polynomial = (np.asarray(a, float)[:, l * l - 1 : l * l + 2 * l] for a in both)
        squares = np.sum(y**2, axis=1) - 1, np.sum((y - polynomial / lengths**l) ** 2, axis=1)
        yield l, np.sqrt(np.mean(squares[0] ** 2)), np.sqrt(np.mean(squares[1]))


def test_rounding_errors_are_those_of_the_direction():
    """That is rounded by 2^-24; Y_l multiplies the error by l, |Y_l|² by 2l."""
    for l, of_length, of_direction in rounding_errors(sh):
        assert of_length < 2 * l * 2**-24
        assert of_direction < l * 2**-24


def test_rounding_errors_are_below_those_of_e3nn_jax():
    """Of single vectors, either may have the larger one: tests of e3nn-jax with tight limits can fail here."""
    e3nn = pytest.importorskip("e3nn_jax")
    for (_, *ours), (_, *theirs) in zip(rounding_errors(sh), rounding_errors(e3nn.sh), strict=True):
        assert np.all(np.array(ours) < theirs)


def test_legendre_takes_what_converts_to_a_jax_array():
    for x in (0.6, [0.6, 1.0], np.array([0.6]), jnp.array([0.6], jnp.float32)):
        p = legendre(3, x, -1.0, True)
        assert isinstance(p, jax.Array)
        assert p.dtype == jnp.asarray(x).dtype
        np.testing.assert_allclose(p, ic.legendre(3, np.asarray(x, float), -1.0, True), atol=1e-7)


@pytest.mark.parametrize("lmax", [-1, 1.5, None])
def test_legendre_refuses_a_bad_degree(lmax):
    with pytest.raises(ValueError, match="lmax"):
        legendre(lmax, jnp.zeros(2), 1.0)


def test_legendre_agrees_with_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    x = np.linspace(-0.9, 0.9, 7)
    np.testing.assert_allclose(legendre(6, x, -1.0, True), e3nn.legendre.legendre(6, x, -1.0, True), atol=1e-12)
