"""Programs of the early releases of e3nn-jax: IrrepsData, and products mapped over weights, batches and channels."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as e3nn
import irreps_core as ic
import irreps_ops as irr
from irreps_compat.e3nn_jax import FunctionalFullyConnectedTensorProduct, IrrepsData
from irreps_compat.e3nn_jax._layers import _configured as _layers
from irreps_compat.e3nn_jax._layers import _earlier as voxel
from irreps_compat.e3nn_jax._layers._point_convolution import Convolution
from irreps_compat.e3nn_jax._layers._tensor_square import TensorSquare

KEY = jax.random.key(0)
F = jnp.float64
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
# Each program runs once, so that compiling it well takes more time than it saves.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def random(seed, *shape):
    """NumPy's: what is done with them is not compiled."""
    return np.random.default_rng(seed).normal(size=shape)


def data(irreps, seed, *shape):
    return IrrepsData.from_contiguous(irreps, random(seed, *shape, e3nn.Irreps(irreps).dim))


def twin(tp, weights, x, y):
    """The product of one row, from its definition: mode uvw."""
    x, y = (np.split(a, np.cumsum([i.dim for i in of])[:-1]) for a, of in ((x, tp.irreps_in1), (y, tp.irreps_in2)))
    out = [np.zeros((mul, ir.dim)) for mul, ir in tp.irreps_out]
    for ins, w in zip(tp.instructions, weights, strict=True):
        (m1, ir1), (m2, ir2), (_, ir) = tp.irreps_in1[ins.i_in1], tp.irreps_in2[ins.i_in2], tp.irreps_out[ins.i_out]
        cg = ins.path_weight * ic.clebsch_gordan(ir1.l, ir2.l, ir.l)
        a, b = x[ins.i_in1].reshape(m1, ir1.dim), y[ins.i_in2].reshape(m2, ir2.dim)
        out[ins.i_out] += np.einsum("uvw,ijk,ui,vj->wk", w, cg, a, b)
    return np.concatenate([o.ravel() for o in out])


def test_product_of_two_vectors():
    x = IrrepsData.from_contiguous("1o", jnp.array([2.0, 0.0, 0.0]))
    y = IrrepsData.from_contiguous("1o", jnp.array([0.0, 2.0, 0.0]))
    out = e3nn.full_tensor_product(x, y)
    assert isinstance(out, IrrepsData)
    assert out.irreps == "0e + 1e + 2e"
    # x cross y is along z; half of xy + yx is the component xy of degree 2.
    root = 2 * 2**0.5
    np.testing.assert_allclose(out.contiguous, [0, 0, 0, root, 0, root, 0, 0, 0], atol=1e-6)
    assert [part.shape for part in out.list] == [(1, 1), (1, 3), (1, 5)]
    np.testing.assert_array_equal(jnp.concatenate([part.ravel() for part in out.list]), out.contiguous)


def test_full_product_is_sorted_but_not_merged():
    x, y = data("0e + 1o", 0, 3), data("0e + 1o", 1)
    out = e3nn.full_tensor_product(x, y)
    assert repr(out.irreps) == "1x0e+1x0e+1x1o+1x1o+1x1e+1x2e"
    assert out.shape == (3,)
    merged = e3nn.tensor_product(x.irreps_array, y.irreps_array)
    np.testing.assert_allclose(out.simplify().contiguous, merged.array, **CLOSE)
    assert repr(e3nn.full_tensor_product("0e + 1o", "0e + 1o")) == repr(out.irreps)
    only = e3nn.full_tensor_product(x, y, filter_ir_out=("1e",))
    np.testing.assert_allclose(only.contiguous, out.list[4][..., 0, :], **CLOSE)


PRODUCT = FunctionalFullyConnectedTensorProduct("2x0e + 1o", "0e + 2x1o", "0e + 2x1o + 1e")


