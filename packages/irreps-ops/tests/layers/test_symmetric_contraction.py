"""The layer `SymmetricContraction`: the contraction with the weights of each species, and a linear map of channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

X = ic.normal("3x0e + 3x1o", jax.random.key(0), (4,), dtype=jnp.float64)
SPECIES = jnp.array([1, 0, 1, 2])  # there are two, so the last is padding
LAYER = irr.SymmetricContraction("5x0e + 2x1o + 3o", (1, 2), 2)
PARAMS = irr.init(LAYER, jax.random.key(1), SPECIES, X)


@jax.jit
def contract(x):
    return irr.apply(LAYER, PARAMS, SPECIES, x)


def test_each_node_takes_the_weights_of_its_species():
    """Node by node a SymmetricTensorProduct of the weights of one species, and a Linear; of no species zeros."""
    found = contract(X)
    assert found.irreps == "5x0e + 2x1o"  # 3o cannot be made
    product, mixing = irr.SymmetricTensorProduct((1, 2), "0e + 1o"), irr.Linear("5x0e + 2x1o")
    weights = {name: value for name, value in PARAMS.items() if name != "linear"}
    shapes = {"w1_0e": (2, 1, 3), "w1_1o": (2, 1, 3), "w2_0e": (2, 2, 3), "w2_1o": (2, 1, 3)}
    assert jax.tree.map(jnp.shape, weights) == shapes
    for node in range(3):
        own = {name: value[int(SPECIES[node])] for name, value in weights.items()}
        y = irr.apply(product, own, X[node].mul_to_axis()).axis_to_mul()
        np.testing.assert_allclose(found.array[node], irr.apply(mixing, PARAMS["linear"], y).array, atol=1e-12)
    np.testing.assert_array_equal(found.array[3], 0)


def test_is_equivariant():
    assert_equivariant(contract, 0, X, draws=1)


def test_the_order_of_the_irreps_does_not_matter():
    other = ic.concatenate([X.filter("1o"), X.filter("0e")])
    np.testing.assert_allclose(irr.apply(LAYER, PARAMS, SPECIES, other).array, contract(X).array, atol=1e-12)


def test_first_values_keep_the_variance():
    """Within a factor of two, of features of variance 1."""
    x = ic.normal("32x0e", jax.random.key(2), (64,))
    layer, species = irr.SymmetricContraction("32x0e", (1,), 3), jnp.arange(64) % 3
    y = irr.apply(layer, irr.init(layer, jax.random.key(3), species, x), species, x)
    assert 0.5 < float(jnp.mean(y.array**2)) < 2


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="orders must be different positive integers"):
        irr.SymmetricContraction("0e", (0,), 2)
    with pytest.raises(ValueError, match="num_species of 1 or more, got 0"):
        irr.SymmetricContraction("0e", (1,), 0)
    with pytest.raises(ValueError, match=r"same multiplicity, the number of channels, got 3x0e\+2x1o"):
        irr.apply(LAYER, PARAMS, SPECIES, ic.ones("3x0e + 2x1o", (4,)))
    with pytest.raises(ValueError, match=r"integer species of shape \(4,\), as the features have, got .* \(2,\)"):
        irr.apply(LAYER, PARAMS, SPECIES[:2], X)
