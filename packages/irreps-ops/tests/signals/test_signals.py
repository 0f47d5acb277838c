"""Signals on the sphere: the grid, the transformations, and what a signal can do."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.signals._meridian_harmonics import meridian_harmonics

F = jnp.float64
RNG = np.random.default_rng(0)
ROTATION = np.asarray(ic.angles_to_matrix(0.3, 1.1, -0.7))


def coefficients(irreps, shape=()):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, jnp.asarray(RNG.normal(size=(*shape, irreps.dim))))


def random_signal(shape=(6, 7), quadrature="soft", **parities):
    return irr.SphericalSignal(jnp.asarray(RNG.uniform(0.5, 2, shape)), quadrature, **parities)


def harmonics(degrees, points):
    """Of "component" normalization, by the operation that is tested elsewhere."""
    return np.asarray(irr.sh(degrees, jnp.asarray(points), True))


# The grid


@pytest.mark.parametrize("n", [1, 2, 3, 8, 25])
def test_quadratures_are_exact_for_polynomials(n):
    for quadrature, degree in (("soft", n - 1), ("gausslegendre", 2 * n - 1)):
        y, _, weights = irr.s2_grid(n, 1, quadrature)
        assert (np.diff(y) > 0).all()
        for k in range(degree + 1):
            assert abs(weights @ y**k - (1 - k % 2) / (k + 1)) < 1e-14


def test_nodes_are_the_known_ones():
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


def test_gauss_weight_next_to_the_pole():
    # np.polynomial.legendre.leggauss has lost five digits there.
    with mpmath.workdps(30):
        x = mpmath.findroot(lambda x: mpmath.legendre(101, x), mpmath.cos(mpmath.mpf(0.75) * mpmath.pi / 101.5))
        slope = mpmath.diff(lambda x: mpmath.legendre(101, x), x)
        weight = float(1 / ((1 - x * x) * slope**2))
    assert abs(irr.s2_grid(101, 1, "gausslegendre")[2][-1] / weight - 1) < 1e-13


def exact_on_the_meridian(l, m, y):
    """The polynomial d^m P_l / dy^m summed in rational numbers, times sin(beta)^m and the norm, as mpmath number."""
    terms = (
        Fraction((-1) ** k * math.comb(l, k) * math.comb(2 * l - 2 * k, l) * math.perm(l - 2 * k, m), 2**l)
        * y ** (l - 2 * k - m)
        for k in range((l - m) // 2 + 1)
    )
    total, rho2 = sum(terms), 1 - y * y
    norm = Fraction((2 * l + 1) * (2 if m else 1), math.perm(l + m, 2 * m))
    square = total**2 * rho2**m * norm
    return mpmath.sign(total) * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)


def test_harmonics_on_the_meridian():
    heights = [Fraction(y) for y in (-1.0, 1 - 2**-20, -0.9998, 0.5, 0.03125, 0.0)]
    rho = np.array([float(mpmath.sqrt(mpmath.mpf((1 - y * y).numerator) / (1 - y * y).denominator)) for y in heights])
    table = meridian_harmonics(100, 100, np.array([float(y) for y in heights]), rho)
    for l, m in ((0, 0), (1, 1), (7, 3), (40, 1), (100, 0), (100, 2), (100, 60), (100, 100)):
        exact = np.array([float(exact_on_the_meridian(l, m, y)) for y in heights])
        np.testing.assert_allclose(table[m, :, l], exact, rtol=0, atol=2e-14 * (2 * l + 1) ** 0.5)
    assert not table[2, :, :2].any()


# The transformations


@pytest.mark.parametrize("normalization", ["integral", "component", "norm"])
@pytest.mark.parametrize(("irreps", "resolution"), [("0e + 1o + 2e", (4, 5)), ("3o + 0e", (7, 8)), ("4e + 1o", (3, 6))])
def test_to_grid_is_the_sum_of_harmonics(irreps, resolution, normalization):
    x = coefficients(irreps, (2,))
    degrees = [ir.l for _, ir in x.irreps]
    signal = irr.to_s2grid(x, *resolution, quadrature="soft", normalization=normalization)
    lmax = max(degrees)
    scale = {"integral": lambda l: 1, "norm": lambda l: (lmax + 1) ** -0.5}.get(
        normalization, lambda l: ((lmax + 1) * (2 * l + 1)) ** -0.5
    )
    factors = np.concatenate([np.full(2 * l + 1, scale(l)) for l in degrees])
    expected = np.einsum("ni,bai->nba", x.array * factors[None], harmonics(degrees, signal.grid_vectors))
    for fft in (None, True, False):  # also where waves alias
        found = irr.to_s2grid(x, *resolution, quadrature="soft", normalization=normalization, fft=fft)
        np.testing.assert_allclose(found.grid_values, expected, atol=1e-13)
        assert (found.p_val, found.p_arg, found.shape) == (1, -1, (2, *resolution))
    point = ic.IrrepsArray("1o", signal.grid_vectors * 3)
    np.testing.assert_allclose(
        irr.to_s2point(x, point, normalization=normalization).array[..., 0], expected, atol=1e-13
    )


@pytest.mark.parametrize("normalization", ["integral", "component", "norm"])
@pytest.mark.parametrize(("irreps", "resolution"), [("0e + 1o + 2e", (4, 5)), ("3o + 0e", (7, 8)), ("4e + 1o", (3, 6))])
def test_from_grid_is_the_quadrature(irreps, resolution, normalization):
    signal = random_signal((2, *resolution), "gausslegendre")
    degrees = [ir.l for _, ir in ic.Irreps(irreps)]
    terms = np.einsum("nba,bai->nbai", signal.grid_values, harmonics(degrees, signal.grid_vectors))
    expected = np.einsum("nbai,b->ni", terms, signal.quadrature_weights) / resolution[1]
    scale = {"integral": lambda l: 1, "norm": lambda l: 8**0.5}.get(normalization, lambda l: (8 * (2 * l + 1)) ** 0.5)
    expected = expected * np.concatenate([np.full(2 * l + 1, scale(l)) for l in degrees])
    for fft in (None, True, False):
        found = irr.from_s2grid(signal, irreps, normalization=normalization, lmax_in=7, fft=fft)
        np.testing.assert_allclose(found.array, expected, atol=1e-13)
        assert found.irreps == irreps


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


@settings(max_examples=25, deadline=None)
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


def test_derivatives_of_all_ways():
    x = coefficients("0e + 1o + 2e")

    def total(array, fft):
        signal = irr.to_s2grid(ic.IrrepsArray(x.irreps, array), 5, 6, quadrature="soft", fft=fft)
        return jnp.sum(irr.from_s2grid(signal.apply(jnp.sin), "1o + 2e", fft=fft).array ** 2)

    hessians = [jax.jit(jax.hessian(total), static_argnums=1)(x.array, fft) for fft in (None, True, False)]
    for hessian in hessians[1:]:
        np.testing.assert_allclose(hessian, hessians[0], atol=1e-13)
    slope = jax.jvp(lambda a: total(a, None), (x.array,), (x.array,))[1]
    step = 1e-5
    assert abs((total(x.array * (1 + step), None) - total(x.array * (1 - step), None)) / (2 * step) - slope) < 1e-8


def test_parities_of_irreps():
    for p_val, p_arg in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        signal = irr.to_s2grid(coefficients(irr.s2_irreps(2, p_val, p_arg)), 2, 2, quadrature="soft")
        assert (signal.p_val, signal.p_arg) == (p_val, p_arg)
    assert irr.to_s2grid(coefficients("1e"), 2, 2, quadrature="soft", p_val=1, p_arg=1).p_arg == 1
    assert irr.to_s2grid(coefficients("0e"), 2, 2, quadrature="soft", p_val=1, p_arg=-1).p_arg == -1
    assert irr.to_s2point(coefficients("0o + 1e"), ic.IrrepsArray("1o", jnp.ones(3))).irreps == "0o"


# The signal


def test_grid_of_a_signal():
    signal = random_signal((3, 6, 7), "gausslegendre")
    y, alpha, weights = irr.s2_grid(6, 7, "gausslegendre")
    for found, expected in (
        (signal.grid_y, y),
        (signal.grid_alpha, alpha),
        (signal.quadrature_weights, weights),
        (signal.grid_vectors, ic.angles_to_xyz(alpha[None], np.arccos(y)[:, None])),
    ):
        assert found.dtype == F
        np.testing.assert_allclose(found, expected, atol=1e-15)
    assert (signal.shape, signal.ndim, signal.grid_resolution, signal.dtype) == ((3, 6, 7), 3, (6, 7), F)
    assert irr.SphericalSignal.zeros(2, 3, "soft").dtype == jnp.float32
    assert irr.SphericalSignal.zeros(2, 3, "soft").grid_vectors.dtype == jnp.float32


def f(v):
    return v[0] * v[1] + 3 * v[2] ** 2 + v[0]


def test_from_function():
    signal = irr.SphericalSignal.from_function(f, 5, 6, "gausslegendre", dtype=F)
    np.testing.assert_allclose(signal.grid_values, np.apply_along_axis(f, -1, np.asarray(signal.grid_vectors)))
    several = irr.SphericalSignal.from_function(lambda v: jnp.stack([v, 2 * v]), 5, 6, "gausslegendre", p_val=-1)
    assert (several.shape, several.dtype, several.p_val) == ((2, 3, 5, 6), jnp.float32, -1)
    np.testing.assert_allclose(several.grid_values[1], 2 * np.moveaxis(signal.grid_vectors, -1, 0), atol=1e-6)
    assert irr.SphericalSignal.from_function(lambda v: 1.0, 2, 2, "soft").grid_values.sum() == 4


@jax.jit
def moved(signal, R, angles, q, axis, angle):
    return (
        signal.transform_by_matrix(R, lmax=2),
        signal.transform_by_angles(*angles, lmax=2),
        signal.transform_by_quaternion(q, lmax=2),
        signal.transform_by_axis_angle(axis, angle, lmax=2),
    )


def test_transformations_move_the_function():
    signal = irr.SphericalSignal.from_function(f, 5, 5, "soft", dtype=F)
    angles, q = (0.3, 1.1, -0.7), ic.angles_to_quaternion(0.3, 1.1, -0.7)
    for sign in (1, -1):
        R = sign * ROTATION
        expected = [f(np.linalg.inv(R) @ v) for v in np.asarray(signal.grid_vectors).reshape(-1, 3)]
        found = moved(signal, R, angles, q, *ic.quaternion_to_axis_angle(q))
        for other in found[: 4 if sign == 1 else 1]:
            np.testing.assert_allclose(other.grid_values.reshape(-1), expected, atol=1e-13)


def test_resample():
    signal = irr.SphericalSignal.from_function(f, 5, 6, "soft", dtype=F, p_val=-1, p_arg=1)
    for quadrature in (None, "gausslegendre"):
        new = signal.resample(9, 12, lmax=2, quadrature=quadrature)
        assert (new.quadrature, new.shape, new.p_val, new.p_arg) == (quadrature or "soft", (9, 12), -1, 1)
        expected = np.apply_along_axis(f, -1, np.asarray(new.grid_vectors))
        np.testing.assert_allclose(new.grid_values, expected, atol=1e-13)


def test_integral():
    for quadrature in ("soft", "gausslegendre"):
        signal = irr.SphericalSignal.from_function(f, 4, 5, quadrature, dtype=F)
        assert signal.integrate().irreps == "0e"
        np.testing.assert_allclose(signal.integrate().array, [4 * np.pi], rtol=1e-14)  # 3 z²
    assert random_signal((2, 0, 4, 5), p_val=-1).integrate().irreps == "0o"
    assert random_signal((2, 0, 4, 5)).integrate().shape == (2, 0, 1)


def test_arithmetic():
    a, b = random_signal((2, 6, 7)), random_signal(p_val=-1)
    x, y = np.asarray(a.grid_values), np.asarray(b.grid_values)
    scalars = ic.IrrepsArray("0o", jnp.array([[2.0], [3.0]]))
    each = np.array([2.0, 3.0]).reshape(2, 1, 1)
    for found, expected, parity in (
        (a * b, x * y, -1),
        (a / b, x / y, -1),
        (b * b, y * y, 1),
        (a + a[0], x + x[:1], 1),
        (a - a[1], x - x[1:], 1),
        (-b, -y, -1),
        (2 * a, 2 * x, 1),
        (a * np.array([2.0, 3.0]), x * each, 1),
        (jnp.array([2.0, 3.0]) * a, x * each, 1),
        (a * scalars, x * each, -1),
        (a / scalars, x / each, -1),
        (1 / b, 1 / y, -1),
        (b / 4, y / 4, -1),
        (a + 1, x + 1, 1),
        (1 - a, 1 - x, 1),
        (b + scalars[0], y + 2, -1),
        (b * scalars, y * each, 1),
        (sum([a, a]), 2 * x, 1),
    ):
        np.testing.assert_allclose(found.grid_values, expected, rtol=1e-15)
        assert (found.p_val, found.p_arg, found.quadrature) == (parity, -1, "soft")


def test_apply_keeps_track_of_the_parity():
    odd, even = random_signal(p_val=-1), random_signal()
    assert [odd.apply(phi).p_val for phi in (jnp.tanh, jnp.cos, jnp.abs)] == [-1, 1, 1]
    assert even.apply(jnp.exp).p_val == 1
    np.testing.assert_allclose(even.apply(jnp.exp).grid_values, np.exp(even.grid_values))
    with pytest.raises(ValueError, match="neither even nor odd"):
        odd.apply(jnp.exp)


def test_indexing():
    signal = random_signal((4, 3, 6, 7))
    mask = np.array([True, False, True, True])
    for index in (
        0,
        (1, 2),
        slice(1, 3),
        (slice(None), -1),
        None,
        (..., slice(None)),
        mask,
        (mask, 0),
        np.array([3, 1]),
    ):
        np.testing.assert_array_equal(signal[index].grid_values, np.asarray(signal.grid_values)[index])
        assert signal[index].grid_resolution == (6, 7)
    for index in ((0, 0, 0), (..., 0), (..., slice(0, 2), slice(None)), (..., None), (0, 0, slice(0, 1))):
        with pytest.raises(IndexError, match="reaches the grid"):
            signal[index]


def test_samples_follow_the_distribution():
    signal = irr.SphericalSignal.from_function(lambda v: jnp.maximum(v[1] + v[0], 0.0), 4, 5, "gausslegendre", dtype=F)
    n = 20_000
    batch = signal.replace_values(jnp.broadcast_to(signal.grid_values, (2, n // 2, 4, 5)))
    for key in (jax.random.key(0), jax.random.PRNGKey(1)):
        ring, point = batch.sample(key)
        assert ring.shape == point.shape == (2, n // 2)
        counts = np.zeros((4, 5))
        np.add.at(counts, (np.asarray(ring), np.asarray(point)), 1)
        p = np.asarray(signal.grid_values) * np.asarray(signal.quadrature_weights)[:, None]
        p /= p.sum()
        assert (np.abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p))).all()
    assert [np.shape(i) for i in signal.sample(jax.random.key(0))] == [(), ()]


def test_peaks():
    directions = np.array([[0.0, 1.0, 0.0], [0.1, -1.0, 0.0], [1.0, 0.3, 0.2], [-0.5, 0.2, -1.0]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    heights = np.array([1.0, 2.0, 1.5, 0.7])
    # exp of a polynomial: no maxima but these; of degree 24 to many digits
    signal = irr.SphericalSignal.from_function(
        lambda v: jnp.sum(heights * jnp.exp(8 * (directions @ v - 1))), 50, 49, "soft", dtype=F
    )
    points, values = signal.find_peaks(lmax=24)
    assert len(points) == 4
    order = [1, 2, 0, 3]
    assert (np.linalg.norm(points - directions[order], axis=1) < 0.12).all()
    assert (np.abs(values - heights[order]) < 0.05).all()
    assert (np.diff(values) < 0).all()
    flat, none = irr.SphericalSignal.zeros(6, 5, "soft").find_peaks(2)
    assert (flat.shape, none.shape) == ((0, 3), (0,))


def test_surface_to_plot_is_closed():
    signal = random_signal((4, 5), "gausslegendre")
    points, values = signal.pad_to_plot()
    assert (points.shape, values.shape) == ((6, 6, 3), (6, 6))
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, rtol=1e-15)
    np.testing.assert_allclose(points[1:-1, :-1], signal.grid_vectors)
    np.testing.assert_allclose(points[[0, -1], 2], [[0, -1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(points[:, 0], points[:, -1])
    np.testing.assert_array_equal(values[1:-1, :-1], signal.grid_values)
    np.testing.assert_array_equal(values[:, 0], values[:, -1])
    np.testing.assert_allclose(values[0], np.mean(signal.grid_values[0]))
    surface = signal.plotly_surface([1.0, 2.0, 3.0], 2.0, scale_radius_by_amplitude=True)
    np.testing.assert_allclose(
        np.stack([surface[k] for k in "xyz"], -1), 2 * points * values[..., None] + np.arange(1.0, 4.0).reshape(1, 1, 3)
    )
    largest, _ = signal.pad_to_plot(scale_radius_by_amplitude=True, normalize_radius_by_max_amplitude=True)
    assert abs(np.linalg.norm(largest, axis=-1).max() - 1) < 1e-14


def test_pytree():
    signal = random_signal((3, 4, 5), "gausslegendre", p_val=-1, p_arg=1)
    leaves, tree = jax.tree.flatten(signal)
    assert len(leaves) == 1
    assert jax.tree.unflatten(tree, ["anything"]).p_arg == 1
    assert jax.tree.structure(signal) != jax.tree.structure(random_signal((3, 4, 5)))
    doubled = jax.jit(jax.vmap(lambda s: s * s + s[None][0] * s))(signal)
    assert (doubled.p_val, doubled.p_arg, doubled.quadrature) == (1, 1, "gausslegendre")
    np.testing.assert_allclose(doubled.grid_values, 2 * signal.grid_values**2)
    slope = jax.grad(lambda s: s.integrate().array[0])(signal[0])
    np.testing.assert_allclose(slope.grid_values.sum(), 4 * np.pi)
    assert "shape=(3, 4, 5)" in repr(signal)
    assert "None" in repr(jax.tree.map(lambda _: None, signal))


# Symmetric about the axis; deltas


@pytest.mark.parametrize("normalization", ["integral", "component", "norm"])
def test_legendre_transforms_are_the_case_of_order_zero(normalization):
    m0 = jnp.asarray(RNG.normal(size=(2, 3, 4)))
    coeffs = irr.m0_values_to_irrepsarray(m0, 3, -1, -1)
    assert coeffs.irreps == irr.s2_irreps(3, -1, -1)
    np.testing.assert_array_equal(coeffs.array[..., [0, 2, 6, 12]], m0)
    assert np.count_nonzero(coeffs.array) == m0.size
    options = {"quadrature": "soft", "normalization": normalization}
    rings = irr.legendre_transform_to_s2grid(m0, 8, **options)
    whole = irr.to_s2grid(coeffs, 8, 5, **options)
    symmetric = irr.betas_to_spherical_signal(rings, 5, quadrature="soft", p_val=-1)
    assert symmetric.p_val == -1
    np.testing.assert_allclose(symmetric.grid_values, whole.grid_values, atol=1e-13)
    np.testing.assert_allclose(irr.legendre_transform_from_s2grid(rings, 3, 8, **options), m0, atol=1e-13)


def test_dirac():
    v = jnp.asarray(RNG.normal(size=(2, 3)))
    for p_val, p_arg in ((1, -1), (-1, 1)):
        delta = irr.s2_dirac(v, 5, p_val=p_val, p_arg=p_arg)
        assert delta.irreps == irr.s2_irreps(5, p_val, p_arg)
        signal = irr.to_s2grid(delta, 12, 11, quadrature="soft")
        np.testing.assert_allclose(signal.integrate().array, 1)
        # Under the integral it takes the value of a polynomial at the point.
        test = irr.to_s2grid(x := coefficients(delta.irreps), 12, 11, quadrature="soft")
        point = ic.IrrepsArray("1e" if p_arg == 1 else "1o", v)
        np.testing.assert_allclose((signal * test).integrate().array, irr.to_s2point(x, point).array, rtol=1e-12)
    np.testing.assert_allclose(irr.s2_dirac(ic.IrrepsArray("1o", v), 3).array, irr.s2_dirac(2 * v, 3).array, atol=1e-15)


# Plugins


class ByHand:
    """The sum of harmonics, as a plugin."""

    irreps_api = 1
    name = "by hand"

    def why_not(self, lmax, res_beta, res_alpha, quadrature):
        return "degrees above 3 are too many" if lmax > 3 else None

    def table(self, lmax, grid):
        signal = irr.SphericalSignal.zeros(*grid, dtype=F)
        return jnp.asarray(harmonics(range(lmax + 1), signal.grid_vectors)), signal.quadrature_weights

    def to_grid(self, coeffs, res_beta, res_alpha, quadrature):
        lmax = int(coeffs.shape[-1] ** 0.5) - 1
        return jnp.einsum("...i,bai->...ba", coeffs, self.table(lmax, (res_beta, res_alpha, quadrature))[0])

    def from_grid(self, values, lmax, quadrature):
        table, weights = self.table(lmax, (*values.shape[-2:], quadrature))
        return jnp.einsum("...ba,bai,b->...i", values, table, weights) / values.shape[-1]


def test_a_plugin_transforms():
    x = coefficients("3o + 0e + 2e", (2,))
    options = {"normalization": "component", "transform": ByHand()}
    signal = irr.to_s2grid(x, 8, 7, quadrature="soft", **options)
    expected = irr.to_s2grid(x, 8, 7, quadrature="soft", normalization="component")
    np.testing.assert_allclose(signal.grid_values, expected.grid_values, atol=1e-13)
    np.testing.assert_allclose(irr.from_s2grid(signal, "3o + 0e + 2e", **options).array, x.array, atol=1e-13)
    with pytest.raises(ValueError, match="'by hand' does not support this: degrees above 3"):
        irr.to_s2grid(coefficients("4e"), 9, 9, quadrature="soft", transform=ByHand(), p_val=1, p_arg=1)
    with pytest.raises(TypeError, match="lacks the attribute"):
        irr.to_s2grid(x, 8, 7, quadrature="soft", transform=object())
    with pytest.raises(ImportError, match="is not installed; there are: s2fft"):
        irr.to_s2grid(x, 8, 7, quadrature="soft", transform="nobody")


class FakeS2FFT:
    """What is called of s2fft, by the definition of its complex harmonics."""

    @staticmethod
    def table(L):
        beta, alpha = (np.arange(2 * L) + 0.5) * np.pi / (2 * L), 2 * np.pi * np.arange(2 * L - 1) / (2 * L - 1)
        meridian = meridian_harmonics(L - 1, L - 1, np.cos(beta), np.sin(beta)) / np.sqrt(4 * np.pi)
        m = np.arange(-L + 1, L)
        size = np.where(m == 0, 1, np.sqrt(0.5)) * np.where(m > 0, (-1.0) ** m, 1)
        return np.einsum("m,mbl,ma->lmba", size, meridian[np.abs(m)], np.exp(1j * np.outer(m, alpha)))

    def inverse_jax(self, flm, L, sampling, reality):
        assert (sampling, reality) == ("dh", True)
        negative = jnp.flip(jnp.conj(flm[:, L:]) * (-1.0) ** np.arange(1, L)[None], -1)
        return jnp.einsum("lm,lmba->ba", jnp.concatenate([negative, flm[:, L - 1 :]], 1), self.table(L)).real

    def forward_jax(self, f, L, sampling, reality):
        assert (sampling, reality) == ("dh", True)
        weights = irr.s2_grid(2 * L, 1, "soft")[2] * 4 * np.pi / (2 * L - 1)
        return jnp.einsum("ba,lmba,b->lm", f, self.table(L).conj(), weights)


@jax.numpy_rank_promotion("allow")  # s2fft needs it
@pytest.mark.parametrize("package", ["fake", "s2fft"])
def test_s2fft(package, monkeypatch):
    if package == "fake":
        monkeypatch.setitem(__import__("sys").modules, "s2fft", FakeS2FFT())
    else:
        pytest.importorskip("s2fft")
    x = coefficients(irr.s2_irreps(3), (2,))
    resolution = irr.get_s2fft_grid_resolution(3)
    signal = irr.to_s2grid(x, *resolution, quadrature="soft", use_s2fft=True)
    expected = irr.to_s2grid(x, *resolution, quadrature="soft")
    np.testing.assert_allclose(signal.grid_values, expected.grid_values, atol=1e-13)
    back = irr.from_s2grid(signal, "2e + 3o", use_s2fft=True, normalization="norm")
    np.testing.assert_allclose(back.array, irr.from_s2grid(signal, "2e + 3o", normalization="norm").array, atol=1e-13)
    with pytest.raises(ValueError, match=r"must be \(8, 7\) for degree 3, got \(8, 9\)"):
        irr.to_s2grid(x, 8, 9, quadrature="soft", use_s2fft=True)
    with pytest.raises(ValueError, match="quadrature must be 'soft'"):
        irr.to_s2grid(x, 8, 7, quadrature="gausslegendre", use_s2fft=True)


def test_s2fft_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s2fft", None)
    with pytest.raises(ic.plugins.PluginLoadError, match="pip install s2fft"):
        irr.to_s2grid(coefficients(irr.s2_irreps(1)), 4, 3, quadrature="soft", use_s2fft=True)


X = ic.IrrepsArray("0e + 1o", jnp.ones(4))
SIGNAL = irr.SphericalSignal.zeros(4, 5, "soft")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.s2_grid(0, 3, "soft"), "res_beta of 1 or more, got 0"),
        (lambda: irr.s2_grid(3, 3, "trapezoid"), "'soft' or 'gausslegendre', got 'trapezoid'"),
        (lambda: irr.s2_irreps(-1), "lmax of 0 or more"),
        (lambda: irr.s2_irreps(1, p_val=0), "p_val must be 1 or -1, got 0"),
        (lambda: irr.SphericalSignal(jnp.ones(3), "soft"), r"res_beta, res_alpha\), got \(3,\)"),
        (lambda: irr.SphericalSignal(jnp.ones((3, 3)), "hard"), "'hard'"),
        (lambda: irr.SphericalSignal(jnp.ones((3, 3)), "soft", p_arg=2), "p_arg must be"),
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
        (lambda: SIGNAL * irr.SphericalSignal.zeros(4, 6, "soft"), "same grid_resolution"),
        (lambda: SIGNAL + irr.SphericalSignal.zeros(4, 5, "gausslegendre"), "same quadrature"),
        (lambda: SIGNAL * irr.SphericalSignal.zeros(4, 5, "soft", p_arg=1), "same p_arg"),
        (lambda: SIGNAL + irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1), "parities 1 and -1"),
        (lambda: irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1) + 1.0, "parities -1 and 1"),
        (lambda: SIGNAL * X, "a scalar, 0e or 0o"),
        (lambda: random_signal((2, 4, 5)).find_peaks(2), "a single signal"),
        (lambda: random_signal((2, 4, 5)).pad_to_plot(), "one signal can be plotted"),
        (lambda: SIGNAL.resample(4, 5, lmax=-1), "lmax of 0 or more"),
        (lambda: irr.legendre_transform_to_s2grid(jnp.ones(0), 4, quadrature="soft"), "lmax"),
        (lambda: irr.legendre_transform_from_s2grid(jnp.ones(3), 1, 4, quadrature="soft"), r"\(..., 4\), got \(3,\)"),
        (lambda: irr.m0_values_to_irrepsarray(jnp.ones(3), 1, 1, 1), r"\(..., 2\), got \(3,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_types():
    with pytest.raises(TypeError, match="IrrepsArray"):
        irr.to_s2point(X, jnp.ones(3))
    with pytest.raises(TypeError):
        SIGNAL + "a"


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


def test_values_may_be_assigned_and_leave_other_signals_as_they_are():
    signal = irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1)
    other = signal.replace_values(signal.grid_values)
    signal.grid_values = signal.grid_values.at[0].set(1.0)
    assert signal.apply(jnp.abs).grid_values.sum() == 5
    assert other.grid_values.sum() == 0
    assert jax.tree.leaves(signal)[0] is signal.grid_values