@pytest.mark.parametrize("axes", [axes for axes in itertools.product((None, 0), repeat=3) if any(a == 0 for a in axes)])
def test_weights_and_data_are_mapped_in_any_combination(axes):
    n = 3
    leading = [() if axis is None else (n,) for axis in axes]
    w = [random(i, *leading[0], *ins.path_shape) for i, ins in enumerate(PRODUCT.instructions) if ins.has_weight]
    x, y = data(PRODUCT.irreps_in1, 6, *leading[1]), data(PRODUCT.irreps_in2, 7, *leading[2])
    out = compiled(jax.vmap(PRODUCT.left_right, axes, 0))(w, x, y)
    assert isinstance(out, IrrepsData)
    assert out.shape == (n,)
    expected = [
        twin(
            PRODUCT,
            [np.asarray(v[i] if axes[0] == 0 else v) for v in w],
            *(np.asarray(v[i] if axis == 0 else v) for v, axis in zip((x, y), axes[1:], strict=True)),
        )
        for i in range(n)
    ]
    np.testing.assert_allclose(out.contiguous, expected, **CLOSE)


def test_extra_channels():
    """Channels of both inputs and of the output, by three more vmaps; the product's own function is replaced."""
    irreps = e3nn.Irreps("0e + 1o")
    tp = FunctionalFullyConnectedTensorProduct(irreps, irreps, irreps)
    one = tp.left_right
    f = jax.vmap(jax.vmap(jax.vmap(one, (0, None, None), 0), (0, None, 0), 0), (0, 0, None), 0)
    tp.left_right = lambda *args: (lambda z: jnp.sum(z, (0, 1)) / jnp.sqrt(z.shape[0] * z.shape[1]))(f(*args))
    w = [random(i, 2, 3, 4, *ins.path_shape) for i, ins in enumerate(tp.instructions) if ins.has_weight]
    x, y = random(6, 5, 2, irreps.dim), random(7, 5, 3, irreps.dim)
    z = compiled(jax.vmap(tp.left_right, (None, 0, 0), 0))(w, x, y)
    assert z.shape == (5, 4, irreps.dim)
    row = sum(
        twin(tp, [np.asarray(v[a, b, 3]) for v in w], np.asarray(x[1, a]), np.asarray(y[1, b]))
        for a in range(2)
        for b in range(3)
    )
    np.testing.assert_allclose(z[1, 3], row / 6**0.5, **CLOSE)


def test_flat_weights_and_the_matrix_of_the_second_input():
    w = random(0, 30)[: sum(int(np.prod(ins.path_shape)) for ins in PRODUCT.instructions)]
    parts = np.split(np.asarray(w), np.cumsum([np.prod(ins.path_shape) for ins in PRODUCT.instructions])[:-1])
    parts = [part.reshape(ins.path_shape) for part, ins in zip(parts, PRODUCT.instructions, strict=True)]
    x, y = random(1, 5), random(2, 7)
    expected = twin(PRODUCT, parts, np.asarray(x), np.asarray(y))
    for options in ({}, {"fuse_all": True}, {"custom_einsum_vjp": True, "optimize_einsums": False}, {"fused": True}):
        np.testing.assert_allclose(PRODUCT.left_right(w, x, y, **options).contiguous, expected, **CLOSE)
    np.testing.assert_allclose(x @ PRODUCT.right(w, y), expected, **CLOSE)
    today = [e3nn.IrrepsArray(PRODUCT.irreps_in1, x), e3nn.IrrepsArray(PRODUCT.irreps_in2, y)]
    assert isinstance(PRODUCT.left_right(w, *today), e3nn.IrrepsArray)
    assert isinstance(PRODUCT.left_right(w, today[0], y), e3nn.IrrepsArray)
    assert isinstance(PRODUCT.left_right(w, today[0], IrrepsData.of(today[1])), IrrepsData)
    chunks = [None if i == 0 else chunk for i, chunk in enumerate(today[0].chunks)]
    np.testing.assert_allclose(
        PRODUCT.left_right(w, chunks, y).contiguous,
        twin(PRODUCT, parts, np.asarray(x) * [0, 0, 1, 1, 1], np.asarray(y)),
        **CLOSE,
    )
    with pytest.raises(ValueError, match="weights"):
        PRODUCT.left_right(w[1:], x, y)


