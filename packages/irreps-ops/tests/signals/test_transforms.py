"""Transformations between signals and coefficients: sums of harmonics, quadrature, round trips, special functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
import irreps_ops as irr

F = jnp.float64
RNG = np.random.default_rng(0)


def coefficients(irreps, shape=()):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, jnp.asarray(RNG.normal(size=(*shape, irreps.dim))))


def n_l(l, lmax, normalization):
    """The factors of the definition."""
    return {"integral": 1, "norm": (lmax + 1) ** -0.5, "component": ((lmax + 1) * (2 * l + 1)) ** -0.5}[normalization]


def factors(degrees, lmax, normalization):
    return np.concatenate([np.full(2 * l + 1, n_l(l, lmax, normalization)) for l in degrees])


NORMALIZATIONS = ["integral", "component", "norm"]
# The last two grids are so coarse that waves alias.
CASES = [("0e + 1o + 2e", (4, 5)), ("3o + 0e", (7, 8)), ("4e + 1o", (3, 6))]


@pytest.mark.parametrize(("irreps", "resolution"), CASES)
def test_to_grid_is_the_sum_of_harmonics(irreps, resolution):
    x = coefficients(irreps, (2,))
    degrees = [ir.l for _, ir in x.irreps]
    points = irr.SphericalSignal.zeros(*resolution, "soft", dtype=F).grid_vectors

    @jax.jit
    def run(x):
        options = [
            {"quadrature": "soft", "normalization": n, "fft": f} for n in NORMALIZATIONS for f in (None, True, False)
        ]
        signals = [irr.to_s2grid(x, *resolution, **o) for o in options]
        point = ic.IrrepsArray("1o", points * 3)
        return signals, [irr.to_s2point(x, point, normalization=n).array[..., 0] for n in NORMALIZATIONS]

    signals, values = run(x)
    assert {(s.p_val, s.p_arg, s.shape) for s in signals} == {(1, -1, (2, *resolution))}
    harmonics = ic.spherical_harmonics(degrees, np.asarray(points))
    for n, normalization in enumerate(NORMALIZATIONS):
        scaled = np.asarray(x.array) * factors(degrees, max(degrees), normalization)
        expected = np.einsum("ni,bai->nba", scaled, harmonics)
        for found in (*(s.grid_values for s in signals[3 * n : 3 * n + 3]), values[n]):
            np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize(("irreps", "resolution"), CASES)
def test_from_grid_is_the_quadrature(irreps, resolution):
    degrees = [ir.l for _, ir in ic.Irreps(irreps)]
    signal = irr.SphericalSignal(jnp.asarray(RNG.uniform(0.5, 2, (2, *resolution))), "gausslegendre")

    @jax.jit
    def run(signal):
        options = [{"normalization": n, "fft": f} for n in NORMALIZATIONS for f in (None, True, False)]
        return [irr.from_s2grid(signal, irreps, lmax_in=7, **o) for o in options]

    found = run(signal)
    harmonics = ic.spherical_harmonics(degrees, np.asarray(signal.grid_vectors))
    weights = signal.quadrature_weights / resolution[1]
    integrals = np.einsum("nba,bai,b->ni", signal.grid_values, harmonics, weights)
    for n, normalization in enumerate(NORMALIZATIONS):
        for y in found[3 * n : 3 * n + 3]:
            np.testing.assert_allclose(y.array, integrals / factors(degrees, 7, normalization), atol=1e-13)
            assert y.irreps == irreps


@pytest.mark.parametrize("dtype", [jnp.float32, F])
def test_round_trip_of_degree_100(dtype):
    x = coefficients(irr.s2_irreps(100)).astype(dtype)
    with jax.debug_nans(True):
        for quadrature, res_beta in (("soft", 202), ("gausslegendre", 101)):
            for fft in (True, False):
                signal = irr.to_s2grid(x, res_beta, 201, quadrature=quadrature, fft=fft)
                back = irr.from_s2grid(signal, x.irreps, fft=fft)
                assert (signal.dtype, back.dtype) == (dtype, dtype)
                assert np.abs(back.array - x.array).max() < (2e-5 if dtype == jnp.float32 else 1e-12)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 6), unique=True, max_size=4),
    st.sampled_from([(1, 1), (1, -1), (-1, 1), (-1, -1)]),
    st.sampled_from([("soft", 2), ("gausslegendre", 1)]),
    st.sampled_from(["integral", "component", "norm"]),
)
def test_round_trip_of_any_irreps(degrees, parities, rule, normalization):
    p_val, p_arg = parities
    x = coefficients(ic.Irreps([(1, (l, p_val * p_arg**l)) for l in degrees]))
    lmax = max(degrees, default=0)
    options = {"quadrature": rule[0], "normalization": normalization, "p_val": p_val, "p_arg": p_arg}
    signal = irr.to_s2grid(x, rule[1] * lmax + 1, 2 * lmax + 1, **options)
    back = irr.from_s2grid(signal, x.irreps, normalization=normalization)
    assert back.irreps == x.irreps
    np.testing.assert_allclose(back.array, x.array, atol=1e-13)


def test_all_methods_have_the_same_second_derivatives():
    x = coefficients("0e + 1o + 2e")

    def total(array, fft):
        signal = irr.to_s2grid(ic.IrrepsArray(x.irreps, array), 5, 6, quadrature="soft", fft=fft)
        return jnp.sum(irr.from_s2grid(signal.apply(jnp.sin), "1o + 2e", fft=fft).array ** 2)

    @jax.jit
    def run(a):
        slope = jax.jvp(lambda a: total(a, None), (a,), (a,))[1]
        values = [total(a * (1 + step), None) for step in (1e-5, -1e-5)]
        return [jax.hessian(total)(a, fft) for fft in (None, True, False)], slope, values

    hessians, slope, (above, below) = run(x.array)
    for hessian in hessians[1:]:
        np.testing.assert_allclose(hessian, hessians[0], atol=1e-13)
    assert abs((above - below) / 2e-5 - slope) < 1e-8


def test_parities_follow_from_the_irreps():
    def parities(irreps, **options):
        signal = jax.eval_shape(lambda x: irr.to_s2grid(x, 2, 2, quadrature="soft", **options), coefficients(irreps))
        return signal.p_val, signal.p_arg

    for p in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        assert parities(irr.s2_irreps(2, *p)) == p
    assert parities("1e", p_val=1, p_arg=1) == (1, 1)
    assert parities("0e", p_val=1, p_arg=-1) == (1, -1)
    point = ic.IrrepsArray("1o", jnp.ones(3))
    assert jax.eval_shape(irr.to_s2point, coefficients("0o + 1e"), point).irreps == "0o"


def test_legendre_transforms_are_the_case_of_order_zero():
    m0 = jnp.asarray(RNG.normal(size=(2, 3, 4)))

    @jax.jit
    def run(m0):
        coeffs = irr.m0_values_to_irrepsarray(m0, 3, -1, -1)
        results = []
        for normalization in NORMALIZATIONS:
            options = {"quadrature": "soft", "normalization": normalization}
            rings = irr.legendre_transform_to_s2grid(m0, 8, **options)
            symmetric = irr.betas_to_spherical_signal(rings, 5, quadrature="soft", p_val=-1)
            back = irr.legendre_transform_from_s2grid(rings, 3, 8, **options)
            results.append((symmetric, irr.to_s2grid(coeffs, 8, 5, **options), back))
        return coeffs, results

    coeffs, results = run(m0)
    assert coeffs.irreps == irr.s2_irreps(3, -1, -1)
    np.testing.assert_array_equal(coeffs.array[..., [0, 2, 6, 12]], m0)
    assert np.count_nonzero(coeffs.array) == m0.size
    for symmetric, whole, back in results:
        assert symmetric.p_val == -1
        np.testing.assert_allclose(symmetric.grid_values, whole.grid_values, atol=1e-13)
        np.testing.assert_allclose(back, m0, atol=1e-13)


@pytest.mark.parametrize(("p_val", "p_arg"), [(1, -1), (-1, 1)])
def test_the_delta_function_takes_the_value_at_its_point_under_the_integral(p_val, p_arg):
    """Of every polynomial, such as 1."""
    irreps = irr.s2_irreps(5, p_val, p_arg)
    v, x = jnp.asarray(RNG.normal(size=(2, 3))), coefficients(irreps)

    @jax.jit
    def run(v, x):
        delta = irr.s2_dirac(v, 5, p_val=p_val, p_arg=p_arg)
        signal, polynomial = (irr.to_s2grid(c, 12, 11, quadrature="soft") for c in (delta, x))
        point = ic.IrrepsArray("1e" if p_arg == 1 else "1o", v)
        same = irr.s2_dirac(point, 5, p_val=p_val, p_arg=p_arg), irr.s2_dirac(2 * v, 5, p_val=p_val, p_arg=p_arg)
        return delta, same, signal.integrate(), (signal * polynomial).integrate(), irr.to_s2point(x, point)

    delta, same, total, found, expected = run(v, x)
    assert delta.irreps == irreps
    np.testing.assert_allclose(total.array, 1)
    np.testing.assert_allclose(found.array, expected.array, rtol=1e-12)
    for other in same:
        np.testing.assert_allclose(other.array, delta.array, atol=1e-15)


X = ic.IrrepsArray("0e + 1o", jnp.ones(4))
SIGNAL = irr.SphericalSignal.zeros(4, 5, "soft")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.s2_irreps(-1), "lmax of 0 or more"),
        (lambda: irr.s2_irreps(1, p_val=0), "p_val must be 1 or -1, got 0"),
        (lambda: irr.to_s2grid(X, 4, 4, quadrature="soft", normalization="x"), "'component' or 'norm', got 'x'"),
        (lambda: irr.to_s2grid(X, 4, -4, quadrature="soft"), "res_alpha of 1 or more"),
        (lambda: irr.to_s2grid(coefficients("2x0e"), 4, 4, quadrature="soft"), "each degree once, got 2x0e"),
        (lambda: irr.to_s2grid(coefficients("0e"), 4, 4, quadrature="soft"), "do not determine p_val and p_arg"),
        (lambda: irr.to_s2grid(X, 4, 4, quadrature="soft", p_val=-1), "p_val = -1"),
        (lambda: irr.to_s2grid(coefficients("0e + 2o"), 4, 4, quadrature="soft"), "parities of 1x0e"),
        (lambda: irr.from_s2grid(SIGNAL, "0e + 1e"), "parities"),
        (lambda: irr.to_s2point(X, coefficients("1e")), "parities"),
        (lambda: irr.to_s2point(X, coefficients("2e")), "1o or 1e, got 1x2e"),
        (lambda: irr.s2_dirac(coefficients("1e"), 2), "expects vectors 1o, got 1x1e"),
        (lambda: irr.legendre_transform_to_s2grid(jnp.ones(0), 4, quadrature="soft"), "lmax"),
        (lambda: irr.legendre_transform_from_s2grid(jnp.ones(3), 1, 4, quadrature="soft"), r"\(..., 4\), got \(3,\)"),
        (lambda: irr.m0_values_to_irrepsarray(jnp.ones(3), 1, 1, 1), r"\(..., 2\), got \(3,\)"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_points_must_be_vectors_in_an_irreps_array():
    with pytest.raises(TypeError, match="IrrepsArray"):
        irr.to_s2point(X, jnp.ones(3))


@pytest.mark.parametrize("dtype", [jnp.float32, F])
def test_agreement_with_e3nn_jax(dtype):
    e3nn = pytest.importorskip("e3nn_jax")
    x = coefficients(irr.s2_irreps(4), (2,)).astype(dtype)
    theirs = e3nn.IrrepsArray(str(x.irreps), x.array)
    close = {"rtol": 0, "atol": 5e-6 if dtype == jnp.float32 else 1e-13}
    with jax.numpy_rank_promotion("allow"):
        for quadrature, normalization in (("soft", "integral"), ("gausslegendre", "component"), ("soft", "norm")):
            options = {"quadrature": quadrature, "normalization": normalization}
            ours, expected = (lib.to_s2grid(c, 10, 9, **options) for lib, c in ((irr, x), (e3nn, theirs)))
            np.testing.assert_allclose(ours.grid_values, expected.grid_values, **close)
            found = irr.from_s2grid(ours, x.irreps, normalization=normalization).array
            back = e3nn.from_s2grid(expected, str(x.irreps), normalization=normalization).array
            np.testing.assert_allclose(found, back, **close)
