"""The layer `MultiLayerPerceptron`: its definition, its variance, and its input of scalars only.

The conformance kit tests its derivatives, vmap, empty batches and dtypes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

X = np.random.default_rng(0).normal(size=(6, 5))
apply = jax.jit(irr.apply, static_argnums=0)


def made(mlp, x):
    """Random parameters and the output."""
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda spec: rng.normal(size=spec.shape), irr.bindings.parameter_specs(mlp, x))
    return params, apply(mlp, params, x)


@pytest.mark.parametrize(
    ("with_bias", "gradient_normalization", "output_activation"),
    [
        (False, "element", True),
        (True, "element", jnp.tanh),
        (True, "path", False),
        (False, 0.5, jnp.tanh),
        (True, 0.5, True),
        (False, None, False),
    ],
)
def test_the_output_is_its_definition(with_bias, gradient_normalization, output_activation):
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
    x = np.random.default_rng(0).normal(size=(16, 512))
    y = jax.jit(lambda key, x: irr.apply(mlp, irr.init(mlp, key, x), x))(jax.random.key(1), x)
    np.testing.assert_allclose(jnp.mean(y**2), 1, atol=0.15)


def test_initial_biases_are_zero():
    specs = irr.bindings.parameter_specs(irr.MultiLayerPerceptron([4], None, with_bias=True), X)
    assert (specs["linear_0"]["b"].make(jax.random.key(0)) == 0).all()


def test_without_activation_it_is_a_linear_map():
    mlp = irr.MultiLayerPerceptron([4, 2], None)
    params, y = made(mlp, X)
    matrix = params["linear_0"]["w"] @ params["linear_1"]["w"] / (5 * 4) ** 0.5
    np.testing.assert_allclose(y, X @ matrix, atol=1e-13)


def test_normalized_activations_are_not_scaled():
    def silu(x):
        return jax.nn.silu(x)

    silu.is_normalized = True
    params, y = made(irr.MultiLayerPerceptron([4, 2], silu, output_activation=False), X)
    hidden = jax.nn.silu(X @ params["linear_0"]["w"] / 5**0.5)
    np.testing.assert_allclose(y, hidden @ params["linear_1"]["w"] / 2, atol=1e-13)
    scaled = irr.MultiLayerPerceptron([4, 2], irr.normalize_function(jax.nn.silu))
    by_default = irr.MultiLayerPerceptron([4, 2], jax.nn.silu)
    np.testing.assert_array_equal(apply(scaled, params, X), apply(by_default, params, X))


def test_the_output_has_the_kind_of_the_input():
    mlp = irr.MultiLayerPerceptron([4], jnp.tanh)
    params, y = made(mlp, X)
    z = apply(mlp, params, ic.IrrepsArray("2x0e + 3x0e", X))
    assert z.irreps == "4x0e"
    np.testing.assert_array_equal(z.array, y)
    assert not isinstance(y, ic.IrrepsArray)


def test_integers_and_lists_become_floats():
    mlp = irr.MultiLayerPerceptron([2], None)
    for x in (jnp.arange(3), [1, 2, 3]):
        out = jax.eval_shape(lambda key, x=x: irr.apply(mlp, irr.init(mlp, key, jnp.arange(3)), x), jax.random.key(0))
        assert jnp.issubdtype(out.dtype, jnp.floating)


def test_equal_arguments_make_equal_layers():
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
def test_other_irreps_than_scalars_are_refused(irreps):
    with pytest.raises(ValueError, match="0e"):
        irr.bindings.parameter_specs(irr.MultiLayerPerceptron([4], None), ic.ones(irreps))


def test_data_without_an_axis_of_features_is_refused():
    with pytest.raises(ValueError, match=r"\(\)"):
        irr.bindings.parameter_specs(irr.MultiLayerPerceptron([4], None), jnp.array(1.0))