def test_product_without_weights():
    tp = e3nn.FunctionalTensorProduct("2x1o", "2x1o", "2x0e + 2x1e", [(0, 0, 0, "uuu", False), (0, 0, 1, "uuu", False)])
    x, y = data("2x1o", 0), data("2x1o", 1)
    out = tp.left_right(x, y)
    expected = e3nn.elementwise_tensor_product(x, y, filter_ir_out=["0e", "1e"])
    np.testing.assert_allclose(out.contiguous, expected.contiguous, **CLOSE)
    np.testing.assert_allclose(x.contiguous @ tp.right(y), out.contiguous, **CLOSE)
    assert repr(tp) == "FunctionalTensorProduct(2x1o x 2x1o -> 2x0e+2x1e | 4 paths | 0 weights)"


def test_instructions():
    ins = e3nn.FunctionalTensorProduct("3x0e", "3x1o", "3x1o", [(0, 0, 0, "uvu", True)]).instructions[0]
    assert (ins.path_shape, ins.num_elements, ins.first_input_multiplicity) == ((3, 3), 3, 3)
    assert ins.replace(path_weight=2.0).path_weight == 2.0
    assert e3nn.Instruction(0, 0, 0, "u<vw", True, 1.0, 1.0, 4, 4, 2).path_shape == (6, 2)
    with pytest.raises(ValueError, match="connection_mode"):
        ins.replace(connection_mode="uwv")


def test_zeros_are_none_and_stay_so():
    x = IrrepsData.from_list("0e + 1o", [None, random(0, 4, 1, 3)], (4,))
    assert x.list[0] is None
    np.testing.assert_array_equal(x.contiguous[:, 0], 0)
    for y in (jax.vmap(lambda v: v * 2.0)(x), jax.jit(lambda v: v * 2.0)(x), x.convert("0e + 1o"), x[1:], -x):
        assert y.list[0] is None
        assert y.list[1] is not None
    assert jax.tree.map(lambda a: a[::2], x).shape == (2,)
    assert x.remove_nones().irreps == "1o"
    assert x.replace_none_with_zeros().list[0].shape == (4, 1, 1)
    assert IrrepsData.zeros("0e", (2,)).list == [None]
    assert IrrepsData.from_list("0e", [None], (2,)).shape == (2,)


def test_shapes_are_those_of_the_leading_axes():
    x = data("2x0e + 2x1o", 0, 4, 3)
    assert (x.shape, x.ndim, len(x), x.dtype) == ((4, 3), 2, 4, F)
    assert x.reshape((12,)).shape == x.reshape((-1,)).shape == (12,)
    assert x[0, 1].shape == ()
    assert x[..., 0].shape == (4,)
    assert x[:, None].shape == (4, 1, 3)
    assert x[0].broadcast_to((5, 3)).shape == (5, 3)
    s = random(1, 4, 3)
    np.testing.assert_allclose((x * s).contiguous, x.contiguous * s[..., None])
    np.testing.assert_allclose((s * x / s).contiguous, x.contiguous)
    np.testing.assert_allclose((2 * x - x + x).contiguous, 2 * x.contiguous)
    np.testing.assert_allclose((np.asarray(s) * x).contiguous, x.contiguous * s[..., None])
    np.testing.assert_array_equal(np.asarray(x), x.contiguous)
    assert x.repeat_mul_by_last_axis().irreps == "6x0e + 6x1o"
    assert x.repeat_irreps_by_last_axis().shape == (4,)
    assert x.factor_mul_to_last_axis().shape == (4, 3, 2)
    np.testing.assert_allclose(x.repeat_mul_by_last_axis().factor_mul_to_last_axis(3).contiguous, x.contiguous, **CLOSE)


def test_joining_and_cutting():
    x, y = data("0e + 1o", 0, 4), data("1e", 1, 4)
    both = IrrepsData.cat([x, y])
    assert (both.irreps, both.shape) == ("0e + 1o + 1e", (4,))
    np.testing.assert_array_equal(both.contiguous, jnp.concatenate([x.contiguous, y.contiguous], -1))
    assert IrrepsData.cat([x, x], axis=-1).shape == (8,)
    left, right = both.split([2])
    np.testing.assert_array_equal(left.contiguous, x.contiguous)
    np.testing.assert_array_equal(right.contiguous, y.contiguous)
    with pytest.raises(ValueError, match="axis"):
        IrrepsData.cat([x, x], axis=1)
    np.testing.assert_array_equal(IrrepsData.new("0e + 1o", x.list).contiguous, x.contiguous)
    np.testing.assert_array_equal(IrrepsData.new("0e + 1o", x.contiguous).contiguous, x.contiguous)


