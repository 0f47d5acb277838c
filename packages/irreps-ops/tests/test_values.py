"""Every public value copies, deep-copies and pickles to an equal one with an equal hash."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core import plugins
from irreps_ops import compute
from irreps_ops.bindings._registry import BINDINGS, LAYERS
from irreps_ops.testing import layer_cases

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}
ONE = compute.Coefficients.from_dense(np.eye(3))
PATH = compute.Path((0,), 0, ("u", "u"), ONE)
POLYNOMIAL = compute.Polynomial(
    (compute.Operand(3, (8,), compute.Index("senders")),), (compute.Operand(3, (8,)),), (PATH,)
)
PRODUCT = irr.FunctionalFullyConnectedTensorProduct("2x0e + 1o", "1o", "1o + 2e")
HASHABLE: dict[str, Any] = {
    "irrep": ic.Irrep("1o"),
    "item": ic.MulIrrep(3, "1o"),
    "irreps": ic.Irreps("3x0e + 1o"),
    "no irreps": ic.Irreps(""),
    "cartesian tensor": ic.CartesianTensor("ij=ji"),
    "coefficients": ONE,
    "path": PATH,
    "operand": POLYNOMIAL.inputs[0],
    "access": compute.Access.BATCHED if hasattr(compute.Access, "BATCHED") else compute.BATCHED,
    "index": compute.Index("senders"),
    "polynomial": POLYNOMIAL,
    "fully connected product": PRODUCT,
    "functional linear": irr.FunctionalLinear("2x0e + 1o", "1o"),
    "functional product": irr.FunctionalTensorProduct("0e", "0e", "0e", [(0, 0, 0, "uvw", True)]),
    "plugin": plugins.Plugin("irreps.layers", "Mine", "my_package:Mine"),
    "group": plugins.Group("mine", builtin={"a": dict}, providers={"b": "p"}),
    "group of layers": LAYERS,
    "group of bindings": BINDINGS,
    "status": plugins.Status(plugins.Plugin("irreps.layers", "Mine", "my_package:Mine"), "failed", "broken"),
}
# Values that hold arrays: equal if their leaves are.
WITH_ARRAYS: dict[str, Any] = {
    "numpy": ic.IrrepsArray("0e + 1o", np.arange(8.0).reshape(2, 4)),
    "jax": ic.from_chunks("0e + 1o", [jnp.ones((2, 1, 1)), None], (2,)),
    "edges": irr.EdgeIndex.from_edges(jnp.array([0, 1, 1]), jnp.array([1, 0, 2]), 3),
    "signal": irr.SphericalSignal.from_function(lambda v: v[0], 6, 5, "soft"),
    "graph": irr.Graph(np.ones((2, 1)), np.array([0]), np.array([1]), np.ones(1), np.ones(1)),
}
LAYER_CASES = [
    pytest.param(case, id=f"{name}-{n}")
    for name in LAYERS.builtin
    for n, case in enumerate(layer_cases(name))
]  # fmt: skip


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", HASHABLE)
def test_values(name: str, how: str) -> None:
    value = HASHABLE[name]
    copied = COPIES[how](value)
    assert type(copied) is type(value)
    assert copied == value
    assert hash(copied) == hash(value)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_values_with_arrays(name: str, how: str) -> None:
    value = WITH_ARRAYS[name]
    copied = COPIES[how](value)
    assert type(copied) is type(value)
    assert jax.tree.structure(copied) == jax.tree.structure(value)
    jax.tree.map(np.testing.assert_array_equal, copied, value)
    assert getattr(copied, "zero_flags", None) == getattr(value, "zero_flags", None)


@pytest.mark.parametrize("case", LAYER_CASES)
def test_layers_and_their_specs(case: Any) -> None:
    specs = irr.bindings.layer_specs(case.layer, *case.inputs)
    assert specs == irr.bindings.layer_specs(dataclasses.replace(case.layer), *case.inputs)
    leaves = dict(irr.bindings.tree_leaves(specs))
    for how, copied_by in COPIES.items():
        layer = copied_by(case.layer)
        assert layer == case.layer, how
        assert hash(layer) == hash(case.layer), how
        assert copied_by(specs) == specs, how
        found = dict(irr.bindings.tree_leaves(copied_by(specs)))
        assert {name: hash(spec) for name, spec in found.items()} == {n: hash(s) for n, s in leaves.items()}, how


@pytest.mark.parametrize(
    "function",
    [jax.nn.silu, jax.nn.gelu, jax.nn.relu, jax.nn.sigmoid, jnp.tanh, jnp.sin, jax.nn.softplus, irr.soft_odd],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_layers_with_any_activation(function: Callable[[Any], Any]) -> None:
    layers = irr.Gate(even_act=function), irr.MultiLayerPerceptron([4], function), {"nested": [(function,)]}
    for layer in layers:
        for how, copied_by in COPIES.items():
            assert copied_by(layer) == layer, how


def plain(x: jax.Array) -> jax.Array:
    return x


renamed = jax.jit(plain)


def test_a_jitted_function_under_another_name() -> None:
    layer = irr.MultiLayerPerceptron([4], renamed)
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert copy.deepcopy([layer, renamed]) == [layer, renamed]


def test_a_jitted_function_without_a_name_is_copied_and_says_why_it_is_not_pickled() -> None:
    layer = irr.MultiLayerPerceptron([4], jax.jit(lambda x: x))
    assert copy.deepcopy(layer) == layer
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match="pickle"):
        pickle.dumps(layer)
