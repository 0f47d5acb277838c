"""Modules of PyTorch's e3nn as layers: golden pairs of two versions of it, made by golden/make_e3nn_torch.py."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr
from irreps_compat import e3nn as e3nn_torch

FUNCTIONS = {
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "abs": jnp.abs,
}


class Case(NamedTuple):
    """A module of e3nn: its class and arguments, its state dict under "net.m", and other arrays."""

    kind: str
    args: list[Any]
    options: dict[str, Any]
    state: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]

    @property
    def inputs(self) -> list[np.ndarray]:
        return [value for key, value in self.arrays.items() if key.startswith("in ")]

    def convert(self, state: dict[str, np.ndarray] | None = None, **options: Any) -> Any:
        function = getattr(e3nn_torch, self.kind)
        return function(self.state if state is None else state, "net.m", *self.args, **self.options, **options)


def read(file: str) -> dict[str, Case]:
    """Return the cases of a file by name, with functions in place of their names."""

    def real(value: Any) -> Any:
        if isinstance(value, list):
            return [real(v) for v in value]
        return FUNCTIONS.get(value, value) if isinstance(value, str) else value

    with np.load(Path(__file__).parent / "golden" / file) as archive:
        cases, values = json.loads(archive["cases"].tobytes())["cases"], archive["values"]
    found, place = {}, 0
    for case in cases:
        state, arrays = {}, {}
        for key, shape in case["arrays"].items():
            size = int(np.prod(shape))
            array = values[place : place + size].reshape(shape)
            place += size
            if key.startswith("state "):
                state[key.removeprefix("state ")] = array
            else:
                arrays[key] = array
        options = {key: real(value) for key, value in case["options"].items()}
        found[case["name"]] = Case(case["kind"], real(case["args"]), options, state, arrays)
    assert place == len(values)
    return found


NEW, OLD = read("e3nn_torch.npz"), read("e3nn_torch_0.4.npz")
ALL = [("0.6", name) for name in NEW] + [("0.4", name) for name in OLD]


def case_of(version: str, name: str) -> Case:
    return (NEW if version == "0.6" else OLD)[name]


def data_of(case: Case, layer: Any) -> list[Any]:
    """Return the inputs in the order of the layer, weights first, with their irreps."""
    inputs = case.inputs
    if case.kind == "fully_connected_net":
        return inputs
    if case.kind in ("linear", "gate", "norm_activation"):
        return [irr.IrrepsArray(layer.irreps_in, inputs[0]), *inputs[1:]]
    if case.kind == "tensor_square":
        x = irr.IrrepsArray(layer.irreps_in1, inputs[0])
        return [*inputs[1:], x, x]
    irreps = layer.irreps_in1, layer.irreps_in2
    return [*inputs[2:], *map(irr.IrrepsArray, irreps, inputs[:2])]


# Compiled without optimization, which takes longer than a single run; run eagerly, each operation would be compiled.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def array_of(out: Any) -> jax.Array:
    return out.array if isinstance(out, irr.IrrepsArray) else out


@pytest.mark.parametrize(("version", "name"), [n for n in ALL if case_of(*n).kind != "batch_norm"])
def test_outputs_are_equal(version: str, name: str) -> None:
    case = case_of(version, name)
    if name == "linear, weights of each row":
        f = irr.FunctionalLinear(*case.args)
        out = f(jnp.asarray(case.inputs[1]), irr.IrrepsArray(f.irreps_in, case.inputs[0]))
        np.testing.assert_allclose(out.array, case.arrays["out"], rtol=1e-13, atol=1e-13)
        return
    layer, params = case.convert()
    out = array_of(compiled(partial(irr.apply, layer))(params, *data_of(case, layer)))
    # e3nn 0.4 has its coefficients in float32.
    tolerance = 1e-13 if version == "0.6" else 1e-6
    np.testing.assert_allclose(out, case.arrays["out"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("version", "name"), [n for n in ALL if case_of(*n).kind != "batch_norm"])
def test_parameters_are_those_of_the_layer(version: str, name: str) -> None:
    """Their names, shapes and dtypes are those that the layer asks for."""
    case = case_of(version, name)
    if case.options.get("internal_weights") is False:
        return
    layer, params = case.convert()
    asked = irr.bindings.parameter_specs(layer, *data_of(case, layer))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), params) == jax.tree.map(lambda a: (a.shape, a.dtype), asked)


def test_weights_keep_their_scale_and_place() -> None:
    """Where nothing has to be merged, the weights of each path are those of e3nn."""
    for name in ("linear", "uvw, weights", "square, weights"):
        case = NEW[name]
        params = case.convert().params
        flat = [params[key].reshape(-1) for key in params if key.startswith("w")]
        np.testing.assert_array_equal(np.concatenate(flat), case.state["net.m.weight"])
    params = NEW["linear"].convert().params
    np.testing.assert_array_equal(params["b[0] 4x0e"], NEW["linear"].state["net.m.bias"])


def test_instructions_that_share_their_items_have_parameters_of_their_own() -> None:
    assert list(NEW["modes mixed"].convert().params) == [
        "w[0,0,0] 2x1o,2x1o,2x0e uvu 0",
        "w[0,0,0] 2x1o,2x1o,2x0e uuu",
        "w[0,0,0] 2x1o,2x1o,2x0e uvu 1",
        "w[1,0,2] 1x0e,2x1o,2x1o",
    ]


NORMS = [n for n in ALL if case_of(*n).kind == "batch_norm"]


@pytest.mark.parametrize(("version", "name"), NORMS)
def test_batch_norm(version: str, name: str) -> None:
    """Outputs in evaluation and in training, and the state after training."""
    case = case_of(version, name)
    layer, params, state = case.convert()
    x = irr.IrrepsArray(layer.irreps, case.inputs[0])

    @compiled
    def both(params: Any, state: Any, x: Any) -> Any:
        return [irr.apply(layer, params, x, is_training=is_training, state=state) for is_training in (False, True)]

    for (found, then), out in zip(both(params, state, x), ("out", "out, training"), strict=True):
        is_training = out == "out, training"
        np.testing.assert_allclose(found.array, case.arrays[out], rtol=1e-13, atol=1e-13)
        for key in state:
            expected = case.arrays[f"then {key}"] if is_training else case.state[f"net.m.{key}"]
            np.testing.assert_allclose(then[key], expected, rtol=1e-13, atol=1e-13)
    assert bool(state) != layer.instance
    asked = irr.bindings.layer_specs(layer, x)
    made = {k: (a.shape, a.dtype) for k, a in (params | state).items()}
    assert made == {k: (spec.shape, spec.dtype) for k, spec in asked.items()}


def test_a_batch_norm_of_other_arguments_is_refused() -> None:
    state = NEW["batch norm"].state
    make = partial(e3nn_torch.batch_norm, state, "net.m")
    irreps = NEW["batch norm"].args[0]
    with pytest.raises(ValueError, match=r"BatchNorm\(1x0e\) needs 'net.m.weight' of shape \(1,\), got \(6,\)"):
        make("0e")
    with pytest.raises(ValueError, match=r"has no 'net.m.running_mean', but the state dict does"):
        make(irreps, instance=True)
    with pytest.raises(ValueError, match=r"has no 'net.m.bias'"):
        make(irreps, include_bias=False)
    with pytest.raises(ValueError, match=r"needs 'net.m.weight'"):
        e3nn_torch.batch_norm(NEW["batch norm, not affine"].state, "net.m", "0e + 1o")
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        make(irreps, -1.0)
    # Vectors alone have no means.
    vectors = {"weight": np.ones(2), "bias": np.ones(0), "running_mean": np.ones(0), "running_var": np.ones(2)}
    assert e3nn_torch.batch_norm(vectors, "", "2x1o").state["running_mean"].shape == (0,)


# The signs of Clebsch-Gordan coefficients


def without_coefficients(case: Case) -> dict[str, np.ndarray]:
    return {key: value for key, value in case.state.items() if "_w3j_" not in key}


def test_the_convention_is_found_in_the_state_dict() -> None:
    assert NEW["uvw, weights"].convert().layer.convention == "e3nn"
    assert OLD["uvw, weights"].convert().layer.convention == "e3nn-0.4"
    assert OLD["elementwise"].convert().layer.convention == "e3nn-0.4"
    case = OLD["fully connected"]
    found, other = case.convert().params, case.convert(without_coefficients(case), convention="e3nn").params
    signs = {key: float(np.sign(np.vdot(found[key], other[key]))) for key in found}
    assert set(signs.values()) == {1.0, -1.0}
    with pytest.raises(ValueError, match=r"under 'net.m' are not those of e3nn: their signs are .*\(1, 2, 2\): -1"):
        OLD["uvw, weights"].convert(convention="e3nn")
    with pytest.raises(ValueError, match=r"not those of e3nn-0\.4"):
        NEW["uvw, weights"].convert(convention="e3nn-0.4")
    with pytest.raises(ValueError, match=r"None or one of e3nn, e3nn-0.4, got '0.4'"):
        NEW["uvw, weights"].convert(convention="0.4")
    broken = {key: 1.01 * v if "_w3j_" in key else v for key, v in NEW["uvw, weights"].state.items()}
    with pytest.raises(ValueError, match="not Clebsch-Gordan coefficients of e3nn"):
        NEW["uvw, weights"].convert(broken)


def test_without_coefficients_the_convention_must_be_given_where_it_matters() -> None:
    for case, convention in ((NEW["uvw, weights"], "e3nn"), (OLD["uvw, weights"], "e3nn-0.4")):
        state = without_coefficients(case)
        with pytest.raises(ValueError, match=r"also of the degrees \[\(1, 2, 2\), .*lacks 'net.m._compiled_main"):
            case.convert(state)
        assert case.convert(state, convention=convention).layer == case.convert().layer
    layer, _ = e3nn_torch.tensor_product({}, "", "1o", "1o", "1e", [(0, 0, 0, "uuu", False)])
    assert layer.convention == "e3nn"  # the cross product is the same in both


# Errors


def test_a_missing_array_is_named_with_those_present() -> None:
    state = {"a.lin.weight": np.ones(2), "b.fc.layer0.weight": np.ones((2, 3))}
    with pytest.raises(
        ValueError, match=r"no key begins with 'lin\.'; there are the modules \['a.lin', 'b.fc.layer0'\]"
    ):
        e3nn_torch.linear(state, "lin", "2x0e", "0e")
    with pytest.raises(ValueError, match=r"Linear\(2x0e, 1x0e\) needs 'a.lin.bias'; under 'a.lin' there are .*weight"):
        e3nn_torch.linear(state, "a.lin", "2x0e", "0e", biases=True)
    with pytest.raises(ValueError, match=r"'b.fc.layer0.weight' of shape \(2, 4\), got \(2, 3\)"):
        e3nn_torch.fully_connected_net(state, "b.fc.", [2, 4])
    with pytest.raises(ValueError, match=r"TensorProduct\(1x0e x 1x0e -> 3x0e\) needs 'a.lin.weight' of shape \(3,\)"):
        e3nn_torch.tensor_product(state, "a.lin", "0e", "0e", "3x0e", [(0, 0, 0, "uvw", True)])
    with pytest.raises(ValueError, match=r"'a.lin.weight' of shape .* is empty: the module gets its weights from outs"):
        e3nn_torch.linear({"a.lin.weight": np.ones(0)}, "a.lin", "0e", "0e")


def test_an_unexpected_array_is_refused() -> None:
    state = {"lin.weight": np.ones(2), "lin.bias": np.ones(1), "gate.mul.weight": np.ones(0)}
    with pytest.raises(ValueError, match=r"Linear\(2x0e, 1x0e\) has no 'lin.bias', but the state dict does"):
        e3nn_torch.linear(state, "lin", "2x0e", "0e")
    with pytest.raises(ValueError, match=r"has no 'lin.weight'"):
        e3nn_torch.full_tensor_product(state, "lin", "0e", "0e")
    with pytest.raises(ValueError, match=r"has no weights, but under 'lin' there are \['lin.bias', 'lin.weight'\]"):
        e3nn_torch.gate(state, "lin", "0e", [None], "", [], "")
    assert e3nn_torch.gate(state, "gate", "0e", [None], "", [], "").params == {}


class Tensor:
    """Stands for a PyTorch tensor that requires a gradient."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


