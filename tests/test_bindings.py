"""Bindings and layers by name, what modules look like, and layers of third parties in every framework.

That every layer gives the same numbers in every framework is the conformance kit's business: irreps_ops.conformance.
"""

import inspect
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.errors import FlaxError

import irreps_core as ic
import irreps_flax.linen
import irreps_flax.nnx
import irreps_haiku
import irreps_ops as irr
from irreps_core.plugins import PluginLoadError
from irreps_ops.testing import check_layer, layer_cases

F = jnp.float64
KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(7), (3,), dtype=F)
FRAMEWORKS = ("haiku", "linen", "nnx")


@pytest.mark.parametrize("name", sorted(irr.bindings._registry.LAYERS.builtin))
def test_every_layer_of_ours_is_in_the_table_of_the_conformance_kit(name):
    assert layer_cases(name)


def parameters_of_another_shape_in_haiku():
    f = hk.without_apply_rng(hk.transform(lambda x: irreps_haiku.Linear("0e")(x)))
    return lambda: f.apply({"linear": {"w[0,0] 2x0e,1x0e": jnp.zeros((3, 1), F)}}, X)


def parameters_of_another_shape_in_linen():
    variables = {"params": {"w[0,0] 2x0e,1x0e": jnp.zeros((3, 1), F)}}
    return lambda: irreps_flax.linen.Linear("0e").apply(variables, X)


def parameters_of_another_shape_in_nnx():
    model = irreps_flax.nnx.Linear("3x0e", "0e", rngs=nnx.Rngs(0), param_dtype=F)
    vars(model)["w[0,0] 2x0e,1x0e"] = vars(model)["w[0,0] 3x0e,1x0e"]
    model.layer = irr.Linear("0e")
    return lambda: model(X)


@pytest.mark.parametrize(
    "make",
    [parameters_of_another_shape_in_haiku, parameters_of_another_shape_in_linen, parameters_of_another_shape_in_nnx],
)
def test_parameters_of_another_shape_are_refused_with_their_name(make):
    with pytest.raises(ValueError, match=r"w\[0,0\] 2x0e,1x0e'.* shape"):
        make()()


# Look-ups


def test_bindings_are_found_by_their_entry_points():
    found = {entry.name: entry.value for entry in entry_points(group="irreps.bindings")}
    assert found["haiku"] == "irreps_haiku._binding:binding"
    assert found["nnx"] == "irreps_flax.nnx:binding"
    assert found["linen"] == "irreps_flax.linen:binding"
    states = {status.plugin.name: status for status in ic.plugins.available("irreps.bindings")}
    assert all(states[name].state == "ready" for name in ("haiku", "nnx", "linen")), states


@pytest.mark.parametrize(
    ("name", "package"), [("haiku", irreps_haiku), ("nnx", irreps_flax.nnx), ("linen", irreps_flax.linen)]
)
def test_bindings_and_their_modules_by_name(name, package):
    binding = irr.bindings.binding(name)
    assert binding is package.binding
    assert isinstance(binding, irr.bindings.Binding)
    assert irr.bindings.binding(binding) is binding
    for layer in irr.bindings.layers():
        module = getattr(package, layer)
        assert module is binding.module(irr.bindings.layer(layer))
        assert module is getattr(package, layer)
        assert layer in dir(package)
    with pytest.raises(AttributeError, match=r"no attribute 'Liner'; layers: .*Linear, .*MultiLayerPerceptron"):
        package.Liner  # noqa: B018  (looking it up is the test)
    with pytest.raises(TypeError, match="layer class"):
        binding.module(int)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_module_classes_are_made_once(name):
    binding = irr.bindings.binding(name)
    module = binding.module(irr.Linear)
    assert binding.module(irr.Linear) is module
    irr.clear_caches()
    assert binding.module(irr.Linear) is module


