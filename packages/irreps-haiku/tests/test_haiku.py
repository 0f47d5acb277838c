"""The Haiku modules under Haiku's own machinery: names, sharing, state of modules, scan, remat, mixed precision."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_haiku as modules

KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float32)


def transformed(function):
    return hk.without_apply_rng(hk.transform(function))


def test_names_are_those_of_haiku():
    class Block(hk.Module):
        def __call__(self, x):
            x = modules.Linear("8x0e + 1o", biases=True)(x)
            return modules.MultiLayerPerceptron([4, 1], jax.nn.silu)(x.filter("0e"))

    def model(x):
        return Block()(modules.Linear("2x0e + 1o", name="first")(modules.Linear("2x0e + 1o")(x)))

    params = transformed(model).init(KEY, X)
    assert {name: {key: value.shape for key, value in leaves.items()} for name, leaves in params.items()} == {
        "linear": {"w[0,0] 2x0e,2x0e": (2, 2), "w[1,1] 1x1o,1x1o": (1, 1)},
        "first": {"w[0,0] 2x0e,2x0e": (2, 2), "w[1,1] 1x1o,1x1o": (1, 1)},
        "block/linear": {"w[0,0] 2x0e,8x0e": (2, 8), "w[1,1] 1x1o,1x1o": (1, 1), "b[0] 8x0e": (8,)},
        "block/multi_layer_perceptron/linear_0": {"w": (8, 4)},
        "block/multi_layer_perceptron/linear_1": {"w": (4, 1)},
    }


def test_a_module_called_twice_shares_its_parameters():
    def model(x):
        linear = modules.Linear("2x0e + 1o", force_irreps_out=True)
        mlp = modules.MultiLayerPerceptron([2], None)
        return mlp(mlp(linear(linear(x)).filter("0e")))

    f = transformed(model)
    params = f.init(KEY, X)
    assert sorted(params) == ["linear", "multi_layer_perceptron/linear_0"]
    np.testing.assert_allclose(jax.jit(f.apply)(params, X).array, f.apply(params, X).array, rtol=1e-5)


def test_two_modules_have_parameters_of_their_own():
    f = transformed(lambda x: modules.Linear("0e")(x) + modules.Linear("0e")(x))
    params = f.init(KEY, X)
    assert sorted(params) == ["linear", "linear_1"]
    assert not jnp.allclose(params["linear"]["w[0,0] 2x0e,1x0e"], params["linear_1"]["w[0,0] 2x0e,1x0e"])


def test_stack_of_layers_and_remat():
    def model(x):
        def body(x):
            return modules.Linear("2x0e + 1o", force_irreps_out=True)(x)

        return hk.remat(hk.experimental.layer_stack(3)(body))(x)

    f = transformed(model)
    params = f.init(KEY, X)
    (name,) = params
    assert params[name]["w[0,0] 2x0e,2x0e"].shape == (3, 2, 2)
    expected = X
    single = transformed(lambda x: modules.Linear("2x0e + 1o", force_irreps_out=True)(x))
    for i in range(3):
        expected = single.apply({"linear": {key: value[i] for key, value in params[name].items()}}, expected)
    np.testing.assert_allclose(f.apply(params, X).array, expected.array, atol=1e-5)


def test_grad_and_second_order():
    f = transformed(lambda x: modules.MultiLayerPerceptron([4, 1], jnp.tanh)(modules.Linear("8x0e")(x)))
    params = f.init(KEY, X)

    def loss(params):
        return f.apply(params, X).array.sum()

    gradient = jax.jit(jax.grad(loss))(params)
    assert jax.tree.structure(gradient) == jax.tree.structure(params)
    curvature = jax.jit(lambda p: jax.jvp(jax.grad(loss), (p,), (p,))[1])(params)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(curvature))


def test_parameters_can_be_looked_at_and_changed_on_their_way():
    """``hk.custom_getter`` sees them all, by their names."""
    seen = []

    def getter(next_getter, value, context):
        seen.append(context.full_name)
        return next_getter(value) * 0

    def model(x):
        with hk.custom_getter(getter):
            return modules.Linear("0e")(x)

    f = transformed(model)
    assert (f.apply(f.init(KEY, X), X).array == 0).all()
    assert "linear/w[0,0] 2x0e,1x0e" in seen


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="'banana'"):
        transformed(lambda x: modules.Linear("0e", path_normalization="banana")(x)).init(KEY, X)
    f = transformed(lambda x: modules.Linear("4x0e")(x))
    params = f.init(KEY, X)
    with pytest.raises(ValueError, match=r"'linear/w\[0,0\] 3x0e,4x0e' is missing, there are \['w\[0,0\] 2x0e,4x0e'\]"):
        f.apply(params, ic.normal("3x0e", KEY, (4,)))
    norm = transformed(lambda x: modules.LayerNorm()(x))
    with pytest.raises(ValueError, match=r"'layer_norm/weight' must have shape \(2,\), got \(3,\)"):
        norm.apply(norm.init(KEY, X), X.filter("0e"))


def test_other_irreps_are_refused_with_the_path_of_the_module():
    class Block(hk.Module):
        def __call__(self, x):
            return modules.BatchNorm(irreps="2x0e + 1o")(modules.Linear("2x0e + 1o", irreps_in="2x0e + 1o")(x))

    f = hk.transform_with_state(lambda x: Block()(x))
    params, state = f.init(KEY, X)
    match = r"Linear 'block/linear' was made for irreps_in=2x0e\+1x1o, got input of irreps 2x0e"
    with pytest.raises(ValueError, match=match):
        f.apply(params, state, None, X.filter("0e"))
    perceptron = hk.without_apply_rng(hk.transform(lambda x: modules.MultiLayerPerceptron([2], None, name="radial")(x)))
    with pytest.raises(
        ValueError, match=r"^MultiLayerPerceptron 'radial' works on scalars \(0e\) only, got 2x0e\+1x1o"
    ):
        perceptron.init(KEY, X)
