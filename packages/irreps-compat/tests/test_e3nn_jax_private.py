"""The functions of e3nn-jax's private modules, by their definitions."""

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import irreps_compat.e3nn_jax as e3nn
import irreps_core as ic
import irreps_ops as irr
from irreps_compat.e3nn_jax import FunctionalLinear, IrrepsArray
from irreps_compat.e3nn_jax._src import _helpers as helpers
from irreps_core import su2_generators

RNG = np.random.default_rng(0)


def test_quantiles_of_the_normal_distribution() -> None:
    np.testing.assert_allclose(scipy.special.ndtr(helpers.normalspace(7)), np.arange(1, 8) / 8, rtol=1e-6)


@pytest.mark.parametrize(
    ("phi", "parity", "zero"),
    [(jnp.cos, 1, False), (jnp.tanh, -1, True), (jax.nn.silu, 0, True), (lambda x: x + 1, 0, False)],
)
def test_parity_and_zero_of_a_function(phi: Any, parity: int, zero: bool) -> None:
    assert helpers.parity_function(phi) == parity
    assert helpers.is_zero_in_zero(phi) is zero


@pytest.mark.parametrize("p", [3, 6])
def test_the_cutoff_is_flat_at_both_ends(p: int) -> None:
    def cutoff(x: Any) -> Any:
        return helpers.u(p, x)

    slope, curvature = jax.grad(cutoff), jax.grad(jax.grad(cutoff))
    for x, value in ((0.0, 1.0), (1.0, 0.0)):
        x = jnp.float64(x)
        np.testing.assert_allclose([cutoff(x), slope(x), curvature(x)], [value, 0, 0], atol=1e-12)
    assert 0 < cutoff(jnp.float64(0.7)) < 1


def test_a_polynomial_of_given_derivatives() -> None:
    f = helpers.solve_polynomial([(0.0, 0, 1.0), (1.0, 0, 0.0), (1.0, 1, -2.0), (0.0, 2, 3.0)])
    at = [g(jnp.float64(x)) for g, x in ((f, 0), (f, 1), (jax.grad(f), 1), (jax.grad(jax.grad(f)), 0))]
    np.testing.assert_allclose(at, [1, 0, -2, 3], atol=1e-12)


@pytest.mark.parametrize("l", range(4))
def test_the_change_of_basis_is_unitary_and_makes_generators_real(l: int) -> None:
    q = helpers.change_basis_real_to_complex(l)
    np.testing.assert_allclose(q @ q.conj().T, np.eye(2 * l + 1), atol=1e-14)
    real = q.conj().T @ su2_generators(Fraction(l)) @ q
    np.testing.assert_allclose(real.imag, 0, atol=1e-12)


@pytest.mark.parametrize("l", [0, 1, 3])
def test_waves_of_an_angle(l: int) -> None:
    alpha = RNG.normal(size=(2, 5))
    m = np.arange(1, l + 1)
    sines, cosines = (2**0.5 * f(m * alpha[..., None]) for f in (np.sin, np.cos))
    expected = np.concatenate([sines[..., ::-1], np.ones((2, 5, 1)), cosines], axis=-1)
    np.testing.assert_allclose(helpers.sh_alpha(l, jnp.asarray(alpha)), expected, atol=1e-12)


def test_harmonics_are_products_over_the_two_angles() -> None:
    lmax, alpha, y = 3, jnp.asarray(RNG.uniform(0, 6, 4)), jnp.asarray(RNG.uniform(-1, 1, 4))
    heights = helpers.rollout_sh(helpers.sh_beta(lmax, y), lmax)
    l_m = np.array([(l, m + lmax) for l in range(lmax + 1) for m in range(-l, l + 1)])
    waves = helpers.sh_alpha(lmax, alpha)[..., l_m[:, 1]]
    radius = jnp.sqrt(1 - y**2)
    points = jnp.stack([radius * jnp.sin(alpha), y, radius * jnp.cos(alpha)], axis=-1)
    expected = helpers.legendre_spherical_harmonics(lmax, points, True, "integral")
    np.testing.assert_allclose(heights * waves, expected, atol=1e-12)


@pytest.mark.parametrize("quadrature", ["soft", "gausslegendre"])
def test_weights_integrate_polynomials(quadrature: str) -> None:
    y, weights = helpers.quadrature_weights(8, quadrature=quadrature)
    for n, expected in ((0, 1), (1, 0), (2, 1 / 3), (4, 1 / 5)):
        np.testing.assert_allclose(np.sum(weights * y**n), expected, atol=1e-12)
    if quadrature == "soft":
        np.testing.assert_allclose(helpers.quadrature_weights_soft(8), 2 * weights)


