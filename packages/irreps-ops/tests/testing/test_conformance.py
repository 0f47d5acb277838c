"""Each check of the conformance kit finds the fault that it is for; correct layers and bindings pass."""

import itertools
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core import plugins
from irreps_core.plugins import PluginLoadError
from irreps_ops.testing import LayerCase, check_binding, check_layer, layer_cases, layers_with_cases
from irreps_ops.testing._layer_checks import Alone
from irreps_ops.testing.conformance import conftest


@dataclass(frozen=True)
class Scale:
    """A correct layer: a learned factor over the root of a running mean square."""

    initial: float = 1.0

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray, *, is_training: bool = True) -> ic.IrrepsArray:
        inner, other = scope.child("inner"), scope.child("other")
        seen = inner.state("seen", (), x.dtype, jax.nn.initializers.ones)
        weight = inner.parameter("w", (), x.dtype, jax.nn.initializers.normal(1.0))
        weight = weight * other.parameter("w", (), x.dtype, jax.nn.initializers.constant(self.initial))
        if is_training:
            inner.set_state("seen", (seen + jnp.sum(x.array**2) / 9) / 2)
        return x * (weight / jnp.sqrt(seen))


@dataclass(frozen=True)
class Noise(Scale):
    """A correct layer with random numbers."""

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray, *, is_training: bool = True) -> ic.IrrepsArray:
        y = super().__call__(scope, x, is_training=is_training)
        return y * jax.random.normal(scope.key("dropout"), (), x.dtype) if is_training else y


def made_of(call: Any, **body: Any) -> Any:
    """A wrong layer, whose call is `call`."""
    return dataclass(frozen=True)(type("Wrong", (Scale,), {"__call__": call, "__doc__": "Wrong.", **body}))()


@jax.custom_jvp
def wrong_slope(x: Any) -> Any:
    return x * x


wrong_slope.defjvp(lambda x, t: (x[0] * x[0], 2.01 * x[0] * t[0]))


@jax.custom_batching.custom_vmap
def wrong_in_batches(x: Any) -> Any:
    return 2 * x


wrong_in_batches.def_vmap(lambda size, batched, x: (3 * x, batched[0]))


def of_data(scope: Any, x: Any) -> Any:
    return x * scope.parameter("w", (x.shape[0],) * (x.ndim - 1), x.dtype, jax.nn.initializers.ones).sum()


LAYERS = {
    "description": made_of(lambda self, scope, x: x, __eq__=lambda self, other: self is other, __hash__=lambda self: 1),
    "example": made_of(lambda self, scope, x: of_data(scope, x)),
    "finite": made_of(lambda self, scope, x: x / jnp.zeros((), x.dtype)),
    "equivariance": made_of(lambda self, scope, x: ic.IrrepsArray(x.irreps, jnp.abs(x.array))),
    "dtype": made_of(lambda self, scope, x: x.astype(jnp.float32)),
    "init under eval_shape": made_of(lambda self, scope, x: x, example=lambda self, *a, dtype=None: 1 / 0),
    "jit and derivatives": made_of(lambda self, scope, x: ic.IrrepsArray(x.irreps, wrong_slope(x.array))),
    "vmap": made_of(lambda self, scope, x: ic.IrrepsArray(x.irreps, wrong_in_batches(x.array))),
    "batch of 0": made_of(lambda self, scope, x: x if len(x) else x.filter("0e")),
}


def test_a_correct_layer_passes():
    table = check_layer(LayerCase(Noise(), ("0e + 1o",)), bindings=[])
    assert table.splitlines() == ["       alone", "Noise  10 passed"]


@pytest.mark.parametrize("what", LAYERS)
def test_each_check_finds_a_wrong_layer(what):
    inputs = (ic.normal("0e + 1o", jax.random.key(0), (3,), dtype=jnp.float64),)
    with pytest.raises(AssertionError, match=f"FAILED  Wrong, alone: {what}"):
        check_layer(LayerCase(LAYERS[what], ("0e + 1o",), inputs), bindings=[], only=what)


class Sharing(Alone):
    """Two children share their parameters."""

    def apply(self, layer, variables, *inputs, **options):
        parameters, state = variables
        one = parameters["inner"] | {"w": parameters["other"]["w"]}
        out, (_, state) = super().apply(layer, (parameters | {"inner": one}, state), *inputs, **options)
        return out, (parameters, state)


class Forgetful(Alone):
    """State is never updated."""

    def apply(self, layer, variables, *inputs, **options):
        return super().apply(layer, variables, *inputs, **options)[0], variables


class Frozen(Alone):
    """Parameters have no derivatives."""

    def apply(self, layer, variables, *inputs, **options):
        return super().apply(layer, jax.lax.stop_gradient(variables), *inputs, **options)


class Narrow(Alone):
    """Parameters have another dtype than the one requested."""

    def init(self, layer, key, *irreps_in, dtype=jnp.float32):
        return super().init(layer, key, *irreps_in, dtype=jnp.float32)


class SameKey(Alone):
    """All calls use one key."""

    def apply(self, layer, variables, *inputs, key=None, **options):
        return super().apply(layer, variables, *inputs, key=jax.random.key(0), **options)


class Eager(Alone):
    """The call needs concrete numbers."""

    def apply(self, layer, variables, *inputs, **options):
        float(jax.tree.leaves(variables[0])[0])
        return super().apply(layer, variables, *inputs, **options)


