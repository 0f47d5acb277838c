"""Every layer in every framework: the same parameters, the same numbers. One table, one row for each layer."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
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
import irreps_ops as io
from irreps_core.plugins import PluginLoadError
from irreps_core.testing import assert_equivariant

F = jnp.float64


def data(irreps: str, *shape: int) -> ic.IrrepsArray:
    return ic.normal(irreps, jax.random.key(7), shape, dtype=F)


@dataclass(frozen=True)
class Case:
    """A layer, what it is applied to (batch first), and what nnx is told of that.

    Attributes:
        equivariant_inputs: irreps of its inputs, if they are IrrepsArrays alone.
        each_row: whether each row is treated by itself.
    """

    layer: Any
    inputs: tuple[Any, ...]
    irreps_in: Any
    equivariant_inputs: tuple[str, ...] = field(default=())
    each_row: bool = True

    @functools.cached_property
    def specs(self) -> dict:
        return io.parameter_specs(self.layer, *self.inputs)

    @functools.cached_property
    def state(self) -> dict:
        """Not the first state, of zeros and ones, which would prove little."""
        first = io.init_state(self.layer, KEY, *self.inputs)
        return jax.tree.map(lambda a: a + jnp.linspace(0.1, 0.9, a.size, dtype=a.dtype).reshape(a.shape), first)

    @functools.cached_property
    def nnx_parts(self) -> Any:
        return nnx.split(nnx_module(self, nnx.Rngs(0)), nnx.Param, nnx.BatchStat, ...)


KEY = jax.random.key(0)
X = data("2x0e + 1o", 3)
EDGES = (jnp.array([0, 1, 2]), jnp.array([1, 0, 1]))
CASES = {
    "BatchNorm": Case(io.BatchNorm(), (X,), "2x0e + 1o", ("2x0e + 1o",), each_row=False),
    "BatchNorm, instance": Case(io.BatchNorm(instance=True), (data("2x0e + 1o", 3, 2),), "2x0e + 1o"),
    "Dropout": Case(io.Dropout(0.5), (KEY, X), "2x0e + 1o", each_row=False),
    "Embedding": Case(io.Embedding("4x0e", 3, dtype=F), (jnp.array([0, 2, 0]),), ()),
    "Gate": Case(io.Gate("2x0e + 0o + 1o"), (data("2x0e + 0o + 1o", 3),), "2x0e + 0o + 1o", ("2x0e + 0o + 1o",)),
    "Gate, plain": Case(io.Gate(), (X,), "2x0e + 1o", ("2x0e + 1o",)),
    "LayerNorm": Case(io.LayerNorm(), (X,), "2x0e + 1o", ("2x0e + 1o",)),
    "Linear": Case(io.Linear("4x0e + 2x1o + 2e", biases=True), (X,), "2x0e + 1o", ("2x0e + 1o",)),
    "Linear, mixed": Case(io.Linear("2x0e + 1o"), (data("4x0e", 3), X), ("4x0e", "2x0e + 1o"), ("4x0e", "2x0e + 1o")),
    "Linear, indexed": Case(io.Linear("2x0e + 1o", num_indexed_weights=2), (jnp.array([0, 1, 0]), X), "2x0e + 1o"),
    "Linear, channels": Case(
        io.Linear("0e + 1o", channel_out=5, force_irreps_out=True),
        (data("2x0e + 1o", 3, 2),),
        data("2x0e + 1o", 2),
    ),
    "LinearSHTP": Case(io.LinearSHTP("2x0e + 1o + 1e"), (X, data("1o", 3)), ("2x0e + 1o", "1o"), ("2x0e + 1o", "1o")),
    "FullyConnectedTensorProduct": Case(
        io.FullyConnectedTensorProduct("3x0e + 2x1o + 2e"),
        (X, data("0e + 1o", 3)),
        ("2x0e + 1o", "0e + 1o"),
        ("2x0e + 1o", "0e + 1o"),
    ),
    "MessagePassingConvolution": Case(
        io.MessagePassingConvolution("0e + 1o", (3,), jax.nn.silu, avg_num_neighbors=1.5),
        (X, data("0e + 1o", 3), data("2x0e", 3).array, EDGES),
        ("2x0e + 1o", "0e + 1o", 2),
        each_row=False,
    ),
    "MultiLayerPerceptron": Case(
        io.MultiLayerPerceptron([4, 2], jax.nn.silu, with_bias=True), (data("5x0e", 3),), "5x0e", ("5x0e",)
    ),
    "MultiLayerPerceptron, array": Case(
        io.MultiLayerPerceptron([4, 2], jnp.tanh, output_activation=False), (data("5x0e", 3).array,), 5
    ),
    "PointConvolution": Case(
        io.PointConvolution("0e + 1o", 9.0, avg_num_neighbors=1.5, sh_lmax=1, num_radial_basis=2, mlp_neurons=(3,)),
        (data("1o", 3), X, *EDGES),
        ("1o", "2x0e + 1o"),
        each_row=False,
    ),
    "SymmetricContraction": Case(
        io.SymmetricContraction("0e + 1o", (1, 2), 2), (jnp.array([0, 1, 0]), data("2x0e + 2x1o", 3)), "2x0e + 2x1o"
    ),
    "SymmetricTensorProduct": Case(
        io.SymmetricTensorProduct((1, 2), "0e + 1o"), (data("0e + 1o", 3, 2),), data("0e + 1o", 2)
    ),
    "TensorProduct": Case(
        io.TensorProduct(
            "2x0e + 2x1o",
            "2x0e + 1o",
            "3x0e + 2x1o",
            [(0, 0, 0, "uvw", True), (0, 0, 0, "uuw", True), (1, 0, 1, "uvu", True, 2.0), (0, 1, 1, "uvu", False)],
        ),
        (data("2x0e + 2x1o", 3), data("2x0e + 1o", 3)),
        ("2x0e + 2x1o", "2x0e + 1o"),
        ("2x0e + 2x1o", "2x0e + 1o"),
    ),
    "Transformer": Case(
        io.Transformer("2x0e + 2x1o", (3,), jax.nn.silu, 2),
        (*EDGES, jnp.linspace(0.2, 0.9, 3, dtype=F), data("2x0e + 1o", 3), data("2x0e + 2x1o", 3)),
        ("2x0e + 1o", "2x0e + 2x1o"),
        each_row=False,
    ),
    "VoxelConvolution": Case(
        io.VoxelConvolution("0e + 1o", "0e + 1o", 3.0, 1, (1, 1, 1)), (data("0e + 1o", 3, 2, 2, 2),), "0e + 1o"
    ),
    "VoxelPooling": Case(io.VoxelPooling(0.5), (data("0e + 1o", 3, 2, 2, 2),), "0e + 1o"),
}


def test_every_layer_is_in_the_table():
    assert {name.split(",")[0] for name in CASES} == set(io.layers())


# A framework: from a case, (make parameters, apply the layer to them), both pure functions. `apply` begins with the
# state of the case, and gives back output and new state. `to_tree` writes parameters as the tree of names.


@dataclass(frozen=True)
class Framework:
    init: Callable[[Case, Any], Any]
    run: Callable[..., tuple[Any, dict]]
    to_tree: Callable[[Any], dict]

    def apply(self, case: Case, tree: dict, *inputs: Any) -> Any:
        return self.run(case, tree, *inputs)[0]


def arguments(layer: Any) -> dict[str, Any]:
    return {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer) if f.init}


def haiku_function(case: Case) -> Any:
    module = irreps_haiku.binding.module(type(case.layer))
    return hk.transform_with_state(lambda *x: module(**arguments(case.layer), name="top")(*x))


def haiku_run(case: Case, tree: dict, *inputs: Any) -> tuple[Any, dict]:
    out, state = haiku_function(case).apply(haiku_params(tree), haiku_params(case.state), None, *inputs)
    return out, haiku_tree(state)


def haiku_tree(params: dict[str, dict[str, Any]]) -> dict:
    tree: dict = {}
    for path, leaves in params.items():
        branch = tree
        for name in path.split("/")[1:]:
            branch = branch.setdefault(name, {})
        branch.update(leaves)
    return tree


def haiku_params(tree: dict, path: str = "top") -> dict:
    leaves = {name: v for name, v in tree.items() if not isinstance(v, dict)}
    params = {path: leaves} if leaves else {}
    for name, branch in tree.items():
        if isinstance(branch, dict):
            params |= haiku_params(branch, f"{path}/{name}")
    return params


def linen_module(case: Case) -> Any:
    return irreps_flax.linen.binding.module(type(case.layer))(**arguments(case.layer))


def nnx_module(case: Case, rngs: nnx.Rngs) -> Any:
    given = {name: value for name, value in arguments(case.layer).items() if name != "irreps_in"}
    module = irreps_flax.nnx.binding.module(type(case.layer))
    return module(irreps_in=case.irreps_in, **given, rngs=rngs, param_dtype=F)


def nnx_run(case: Case, tree: dict, *inputs: Any) -> tuple[Any, dict]:
    graph, *parts = case.nnx_parts
    params, state, rest = (jax.tree.map(lambda leaf: leaf, part) for part in parts)
    nnx.replace_by_pure_dict(params, tree)
    nnx.replace_by_pure_dict(state, case.state)
    model = nnx.merge(graph, params, state, rest)
    return model(*inputs), nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))


def linen_run(case: Case, tree: dict, *inputs: Any) -> tuple[Any, dict]:
    variables = {"params": tree, "batch_stats": case.state}
    out, new = linen_module(case).apply(variables, *inputs, mutable=["batch_stats"])
    return out, new.get("batch_stats", {})


FRAMEWORKS = {
    "none": Framework(
        lambda case, key: io.init(case.layer, key, *case.inputs),
        lambda case, tree, *x: io.apply(case.layer, tree, *x, state=case.state),
        lambda params: params,
    ),
    "haiku": Framework(
        lambda case, key: haiku_function(case).init(key, *case.inputs)[0],
        haiku_run,
        haiku_tree,
    ),
    "linen": Framework(
        lambda case, key: linen_module(case).init(key, *case.inputs),
        linen_run,
        lambda variables: variables.get("params", {}),
    ),
    "nnx": Framework(
        lambda case, key: nnx.to_pure_dict(nnx.state(nnx_module(case, nnx.Rngs(key)), nnx.Param)),
        nnx_run,
        lambda tree: tree,
    ),
}
NONE = FRAMEWORKS["none"]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request):
    return FRAMEWORKS[request.param]


@pytest.fixture(scope="module")
def tree(case):
    """Random parameters: zeros, as biases begin with, would prove little."""
    leaves, structure = jax.tree.flatten(case.specs, is_leaf=lambda x: isinstance(x, io.ParameterSpec))
    keys = jax.random.split(KEY, max(len(leaves), 1))[: len(leaves)]
    return jax.tree.unflatten(structure, [jax.random.normal(k, s.shape, F) for k, s in zip(keys, leaves, strict=True)])


def leaves_of(x: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(x)]


@pytest.fixture(scope="module")
def expected(case, tree):
    """Output, new state, and derivatives of the layer itself, without a framework."""
    return NONE.run(case, tree, *case.inputs), derivatives(case, tree, NONE)


def derivatives(case, tree, framework):
    @jax.jit
    def both_orders(tree):
        def loss(tree):
            out = framework.run(case, tree, *case.inputs)
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(out))

        gradient = jax.grad(loss)
        return loss(tree), gradient(tree), jax.jvp(gradient, (tree,), (tree,))[1]

    return both_orders(tree)


def test_equal_parameters_give_equal_outputs_and_state(case, framework, tree, expected):
    found = framework.run(case, tree, *case.inputs)
    assert jax.tree.structure(found) == jax.tree.structure(expected[0])
    for one, other in zip(leaves_of(found), leaves_of(expected[0]), strict=True):
        assert one.dtype == F
        np.testing.assert_array_equal(one, other)


def test_names_shapes_and_dtypes_are_equal(case, framework, tree):
    made = framework.to_tree(framework.init(case, KEY))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), made) == jax.tree.map(lambda a: (a.shape, a.dtype), tree)


def test_init_needs_no_memory(case, framework):
    shapes = jax.eval_shape(lambda key: framework.to_tree(framework.init(case, key)), KEY)
    made = framework.to_tree(framework.init(case, KEY))
    assert jax.tree.map(lambda a: a.shape, shapes) == jax.tree.map(lambda a: a.shape, made)
    assert not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(made))


def test_initial_parameters_are_those_of_the_initializers(case, framework):
    """Random, each from a key of its own, or constant."""
    one, other = (framework.to_tree(framework.init(case, jax.random.key(i))) for i in range(2))
    leaves = jax.tree.leaves(case.specs, is_leaf=lambda x: isinstance(x, io.ParameterSpec))
    for spec, a, b in zip(leaves, jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        draws = [spec.make(jax.random.key(i)) for i in range(2)]
        constant = bool((draws[0] == draws[1]).all())
        assert bool((a == b).all()) == constant
        assert bool((a == draws[0]).all()) == constant


def test_jit_and_derivatives_to_second_order(case, framework, tree, expected):
    """Compared with those of the layer itself, without a framework."""
    if framework is NONE:
        pytest.skip("it is what the others are compared with")
    found = derivatives(case, tree, framework)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), found, expected[1])
    assert not tree or any(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(found[2]))


def test_batches_of_zero_and_vmap(case, framework, tree, expected):
    if isinstance(case.layer, io.BatchNorm | io.Dropout) and not case.each_row:
        pytest.skip("its rows see each other")
    whole = leaves_of(expected[0][0])
    empty = jax.tree.map(lambda a: a[:0], case.inputs)
    for leaf, full in zip(leaves_of(framework.apply(case, tree, *empty)), whole, strict=True):
        assert leaf.shape == (0, *full.shape[1:])
    if not case.each_row or case.layer == io.BatchNorm(instance=True):
        return  # edges connect rows; a row of a batch is no batch
    mapped = jax.vmap(lambda *x: framework.apply(case, tree, *x))(*case.inputs)
    for one, other in zip(leaves_of(mapped), whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-13)


def test_is_equivariant(case, tree):
    """Without a framework: with any, the numbers are the same."""
    if not case.equivariant_inputs:
        pytest.skip("its inputs are not irreps alone; the layer's own tests, or another row, show it")
    assert_equivariant(
        lambda *x: NONE.apply(case, tree, *x), KEY, *case.equivariant_inputs, leading_shape=(3,), dtype=F
    )


def test_parameters_of_another_shape_are_refused_with_their_name(case, framework, tree):
    if not tree:
        pytest.skip("it has no parameters")
    wrong = jax.tree.map(lambda a: jnp.zeros((*a.shape, 2)), tree)
    names = [re.escape(path[-1].key) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    with pytest.raises(ValueError, match=rf"({'|'.join(names)})'.* shape"):
        framework.apply(case, wrong, *case.inputs)


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
    binding = io.binding(name)
    assert binding is package.binding
    assert isinstance(binding, io.Binding)
    assert io.binding(binding) is binding
    for layer in io.layers():
        module = getattr(package, layer)
        assert module is binding.module(io.layer(layer))
        assert module is getattr(package, layer)
        assert layer in dir(package)
    with pytest.raises(AttributeError, match=r"no attribute 'Liner'; layers: .*Linear, .*MultiLayerPerceptron"):
        package.Liner  # noqa: B018  (looking it up is the test)
    with pytest.raises(TypeError, match="layer class"):
        binding.module(int)


def test_unknown_names_are_answered():
    with pytest.raises(PluginLoadError, match=r"'hiku' of irreps.bindings is not installed; there are: .*'haiku'"):
        io.binding("hiku")
    with pytest.raises(PluginLoadError, match="Did you mean 'Linear'"):
        io.layer("Linar")


@pytest.mark.parametrize("name", io.layers())
def test_signatures_are_those_of_the_layers(name):
    """What help() and an editor show."""
    own = list(inspect.signature(io.layer(name)).parameters.values())

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
        assert getattr(module, name).__doc__ == io.layer(name).__doc__


@dataclass(frozen=True)
class Mixer:
    """A layer of a third party: a learned factor for each irrep, one map used twice, a perceptron two floors down."""

    factors_name: str = "factors"

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return io.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: io.Scope, x: ic.IrrepsArray) -> ic.IrrepsArray:
        n = x.irreps.num_irreps
        factors = scope.parameter(self.factors_name, (n,), x.dtype, jax.nn.initializers.normal(1.0))
        y = x * ic.IrrepsArray([(n, "0e")], jnp.broadcast_to(factors, (*x.shape[:-1], n)))
        mixed = io.Linear(x.irreps, force_irreps_out=True)
        y = mixed(scope.child("mixed"), mixed(scope.child("mixed"), y))
        return y * io.MultiLayerPerceptron([3, n], jnp.tanh)(scope.child("deep").child("switch"), x.filter("0e"))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_layer_of_a_third_party_is_a_module_everywhere(name):
    third = Case(Mixer(), (X,), "2x0e + 1o")
    framework = FRAMEWORKS[name]
    tree = framework.to_tree(framework.init(third, KEY))
    assert {key: sorted(value) if isinstance(value, dict) else value.shape for key, value in tree.items()} == {
        "factors": (3,),
        "mixed": ["w[0,0] 2x0e,2x0e", "w[1,1] 1x1o,1x1o"],
        "deep": ["switch"],
    }
    expected = io.apply(third.layer, tree, X)
    np.testing.assert_array_equal(framework.apply(third, tree, X).array, expected.array)


@dataclass(frozen=True)
class Meter:
    """A layer of a third party with state and noise: divides by the running mean of the squares it has seen."""

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return io.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: io.Scope, x: ic.IrrepsArray, *, is_training: bool = True) -> ic.IrrepsArray:
        inner = scope.child("inner")
        seen = inner.state("seen", (), x.dtype, jax.nn.initializers.ones)
        if is_training:
            seen = (seen + jnp.mean(x.array**2)) / 2
            inner.set_state("seen", seen)
            x = x * jax.random.normal(inner.key("dropout"), (), x.dtype)
        return x / jnp.sqrt(seen) * inner.parameter("w", (), x.dtype, jax.nn.initializers.ones)


def meter_in_no_framework():
    layer = Meter()
    params, state = io.init(layer, KEY, X), io.init_state(layer, KEY, X)

    def step(state, key, **options):
        return io.apply(layer, params, X, state=state, key=key, **options)

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
        nnx_module(Case(Mixer("train"), (X,), "2x0e + 1o"), nnx.Rngs(0))