def test_rotations_of_data():
    x, angles = data("0o + 1o + 2e", 0, 4), (0.1, 0.2, 0.3)
    expected = x.contiguous @ x.irreps.D_from_angles(*angles, 1).T
    R = ic.angles_to_matrix(*angles)
    for y in (
        x.transform_by_angles(*angles, 1),
        x.transform_by_matrix(-R),
        x.transform_by_quaternion(ic.matrix_to_quaternion(R), 1),
        x.transform_by_axis_angle(*ic.matrix_to_axis_angle(R), 1),
    ):
        np.testing.assert_allclose(y.contiguous, expected, **CLOSE)


def test_operations_take_irreps_data_and_give_it():
    x, v = data("3x0e + 2x1o", 0, 4), data("1o", 1, 4)
    dst = jnp.array([0, 1, 1, 2])
    for f in (
        e3nn.gate,
        lambda x: e3nn.scalar_activation(x, [jnp.tanh, None]),
        lambda x: e3nn.index_add(dst, x, out_dim=3),
        lambda x: e3nn.tensor_product(x, v if isinstance(x, IrrepsData) else v.irreps_array),
    ):
        out, expected = f(x), f(x.irreps_array)
        assert isinstance(out, IrrepsData)
        assert isinstance(expected, e3nn.IrrepsArray)
        np.testing.assert_array_equal(out.contiguous, expected.array)
    assert isinstance(e3nn.spherical_harmonics("0e + 1o", v, True), IrrepsData)
    assert e3nn.spherical_harmonics("1o", v.contiguous, True).contiguous.shape == (4, 3)
    linear = e3nn.FunctionalLinear(x.irreps, "1o + 0e")
    w = random(2, linear.num_weights)
    np.testing.assert_allclose(linear(w, x).contiguous, x.contiguous @ linear.matrix(linear.split_weights(w)), **CLOSE)
    assert isinstance(linear(w, x.irreps_array), e3nn.IrrepsArray)


def test_paths_of_a_linear_map_are_added_up():
    linear = e3nn.FunctionalLinear("2x0e + 3x0e + 1o", "2x0e + 1o + 2e", biases=True)
    w = [random(i, *ins.path_shape) for i, ins in enumerate(linear.instructions)]
    x = data(linear.irreps_in, 7)
    paths = [
        ins.path_weight * (v if ins.i_in == -1 else jnp.einsum("uw,ui->wi", v, x.list[ins.i_in]))
        for ins, v in zip(linear.instructions, w, strict=True)
    ]
    out = linear.aggregate_paths(paths, x.shape, x.dtype)
    assert out.zero_flags == (False, False, True)
    np.testing.assert_allclose(linear(w, x).contiguous, out.array, **CLOSE)
    assert repr(linear) == "FunctionalLinear(2x0e+3x0e+1x1o -> 2x0e+1x1o+1x2e, 4 instructions, 13 weights)"


def test_defaults():
    x = e3nn.IrrepsArray("2x1o", random(0, 6))
    component, norm = (e3nn.tensor_product(x, x, irrep_normalization=n) for n in ("component", "norm"))
    assert not np.allclose(component.array, norm.array)
    with e3nn.config.using(irrep_normalization="norm", spherical_harmonics_normalization="integral"):
        np.testing.assert_array_equal(e3nn.tensor_product(x, x).array, norm.array)
        np.testing.assert_allclose(e3nn.sh("0e", x.array[:3], True), (4 * np.pi) ** -0.5)
    np.testing.assert_array_equal(e3nn.tensor_product(x, x).array, component.array)
    before = e3nn.config("gradient_normalization")
    e3nn.config("gradient_normalization", 0.5)
    assert e3nn.FunctionalLinear("4x0e", "0e").instructions[0].path_weight == 0.5**0.5
    e3nn.config("gradient_normalization", before)
    with pytest.raises(ValueError, match="unknown name"):
        e3nn.config("banana")
    with pytest.raises(ValueError, match="'element', 'path'"):
        e3nn.config("path_normalization", "banana")
    with pytest.raises(ValueError, match="integral"):
        e3nn.config("spherical_harmonics_normalization", "none")