@pytest.mark.parametrize("value", [Tensor(), [1.0, 2.0], np.array(["a", "b"]), np.array([1j, 1])])
def test_only_arrays_of_numbers_are_accepted(value: Any) -> None:
    with pytest.raises(TypeError, match=r"'weight'.*array"):
        e3nn_torch.linear({"weight": value}, "", "2x0e", "0e")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: e3nn_torch.linear({}, "", "0e", "0e", f_in=2), "f_in=2 and f_out=None go together"),
        (lambda: e3nn_torch.elementwise_tensor_product({}, "", "2x0e", "0e"), r"as many irreps .* 2x0e \(2\)"),
        (lambda: e3nn_torch.tensor_square({}, "", "0e", "0e", ["0e"]), "not both"),
        (lambda: e3nn_torch.fully_connected_net({}, "", [2]), r"one or more layers, got \[2\]"),
        (lambda: e3nn_torch.gate({}, "", "0e", [None], "1o", [None], "1o"), "gates must be scalars, got 1x1o"),
        (lambda: e3nn_torch.gate({}, "", "0e", [None], "0e", [None], "2x1o"), "a gate for each irrep, got 1 for 2"),
        (lambda: e3nn_torch.gate({}, "", "0o", [jnp.exp], "", [], ""), "neither even nor odd"),
        (lambda: e3nn_torch.norm_activation({}, "", "0e", jnp.tanh, epsilon=0.0), "must be positive, got 0.0"),
        (
            lambda: e3nn_torch.tensor_product({}, "", "0e", "0e", "0e", [], path_normalization="paths"),  # pyright: ignore
            "'element', 'path' or 'none', got 'paths'",
        ),
    ],
)
def test_arguments_that_e3nn_does_not_have_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# Functions and networks


