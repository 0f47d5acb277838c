"""Rotations and Wigner D in JAX: the numbers of NumPy, under every transformation and every strict setting."""

import contextlib

import numpy as np
import pytest

import irreps_core as ic

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402 (JAX may be missing)

KINDS = ["matrix", "quaternion", "angles", "axis_angle", "log_coordinates"]
QUATERNIONS = np.concatenate(
    [np.eye(4), -np.eye(4), [(1, 1e-9, 0, 0)], ic.rand_quaternion(np.random.default_rng(0), (8,))]
)


def parts(x):
    return x if isinstance(x, tuple) else (x,)


def round_trip(q):
    """Through every conversion, and Wigner D in every parametrization."""
    results = {}
    for source in KINDS:
        args = parts(q if source == "quaternion" else getattr(ic, f"quaternion_to_{source}")(q))
        results[f"D of {source}"] = getattr(ic, f"wigner_D_from_{source}")(2, *args)
        results[f"inverse {source}"] = getattr(ic, f"inverse_{source}")(*args)
        results[f"composed {source}"] = getattr(ic, f"compose_{source}")(*args, *args)
        for target in KINDS:
            if source != target:
                results[f"{source} to {target}"] = getattr(ic, f"{source}_to_{target}")(*args)
    return results


@pytest.fixture(scope="module")
def expected():
    return round_trip(QUATERNIONS)


def agree(ours, expected, atol):
    for name, value in expected.items():
        for a, b in zip(parts(ours[name]), parts(value), strict=True):
            assert isinstance(a, jax.Array)
            # The sign of an angle of pi, and which of two opposite axes, is a matter of rounding.
            if "angles" not in name and "axis" not in name and "log" not in name:
                np.testing.assert_allclose(a, b, atol=atol, err_msg=name)
            assert np.isfinite(a).all(), name


@pytest.mark.parametrize("transform", [jax.jit, lambda f: jax.jit(jax.vmap(f))], ids=["jit", "vmap"])
def test_the_numbers_of_numpy(expected, transform):
    agree(transform(round_trip)(jnp.asarray(QUATERNIONS)), expected, 1e-13)


def test_strict_settings(expected):
    settings = [jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"), jax.debug_nans(True)]
    with contextlib.ExitStack() as stack:
        for setting in settings:
            stack.enter_context(setting)
        ours = jax.jit(round_trip)(jnp.asarray(QUATERNIONS))
        single = jax.jit(round_trip)(jnp.asarray(QUATERNIONS, jnp.float32))
    agree(ours, expected, 1e-13)
    agree(single, expected, 1e-5)
    assert all(part.dtype == jnp.float32 for value in single.values() for part in parts(value))


def test_no_tracer_leaks():
    with jax.checking_leaks():
        jax.jit(jax.grad(lambda q: jnp.sum(ic.wigner_D_from_quaternion(2, q))))(jnp.asarray(QUATERNIONS[0]))
        jax.jit(jax.grad(lambda v: jnp.sum(ic.log_coordinates_to_matrix(v))))(jnp.zeros(3))


def test_without_float64(expected):
    with jax.enable_x64(False):
        ours = jax.jit(round_trip)(jnp.asarray(QUATERNIONS))
        agree(ours, expected, 1e-5)
        assert all(part.dtype == jnp.float32 for value in ours.values() for part in parts(value))
        D = np.asarray(ic.wigner_D_from_quaternion(20, jnp.asarray(QUATERNIONS)), float)
    np.testing.assert_allclose(D @ np.swapaxes(D, -1, -2), np.broadcast_to(np.eye(41), D.shape), atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_finite_everywhere(kind):
    """Also where there is no derivative: nothing is NaN, and nothing inside is."""
    points = jnp.concat([jnp.asarray(QUATERNIONS), jnp.zeros((1, 4))])
    with jax.debug_nans(True):
        if kind != "quaternion":
            g = jax.vmap(jax.jacrev(getattr(ic, f"quaternion_to_{kind}")))(points)
            assert all(np.isfinite(x).all() for x in jax.tree.leaves(g))
        identity = parts(getattr(ic, f"identity_{kind}")())
        for args in (identity, tuple(np.zeros_like(part) for part in identity)):
            g = jax.jacrev(getattr(ic, f"wigner_D_from_{kind}"), argnums=1)(2, *map(jnp.asarray, args))
            assert np.isfinite(g).all()


def test_points_on_the_sphere_have_finite_derivatives():
    points = jnp.asarray([(0, 1, 0), (0, -1, 0), (0, 0, 0), (1e-9, 1, 0), (0.3, -0.4, 0.5), (0, 0, 1)], float)
    with jax.debug_nans(True):
        alpha, beta = jax.vmap(jax.jacrev(ic.xyz_to_angles))(points)
        back = jax.vmap(jax.jacfwd(lambda v: ic.angles_to_xyz(*ic.xyz_to_angles(v))))(points[4:])
    assert np.isfinite(alpha).all()
    assert np.isfinite(beta).all()
    x = np.asarray(points[4:])
    r = np.linalg.norm(x, axis=-1)[:, None, None]
    projection = np.eye(3) / r - x[:, :, None] * x[:, None, :] / r**3
    np.testing.assert_allclose(back, projection, atol=1e-15)
    np.testing.assert_allclose(alpha[3], [0, 0, -1e9], rtol=1e-14)


def test_the_derivative_of_block_diagonal_reads_the_blocks_only():
    blocks = ic.wigner_D_blocks((0, 1, 2), jnp.asarray(QUATERNIONS))
    cotangent = jnp.asarray(np.random.default_rng(0).normal(size=(len(QUATERNIONS), 9, 9)))
    matrix, pullback = jax.vjp(ic.block_diagonal, blocks)
    start = 0
    for block, slope in zip(blocks, pullback(cotangent)[0], strict=True):
        stop = start + block.shape[-1]
        np.testing.assert_array_equal(matrix[:, start:stop, start:stop], block)
        np.testing.assert_array_equal(slope, cotangent[:, start:stop, start:stop])
        start = stop
    assert "scatter" not in str(jax.make_jaxpr(pullback)(cotangent))
    tangent = jax.jvp(ic.block_diagonal, (blocks,), (blocks,))[1]
    np.testing.assert_array_equal(tangent, matrix)


def test_compiled_size_does_not_depend_on_the_batch():
    def size(n):
        return len(
            jax.jit(lambda q: ic.wigner_D_blocks((0, 1, 2, 3), q)).lower(jnp.ones((n, 4))).as_text().splitlines()
        )

    assert size(1000) == size(10) < 500


@pytest.mark.parametrize("kind", KINDS)
def test_random_rotations_of_a_key(kind):
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        result = parts(getattr(ic, f"rand_{kind}")(key, (3, 2)))
        assert all(isinstance(part, jax.Array) and part.shape[:2] == (3, 2) for part in result)
    single = parts(getattr(ic, f"rand_{kind}")(jax.random.key(0), (), jnp.float32))
    assert all(part.dtype == jnp.float32 for part in single)


def test_mixed_kinds_answer_in_jax():
    assert isinstance(ic.compose_quaternion(np.ones(4), jnp.ones(4)), jax.Array)
    assert isinstance(ic.axis_angle_to_matrix(jnp.ones(3), 0.5), jax.Array)
