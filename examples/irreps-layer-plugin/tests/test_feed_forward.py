"""The layer is found by its name and holds in every framework; it touches no binding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_layer_plugin import FeedForward

KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(7), (3,), dtype=jnp.float64)


def test_it_is_found_by_its_name():
    assert "FeedForward" in irr.bindings.layers()
    assert irr.bindings.layer("FeedForward") is FeedForward


@pytest.mark.parametrize("name", ["haiku", "linen", "nnx", "equinox"])
def test_one_set_of_parameters_for_every_framework(name):
    """The same numbers, each made by the framework's own module (the conformance kit checks the rest)."""
    binding, layer = irr.bindings.binding(name), FeedForward("4x0e + 2x1o")
    assert binding.module(FeedForward).__name__ == "FeedForward"
    parameters = irr.init(layer, KEY, X)
    made = binding.init(layer, KEY, "2x0e + 1o", dtype=jnp.float64)
    out, _ = binding.apply(layer, binding.from_trees(made, parameters), X)
    np.testing.assert_array_equal(out.array, irr.apply(layer, parameters, X).array)


def test_the_definition():
    """y = x + s Linear(gate(Linear(x))), by hand."""
    layer = FeedForward("4x0e + 2x1o", initial_scale=0.5)
    parameters = irr.init(layer, KEY, X)
    hidden = irr.apply(irr.Linear("4x0e + 2x1o + 2x0e"), parameters["linear_in"], X)
    out = irr.apply(irr.Linear("2x0e + 1o"), parameters["linear_out"], irr.gate(hidden))
    np.testing.assert_allclose(irr.apply(layer, parameters, X).array, (X + 0.5 * out).array, rtol=1e-12)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="probability"):
        FeedForward("0e", dropout=2.0)
    with pytest.raises(ValueError, match="irrep"):
        FeedForward("zero")
