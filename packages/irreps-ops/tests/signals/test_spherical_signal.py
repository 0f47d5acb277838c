"""Signals on the sphere: the grid, arithmetic and parities, transformations, samples, peaks, plots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

F = jnp.float64
RNG = np.random.default_rng(0)
ROTATION = np.asarray(ic.angles_to_matrix(0.3, 1.1, -0.7))


def random_signal(shape=(6, 7), quadrature="soft", **parities):
    return irr.SphericalSignal(jnp.asarray(RNG.uniform(0.5, 2, shape)), quadrature, **parities)


def test_the_grid_is_that_of_s2_grid():
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


def test_values_are_those_of_the_function_at_the_points():
    signal, several = jax.jit(
        lambda: (
            irr.SphericalSignal.from_function(f, 5, 6, "gausslegendre", dtype=F),
            irr.SphericalSignal.from_function(lambda v: jnp.stack([v, 2 * v]), 5, 6, "gausslegendre", p_val=-1),
        )
    )()
    np.testing.assert_allclose(signal.grid_values, np.apply_along_axis(f, -1, np.asarray(signal.grid_vectors)))
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


def test_resampling_keeps_the_function():
    signal = irr.SphericalSignal.from_function(f, 5, 6, "soft", dtype=F, p_val=-1, p_arg=1)
    quadratures = (None, "gausslegendre")
    for new, quadrature in zip(
        jax.jit(lambda s: [s.resample(9, 12, lmax=2, quadrature=q) for q in quadratures])(signal),
        quadratures,
        strict=True,
    ):
        assert (new.quadrature, new.shape, new.p_val, new.p_arg) == (quadrature or "soft", (9, 12), -1, 1)
        expected = np.apply_along_axis(f, -1, np.asarray(new.grid_vectors))
        np.testing.assert_allclose(new.grid_values, expected, atol=1e-13)


def test_the_integral_is_over_the_area_of_the_sphere():
    for quadrature in ("soft", "gausslegendre"):
        signal = irr.SphericalSignal.from_function(f, 4, 5, quadrature, dtype=F)
        assert signal.integrate().irreps == "0e"
        np.testing.assert_allclose(signal.integrate().array, [4 * np.pi], rtol=1e-14)  # 3 z²
    empty = jax.eval_shape(irr.SphericalSignal.integrate, random_signal((2, 0, 4, 5), p_val=-1))
    assert (empty.irreps, empty.shape) == ("0o", (2, 0, 1))


def test_arithmetic_is_pointwise_and_multiplies_parities():
    a, b = random_signal((2, 6, 7)), random_signal(p_val=-1)
    x, y = np.asarray(a.grid_values), np.asarray(b.grid_values)
    scalars = ic.IrrepsArray("0o", jnp.array([[2.0], [3.0]]))
    each = np.array([2.0, 3.0]).reshape(2, 1, 1)
    cases = (
        (lambda a, b, s: a * b, x * y, -1),
        (lambda a, b, s: a / b, x / y, -1),
        (lambda a, b, s: b * b, y * y, 1),
        (lambda a, b, s: a + a[0], x + x[:1], 1),
        (lambda a, b, s: a - a[1], x - x[1:], 1),
        (lambda a, b, s: -b, -y, -1),
        (lambda a, b, s: 2 * a, 2 * x, 1),
        (lambda a, b, s: a * np.array([2.0, 3.0]), x * each, 1),
        (lambda a, b, s: jnp.array([2.0, 3.0]) * a, x * each, 1),
        (lambda a, b, s: np.array([2.0, 3.0]) * a, x * each, 1),
        (lambda a, b, s: a * s, x * each, -1),
        (lambda a, b, s: a / s, x / each, -1),
        (lambda a, b, s: 1 / b, 1 / y, -1),
        (lambda a, b, s: b / 4, y / 4, -1),
        (lambda a, b, s: a + 1, x + 1, 1),
        (lambda a, b, s: 1 - a, 1 - x, 1),
        (lambda a, b, s: b + s[0], y + 2, -1),
        (lambda a, b, s: b * s, y * each, 1),
        (lambda a, b, s: sum([a, a]), 2 * x, 1),
    )
    results = jax.jit(lambda *operands: [function(*operands) for function, _, _ in cases])(a, b, scalars)
    for found, (_, expected, parity) in zip(results, cases, strict=True):
        np.testing.assert_allclose(found.grid_values, expected, rtol=1e-15)
        assert (found.p_val, found.p_arg, found.quadrature) == (parity, -1, "soft")


def test_applied_functions_determine_the_parity():
    odd, even = random_signal(p_val=-1), random_signal()
    functions = (jnp.tanh, jnp.cos, jnp.abs)
    assert [jax.eval_shape(lambda s, phi=phi: s.apply(phi), odd).p_val for phi in functions] == [-1, 1, 1]
    found = even.apply(jnp.exp)
    assert found.p_val == 1
    np.testing.assert_allclose(found.grid_values, np.exp(even.grid_values))
    with pytest.raises(ValueError, match="neither even nor odd"):
        odd.apply(jnp.exp)


def test_an_index_is_that_of_the_leading_axes():
    signal = random_signal((4, 3, 6, 7))
    mask = np.array([True, False, True, True])
    indices = (0, (1, 2), slice(1, 3), (slice(None), -1), None, (..., slice(None)), mask, (mask, 0), np.array([3, 1]))
    results = jax.jit(lambda s: [s[index] for index in indices])(signal)
    for found, index in zip(results, indices, strict=True):
        np.testing.assert_array_equal(found.grid_values, np.asarray(signal.grid_values)[index])
        assert found.grid_resolution == (6, 7)
    for index in ((0, 0, 0), (..., 0), (..., slice(0, 2), slice(None)), (..., None), (0, 0, slice(0, 1))):
        with pytest.raises(IndexError, match="reaches the grid"):
            signal[index]


def test_samples_follow_the_distribution():
    signal = irr.SphericalSignal.from_function(lambda v: jnp.maximum(v[1] + v[0], 0.0), 4, 5, "gausslegendre", dtype=F)
    n = 20_000
    ring, point = jax.jit(jax.vmap(signal.sample))(jax.random.split(jax.random.key(0), n))
    counts = np.zeros((4, 5))
    np.add.at(counts, (np.asarray(ring), np.asarray(point)), 1)
    p = np.asarray(signal.grid_values) * np.asarray(signal.quadrature_weights)[:, None]
    p /= p.sum()
    assert (np.abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p))).all()


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_each_signal_has_a_sample_of_its_own(make_key):
    ring, point = irr.SphericalSignal(jnp.ones((2, 100, 4, 5)), "soft").sample(make_key(0))
    assert ring.shape == point.shape == (2, 100)
    assert len(set(zip(ring.reshape(-1).tolist(), point.reshape(-1).tolist(), strict=True))) == 20
    assert not np.array_equal(ring[0], ring[1])
    assert not np.array_equal(point[0], point[1])


def test_peaks_are_the_local_maxima():
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
    relative = {"scale_radius_by_amplitude": True, "normalize_radius_by_max_amplitude": True}
    (points, values), surface, (largest, _) = jax.jit(
        lambda s: (
            s.pad_to_plot(),
            s.plotly_surface([1.0, 2.0, 3.0], 2.0, scale_radius_by_amplitude=True),
            s.pad_to_plot(**relative),
        )
    )(signal)
    assert (points.shape, values.shape) == ((6, 6, 3), (6, 6))
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, rtol=1e-15)
    np.testing.assert_allclose(points[1:-1, :-1], signal.grid_vectors)
    np.testing.assert_allclose(points[[0, -1], 2], [[0, -1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(points[:, 0], points[:, -1])
    np.testing.assert_array_equal(values[1:-1, :-1], signal.grid_values)
    np.testing.assert_array_equal(values[:, 0], values[:, -1])
    np.testing.assert_allclose(values[0], np.mean(signal.grid_values[0]))
    np.testing.assert_allclose(
        np.stack([surface[k] for k in "xyz"], -1), 2 * np.asarray(points * values[..., None]) + np.arange(1.0, 4.0)
    )
    assert abs(np.linalg.norm(largest, axis=-1).max() - 1) < 1e-14


def test_a_signal_is_a_pytree_of_its_values():
    signal = random_signal((3, 4, 5), "gausslegendre", p_val=-1, p_arg=1)
    leaves, tree = jax.tree.flatten(signal)
    assert len(leaves) == 1
    assert jax.tree.unflatten(tree, ["anything"]).p_arg == 1
    assert jax.tree.structure(signal) != jax.tree.structure(random_signal((3, 4, 5)))
    doubled = jax.jit(jax.vmap(lambda s: s * s + s[None][0] * s))(signal)
    assert (doubled.p_val, doubled.p_arg, doubled.quadrature) == (1, 1, "gausslegendre")
    np.testing.assert_allclose(doubled.grid_values, 2 * signal.grid_values**2)
    slope = jax.jit(jax.grad(lambda s: s[0].integrate().array[0]))(signal)
    np.testing.assert_allclose(slope.grid_values.sum(), 4 * np.pi)
    assert "shape=(3, 4, 5)" in repr(signal)
    assert "None" in repr(jax.tree.map(lambda _: None, signal))


def test_assigned_values_leave_other_signals_unchanged():
    signal = irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1)
    other = signal.replace_values(signal.grid_values)
    signal.grid_values = signal.grid_values.at[0].set(1.0)
    assert signal.apply(jnp.abs).grid_values.sum() == 5
    assert other.grid_values.sum() == 0
    assert jax.tree.leaves(signal)[0] is signal.grid_values


X = ic.IrrepsArray("0e + 1o", jnp.ones(4))
SIGNAL = irr.SphericalSignal.zeros(4, 5, "soft")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.SphericalSignal(jnp.ones(3), "soft"), r"res_beta, res_alpha\), got \(3,\)"),
        (lambda: irr.SphericalSignal(jnp.ones((3, 3)), "hard"), "'hard'"),
        (lambda: irr.SphericalSignal(jnp.ones((3, 3)), "soft", p_arg=2), "p_arg must be"),
        (lambda: SIGNAL * irr.SphericalSignal.zeros(4, 6, "soft"), "same grid_resolution"),
        (lambda: SIGNAL + irr.SphericalSignal.zeros(4, 5, "gausslegendre"), "same quadrature"),
        (lambda: SIGNAL * irr.SphericalSignal.zeros(4, 5, "soft", p_arg=1), "same p_arg"),
        (lambda: SIGNAL + irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1), "parities 1 and -1"),
        (lambda: irr.SphericalSignal.zeros(4, 5, "soft", p_val=-1) + 1.0, "parities -1 and 1"),
        (lambda: SIGNAL * X, "a scalar, 0e or 0o"),
        (lambda: random_signal((2, 4, 5)).find_peaks(2), "a single signal"),
        (lambda: random_signal((2, 4, 5)).pad_to_plot(), "one signal can be plotted"),
        (lambda: SIGNAL.resample(4, 5, lmax=-1), "lmax of 0 or more"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_types_are_refused():
    with pytest.raises(TypeError):
        SIGNAL + "a"