def test_harmonics_of_a_grid_are_orthonormal() -> None:
    lmax = 2
    y, alpha, by_height, by_angle, weights = helpers.spherical_harmonics_s2grid(
        lmax, 6, 7, quadrature="gausslegendre", dtype=jnp.float64
    )
    assert (y.shape, alpha.shape, weights.shape) == ((6,), (7,), (6,))
    l_m = np.array([(l, m + lmax) for l in range(lmax + 1) for m in range(-l, l + 1)])
    Y = helpers.rollout_sh(by_height, lmax)[:, None, :] * by_angle[None, :, l_m[:, 1]]
    gram = 4 * np.pi * np.einsum("b,bai,baj->ij", weights, Y, Y) / 7
    np.testing.assert_allclose(gram, np.eye(9), atol=1e-12)


def test_sums_over_a_circle_and_back() -> None:
    l, res = 2, 7
    alpha = 2 * np.pi * np.arange(res) / res
    x = jnp.asarray(RNG.normal(size=(3, res)))
    expected = x @ helpers.sh_alpha(l, jnp.asarray(alpha))
    np.testing.assert_allclose(helpers.rfft(x, l), expected, atol=1e-12)
    np.testing.assert_allclose(helpers.irfft(helpers.rfft(x, res // 2), res), x, atol=1e-12)
    with pytest.raises(ValueError, match="odd resolution, got 6"):
        helpers.irfft(x, 6)


def test_places_of_components() -> None:
    m = helpers.expand_matrix([0, 2])
    assert m.shape == (3, 5, 6)
    assert {tuple(place) for place in np.argwhere(m)} == {(0, 2, 0), *((2, k, 1 + k) for k in range(5))}


def test_functions_of_arrays() -> None:
    np.testing.assert_array_equal(helpers.distinct_but_small(jnp.array([[7, 3], [7, 90]])), [[1, 0], [1, 2]])
    assert helpers.get_pytree_dtype() == jnp.float32
    assert helpers.get_pytree_dtype({"a": jnp.ones(2, "float16")}, jnp.ones(2, "complex64")) == jnp.complex64
    assert helpers.get_pytree_dtype(jnp.ones(2, "complex64"), real_part=True) == jnp.float32
    a, b, c = (jnp.asarray(RNG.normal(size=(3, 3))) for _ in range(3))
    np.testing.assert_allclose(helpers.einsum("ij,jk,kl->il", a, b, c), a @ b @ c, rtol=1e-12)
    np.testing.assert_allclose(helpers.sum_tensors([a, None, b.reshape(9)], (9,)), (a + b).reshape(9))
    np.testing.assert_array_equal(helpers.sum_tensors([None], (2,), dtype="int32"), np.zeros(2, "int32"))
    assert helpers.sum_tensors([], (2,), empty_return_none=True) is None
    assert "ROOT" in helpers.jit_code(lambda x: 2 * x, a)


def test_a_function_is_mapped_over_leading_axes() -> None:
    x = IrrepsArray("0e + 1o", jnp.asarray(RNG.normal(size=(5, 1, 4))))
    y = IrrepsArray("1o", jnp.asarray(RNG.normal(size=(3, 3))))

    def product(x: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
        assert x.shape == (4,)
        assert y.shape == (3,)
        return irr.tensor_product(x, y)

    found = helpers.naive_broadcast_decorator(product)(x, y)
    np.testing.assert_allclose(found.array, irr.tensor_product(x, y).array, atol=1e-12)
    assert found.shape[:-1] == (5, 3)


class Parameters(dict[str, jax.Array]):
    """Random parameters, each of the size that is asked for."""

    def __call__(self, name: str, shape: tuple[int, ...], std: float, dtype: Any) -> jax.Array:
        self[name] = std * jnp.asarray(RNG.normal(size=shape), dtype)
        return self[name]


LINEAR = FunctionalLinear("2x0e + 1o", "3x0e + 2x1o", biases=[True, False])
X = IrrepsArray("2x0e + 1o", jnp.asarray(RNG.normal(size=(4, 5))))


def test_linear_maps_of_parameters() -> None:
    parameters = Parameters()
    found = helpers.linear_vanilla(X, LINEAR, parameters)
    assert sorted(parameters) == ["b[0] 3x0e", "w[0,0] 2x0e,3x0e", "w[1,1] 1x1o,2x1o"]
    np.testing.assert_allclose(found.array, LINEAR(list(parameters.values()), X).array)


def test_an_index_chooses_the_map_and_never_none() -> None:
    parameters, indices = Parameters(), jnp.array([1, 0, 1, 9])
    found = helpers.linear_indexed(X, LINEAR, parameters, indices, 2)
    for row, index in enumerate([1, 0, 1, 1]):
        expected = LINEAR([w[index] for w in parameters.values()], X[row])
        np.testing.assert_allclose(found.array[row], expected.array, atol=1e-12)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_mixed_maps(exponent: float) -> None:
    parameters, weights = Parameters(), jnp.asarray(RNG.normal(size=(4, 3)))
    found = helpers.linear_mixed(X, LINEAR, parameters, weights, exponent)
    for row in range(4):
        mixed = [3 ** (-exponent / 2) * jnp.tensordot(weights[row], w, 1) for w in parameters.values()]
        np.testing.assert_allclose(found.array[row], LINEAR(mixed, X[row]).array, atol=1e-12)


def test_mixed_maps_of_each_channel() -> None:
    parameters, weights = Parameters(), jnp.asarray(RNG.normal(size=(3,)))
    x = IrrepsArray(X.irreps, jnp.asarray(RNG.normal(size=(4, 2, 5))))
    found = helpers.linear_mixed_per_channel(x, LINEAR, parameters, weights, 1.0)
    assert all(w.shape[:2] == (3, 2) for w in parameters.values())
    for channel in range(2):
        mixed = [3**-0.5 * jnp.tensordot(weights, w[:, channel], 1) for w in parameters.values()]
        np.testing.assert_allclose(found.array[:, channel], LINEAR(mixed, x[:, channel]).array, atol=1e-12)


def test_arguments_of_linear_are_checked() -> None:
    check: Any = helpers.validate_inputs_for_instructions
    check(X, None, True, None, None)
    check(X, None, True, None, "1o + 2x0e")
    check(X, [(0, 0)], False, None, "2x0e + 1o")
    with pytest.raises(ValueError, match="expects irreps_in=0e, got 2x0e"):
        check(X, None, True, None, "0e")
    for arguments in ((True, None, "2x0e + 1o"), (False, 3, "2x0e + 1o"), (False, None, None)):
        with pytest.raises(ValueError, match="instructions need irreps_in"):
            check(X, [(0, 0)], *arguments)
    with pytest.raises(ValueError, match="expects exactly irreps_in=0e, got 2x0e"):
        check(X, [(0, 0)], False, None, "0e")
    assert [helpers.parse_gradient_normalization(g) for g in ("element", "path", 0.3)] == [0.0, 1.0, 0.3]


def test_rotations_have_float32_and_the_laws_of_their_parameters() -> None:
    key = jax.random.key(0)
    R = e3nn.rand_matrix(key, (2,))
    np.testing.assert_allclose(R @ jnp.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-6)
    q = e3nn.rand_quaternion(key, (2,))
    axis, angle = e3nn.rand_axis_angle(key, (2,))
    np.testing.assert_allclose(jnp.linalg.norm(axis, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(
        ic.quaternion_to_matrix(e3nn.axis_angle_to_quaternion(axis, angle)),
        ic.axis_angle_to_matrix(axis, angle),
        atol=1e-6,
    )
    log = e3nn.rand_log_coordinates(key, (2,))
    both = ic.log_coordinates_to_matrix(log) @ ic.log_coordinates_to_matrix(e3nn.inverse_log_coordinates(log))
    np.testing.assert_allclose(both, np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-6)
    angles = e3nn.rand_angles(key, (2,))
    np.testing.assert_allclose(
        e3nn.wigner_rot_y(1, angles[0]) @ e3nn.wigner_D(1, 0.0, angles[1], angles[2]),
        ic.Irrep("1e").D_from_angles(*angles),
        atol=1e-6,
    )
    ones = (
        ic.angles_to_matrix(*e3nn.identity_angles((2,))),
        ic.quaternion_to_matrix(e3nn.identity_quaternion((2,))),
        ic.log_coordinates_to_matrix(e3nn.identity_log_coordinates((2,))),
    )
    for one in ones:
        np.testing.assert_array_equal(one, np.broadcast_to(np.eye(3), (2, 3, 3)))
    assert {str(x.dtype) for x in (R, q, axis, angle, log, *angles, *ones)} == {"float32"}