def test_checks_of_functions():
    key = jax.random.key(0)
    e3nn.util.test.assert_equivariant(e3nn.norm, key, irreps_in=("2x1o + 0e",), atol=1e-5)
    with pytest.raises(AssertionError):
        e3nn.utils.assert_equivariant(lambda x: e3nn.IrrepsArray(x.irreps, jnp.abs(x.array)), key, "1o")
    e3nn.utils.assert_output_dtype_matches_input_dtype(e3nn.norm, e3nn.IrrepsArray("1o", jnp.ones(3)))
    with pytest.raises(AssertionError, match="float32"):
        e3nn.utils.assert_output_dtype_matches_input_dtype(lambda x: x.astype(F), jnp.ones(3))
    assert e3nn.util.prod([2, 3]) == 6
    twice = e3nn.util.decorators.overload_for_irreps_without_data((0,))(lambda x: (e3nn.concatenate([x, x]), 1))
    assert twice("0e")[0] == "0e + 0e"
    assert e3nn.perm.sign((1, 0)) == -1
    assert e3nn.irrep.l1o == "1o"


def test_checks_of_functions_of_plain_arrays():
    irreps = {"irreps_in": ["0e + 1o", None], "irreps_out": [e3nn.Irreps("1o + 0e")]}
    args = random(0, 5, 4), random(1, 5, 2)

    def swapped(x, scalars):
        return jnp.concatenate([x[:, 1:], x[:, :1] * scalars[:, 1:]], axis=1)

    e3nn.util.test.assert_equivariant(swapped, KEY, args_in=args, **irreps)
    with pytest.raises(AssertionError):
        e3nn.util.test.assert_equivariant(lambda x, s: swapped(x, s) + 1, KEY, args_in=args, **irreps)
    double = e3nn.Irreps("1o")
    e3nn.util.assert_equivariant(lambda x: 2 * x, KEY, irreps_in=double, irreps_out=double, tolerance=1e-12)


