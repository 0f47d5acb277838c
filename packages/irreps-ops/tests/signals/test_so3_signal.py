"""Signals on the rotation group: integrals, samples, arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

F = jnp.float64
RNG = np.random.default_rng(0)


def random_signal(*shape, quadrature="soft"):
    return irr.SO3Signal(irr.SphericalSignal(jnp.asarray(RNG.uniform(0.5, 2, shape)), quadrature))


def character(l):
    return lambda R: jnp.sum(jnp.stack([jnp.cos(m * jnp.arccos((jnp.trace(R) - 1) / 2)) for m in range(-l, l + 1)]))


def test_characters_are_orthonormal():
    @jax.jit
    def run():
        signals = [irr.SO3Signal.from_function(character(l), 2, 3, 12, "soft", dtype=F) for l in range(4)]
        return [[(a * b).integrate() for a in signals] for b in signals]

    np.testing.assert_allclose(run(), np.eye(4), atol=1e-7)  # arccos loses half of the digits


def test_integrals_of_matrix_elements_are_those_of_an_irrep():
    signal = jax.jit(lambda: irr.SO3Signal.from_function(lambda R: R[:, :2], 5, 6, 6, "gausslegendre", dtype=F))()
    assert signal.shape == (3, 2, 6, 5, 6)
    np.testing.assert_allclose(signal.integrate(), 0, atol=1e-15)
    # Elements of an irrep of dimension 3 have mean square 1/3.
    np.testing.assert_allclose((signal * signal).integrate(), 1 / 3, rtol=1e-13)
    np.testing.assert_allclose((signal[0] * signal[1]).integrate(), 0, atol=1e-15)
    over_angles = signal.integrate_over_angles()
    assert over_angles.shape == (3, 2, 5, 6)


def test_values_are_those_at_the_rotations():
    signal = irr.SO3Signal.from_function(lambda R: R, 4, 5, 3, "soft", dtype=F)
    theta = signal.grid_theta
    np.testing.assert_allclose(theta, [0, np.pi, 2 * np.pi])
    axes = signal.s2_signals.grid_vectors
    expected = ic.axis_angle_to_matrix(np.asarray(axes), np.full((4, 5), np.pi))
    np.testing.assert_allclose(np.moveaxis(signal.grid_values[:, :, 1], (0, 1), (2, 3)), expected, atol=1e-15)
    np.testing.assert_allclose(signal.grid_values[..., 0, 1, 2], np.eye(3), atol=1e-15)
    assert (signal.grid_resolution, signal.batch_dims) == ((3, 4, 5), (3, 3))
    assert (signal.res_theta, signal.res_beta, signal.res_alpha) == (3, 4, 5)
    assert (signal.ndim, signal.dtype) == (5, F)
    assert irr.SO3Signal.from_function(lambda R: 1.0, 2, 2, 3, "soft").dtype == jnp.float32


def test_samples_follow_the_distribution():
    n = 4_000

    @jax.jit
    def run(keys):
        found = []
        for function in (lambda R: 1.0, lambda R: R[1, 1] ** 2):
            signal = irr.SO3Signal.from_function(function, 8, 9, 24, "gausslegendre", dtype=F)
            found.append(jax.vmap(signal.sample)(keys))
        return jnp.stack(found)

    R = run(jax.random.split(jax.random.key(0), n))
    assert R.shape == (2, n, 3, 3)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14)
    # Uniform: the elements have mean 0 and mean square 1/3; the trace, of variance 1, mean 0.
    np.testing.assert_allclose(np.mean(R[0], 0), 0, atol=5 * 3**-0.5 / n**0.5)
    np.testing.assert_allclose(np.mean(R[0] ** 2, 0), 1 / 3, atol=5 * 0.3 / n**0.5)
    assert abs(np.mean(np.trace(R[0], axis1=-2, axis2=-1))) < 5 / n**0.5
    # Of density 3 R_yy²: the mean of R_yy² is 3 <R_yy^4> = 3/5.
    assert abs(np.mean(R[1, :, 1, 1] ** 2) - 0.6) < 5 * 0.3 / n**0.5


def test_each_signal_has_a_sample_of_its_own():
    uniform = irr.SO3Signal(irr.SphericalSignal(jnp.ones((2, 50, 6, 4, 5)), "soft"))
    R = jax.jit(lambda: uniform.sample(jax.random.key(0)))()
    assert R.shape == (2, 50, 3, 3)
    assert len(np.unique(np.round(R.reshape(100, 9), 6), axis=0)) > 30
    assert not np.array_equal(R[0], R[1])


def test_the_largest_value_is_at_the_nearest_rotation():
    R = np.asarray(ic.axis_angle_to_matrix(np.array([0.3, -1.0, 0.2]), np.array(2.0)))

    @jax.jit
    def run():
        signal = irr.SO3Signal.from_function(
            lambda S: jnp.stack([jnp.sum(R * S), jnp.sum(R.T * S)]), 20, 19, 40, "soft"
        )
        return signal, signal.argmax(), signal[0].argmax()[0]

    signal, (found, index), first = run()
    assert found.shape == (2, 3, 3)
    for which, target in enumerate((R, R.T)):
        assert np.trace(np.asarray(found[which]) @ target.T) > 2.95
        values = np.asarray(signal.grid_values[which])
        assert values[tuple(int(i[which]) for i in index)] == values.max()
    assert first.shape == (3, 3)


def test_arithmetic_is_pointwise():
    a, b = random_signal(2, 3, 4, 5), random_signal(3, 4, 5)
    x, y = np.asarray(a.grid_values), np.asarray(b.grid_values)
    each = np.array([2.0, 3.0]).reshape(2, 1, 1, 1)
    cases = (
        (lambda a, b: a * b, x * y),
        (lambda a, b: a / b, x / y),
        (lambda a, b: a + b, x + y),
        (lambda a, b: b - a, y - x),
        (lambda a, b: -b, -y),
        (lambda a, b: 2 * a, 2 * x),
        (lambda a, b: a / 2, x / 2),
        (lambda a, b: 1 - a, 1 - x),
        (lambda a, b: 1 / b, 1 / y),
        (lambda a, b: a * np.array([2.0, 3.0]), x * each),
        (lambda a, b: a / ic.IrrepsArray("0e", np.array([[2.0], [3.0]])), x / each),
        (lambda a, b: a.apply(jnp.exp), np.exp(x)),
        (lambda a, b: a[1], x[1]),
        (lambda a, b: a[:, None], x[:, None]),
    )
    results = jax.jit(lambda a, b: [function(a, b) for function, _ in cases])(a, b)
    for found, (_, expected) in zip(results, cases, strict=True):
        np.testing.assert_allclose(found.grid_values, expected, rtol=1e-15)
    for index in ((0, 1), (..., 0, slice(None), slice(None))):
        with pytest.raises(IndexError, match="reaches the angles"):
            a[index]


def test_a_signal_is_a_pytree_of_its_values():
    signal = random_signal(2, 3, 4, 5)
    assert len(jax.tree.leaves(signal)) == 1

    @jax.jit
    def run(signal):
        slope = jax.grad(lambda s: s[0].integrate())(signal)
        return jax.vmap(lambda s: s.integrate())(signal), signal.integrate(), slope.grid_values.sum()

    mean, expected, total = run(signal)
    np.testing.assert_allclose(mean, expected)
    np.testing.assert_allclose(total, 1)
    assert signal.vmap_over_batch_dims(lambda s: s)(signal).shape == signal.shape
    assert jax.tree.map(lambda _: None, signal).s2_signals.grid_values is None


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (TypeError, lambda: irr.SO3Signal(jnp.ones((3, 3, 3))), "expects a SphericalSignal"),
        (ValueError, lambda: irr.SO3Signal(irr.SphericalSignal.zeros(3, 3, "soft")), "res_theta, res_beta, res_alpha"),
        (ValueError, lambda: irr.SO3Signal.from_function(jnp.trace, 3, 3, 2, "soft"), "res_theta of 3 or more"),
        (ValueError, lambda: random_signal(2, 3, 3).integrate(), "res_theta of 3 or more, got 2"),
        (ValueError, lambda: random_signal(3, 3, 3) * random_signal(4, 3, 3), "same res_theta, got 3 and 4"),
        (ValueError, lambda: random_signal(3, 3, 3) * random_signal(3, 4, 3), "same grid_resolution"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(error, call, message):
    with pytest.raises(error, match=message):
        call()
