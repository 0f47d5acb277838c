"""Layers as Equinox users use them: pytrees, filtered transformations, state, keys, inference, files."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_equinox
import irreps_ops as irr
from irreps_core.plugins import available

KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(7), (3,))


def test_it_is_found_by_its_name():
    assert irr.bindings.binding("equinox") is irreps_equinox.binding
    assert {s.plugin.name: s.state for s in available("irreps.bindings")}["equinox"] == "ready"


@pytest.mark.parametrize("name", irr.bindings.layers())
def test_signatures_are_those_of_the_layers(name):
    module, layer = getattr(irreps_equinox, name), irr.bindings.layer(name)
    assert module is irreps_equinox.binding.module(layer)
    names = list(inspect.signature(module).parameters)
    assert names[0] == "irreps_in"
    added = ["key", "param_dtype"] + ["inference"] * ("is_training" in inspect.signature(layer.__call__).parameters)
    assert names[1:] == [n for n in inspect.signature(layer).parameters if n != "irreps_in"] + added
    assert name in dir(irreps_equinox)


class Model(eqx.Module):
    """As one writes it in Equinox: layers of ours and of Equinox."""

    first: eqx.Module
    norm: eqx.Module
    drop: eqx.Module
    heads: list
    plain: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 4)
        self.first = irreps_equinox.Linear("2x0e + 1o", "4x0e + 2x1o", key=keys[0])
        self.norm = irreps_equinox.BatchNorm("4x0e + 2x1o", key=keys[1])
        self.drop = irreps_equinox.Dropout("4x0e + 2x1o", 0.5, key=keys[1])
        self.heads = [irreps_equinox.Linear("4x0e + 2x1o", "3x0e", key=keys[2])]
        self.plain = eqx.nn.Linear(3, 1, key=keys[3])

    def __call__(self, x, state, key=None):
        x, state = self.norm(self.first(x), state)
        x = self.drop(x, key=key)
        for head in self.heads:
            x = head(x)
        return jax.vmap(self.plain)(x.array), state


def test_a_model_is_trained_with_filtered_transformations():
    model, state = eqx.nn.make_with_state(Model)(KEY)
    target = jnp.array([[1.0], [-1.0], [2.0]])

    @eqx.filter_value_and_grad(has_aux=True)
    def loss(model, state, key):
        y, state = model(X, state, key)
        return jnp.mean((y - target) ** 2), state

    @eqx.filter_jit
    def step(model, state, key):
        (value, state), gradient = loss(model, state, key)
        return eqx.apply_updates(model, jax.tree.map(lambda g: -0.05 * g, gradient)), state, value

    trained, moved, _ = step(model, state, jax.random.key(1))
    for n in range(20):
        trained, moved, _ = step(trained, moved, jax.random.key(n))
    evaluate = eqx.filter_jit(lambda model, state: eqx.nn.inference_mode(model)(X, state))
    before, after = (jnp.mean((evaluate(*each)[0] - target) ** 2) for each in ((model, state), (trained, moved)))
    assert after < before
    one, same = evaluate(trained, moved)
    np.testing.assert_array_equal(evaluate(trained, same)[0], one)


def test_leaves_are_the_parameters():
    linear = irreps_equinox.Linear("2x0e + 1o", "4x0e + 2x1o", key=KEY)
    assert [leaf.shape for leaf in jax.tree.leaves(linear)] == [(2, 4), (1, 2)]
    assert [type(leaf) for leaf in jax.tree.leaves(irreps_equinox.Dropout("0e", 0.5, key=KEY))] == [bool]


def test_statistics_and_noise_of_training_and_none_without():
    norm, state = eqx.nn.make_with_state(irreps_equinox.BatchNorm)("2x0e + 1o", key=KEY)
    _, state = norm(X, state)
    np.testing.assert_allclose(
        state.get(norm.state["running_mean"]), 0.1 * X.array[:, :2].mean(axis=0), rtol=1e-5, atol=1e-7
    )
    still, state = norm(X, False, state=state)
    np.testing.assert_array_equal(eqx.nn.inference_mode(norm)(X, False, state=state)[0].array, still.array)
    with pytest.raises(ValueError, match="make_with_state"):
        norm(X)
    drop = irreps_equinox.Dropout("2x0e + 1o", 0.5, key=KEY)
    with pytest.raises(ValueError, match="random key, 'dropout': pass one as key="):
        drop(X)
    outputs = [drop(X, key=jax.random.key(n)).array.tolist() for n in (0, 0, 1, 2, 3)]
    assert outputs[0] == outputs[1]
    assert outputs[2:] != [outputs[0]] * 3
    np.testing.assert_array_equal(eqx.nn.inference_mode(drop)(X).array, X.array)


def test_other_irreps_are_refused_with_the_path_of_the_module():
    model, state = eqx.nn.make_with_state(Model)(KEY)
    few = X.filter("0e")
    with pytest.raises(ValueError, match=r"^Linear was made for irreps_in=2x0e\+1x1o, got input of irreps 2x0e"):
        model.first(few)
    with pytest.raises(
        ValueError, match=r"^Linear 'first' was made for irreps_in=2x0e\+1x1o, got input of irreps 2x0e"
    ):
        eqx.filter_jit(lambda model, x: model(x, state))(model, few)
    with pytest.raises(
        ValueError, match=r"^Dropout 'layers/0' was made for irreps_in=4x0e\+2x1o, got input of .* 2x0e"
    ):
        eqx.nn.Sequential([model.drop])(few)
    wrong = eqx.tree_at(lambda m: m.first.parameters, model, {})
    with pytest.raises(ValueError, match=r"parameter 'first/w\[0,0\] 2x0e,4x0e' is missing"):
        wrong(X, state)


def test_another_order_of_the_irreps_is_accepted_where_the_layer_accepts_it():
    linear = irreps_equinox.Linear("2x0e + 1o", "2x0e + 1o", key=KEY)
    reordered = ic.concatenate([X.filter("1o"), X.filter("0e")])
    np.testing.assert_array_equal(linear(reordered).array, linear(X).array)


def test_within_eqx_nn_sequential():
    def make(key):
        return eqx.nn.Sequential(
            [
                irreps_equinox.Linear("2x0e + 1o", "2x0e + 1o", key=key),
                irreps_equinox.BatchNorm("2x0e + 1o", key=key),
                irreps_equinox.Dropout("2x0e + 1o", 0.0, key=key),
            ]
        )

    model, state = eqx.nn.make_with_state(make)(KEY)
    y, _ = model(X, state, key=KEY)
    assert y.irreps == "2x0e + 1o"


def test_trees_of_a_model_have_the_names_of_its_attributes():
    binding = irreps_equinox.binding
    variables = eqx.nn.make_with_state(Model)(KEY)
    parameters, state = binding.to_trees(variables)
    assert set(parameters) == {"first", "norm", "heads", "plain"}
    assert set(parameters["norm"]) == {"bias", "weight"}
    assert set(parameters["heads"]["0"]) == {"w[0,0] 4x0e,3x0e"}
    assert set(state) == {"norm"}
    doubled = jax.tree.map(lambda a: 2 * a, parameters)
    moved = jax.tree.map(lambda a: a + 1, state)
    model, values = binding.from_trees(variables, doubled, moved)
    found = binding.to_trees((model, values))
    jax.tree.map(np.testing.assert_array_equal, found, (doubled, moved))
    jax.tree.map(np.testing.assert_array_equal, binding.to_trees(variables), (parameters, state))
    del doubled["first"]
    with pytest.raises(ValueError, match=r"'first/.*is missing"):
        binding.from_trees(variables, doubled)


def test_several_models_in_one_by_vmap():
    """Equinox's way to an ensemble: vmap over the making, then over the calling."""
    make = eqx.filter_vmap(lambda key: irreps_equinox.Linear("2x0e + 1o", "0e", key=key))
    models = make(jax.random.split(KEY, 4))
    y = eqx.filter_vmap(lambda model: model(X))(models)
    assert y.array.shape == (4, 3, 1)
