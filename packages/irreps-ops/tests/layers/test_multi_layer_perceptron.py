"""The perceptron: the definition, what keeps variance one, scalars only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64
X = jax.random.normal(jax.random.key(1), (6, 5), F)


def made(mlp, x, seed=0):
    specs = irr.bindings.parameter_specs(mlp, x)
    params = {
        layer: {
            name: jax.random.normal(irr.bindings.named_key(jax.random.key(seed), layer + name), spec.shape, spec.dtype)
            for name, spec in leaves.items()
        }
        for layer, leaves in specs.items()
    }
    return params, irr.apply(mlp, params, x)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("gradient_normalization", ["element", "path", 0.5, None])
@pytest.mark.parametrize("output_activation", [True, False, jnp.tanh])
def test_is_its_definition(with_bias, gradient_normalization, output_activation):
    mlp = irr.MultiLayerPerceptron(
        [7, 3],
        jax.nn.silu,
        gradient_normalization=gradient_normalization,
        output_activation=output_activation,
        with_bias=with_bias,
    )
    params, y = made(mlp, X)
    assert sorted(params) == ["linear_0", "linear_1"]
    exponent = {"element": 0.0, "path": 1.0, None: 1.0}.get(gradient_normalization, gradient_normalization)
    silu = irr.normalize_function(jax.nn.silu)
    last = {True: silu, False: lambda x: x}.get(output_activation) or irr.normalize_function(jnp.tanh)
    expected = np.asarray(X)
    for layer, act in ((params["linear_0"], silu), (params["linear_1"], last)):
        linear = expected @ np.asarray(layer["w"])
        if with_bias:
            linear = linear + np.asarray(layer["b"])
        expected = np.asarray(act(linear * expected.shape[-1] ** (-exponent / 2)))
    np.testing.assert_allclose(y, expected, atol=1e-13)
    specs = irr.bindings.parameter_specs(mlp, X)
    shapes = {name: {n: s.shape for n, s in leaves.items()} for name, leaves in specs.items()}
    bias = [{"b": (7,)}, {"b": (3,)}] if with_bias else [{}, {}]
    assert shapes == {"linear_0": {"w": (5, 7), **bias[0]}, "linear_1": {"w": (7, 3), **bias[1]}}


@pytest.mark.parametrize("gradient_normalization", ["element", "path", 0.3])
def test_mean_square_stays_one(gradient_normalization):
    mlp = irr.MultiLayerPerceptron([512, 512, 512], jax.nn.silu, gradient_normalization=gradient_normalization)
    x = jax.random.normal(jax.random.key(0), (16, 512), F)
    y = irr.apply(mlp, irr.init(mlp, jax.random.key(1), x), x)
    np.testing.assert_allclose(jnp.mean(y**2), 1, atol=0.15)


def test_initial_biases_are_zero():
    mlp = irr.MultiLayerPerceptron([4], None, with_bias=True)
    assert (irr.init(mlp, jax.random.key(0), X)["linear_0"]["b"] == 0).all()


def test_no_activation_is_a_linear_map():
    mlp = irr.MultiLayerPerceptron([4, 2], None)
    params, y = made(mlp, X)
    matrix = params["linear_0"]["w"] @ params["linear_1"]["w"] / (5 * 4) ** 0.5
    np.testing.assert_allclose(y, X @ matrix, atol=1e-13)


def test_functions_that_are_normalized_are_left_alone():
    def silu(x):
        return jax.nn.silu(x)

    silu.is_normalized = True
    params, y = made(irr.MultiLayerPerceptron([4, 2], silu, output_activation=False), X)
    hidden = jax.nn.silu(X @ params["linear_0"]["w"] / 5**0.5)
    np.testing.assert_allclose(y, hidden @ params["linear_1"]["w"] / 2, atol=1e-13)
    scaled = irr.MultiLayerPerceptron([4, 2], irr.normalize_function(jax.nn.silu))
    by_default = irr.MultiLayerPerceptron([4, 2], jax.nn.silu)
    np.testing.assert_array_equal(irr.apply(scaled, params, X), irr.apply(by_default, params, X))


def test_gives_back_the_kind_it_got():
    mlp = irr.MultiLayerPerceptron([4], jnp.tanh)
    params, y = made(mlp, X)
    z = irr.apply(mlp, params, ic.IrrepsArray("2x0e + 3x0e", X))
    assert z.irreps == "4x0e"
    np.testing.assert_array_equal(z.array, y)
    assert not isinstance(y, ic.IrrepsArray)
    assert_equivariant(lambda x: irr.apply(mlp, params, x), jax.random.key(0), "5x0e", dtype=F)


def test_jit_vmap_derivatives_empty_batch_and_dtypes():
    mlp = irr.MultiLayerPerceptron([4, 1], jax.nn.silu, output_activation=False)
    params, y = made(mlp, X)

    @jax.jit
    def run(params, x):
        return irr.apply(mlp, params, x)

    np.testing.assert_allclose(run(params, X), y, atol=1e-14)
    np.testing.assert_allclose(jax.vmap(run, (None, 0))(params, X), y, atol=1e-14)
    dx, h = jax.random.normal(jax.random.key(3), X.shape, F), 1e-4

    @jax.jit
    def along(t):
        return run(params, X + t * dx)

    first = jax.jit(jax.jacfwd(along))
    second = jax.jit(jax.jacfwd(jax.jacfwd(along)))
    np.testing.assert_allclose(first(0.0), (along(h) - along(-h)) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(second(0.0), (first(h) - first(-h)) / (2 * h), atol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(run(params, x))))(X)
    np.testing.assert_allclose(jnp.vdot(gradient, dx), jnp.sum(first(0.0)), rtol=1e-10)
    assert run(params, X[:0]).shape == (0, 1)
    with jax.numpy_dtype_promotion("strict"):
        single = run(jax.tree.map(lambda a: a.astype(jnp.float32), params), X.astype(jnp.float32))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, y, atol=1e-5)


def test_integers_and_lists_become_floats():
    mlp = irr.MultiLayerPerceptron([2], None)
    params = irr.init(mlp, jax.random.key(0), jnp.arange(3))
    assert jnp.issubdtype(irr.apply(mlp, params, jnp.arange(3)).dtype, jnp.floating)


def test_is_a_value():
    assert irr.MultiLayerPerceptron([4, 2], jnp.tanh) == irr.MultiLayerPerceptron((4, 2), jnp.tanh)
    assert hash(irr.MultiLayerPerceptron([4, 2], jnp.tanh)) == hash(irr.MultiLayerPerceptron((4, 2), jnp.tanh))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], None), {}, r"got \(\)"),
        (([4, 0], None), {}, r"got \(4, 0\)"),
        (([4, -1], None), {}, r"-1"),
        (([4.5], None), {}, r"4\.5"),
        (([4], "silu"), {}, "'silu'"),
        (([4], None), {"output_activation": "tanh"}, "'tanh'"),
        (([4], None), {"gradient_normalization": "banana"}, "'banana'"),
    ],
)
def test_bad_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        irr.MultiLayerPerceptron(*arguments, **options)


@pytest.mark.parametrize("irreps", ["0e + 1o", "0o"])
def test_only_scalars(irreps):
    with pytest.raises(ValueError, match="0e"):
        irr.init(irr.MultiLayerPerceptron([4], None), jax.random.key(0), ic.normal(irreps, jax.random.key(0)))


def test_data_without_an_axis_of_features_is_refused():
    with pytest.raises(ValueError, match=r"\(\)"):
        irr.init(irr.MultiLayerPerceptron([4], None), jax.random.key(0), jnp.array(1.0))
