"""Modules of PyTorch's e3nn as our layers: golden pairs of two versions of it, made by golden/make_e3nn_torch.py."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as io
from irreps_ops.compat import e3nn_torch

FUNCTIONS = {
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "abs": jnp.abs,
}


class Case(NamedTuple):
    """A module of e3nn: how it was made, its state dict under "net.m", and other arrays."""

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
    """The cases of a file, by name, functions in place of their names."""

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
    """Inputs in our order, weights first, with their irreps."""
    inputs = [jnp.asarray(x) for x in case.inputs]
    if case.kind == "fully_connected_net":
        return inputs
    if case.kind in ("linear", "gate", "norm_activation"):
        return [ic.IrrepsArray(layer.irreps_in, inputs[0]), *inputs[1:]]
    if case.kind == "tensor_square":
        x = ic.IrrepsArray(layer.irreps_in1, inputs[0])
        return [*inputs[1:], x, x]
    irreps = layer.irreps_in1, layer.irreps_in2
    return [*inputs[2:], *map(ic.IrrepsArray, irreps, inputs[:2])]


# Each program runs once, so that compiling it well takes more time than it saves.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def array_of(out: Any) -> jax.Array:
    return out.array if isinstance(out, ic.IrrepsArray) else out


@pytest.mark.parametrize(("version", "name"), [n for n in ALL if case_of(*n).kind != "batch_norm"])
def test_outputs_are_equal(version: str, name: str) -> None:
    case = case_of(version, name)
    if name == "linear, weights of each row":
        f = io.FunctionalLinear(*case.args)
        out = f(jnp.asarray(case.inputs[1]), ic.IrrepsArray(f.irreps_in, case.inputs[0]))
        np.testing.assert_allclose(out.array, case.arrays["out"], rtol=1e-13, atol=1e-13)
        return
    layer, params = case.convert()
    out = array_of(compiled(partial(io.apply, layer))(params, *data_of(case, layer)))
    # e3nn 0.4 has its coefficients in float32.
    tolerance = 1e-13 if version == "0.6" else 1e-6
    np.testing.assert_allclose(out, case.arrays["out"], rtol=tolerance, atol=tolerance)
