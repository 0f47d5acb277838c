"""Programs of the early releases of e3nn-jax: IrrepsData, and products mapped over weights, batches and channels."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as e3nn
import irreps_core as ic
from irreps_compat.e3nn_jax import FunctionalFullyConnectedTensorProduct, IrrepsData

F = jnp.float64
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
# Compiled without optimization, which takes longer than a single run; run eagerly, each operation would be compiled.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def data(irreps, seed, *shape):
    return IrrepsData.from_contiguous(irreps, random(seed, *shape, e3nn.Irreps(irreps).dim))


def uvw_product(tp, weights, x, y):
    """Return the product of two vectors in mode uvw, from its definition."""
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
    out = compiled(e3nn.full_tensor_product)(x, y)
    assert isinstance(out, IrrepsData)
    assert out.irreps == "0e + 1e + 2e"
    # x cross y is along z; half of xy + yx is the component xy of degree 2.
    root = 2 * 2**0.5
    np.testing.assert_allclose(out.contiguous, [0, 0, 0, root, 0, root, 0, 0, 0], atol=1e-6)
    assert [part.shape for part in out.list] == [(1, 1), (1, 3), (1, 5)]
    np.testing.assert_array_equal(jnp.concatenate([part.ravel() for part in out.list]), out.contiguous)


def test_full_product_is_sorted_but_not_merged():
    x, y = data("0e + 1o", 0, 3), data("0e + 1o", 1)

    @compiled
    def products(x, y):
        only = e3nn.full_tensor_product(x, y, filter_ir_out=("1e",))
        return e3nn.full_tensor_product(x, y), only, e3nn.tensor_product(x.irreps_array, y.irreps_array)

    out, only, merged = products(x, y)
    assert repr(out.irreps) == "1x0e+1x0e+1x1o+1x1o+1x1e+1x2e"
    assert out.shape == (3,)
    np.testing.assert_allclose(out.simplify().contiguous, merged.array, **CLOSE)
    assert repr(e3nn.full_tensor_product("0e + 1o", "0e + 1o")) == repr(out.irreps)
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
        uvw_product(
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
        uvw_product(tp, [np.asarray(v[a, b, 3]) for v in w], np.asarray(x[1, a]), np.asarray(y[1, b]))
        for a in range(2)
        for b in range(3)
    )
    np.testing.assert_allclose(z[1, 3], row / 6**0.5, **CLOSE)


def test_flat_weights_and_the_matrix_of_the_second_input():
    w = random(0, 30)[: sum(int(np.prod(ins.path_shape)) for ins in PRODUCT.instructions)]
    parts = np.split(np.asarray(w), np.cumsum([np.prod(ins.path_shape) for ins in PRODUCT.instructions])[:-1])
    parts = [part.reshape(ins.path_shape) for part, ins in zip(parts, PRODUCT.instructions, strict=True)]
    x, y = random(1, 5), random(2, 7)
    expected = uvw_product(PRODUCT, parts, np.asarray(x), np.asarray(y))
    present = e3nn.IrrepsArray(PRODUCT.irreps_in1, x), e3nn.IrrepsArray(PRODUCT.irreps_in2, y)
    chunks = [None if i == 0 else chunk for i, chunk in enumerate(present[0].chunks)]

    @compiled
    def products(w):
        arrays = PRODUCT.left_right(w, x, y), PRODUCT.left_right(w, chunks, y), PRODUCT.right(w, y)
        types = PRODUCT.left_right(w, *present), PRODUCT.left_right(w, present[0], y)
        return arrays, types, PRODUCT.left_right(w, present[0], IrrepsData.of(present[1]))

    (product, without_first, matrix), types, mixed = products(w)
    np.testing.assert_allclose(product.contiguous, expected, **CLOSE)
    np.testing.assert_allclose(x @ matrix, expected, **CLOSE)
    first_is_zero = uvw_product(PRODUCT, parts, x * [0, 0, 1, 1, 1], y)
    np.testing.assert_allclose(without_first.contiguous, first_is_zero, **CLOSE)
    assert all(isinstance(z, e3nn.IrrepsArray) for z in types)
    assert isinstance(mixed, IrrepsData)
    for options in ({"fuse_all": True}, {"custom_einsum_vjp": True, "optimize_einsums": False}, {"fused": True}):
        assert isinstance(jax.eval_shape(partial(PRODUCT.left_right, **options), w, x, y), IrrepsData)
    with pytest.raises(ValueError, match="weights"):
        PRODUCT.left_right(w[1:], x, y)


def test_product_without_weights():
    tp = e3nn.FunctionalTensorProduct("2x1o", "2x1o", "2x0e + 2x1e", [(0, 0, 0, "uuu", False), (0, 0, 1, "uuu", False)])
    x, y = data("2x1o", 0), data("2x1o", 1)

    @compiled
    def products(x, y):
        return tp.left_right(x, y), e3nn.elementwise_tensor_product(x, y, filter_ir_out=["0e", "1e"]), tp.right(y)

    out, expected, matrix = products(x, y)
    np.testing.assert_allclose(out.contiguous, expected.contiguous, **CLOSE)
    np.testing.assert_allclose(x.contiguous @ matrix, out.contiguous, **CLOSE)
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
        out, expected = compiled(lambda x, f=f: (f(x), f(x.irreps_array)))(x)
        assert isinstance(out, IrrepsData)
        assert isinstance(expected, e3nn.IrrepsArray)
        np.testing.assert_array_equal(out.contiguous, expected.array)
    harmonics = partial(e3nn.spherical_harmonics, "1o", normalize=True)
    assert isinstance(jax.eval_shape(lambda v: harmonics(input=v), v), IrrepsData)
    assert jax.eval_shape(lambda v: harmonics(input=v), v.contiguous).contiguous.shape == (4, 3)
    linear = e3nn.FunctionalLinear(x.irreps, "1o + 0e")
    w = random(2, linear.num_weights)
    mapped, matrix = compiled(lambda w, x: (linear(w, x), linear.matrix(linear.split_weights(w))))(w, x)
    np.testing.assert_allclose(mapped.contiguous, x.contiguous @ matrix, **CLOSE)
    assert isinstance(jax.eval_shape(linear, w, x.irreps_array), e3nn.IrrepsArray)


def test_paths_of_a_linear_map_are_added_up():
    linear = e3nn.FunctionalLinear("2x0e + 3x0e + 1o", "2x0e + 1o + 2e", biases=True)
    w = [random(i, *ins.path_shape) for i, ins in enumerate(linear.instructions)]
    x = data(linear.irreps_in, 7)
    paths = [
        ins.path_weight * (v if ins.i_in == -1 else np.einsum("uw,ui->wi", v, x.list[ins.i_in]))
        for ins, v in zip(linear.instructions, w, strict=True)
    ]
    out = linear.aggregate_paths(paths, x.shape, x.dtype)
    assert out.zero_flags == (False, False, True)
    np.testing.assert_allclose(compiled(linear)(w, x).contiguous, out.array, **CLOSE)
    assert repr(linear) == "FunctionalLinear(2x0e+3x0e+1x1o -> 2x0e+1x1o+1x2e, 4 instructions, 13 weights)"