def test_normalize2mom_is_that_of_pytorch() -> None:
    """Constants printed by e3nn 0.6.0 with torch 2.13.0."""
    expected = {
        "silu": 1.6791767923989418,
        "tanh": 1.5937334472592695,
        "sigmoid": 1.8467055342154763,
        "relu": 1.4163393446331365,
    }
    for name, constant in expected.items():
        scaled = e3nn_torch.normalize2mom(FUNCTIONS[name])
        np.testing.assert_allclose(scaled(jnp.array(0.7)) / FUNCTIONS[name](0.7), constant, rtol=1e-14)
        assert scaled == e3nn_torch.normalize2mom(FUNCTIONS[name])

    def identity(x: jax.Array) -> jax.Array:
        return 1.0011 * x  # the mean square of the sample is 0.9978

    assert e3nn_torch.normalize2mom(identity) is identity
    with pytest.raises(ValueError, match=r"mean square of .* is 0"):
        e3nn_torch.normalize2mom(jnp.zeros_like)
    with pytest.raises(ValueError, match="not known while tracing"):
        jax.jit(lambda a: e3nn_torch.normalize2mom(lambda x: a * x)(a))(1.0)


def test_a_network_is_converted_module_by_module() -> None:
    modules = {"lin": "linear", "tp": "uvu, weights", "fc": "net"}
    state = {
        f"{new}.{key.removeprefix('net.m.')}": v for new, old in modules.items() for key, v in NEW[old].state.items()
    }

    def function(name: str) -> Any:
        case = NEW[modules[name]]
        return lambda state, prefix: getattr(e3nn_torch, case.kind)(state, prefix, *case.args, **case.options)

    network = e3nn_torch.convert(state, {name: function(name) for name in modules})
    assert list(network) == list(modules)
    for name, old in modules.items():
        layer, params = NEW[old].convert()
        assert network[name].layer == layer
        assert jax.tree.all(jax.tree.map(np.array_equal, network[name].params, params))
    with pytest.raises(ValueError, match=r"none of the modules \['fc', 'tp'\]: \['lin.bias', 'lin.weight'\]; add"):
        e3nn_torch.convert(state, {name: function(name) for name in ("tp", "fc")})
    assert list(e3nn_torch.convert(state, {"tp": function("tp")}, strict=False)) == ["tp"]


def test_float32_stays_float32() -> None:
    case = NEW["fully connected, by path"]
    layer, params = case.convert({key: value.astype(np.float32) for key, value in case.state.items()})
    assert {w.dtype for w in params.values()} == {jnp.dtype("float32")}
    data = [irr.IrrepsArray(x.irreps, x.array.astype(np.float32)) for x in data_of(case, layer)]
    out = compiled(partial(irr.apply, layer))(params, *data).array
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, case.arrays["out"], rtol=1e-5, atol=1e-5)
