"""The nnx modules under nnx's own machinery: split, merge, jit, grad, scan, vmap, filters, checkpoints."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import irreps_core as ic
import irreps_flax.nnx as modules

X = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float32)


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = modules.Linear("2x0e + 1o", "8x0e + 4x1o", biases=True, rngs=rngs)
        self.mlp = modules.MultiLayerPerceptron("8x0e", [4, 1], jax.nn.silu, rngs=rngs)

    def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
        return self.mlp(self.linear(x).filter("0e"))


@pytest.fixture
def model():
    return Model(nnx.Rngs(0))


def test_state_is_the_tree_of_names(model):
    names = {"/".join(map(str, path)): leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}
    assert names == {
        "linear/w[0,0] 2x0e,8x0e": (2, 8),
        "linear/w[1,1] 1x1o,4x1o": (1, 4),
        "linear/b[0] 8x0e": (8,),
        "mlp/linear_0/w": (8, 4),
        "mlp/linear_1/w": (4, 1),
    }
    assert model.linear.layer.irreps_in == "2x0e + 1o"


def test_split_merge_and_copies(model):
    expected = model(X).array
    graph, state = nnx.split(model)
    assert hash(graph) == hash(nnx.split(Model(nnx.Rngs(1)))[0])
    for same in (nnx.merge(graph, state), nnx.clone(model), copy.deepcopy(model)):
        np.testing.assert_array_equal(same(X).array, expected)
    pickled = pickle.loads(pickle.dumps(model.linear))
    np.testing.assert_array_equal(pickled(X).array, model.linear(X).array)


def test_jit_and_grad_and_a_step_of_descent(model):
    @nnx.jit
    def step(model, x):
        loss, gradient = nnx.value_and_grad(lambda model: jnp.mean((model(x).array - 1) ** 2))(model)
        nnx.update(model, jax.tree.map(lambda p, g: p - 0.05 * g, nnx.state(model, nnx.Param), gradient))
        return loss

    losses = [float(step(model, X)) for _ in range(20)]
    assert losses[-1] < losses[0] / 2
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x).array)(model, X), model(X).array, rtol=1e-6, atol=1e-6)


def test_pure_functions_of_split_state(model):
    """The recommended fast path: split once, plain jax.jit inside."""
    graph, state = nnx.split(model)
    run = jax.jit(lambda state, x: nnx.merge(graph, state)(x).array)
    np.testing.assert_allclose(run(state, X), model(X).array, rtol=1e-6, atol=1e-6)
    gradient = jax.grad(lambda state: run(state, X).sum())(state)
    assert jax.tree.structure(gradient) == jax.tree.structure(state)


def test_scan_over_layers_made_by_vmap():
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=0, out_axes=0)
    def make(rngs):
        return modules.Linear("2x0e + 1o", "2x0e + 1o", force_irreps_out=True, rngs=rngs)

    layers = make(nnx.Rngs(0))
    assert layers.layer.irreps_out == "2x0e + 1o"
    assert nnx.to_pure_dict(nnx.state(layers))["w[0,0] 2x0e,2x0e"].shape == (3, 2, 2)

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, layer):
        return layer(x)

    expected = X
    graph, state = nnx.split(layers)
    for i in range(3):
        expected = nnx.merge(graph, jax.tree.map(lambda p, i=i: p[i], state))(expected)
    np.testing.assert_allclose(forward(X, layers).array, expected.array, atol=1e-6)


def test_remat_and_eval_shape(model):
    np.testing.assert_allclose(nnx.remat(lambda m, x: m(x).array)(model, X), model(X).array, rtol=1e-6)
    abstract = nnx.eval_shape(lambda: Model(nnx.Rngs(0)))
    shapes, expected = (jax.tree.map(jnp.shape, nnx.to_pure_dict(nnx.state(m))) for m in (abstract, model))
    assert shapes == expected


def test_filters_choose_parameters(model):
    frozen, rest = nnx.state(model, nnx.PathContains("mlp"), ...)
    assert len(jax.tree.leaves(frozen)) == 2
    assert len(jax.tree.leaves(rest)) == 3
    gradient = nnx.grad(
        lambda m: m(X).array.sum(), argnums=nnx.DiffState(0, nnx.All(nnx.Param, nnx.PathContains("linear_0")))
    )(model)
    assert len(jax.tree.leaves(gradient)) == 1


def test_adapters_are_chosen_by_the_type_of_their_parameters(model):
    """As with nnx.LoRA: two maps of low rank beside a map that stays, whose parameters are LoRAParams."""

    class Adapted(nnx.Module):
        def __init__(self, base: nnx.Module, rngs: nnx.Rngs) -> None:
            self.base = base
            self.down = modules.Linear("2x0e + 1o", "1x0e + 1x1o", rngs=rngs)
            self.up = modules.Linear("1x0e + 1x1o", "8x0e + 4x1o", rngs=rngs)
            for adapter in (self.down, self.up):
                for name, parameter in list(vars(adapter).items()):
                    if isinstance(parameter, nnx.Param):
                        setattr(adapter, name, nnx.LoRAParam(parameter[...]))

        def __call__(self, x: ic.IrrepsArray) -> ic.IrrepsArray:
            return self.base(x) + self.up(self.down(x))

    adapted = Adapted(model.linear, nnx.Rngs(1))
    lora, rest = nnx.state(adapted, nnx.LoRAParam, nnx.Param)
    assert (len(jax.tree.leaves(lora)), len(jax.tree.leaves(rest))) == (4, 3)
    gradient = nnx.grad(lambda m: (m(X).array ** 2).sum(), argnums=nnx.DiffState(0, nnx.LoRAParam))(adapted)
    assert jax.tree.structure(gradient) == jax.tree.structure(lora)
    before = adapted(X).array
    nnx.update(adapted, jax.tree.map(lambda p, g: p - 0.01 * g, lora, gradient))
    assert (adapted(X).array ** 2).sum() < (before**2).sum()


def test_statistics_and_noise_within_jit_and_scan():
    @nnx.split_rngs(splits=2)
    @nnx.vmap(in_axes=0, out_axes=0)
    def make(rngs):
        return nnx.Sequential(
            modules.Dropout("2x0e + 1o", 0.5, rngs=rngs), modules.BatchNorm("2x0e + 1o", momentum=0.5, rngs=rngs)
        )

    @nnx.jit
    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, layer):
        return layer(x)

    layers = make(nnx.Rngs(params=0, dropout=1))
    one, two = forward(X, layers), forward(X, layers)
    assert not jnp.allclose(one.array, two.array)
    statistics = nnx.to_pure_dict(nnx.state(layers, nnx.BatchStat))["layers"][1]["running_var"]
    assert statistics.shape == (2, 3)
    assert not jnp.allclose(statistics[0], statistics[1])
    layers.eval()
    np.testing.assert_array_equal(forward(X, layers).array, forward(X, layers).array)


def test_checkpoints_with_orbax(model, tmp_path):
    import orbax.checkpoint as ocp

    state = nnx.to_pure_dict(nnx.state(model))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "checkpoint", state)
    other = Model(nnx.Rngs(1))
    assert not jnp.allclose(other(X).array, model(X).array)
    new = nnx.state(other)
    nnx.replace_by_pure_dict(new, restored)
    nnx.update(other, new)
    np.testing.assert_array_equal(other(X).array, model(X).array)


def test_irreps_in_may_be_a_number_or_data():
    mlp = modules.MultiLayerPerceptron(5, [2], None, rngs=nnx.Rngs(0))
    assert mlp(jnp.ones((3, 5))).shape == (3, 2)
    channels = modules.Linear(X, "0e", channel_out=7, rngs=nnx.Rngs(0))
    assert channels(X).shape == (7, 1)
    mixed = modules.Linear((3, "1o"), "2x1o", rngs=nnx.Rngs(0))
    assert mixed(jnp.ones((4, 3)), X[..., "1o"]).irreps == "2x1o"


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.bfloat16])
def test_parameters_have_the_dtype_that_was_asked_for(dtype):
    linear = modules.Linear("0e", "0e", rngs=nnx.Rngs(0), param_dtype=dtype)
    assert {p.dtype for p in jax.tree.leaves(nnx.state(linear))} == {jnp.dtype(dtype)}


def test_the_default_dtype_is_float32_whatever_jax_prefers():
    linear = modules.Linear("0e", "0e", rngs=nnx.Rngs(0))
    assert linear(X[..., :1].filter("0e")[..., :1]).dtype == jnp.float32


def test_bad_use_is_named(model):
    with pytest.raises(ValueError, match=r"Linear was made for irreps_in=2x0e\+1x1o, got input of irreps 1x0e"):
        model.linear(X[..., :1])
    with pytest.raises(
        ValueError, match=r"Linear 'linear' was made for irreps_in=2x0e\+1x1o, got input of irreps 1x0e"
    ):
        model(X[..., :1])
    with pytest.raises(ValueError, match=r"'linear_0/w' must have shape \(3, 4\), got \(8, 4\)"):
        model.mlp(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"MultiLayerPerceptron was made for irreps_in=8x0e, got input of irreps 2x0e"):
        model.mlp(X.filter("0e"))
    with pytest.raises(ValueError, match=r"'w\[0,0\] 2x0e,8x0e' must have shape \(5, 2, 8\), got \(2, 8\)"):
        model.linear(jnp.ones((4, 5)), X)
    with pytest.raises(TypeError, match="rngs"):
        modules.Linear("0e", "0e")
    norm = modules.BatchNorm("2x0e + 1o", rngs=nnx.Rngs(0))
    with pytest.raises(
        ValueError, match=r"BatchNorm was made for irreps_in=2x0e\+1x1o, got input of irreps 1x1o\+2x0e"
    ):
        norm(ic.concatenate([X.filter("1o"), X.filter("0e")]))
    del model.mlp.linear_1
    with pytest.raises(ValueError, match=r"'mlp/linear_1' is missing, there are \['linear_0'\]"):
        model(X)