def test_unknown_names_are_answered():
    with pytest.raises(PluginLoadError, match=r"'hiku' of irreps.bindings is not installed; there are: .*'haiku'"):
        irr.bindings.binding("hiku")
    with pytest.raises(PluginLoadError, match="Did you mean 'Linear'"):
        irr.bindings.layer("Linar")


@pytest.mark.parametrize("name", irr.bindings.layers())
def test_signatures_are_those_of_the_layers(name):
    """What help() and an editor show."""
    own = list(inspect.signature(irr.bindings.layer(name)).parameters.values())

    def plain(parameters):
        return [(p.name, p.kind, p.default, p.annotation) for p in parameters]

    haiku = list(inspect.signature(getattr(irreps_haiku, name)).parameters.values())
    assert plain(haiku[:-1]) == plain(own)
    assert haiku[-1].name == "name"
    nnx_own = list(inspect.signature(getattr(irreps_flax.nnx, name)).parameters.values())
    assert [p.name for p in nnx_own[:1] + nnx_own[-2:]] == ["irreps_in", "rngs", "param_dtype"]
    assert plain(nnx_own[1:-2]) == plain(p for p in own if p.name != "irreps_in")
    linen_own = list(inspect.signature(getattr(irreps_flax.linen, name)).parameters.values())
    assert plain(p for p in linen_own if p.name not in ("parent", "name")) == plain(own)
    for module in (irreps_haiku, irreps_flax.nnx, irreps_flax.linen):
        assert getattr(module, name).__name__ == name
        assert getattr(module, name).__doc__ == irr.bindings.layer(name).__doc__


@dataclass(frozen=True)
class Mixer:
    """A layer of a third party: a learned factor for each irrep, one map used twice, a perceptron two floors down."""

    factors_name: str = "factors"

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray) -> ic.IrrepsArray:
        n = x.irreps.num_irreps
        factors = scope.parameter(self.factors_name, (n,), x.dtype, jax.nn.initializers.normal(1.0))
        y = x * ic.IrrepsArray([(n, "0e")], jnp.broadcast_to(factors, (*x.shape[:-1], n)))
        mixed = irr.Linear(x.irreps, force_irreps_out=True)
        y = mixed(scope.child("mixed"), mixed(scope.child("mixed"), y))
        return y * irr.MultiLayerPerceptron([3, n], jnp.tanh)(scope.child("deep").child("switch"), x.filter("0e"))


def test_a_layer_of_a_third_party_is_a_module_everywhere():
    table = check_layer(Mixer(), "2x0e + 1o", bindings=FRAMEWORKS)
    assert table.splitlines()[0].split() == ["alone", *FRAMEWORKS]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_equal_parameters_give_equal_numbers(name):
    """Bit for bit, where nothing is compiled as a whole."""
    binding, layer = irr.bindings.binding(name), Mixer()
    parameters = irr.init(layer, KEY, X)
    variables = binding.from_trees(binding.init(layer, KEY, "2x0e + 1o", dtype=F), parameters)
    assert binding.to_trees(variables)[0].keys() == {"factors", "mixed", "deep"}
    np.testing.assert_array_equal(binding.apply(layer, variables, X)[0].array, irr.apply(layer, parameters, X).array)


@pytest.mark.parametrize("layer", [irr.LayerNorm(), irr.LinearSHTP("0e + 1o")], ids=["LayerNorm", "LinearSHTP"])
def test_modules_of_nnx_compute_in_the_irreps_that_they_were_made_for(layer):
    """The same irreps merged otherwise are another grouping for some layers, other parameters for others."""
    inputs = (X, X.filter("1o")) if isinstance(layer, irr.LinearSHTP) else (X,)
    binding = irreps_flax.nnx.binding
    module = binding.init(layer, KEY, *(x.irreps for x in inputs), dtype=F)
    expected = binding.apply(layer, module, *inputs)[0]
    unmerged = X.rechunk("0e + 0e + 1o")
    np.testing.assert_array_equal(binding.apply(layer, module, unmerged, *inputs[1:])[0].array, expected.array)