def normal_numbers():
    """Points and probabilities that give polynomials of degree four in five normal numbers their mean."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    points = np.array(list(itertools.product(nodes, repeat=5)))
    return points, np.array([np.prod(w) for w in itertools.product(weights / np.sqrt(2 * np.pi), repeat=5)])


def unit_numbers():
    """Likewise for two signs and a vector of length one: corners of the octahedron and of the cube."""
    octahedron, cube = np.concatenate([np.eye(3), -np.eye(3)]), np.array(list(itertools.product([1, -1], repeat=3)))
    vectors = [*[(v, 1 / 15) for v in octahedron], *[(v / 3**0.5, 3 / 40) for v in cube]]
    signs = itertools.product([1, -1], repeat=2)
    points = [([*s, *v], p / 4) for s in signs for v, p in vectors]
    return np.array([x for x, _ in points]), np.array([p for _, p in points])


@pytest.mark.parametrize(("normalization", "numbers"), [("component", normal_numbers), ("norm", unit_numbers)])
def test_squares_with_weights_have_normal_output(normalization, numbers):
    tp = e3nn.FunctionalTensorSquare("2x0e + 1o", "0e + 2x1o + 2e", normalization)
    x, p = numbers()
    weights = np.eye(sum(int(np.prod(ins.path_shape)) for ins in tp.instructions))[:, None]  # one after another
    square = np.einsum("p,wpi->i", p, np.square(tp.left_right(weights, x[None], x[None]).array))
    for place, (_, ir) in zip(tp.irreps_out.slices(), tp.irreps_out, strict=True):
        np.testing.assert_allclose(square[place], 1 if normalization == "component" else 1 / ir.dim, rtol=1e-12)


def test_layer_of_squares():
    layer, x = TensorSquare("2x0e + 2e", irreps_in="2x0e + 1o"), random(0, 3, 5)
    params = {name: random(1, *spec.shape) for name, spec in irr.bindings.parameter_specs(layer, x).items()}
    tp = e3nn.FunctionalTensorSquare("2x0e + 1o", "2x0e + 2e")
    expected = tp.left_right(list(params.values()), x, x).contiguous
    found = irr.apply(layer, params, x)
    assert isinstance(found, IrrepsData)
    np.testing.assert_allclose(found.contiguous, expected, **CLOSE)
    with pytest.raises(ValueError, match="'component', 'norm' or 'none'"):
        e3nn.FunctionalTensorSquare("0e", "0e", "element")


def test_modules_made_for_irreps_take_plain_arrays():
    x = random(0, 4, 5)
    for layer, inputs in (
        (_layers.Linear("0e + 1o", irreps_in="2x0e + 1o"), (x,)),
        (_layers.FullyConnectedTensorProduct("1o", irreps_in1="2x0e + 1o", irreps_in2="1o"), (x, x[:, 2:])),
        (_layers.BatchNorm(irreps="2x0e + 1o", instance=True), (x, True)),
        (_layers.Dropout(0.5, irreps="2x0e + 1o"), (KEY, x, False)),
    ):
        irreps = iter(["2x0e + 1o", "1o"])
        data = [e3nn.IrrepsArray(next(irreps), a) if isinstance(a, np.ndarray) else a for a in inputs]
        params = jax.tree.map(lambda spec: random(1, *spec.shape), irr.bindings.parameter_specs(layer, *data))
        found, expected = irr.apply(layer, params, *inputs), irr.apply(layer, params, *data)
        assert isinstance(found, IrrepsData)
        assert found.irreps == expected.irreps
        np.testing.assert_allclose(found.array, expected.array, **CLOSE)
    # Scalars are what they are today.
    assert isinstance(irr.apply(_layers.BatchNorm(irreps="5x0e", instance=True, affine=False), {}, x), ic.IrrepsArray)


def test_instructions_of_a_linear_layer_count_what_is_not_dropped():
    options = {"irreps_in": "2x0e + 1o", "simplify_irreps_internally": False}
    layer = _layers.Linear("2e + 0e + 1o", instructions=[(1, 1)], **options)
    x = e3nn.IrrepsArray("2x0e + 1o", random(0, 5))
    out = irr.apply(layer, {"w[1,1] 1x1o,1x1o": np.array([[2.0]])}, x)
    assert (out.irreps, out.zero_flags) == ("0e + 1o", (True, False))
    np.testing.assert_allclose(out.array, [0, *2 * x.array[2:]], **CLOSE)


def test_convolution_of_voxels_with_steps_to_compute_with():
    args = "0e + 1o", "0e + 1o", 3.0, {0: 2, 1: 1}
    steps = (1.0, 1.0, 1.0)
    x, traced = random(0, 1, 3, 3, 2, 3), np.array([1.0, 1.1, 0.9])
    field = e3nn.IrrepsArray("1o", x)
    today = irr.VoxelConvolution(*args, steps)
    params = jax.tree.map(lambda spec: random(1, *spec.shape), irr.bindings.parameter_specs(today, field))
    found = irr.apply(voxel.Convolution(*args, (steps, traced), irreps_in="1o"), params, x)
    np.testing.assert_allclose(found.contiguous, irr.apply(today, params, field, traced).array, **CLOSE)
    found = irr.apply(voxel.Convolution(*args, steps), params, field)
    np.testing.assert_allclose(found.array, irr.apply(today, params, field).array, **CLOSE)


def test_signals_on_grids_beside_their_values():
    """The functions of e3nn-jax 0.15 and 0.16 give what today's SphericalSignal gives."""
    coefficients = e3nn.IrrepsArray(e3nn.s2_irreps(2), random(0, 9))
    signal = e3nn.to_s2grid(coefficients, 6, 5, quadrature="soft")
    y, alpha, weights = e3nn.s2grid(6, 5, quadrature="soft")
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(e3nn.s2grid_vectors(y, alpha), signal.grid_vectors, **CLOSE)
    padded = e3nn.pad_to_plot_on_s2grid(
        y, alpha, signal.grid_values, translation=np.array([1.0, 0.0, 2.0]), scale_radius_by_amplitude=True
    )
    expected = signal.pad_to_plot(translation=np.array([1.0, 0.0, 2.0]), scale_radius_by_amplitude=True)
    for found, wanted in zip(padded, expected, strict=True):
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, wanted, **CLOSE)
    # A delta function of integral w: its scalar product with f is w f(position).
    positions, w = random(1, 3, 3), random(2, 3)
    diracs = e3nn.s2_sum_of_diracs(positions, w, 2, p_val=1, p_arg=-1)
    values = e3nn.to_s2point(coefficients, e3nn.IrrepsArray("1o", positions)).array[:, 0]
    np.testing.assert_allclose(4 * np.pi * diracs.array @ coefficients.array, w @ values, **CLOSE)
    with pytest.raises(ValueError, match=r"shape \(6, 5\)"):
        e3nn.pad_to_plot_on_s2grid(y, alpha, signal.grid_values.T)
    with pytest.raises(ValueError, match="alpha of shape"):
        e3nn.s2grid_vectors(y, alpha[:, None])


