"""Conversions of rotations: round trips, group laws, ranges, precision; the tables name each public function."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic

KINDS = {"matrix": 1, "quaternion": 1, "angles": 3, "axis_angle": 2, "log_coordinates": 1}
PAIRS = list(itertools.permutations(KINDS, 2))
SPECIAL = np.array(
    [
        *np.eye(4),
        *-np.eye(4),
        (math.cos(0.35), 0, math.sin(0.35), 0),
        (0, math.cos(0.35), 0, math.sin(0.35)),
        (0, 1 / 3, -2 / 3, 2 / 3),
        (1, 1e-9, 0, 0),
        (1, 0, 1e-200, 1e-200),
        (1e-9, 0.6, 0.8, 0),
        (-1e-9, 0.6, 0, -0.8),
        (-1, 3e-9, -4e-9, 0),
    ]
)
# Finite components of any size, of which one is not zero: a quaternion of any norm.
components = st.floats(-1e6, 1e6, allow_subnormal=False)
quaternions = st.tuples(*[components] * 4).filter(lambda q: max(map(abs, q)) > 1e-6).map(np.array)


def parts(x):
    return x if isinstance(x, tuple) else (x,)


def call(name, *args):
    return getattr(ic, name)(*args)


def make(kind, q):
    return parts(q if kind == "quaternion" else call(f"quaternion_to_{kind}", q))


def matrix_of(kind, args):
    return args[0] if kind == "matrix" else call(f"{kind}_to_matrix", *args)


def random_quaternions(n=50, seed=0):
    return np.concatenate([SPECIAL, ic.rand_quaternion(np.random.default_rng(seed), (n,))])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_conversions_keep_the_rotation(source, target):
    q = random_quaternions()
    args = make(source, q)
    result = parts(call(f"{source}_to_{target}", *args))
    assert len(result) == KINDS[target]
    np.testing.assert_allclose(matrix_of(target, result), ic.quaternion_to_matrix(q), atol=2e-15)


@given(quaternions)
@settings(max_examples=200, deadline=None)
def test_round_trips_of_any_quaternion(q):
    R = ic.quaternion_to_matrix(q)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=2e-15)
    for kind in KINDS:
        np.testing.assert_allclose(matrix_of(kind, make(kind, q)), R, atol=3e-15)


def test_definitions():
    a, b, c = 0.3, -1.1, 2.0
    np.testing.assert_allclose(
        ic.angles_to_matrix(a, b, c), ic.matrix_y(a) @ ic.matrix_x(b) @ ic.matrix_y(c), atol=1e-15
    )
    for i, about in enumerate((ic.matrix_x, ic.matrix_y, ic.matrix_z)):
        axis = np.eye(3)[i]
        np.testing.assert_allclose(ic.axis_angle_to_matrix(3 * axis, a), about(a), atol=1e-15)
        np.testing.assert_allclose(ic.log_coordinates_to_matrix(a * axis), about(a), atol=1e-15)
        np.testing.assert_allclose(about(math.pi / 2) @ np.eye(3)[i - 2], np.eye(3)[i - 1], atol=1e-15)
        # The generators of degree 1 are the derivatives of the rotations about x, y and z.
        slope = (about(1e-6) - about(-1e-6)) / 2e-6
        np.testing.assert_allclose(slope, ic.generators(1)[i], atol=1e-9)


def test_log_coordinates_are_the_exponential_of_the_generators():
    v = np.array([0.4, -1.3, 0.9])
    X = np.einsum("a,aij->ij", v, ic.generators(1))
    values, vectors = np.linalg.eigh(1j * X)
    R = np.real(vectors @ np.diag(np.exp(-1j * values)) @ vectors.conj().T)
    np.testing.assert_allclose(ic.log_coordinates_to_matrix(v), R, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_group_laws(kind):
    q1, q2 = random_quaternions(seed=1), random_quaternions(seed=2)[::-1]
    x, y = make(kind, q1), make(kind, q2)
    R, S = matrix_of(kind, x), matrix_of(kind, y)
    product = parts(call(f"compose_{kind}", *x, *y))
    np.testing.assert_allclose(matrix_of(kind, product), R @ S, atol=4e-15)
    inverse = parts(call(f"inverse_{kind}", *x))
    np.testing.assert_allclose(matrix_of(kind, inverse), np.swapaxes(R, -1, -2), atol=2e-15)
    identity = parts(call(f"identity_{kind}", (2, 1), np.float32))
    assert all(part.dtype == np.float32 for part in identity)
    np.testing.assert_array_equal(matrix_of(kind, identity), np.tile(np.eye(3), (2, 1, 1, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_rotation_angle(kind):
    angles = np.array([0, 1e-12, 1e-9, 0.5, math.pi / 2, math.pi - 1e-9, math.pi])
    start = ic.rand_quaternion(np.random.default_rng(0), angles.shape)
    axis = ic.rand_quaternion(np.random.default_rng(1), angles.shape)[:, 1:]
    end = ic.compose_quaternion(start, ic.axis_angle_to_quaternion(axis, angles))
    between = call(f"rotation_angle_from_{kind}", *make(kind, start), *make(kind, end))
    np.testing.assert_allclose(between, angles, atol=1e-15)
    alone = ic.rotation_angle_from_matrix(ic.axis_angle_to_matrix(axis, angles))
    np.testing.assert_allclose(alone, angles, rtol=1e-14, atol=1e-15)


def test_small_rotations_keep_all_digits():
    v = np.array([3e-9, -4e-9, 1e-9])
    for q in (ic.log_coordinates_to_quaternion(v), ic.matrix_to_quaternion(ic.log_coordinates_to_matrix(v))):
        np.testing.assert_allclose(ic.quaternion_to_log_coordinates(q), v, rtol=1e-14)
    _, beta, _ = ic.matrix_to_angles(ic.matrix_x(1e-9))
    np.testing.assert_allclose(beta, 1e-9, rtol=1e-14)
    np.testing.assert_allclose(ic.xyz_to_angles(np.array([0, 1, 1e-9])), [0, 1e-9], rtol=1e-14)


def test_ranges():
    q = random_quaternions(500)
    alpha, beta, gamma = ic.quaternion_to_angles(q)
    assert np.all(np.abs([alpha, gamma]) <= math.pi)
    assert np.all((beta >= 0) & (beta <= math.pi))
    axis, angle = ic.quaternion_to_axis_angle(q)
    np.testing.assert_allclose(np.linalg.norm(axis, axis=-1), 1, rtol=1e-15)
    assert np.all((angle >= 0) & (angle <= 2 * math.pi))
    R = ic.quaternion_to_matrix(q)
    assert np.all(ic.matrix_to_quaternion(R)[:, 0] >= 0)
    assert np.all(np.linalg.norm(ic.matrix_to_log_coordinates(R), axis=-1) <= math.pi + 1e-15)


def test_poles_have_alpha_zero():
    for pole in (0.0, math.pi):
        R = ic.matrix_y(0.7) @ ic.quaternion_to_matrix(np.array([math.cos(pole / 2).__round__(9), pole > 0, 0, 0]))
        alpha, beta, gamma = ic.matrix_to_angles(R)
        assert alpha == 0
        np.testing.assert_allclose(beta, pole)
        np.testing.assert_allclose(abs(gamma), 0.7)


def test_matrices_are_rounded_to_the_nearest_rotation():
    rng = np.random.default_rng(0)
    R = ic.rand_matrix(rng, (20,)) + 1e-3 * rng.normal(size=(20, 3, 3))
    u, _, vt = np.linalg.svd(R)
    np.testing.assert_allclose(ic.quaternion_to_matrix(ic.matrix_to_quaternion(R)), u @ vt, atol=1e-12)


def test_points_on_the_sphere():
    rng = np.random.default_rng(0)
    xyz = np.concatenate([rng.normal(size=(50, 3)), np.eye(3), -np.eye(3), [[1e-12, 1, 0], [0, -1, 1e-200]]])
    alpha, beta = ic.xyz_to_angles(1e150 * xyz)
    unit = xyz / np.linalg.norm(xyz, axis=-1, keepdims=True)
    np.testing.assert_allclose(ic.angles_to_xyz(alpha, beta), unit, atol=1e-15)
    np.testing.assert_allclose(ic.angles_to_matrix(alpha, beta, 0.3)[..., 1], unit, atol=1e-15)
    assert ic.xyz_to_angles(np.zeros(3)) == (0, 0)


def test_random_rotations_are_uniform():
    R = ic.rand_matrix(np.random.default_rng(0), (20_000,))
    np.testing.assert_allclose(R.mean(0), 0, atol=0.02)
    np.testing.assert_allclose((R**2).mean(0), 1 / 3, atol=0.02)
    alpha, beta, gamma = ic.rand_angles(np.random.default_rng(1), (20_000,))
    np.testing.assert_allclose([alpha.mean(), np.cos(beta).mean(), gamma.mean()], 0, atol=0.05)
    np.testing.assert_allclose((np.cos(beta) ** 2).mean(), 1 / 3, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_random_rotations_of_a_generator(kind):
    result = parts(call(f"rand_{kind}", np.random.default_rng(0), (4, 2), np.float32))
    assert all(part.dtype == np.float32 and part.shape[:2] == (4, 2) for part in result)
    R = matrix_of(kind, result)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-6)
    with pytest.raises(TypeError, match=r"numpy.random.Generator or a JAX random key, received 0"):
        call(f"rand_{kind}", 0)


def test_leading_axes_broadcast_and_dtypes_stay():
    q = np.ones((5, 1, 4), np.float32)
    assert ic.compose_quaternion(q, np.ones((2, 4), np.float32)).shape == (5, 2, 4)
    assert ic.compose_matrix(np.tile(np.eye(3), (5, 1, 1, 1)), np.eye(3)).shape == (5, 1, 3, 3)
    assert ic.angles_to_matrix(np.ones((4, 1)), np.ones(3), 0.0).shape == (4, 3, 3, 3)
    axis, angle = ic.compose_axis_angle(np.ones((4, 1, 3)), 1.0, np.ones(3), np.ones(2))
    assert axis.shape == (4, 2, 3)
    assert angle.shape == (4, 2)
    for kind in KINDS:
        assert all(part.dtype == np.float32 for part in make(kind, q))
    assert ic.matrix_x(1).dtype == np.float64


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        ("quaternion_to_matrix", (np.ones(3),), r"q must have shape \(..., 4\), received shape \(3,\)"),
        ("compose_quaternion", (np.ones(4), np.ones((4, 3))), r"q2 must have shape \(..., 4\)"),
        ("matrix_to_quaternion", (np.ones((3, 2)),), r"R must have shape \(..., 3, 3\), received shape \(3, 2\)"),
        ("matrix_to_angles", (np.ones(3),), r"R must have shape \(..., 3, 3\), received shape \(3,\)"),
        ("axis_angle_to_matrix", (np.ones(4), 1.0), r"axis must have shape \(..., 3\)"),
        ("log_coordinates_to_matrix", (1.0,), r"log_coordinates must have shape \(..., 3\), received shape \(\)"),
        ("xyz_to_angles", (np.ones(2),), r"xyz must have shape \(..., 3\)"),
    ],
)
def test_wrong_shapes_are_named(function, args, message):
    with pytest.raises(ValueError, match=message):
        call(function, *args)


def test_every_function_of_e3nn_jax_is_there():
    names = {f"{a}_to_{b}" for a, b in PAIRS} | {"angles_to_xyz", "xyz_to_angles", "matrix_x", "matrix_y", "matrix_z"}
    for prefix in ("rand", "identity", "compose", "inverse", "rotation_angle_from"):
        names |= {f"{prefix}_{kind}" for kind in KINDS}
    assert names <= set(vars(ic))