class Anything(Alone):
    """Parameters of other shapes are accepted."""

    def from_trees(self, variables, parameters, state=None):
        return parameters, variables[1] if state is None else state


class Careful(Alone):
    """Correct, but by another program, so that numbers and derivatives are compared."""

    def apply(self, layer, variables, *inputs, **options):
        out, new = super().apply(layer, variables, *inputs, **options)
        return out * jnp.ones((), out.dtype), new


class Fixed(Alone):
    """Initial parameters do not depend on the key."""

    def init(self, layer, key, *irreps_in, dtype=jnp.float32):
        return super().init(layer, jax.random.key(5), *irreps_in, dtype=dtype)


class Nameless(Alone):
    """The module does not have the name of the layer."""

    def module(self, layer):
        return object


BINDINGS = {
    Sharing: ["equal numbers"],
    Forgetful: ["equal numbers"],
    Frozen: ["jit and derivatives"],
    Narrow: ["init", "init under eval_shape"],
    SameKey: ["random keys"],
    Eager: ["jit and derivatives"],
    Anything: ["parameters and state as trees"],
    Fixed: ["init"],
    Nameless: ["module"],
}


@pytest.mark.parametrize("wrong", BINDINGS)
def test_the_checks_find_a_wrong_binding(wrong):
    case = LayerCase(Noise() if wrong is SameKey else Scale(), ("0e + 1o",))
    for what in BINDINGS[wrong]:
        with pytest.raises(AssertionError, match=rf"FAILED  \w+, {wrong.__name__}: {what}"):
            check_layer(case, bindings=[wrong()], only=what)


def test_a_correct_binding_passes_with_another_program():
    table = check_layer(LayerCase(Scale(), ("0e + 1o",)), bindings=[Careful()])
    assert table.splitlines()[1].split() == ["Scale", "10", "passed", "10", "passed"]


def test_layers_and_checks_are_chosen_by_name():
    assert "Dropout, with a key" in check_binding(Careful(), layers=["Dropout"], only="module")
    with pytest.raises(ValueError, match="irreps of its inputs"):
        check_layer(irr.Linear("0e"))
    with pytest.raises(PluginLoadError, match="Did you mean"):
        check_layer("Linea")


@pytest.mark.parametrize(("option", "name"), [("--binding", "nothing"), ("--layer", "Linea")])
def test_the_command_reports_a_missing_plugin_once(option, name):
    def getoption(asked: str, default: Any) -> Any:
        return [name] if asked == option else default

    config: Any = SimpleNamespace(getoption=getoption)
    with pytest.raises(pytest.UsageError, match=f"'{name}' .*is not installed; there are: "):
        conftest.pytest_configure(config)


def test_cases_convert_their_data_and_refuse_to_draw_integers():
    (case,) = [case for case in layer_cases("Linear") if case.name == "Linear, indexed"]
    assert [x.shape for x in case.empty()] == [(0,), (0, 5)]
    assert case.astype(jnp.float32).inputs[1].dtype == jnp.float32
    assert case.astype(jnp.float32).inputs[0].dtype == case.inputs[0].dtype
    with pytest.raises(ValueError, match="integers cannot be drawn"):
        LayerCase(case.layer, case.irreps_in)


WRONG_CASES = {
    "no class method": (lambda self: iter(()), "raises TypeError"),
    "nothing": (classmethod(lambda cls: iter(())), "there is none"),
    "None": (classmethod(lambda cls: None), "raises TypeError"),
    "the layer itself": (classmethod(lambda cls: [cls()]), "number 0 is Scale"),
    "a tuple": (classmethod(lambda cls: [LayerCase(cls(), ("1o",)), (cls(), "1o")]), "number 1 is tuple"),
    "another layer": (classmethod(lambda cls: [LayerCase(irr.Linear("0e"), ("0e",))]), "LayerCase of Linear"),
    "an error": (classmethod(lambda cls: [1 / 0]), "case 0 raises ZeroDivisionError"),
    "an exit": (classmethod(lambda cls: sys.exit("early")), "raises SystemExit: early"),
    "no end": (classmethod(lambda cls: itertools.repeat(LayerCase(cls(), ("1o",)))), "more than 1000"),
    "a property": (property(lambda self: ()), "raises TypeError"),
}


@pytest.mark.parametrize("kind", WRONG_CASES)
def test_wrong_cases_of_a_plugin_name_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, message = WRONG_CASES[kind]
    monkeypatch.setattr(Scale, "cases", cases, raising=False)
    monkeypatch.setattr(Scale, "irreps_api", 1, raising=False)
    entry = EntryPoint("Scale", "a_plugin_for_tests:Scale", "irreps.layers")
    monkeypatch.setitem(sys.modules, "a_plugin_for_tests", SimpleNamespace(Scale=Scale))
    monkeypatch.setattr(plugins, "_installed", lambda: EntryPoints([entry]))
    with pytest.raises(ValueError, match=message) as info:
        layer_cases("Scale")
    assert "plugin 'Scale' from unknown unknown" in str(info.value)
    assert "Scale" in layers_with_cases()
    assert conftest._rows("Scale") == [("Scale", 0, "Scale, wrong cases")]
    assert conftest._rows("LayerNorm") == [("LayerNorm", 0, "LayerNorm")]
