"""One file of parameters for every framework: written by one, read by the others, with equal outputs."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import irreps_core as ic
import irreps_flax.nnx
import irreps_ops as irr
from irreps_ops import checkpoint

pytest.importorskip("safetensors")
FRAMEWORKS = ["haiku", "linen", "nnx", *(["equinox"] if importlib.util.find_spec("irreps_equinox") else [])]
F = jnp.float64
KEY = jax.random.key(0)
X = ic.normal("2x0e + 1o", jax.random.key(7), (3,), dtype=F)
LAYERS = [
    irr.Linear("4x0e + 2x1o", biases=True),
    irr.MultiLayerPerceptron([4, 2], jax.nn.silu),  # with branches
    irr.BatchNorm(),  # with state
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_the_same_file_in_every_framework(layer, tmp_path):
    x = X.filter("0e") if isinstance(layer, irr.MultiLayerPerceptron) else X
    for writer in FRAMEWORKS:
        binding, path = irr.bindings.binding(writer), tmp_path / writer
        variables = binding.init(layer, jax.random.key(1), x.irreps, dtype=F)
        _, variables = binding.apply(layer, variables, x)  # its state is not the first
        expected, after = binding.apply(layer, variables, x)
        checkpoint.save(path, *binding.to_trees(variables), layer=layer, irreps_in=x.irreps)
        found = checkpoint.load(path, layer=layer, irreps_in=x.irreps)
        for reader in FRAMEWORKS:
            other = irr.bindings.binding(reader)
            made = other.from_trees(other.init(layer, KEY, x.irreps, dtype=F), found.parameters, found.state)
            out, new = other.apply(layer, made, x)
            np.testing.assert_array_equal(out.array, expected.array)
            states = other.to_trees(new)[1], binding.to_trees(after)[1]
            jax.tree.map(np.testing.assert_array_equal, *states)


def test_a_model_of_several_layers_with_the_frameworks_own(tmp_path):
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.first = irreps_flax.nnx.Linear("2x0e + 1o", "3x0e", rngs=rngs, param_dtype=F)
            self.rest = nnx.List([nnx.Linear(3, 3, rngs=rngs, param_dtype=F) for _ in range(2)])

        def __call__(self, x):
            x = self.first(x).array
            for layer in self.rest:
                x = layer(x)
            return x

    binding = irr.bindings.binding("nnx")
    one, other = (Model(nnx.Rngs(seed)) for seed in range(2))
    checkpoint.save(tmp_path / "model", binding.to_trees(one)[0])
    found = checkpoint.load(tmp_path / "model", like=binding.to_trees(other)[0])
    assert set(found.parameters["rest"]) == {"0", "1"}
    np.testing.assert_array_equal(binding.from_trees(other, found.parameters)(X), one(X))
    assert not np.array_equal(other(X), one(X))