SRC, DST = np.array([0, 1, 2, 0, 3]), np.array([1, 0, 1, 2, 1])


@pytest.mark.parametrize("attributes", [False, True])
def test_convolution_of_points(attributes):
    """Edge by edge, as its definition says."""
    out = "2x0e + 1o + 0o"
    layer = Convolution(out, [3], 1.5, mixing=0.2)
    x = e3nn.IrrepsArray("2x0e + 1o", random(0, 4, 5))
    edge_attr, scalars = e3nn.IrrepsArray("0e + 1o", random(1, 5, 4)), random(2, 5, 2)
    node_attr = e3nn.IrrepsArray("2x0e", random(3, 4, 2)) if attributes else None
    inputs = x, SRC, DST, edge_attr, node_attr, scalars
    specs = irr.bindings.parameter_specs(layer, *inputs)
    params = jax.tree.map(lambda spec: random(len(spec.shape), *spec.shape), specs)
    z = irr.apply(layer, params, *inputs)
    assert (z.irreps, z.zero_flags) == (out, (False, False, True))

    def mixed(irreps, name, x):
        if node_attr is None:
            return irr.apply(irr.Linear(irreps, force_irreps_out=True), params[f"linear{name}"], x)
        name = f"fully_connected_tensor_product{name}"
        return irr.apply(irr.FullyConnectedTensorProduct(irreps), params[name], x, node_attr)

    mix = mixed(x.irreps + out, "", x).array
    sent, kept = e3nn.IrrepsArray(x.irreps, mix[:, :5]), mix[:, 5:]
    hidden = irr.apply(
        irr.MultiLayerPerceptron((3,), jax.nn.gelu), params["multi_layer_perceptron"], jnp.asarray(scalars)
    )
    # 0e 0e -> 0e, 1o 1o -> 0e | 0e 1o -> 1o, 1o 0e -> 1o
    paths = [(0, 0, "0e"), (1, 1, "0e"), (0, 1, "1o"), (1, 0, "1o")]
    received = [0] * 4
    for e, (s, d) in enumerate(zip(SRC, DST, strict=True)):
        parts = []
        for i, j, ir in paths:
            name = next(name for name in params if name.startswith(f"w[{i},{j},"))
            w = np.einsum("xuv,x->u", params[name], hidden[e]) / 3**0.5
            pair = sent[s].slice_by_chunk[i : i + 1], edge_attr[e].slice_by_chunk[j : j + 1]
            parts.append(e3nn.tensor_product(*pair, filter_ir_out=[ir]) * w)
        received[d] = received[d] + e3nn.concatenate(parts).simplify().array / 1.5**0.5
    received[3] = np.zeros_like(received[0])
    messages = e3nn.IrrepsArray("3x0e + 3x1o", np.stack(received))
    expected = 0.8**0.5 * kept + 0.2**0.5 * mixed(out, "_1", messages).array
    np.testing.assert_allclose(z.array, expected, **CLOSE)
    early = [IrrepsData.of(a) if isinstance(a, e3nn.IrrepsArray) else a for a in inputs]
    assert isinstance(irr.apply(layer, params, *early), IrrepsData)


def test_convolution_of_points_refuses():
    x, edge_attr = e3nn.ones("0e", (4,)), e3nn.ones("2e", (5,))
    with pytest.raises(ValueError, match="no product of 1x0e and 1x2e"):
        irr.bindings.parameter_specs(Convolution("1o", [], 1.0), x, SRC, DST, edge_attr)
    with pytest.raises(ValueError, match="edge_scalar_attr"):
        irr.bindings.parameter_specs(Convolution("2e", [4], 1.0), x, SRC, DST, edge_attr)