@dataclass(frozen=True)
class Meter:
    """A layer of a third party with state and noise: divides by the running mean of the squares it has seen."""

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray, *, is_training: bool = True) -> ic.IrrepsArray:
        inner = scope.child("inner")
        seen = inner.state("seen", (), x.dtype, jax.nn.initializers.ones)
        if is_training:
            seen = (seen + jnp.mean(x.array**2)) / 2
            inner.set_state("seen", seen)
            x = x * jax.random.normal(inner.key("dropout"), (), x.dtype)
        return x / jnp.sqrt(seen) * inner.parameter("w", (), x.dtype, jax.nn.initializers.ones)


def meter_in_no_framework():
    layer = Meter()
    params, state = irr.init(layer, KEY, X), irr.init_state(layer, KEY, X)

    def step(state, key, **options):
        return irr.apply(layer, params, X, state=state, key=key, **options)

    return state, step, lambda state: state["inner"]["seen"]


def meter_in_haiku():
    f = hk.transform_with_state(lambda **options: irreps_haiku.binding.module(Meter)(name="top")(X, **options))
    params, state = f.init(KEY)
    return state, lambda s, key, **options: f.apply(params, s, key, **options), lambda s: s["top/inner"]["seen"]


def meter_in_linen():
    model = irreps_flax.linen.binding.module(Meter)()
    variables = model.init(KEY, X)
    with pytest.raises(FlaxError):
        model.apply(variables, X, rngs={"dropout": KEY})

    def step(state, key, **options):
        given = {"params": variables["params"], "batch_stats": state}
        if not options:
            y, new = model.apply(given, X, mutable=["batch_stats"], rngs={"dropout": key})
            return y, new["batch_stats"]
        return model.apply(given, X, **options), state

    return variables["batch_stats"], step, lambda state: state["inner"]["seen"]


def meter_in_nnx():
    model = irreps_flax.nnx.binding.module(Meter)("2x0e + 1o", rngs=nnx.Rngs(KEY), param_dtype=F)
    graph, params, state = nnx.split(model, nnx.Param, ...)
    assert len(jax.tree.leaves(nnx.state(model, nnx.BatchStat))) == 1

    def step(state, key, **options):
        model = nnx.merge(graph, params, state)
        if options:
            model.eval()
        y = model(X)
        return y, nnx.split(model, nnx.Param, ...)[2]

    return state, step, lambda state: state["inner"]["seen"][...]


@pytest.mark.parametrize("make", [meter_in_no_framework, meter_in_haiku, meter_in_linen, meter_in_nnx])
def test_state_and_keys_in_every_framework(make):
    """State begins with its first value, is written in training alone; keys are new in each call."""
    state, step, seen = make()
    assert float(seen(state)) == 1
    square = float(jnp.mean(X.array**2))
    training = jax.jit(step)
    one, state = training(state, jax.random.key(1))
    np.testing.assert_allclose(seen(state), (1 + square) / 2)
    two, state = training(state, jax.random.key(2))
    expected = (1 + 3 * square) / 4
    np.testing.assert_allclose(seen(state), expected)
    assert not jnp.allclose(one.array / two.array, np.sqrt(expected / ((1 + square) / 2)))
    for y in (one, two):
        ratio = y.array / X.array
        np.testing.assert_allclose(ratio, jnp.broadcast_to(ratio[0, 0], ratio.shape))
    same, after = step(state, None, is_training=False)
    np.testing.assert_allclose(same.array, X.array / np.sqrt(expected))
    np.testing.assert_allclose(seen(after), expected)


def test_names_that_nnx_modules_have_are_refused():
    with pytest.raises(ValueError, match="attribute 'train'"):
        irreps_flax.nnx.binding.module(Mixer)("2x0e + 1o", "train", rngs=nnx.Rngs(0))
