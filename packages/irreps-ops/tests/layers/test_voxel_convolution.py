"""The layer `VoxelConvolution` against a sum over voxels; symmetries of the grid; rotations of smooth fields."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

F = jnp.float64
LAYER = irr.VoxelConvolution("0e + 1o + 1e", "0e + 1o + 2e", 3.6, 2, (1, 1, 1))
# Each program runs only a few times, so compile it quickly.
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
apply = compiled(functools.partial(irr.apply, LAYER))


def random_field(irreps, *shape, seed=0):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, np.random.default_rng(seed).normal(size=(*shape, irreps.dim)))


FIELD = random_field("0e + 1o", 4, 4, 4)


def grid(halves, steps):
    axes = [np.arange(-h, h + 1) * s for h, s in zip(halves, steps, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def init(layer, x):
    """Random parameters, without compiling the initializers."""
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=spec.shape) for name, spec in irr.bindings.parameter_specs(layer, x).items()}


PARAMS = init(LAYER, FIELD)


def bumps_of(distances, start, end, number):
    """The "smooth_finite" functions: 1.14136 e² s(d + 1) s(1 - d), where s(x) = exp(-1/x) for x > 0, else 0."""
    step = (end - start) / (number + 1)
    d = (distances[..., None] - np.linspace(start, end, number + 2)[1:-1]) / step
    inside = np.abs(d) < 1
    d = np.where(inside, d, 0)
    return np.where(inside, 1.14136 * np.exp(2 - 1 / (d + 1) - 1 / (1 - d)), 0)


def test_the_output_is_a_sum_over_voxels():
    """Of the fully connected product with the harmonics, for other steps and radial functions of each degree."""
    steps, number, start = (1.0, 1.1, 0.8), {0: 3, 1: 2}, {0: 0.0, 1: 0.2}
    padding = [(1, 0), (0, 0), (0, 1)]
    layer = irr.VoxelConvolution("2x0e + 1o", "0e + 2x1o", 2.6, number, steps, relative_starts=start, padding=padding)
    x = random_field("2x0e + 1o", 2, 3, 3, 4, seed=2)
    params = init(layer, x)
    product = irr.FunctionalFullyConnectedTensorProduct(x.irreps, layer.irreps_sh, layer.irreps_out)
    displacements = grid((1, 1, 1), steps)
    weights = []
    for ins in product.couplings:
        l = product.irreps_in2[ins.i_in2].ir.l
        name = product.parameter_name(ins).replace(",1x0e,", ",0e,").replace(",2x1o,", ",1o,")
        distances = np.linalg.norm(displacements, axis=-1)
        bumps = bumps_of(distances, start[l] * 1.3, 1.3, number[l])
        weights.append(np.tensordot(bumps, params[name], 1).reshape(27, *ins.path_shape) / 27)
    vectors = ic.IrrepsArray("1o", jnp.array(displacements.reshape(27, 3)))
    harmonics = compiled(lambda v: irr.spherical_harmonics(layer.irreps_sh, v, normalize=True))(vectors)
    kernel = np.array(compiled(jax.vmap(product.matrix))(weights, harmonics)).reshape(3, 3, 3, 5, 5)
    own = [params["self-connection[0,0] 2x0e,2x0e"], params["self-connection[1,1] 1x1o,1x1o"]]
    kernel[1, 1, 1] = compiled(irr.FunctionalLinear(x.irreps, layer.irreps_out).matrix)(own)
    padded = np.pad(np.asarray(x.array), [(0, 0), *padding, (0, 0)])
    expected = np.zeros((2, 2, 1, 3, 5))
    for i, j, k in np.ndindex(2, 1, 3):
        around = padded[:, i : i + 3, j : j + 3, k : k + 3]
        expected[:, i, j, k] = np.einsum("nxyzi,xyzio->no", around, kernel)
    found = compiled(functools.partial(irr.apply, layer))(params, x, jnp.array(steps))
    np.testing.assert_allclose(found.array, expected, atol=1e-13)


@pytest.mark.parametrize("R", [[[0, 0, 1], [0, 1, 0], [-1, 0, 0]], [[0, 1, 0], [0, 0, -1], [1, 0, 0]]])
def test_it_commutes_with_symmetries_of_the_grid(R):
    """A quarter turn about y, and a third of a turn with a mirror."""
    R = np.array(R)

    def turned(x):
        """(g x)(a) = D(g) x(g^-1 a), a counted in half voxels from the middle of the grid."""
        places = (grid((1.5, 1.5, 1.5), (2, 2, 2)).astype(int) @ R + 3) // 2
        array = np.asarray(x.array)[tuple(np.moveaxis(places, -1, 0))]
        return ic.IrrepsArray(x.irreps, array).transform_by_matrix(R.astype(float))

    np.testing.assert_allclose(apply(PARAMS, turned(FIELD)).array, turned(apply(PARAMS, FIELD)).array, atol=1e-12)


def test_it_commutes_with_rotations_of_smooth_fields():
    layer = irr.VoxelConvolution("0e + 1o", "0e + 1o + 2e", 13.0, 2, (1, 1, 1), padding="VALID")
    points = grid((6, 6, 6), (1, 1, 1))
    R = ic.rand_matrix(np.random.default_rng(0))

    def field(points):
        """A scalar and a vector, of different centres: smooth where they are large, and small at the border."""
        hill = [np.exp(-np.sum((points - c) ** 2, -1, keepdims=True) / 12) for c in ([1, 0, 1], [0, -1, 2])]
        return np.concatenate([hill[0], hill[1] * (points - [2, 0, 0])], -1)

    x = ic.IrrepsArray("0e + 1o", field(points))
    rotated = ic.IrrepsArray("0e + 1o", field(points @ R)).transform_by_matrix(R)
    both = ic.IrrepsArray(x.irreps, jnp.stack([jnp.array(x.array), jnp.array(rotated.array)]))
    found = compiled(functools.partial(irr.apply, layer))(init(layer, both), both)
    one, other = (ic.IrrepsArray(found.irreps, np.asarray(a).reshape(-1)) for a in found.array)
    expected = one.transform_by_matrix(R).array
    # What is left is the error of the sum over voxels for the integral.
    np.testing.assert_allclose(other.array, expected, atol=2e-3 * np.abs(expected).max())
    assert np.abs(other.array - one.array).max() > 0.1 * np.abs(expected).max()


def test_derivatives_by_the_steps_agree_with_differences():
    def total(scale):
        return jnp.sum(jnp.sin(irr.apply(LAYER, PARAMS, FIELD, scale * jnp.array([1.0, 1.1, 0.9])).array))

    @compiled
    def derivatives(scale):
        return total(scale), *jax.jvp(jax.grad(total), (scale,), (1.0,))

    h = 1e-5
    before, (_, first, second), after = derivatives(1 - h), derivatives(1.0), derivatives(1 + h)
    np.testing.assert_allclose(first, (after[0] - before[0]) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(second, (after[1] - before[1]) / (2 * h), rtol=1e-6)


def test_zero_chunks_have_no_parameters_and_unreached_irreps_are_zero():
    x = ic.from_chunks("0e + 1o", [FIELD.array[..., :1, None], None], (4, 4, 4))
    layer = irr.VoxelConvolution("0e + 2e + 1o", "1o", 3.0, 1, (1, 1, 1))
    params = init(layer, x)
    assert sorted(params) == ["self-connection[0,0] 1x0e,1x0e", "w[0,0,1] 1x0e,1o,1x1o"]
    found = []
    compiled(lambda: found.append(irr.apply(layer, params, x)) or found[0].array).lower()  # traced, for the zero flags
    assert found[0].irreps == "0e + 2e + 1o"
    assert found[0].zero_flags == (False, True, False)


def test_fields_without_batch_or_components():
    empty = ic.IrrepsArray(FIELD.irreps, jnp.zeros((0, 4, 4, 4, 4), F))
    assert apply(PARAMS, empty).shape == (0, 4, 4, 4, 7)
    nothing = irr.apply(LAYER, {}, ic.zeros("2o", (4, 4, 4)))
    assert nothing.shape == (4, 4, 4, 7)
    assert all(nothing.zero_flags)


def test_float32_without_x64_under_strict_promotion():
    with jax.enable_x64(False), jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        params = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float32), PARAMS)
        found = apply(params, ic.IrrepsArray(FIELD.irreps, jnp.asarray(np.asarray(FIELD.array), jnp.float32)))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found.array, apply(PARAMS, FIELD).array, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"steps": (1, 1)}, "steps along x, y and z"),
        ({"steps": (1, 1, 0)}, "positive number steps"),
        ({"diameter": -1}, "positive number diameter"),
        ({"num_radial_basis": {0: 2}}, "num_radial_basis for degree 1"),
        ({"num_radial_basis": 0}, "num_radial_basis of 1 or more"),
        ({"relative_starts": 1.0}, "relative_starts below 1"),
        ({"padding": "FULL"}, "got 'FULL'"),
        ({"irreps_sh": "2o"}, "2e"),
    ],
)
def test_wrong_arguments_are_refused(options, match):
    fine = {"irreps_out": "0e", "irreps_sh": "0e + 1o", "diameter": 3, "num_radial_basis": 2, "steps": (1, 1, 1)}
    with pytest.raises(ValueError, match=match):
        irr.VoxelConvolution(**(fine | options))


def test_data_that_is_not_a_field_is_refused():
    with pytest.raises(ValueError, match=r"\(\.\.\., nx, ny, nz, irreps\.dim\)"):
        irr.apply(LAYER, PARAMS, ic.ones("0e + 1o", (4, 4)))
    with pytest.raises(ValueError, match="three steps"):
        irr.apply(LAYER, PARAMS, FIELD, jnp.ones(2))


def test_it_agrees_with_e3nn_jax():
    theirs = pytest.importorskip("e3nn_jax.experimental.voxel_convolution")
    e3nn = pytest.importorskip("e3nn_jax")
    options = {"diameter": 4.2, "num_radial_basis": {0: 3, 1: 2}, "steps": (1.0, 1.0, 1.5)}
    x = ic.normal("0e + 2x1o", jax.random.key(0), (1, 4, 4, 4), dtype=F)
    other = theirs.ConvolutionFlax(e3nn.Irreps("2x0e + 1o + 1e + 3o"), e3nn.Irreps("0e + 2x1o"), **options)
    y = e3nn.IrrepsArray(str(x.irreps), x.array)
    with jax.numpy_rank_promotion("allow"):
        params = other.init(jax.random.key(1), y)["params"]
        expected = other.apply({"params": params}, y)
    ours = irr.VoxelConvolution("2x0e + 1o + 1e + 3o", "0e + 2x1o", **options)
    specs = irr.bindings.parameter_specs(ours, x)
    assert {name: spec.shape for name, spec in specs.items()} == {name: w.shape for name, w in params.items()}
    np.testing.assert_allclose(irr.apply(ours, params, x).array, expected.array, atol=1e-13)
