"""The layer `SymmetricContraction`: the contraction with the weights of each species, then a linear map of channels.

The conformance kit tests its symmetry and derivatives.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

RNG = np.random.default_rng(0)
X = ic.IrrepsArray("3x0e + 3x1o", RNG.normal(size=(4, 12)))
SPECIES = np.array([1, 0, 1, 2])  # there are two, so the last is padding
LAYER = irr.SymmetricContraction("5x0e + 2x1o + 3o", (1, 2), 2)
PARAMS = jax.tree.map(lambda spec: RNG.normal(size=spec.shape), irr.bindings.parameter_specs(LAYER, SPECIES, X))


@jax.jit
def contract(x):
    return irr.apply(LAYER, PARAMS, SPECIES, x)


@jax.jit
def node_by_node():
    """A SymmetricTensorProduct with the weights of each node's species, then a Linear."""
    product, mixing = irr.SymmetricTensorProduct((1, 2), "0e + 1o"), irr.Linear("5x0e + 2x1o")
    weights = {name: value for name, value in PARAMS.items() if name != "linear"}

    def node(weights, array):
        y = irr.apply(product, weights, ic.IrrepsArray(X.irreps, array).mul_to_axis()).axis_to_mul()
        return irr.apply(mixing, PARAMS["linear"], y).array

    own = {name: np.asarray(value)[SPECIES[:3]] for name, value in weights.items()}
    return jax.vmap(node)(own, X.array[:3])


def test_each_node_takes_the_weights_of_its_species():
    found = contract(X)
    assert found.irreps == "5x0e + 2x1o"  # no polynomial has the irrep 3o
    shapes = {"w1_0e": (2, 1, 3), "w1_1o": (2, 1, 3), "w2_0e": (2, 2, 3), "w2_1o": (2, 1, 3)}
    assert {name: value.shape for name, value in PARAMS.items() if name != "linear"} == shapes
    array = np.asarray(found.array)
    np.testing.assert_allclose(array[:3], node_by_node(), atol=1e-12)
    np.testing.assert_array_equal(array[3], 0)  # an unknown species


def test_the_order_of_the_irreps_does_not_matter():
    other = ic.IrrepsArray("3x1o + 3x0e", np.roll(X.array, 9, axis=1))
    np.testing.assert_allclose(contract(other).array, contract(X).array, atol=1e-12)


def test_initial_values_keep_the_variance():
    """Within a factor of two, of features of variance 1."""
    x = ic.IrrepsArray("32x0e", RNG.normal(size=(64, 32)))
    layer, species = irr.SymmetricContraction("32x0e", (1,), 3), np.arange(64) % 3
    y = jax.jit(lambda key: irr.apply(layer, irr.init(layer, key, species, x), species, x))(jax.random.key(3))
    assert 0.5 < float(jnp.mean(y.array**2)) < 2


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match="orders must be different positive integers"):
        irr.SymmetricContraction("0e", (0,), 2)
    with pytest.raises(ValueError, match="num_species of 1 or more, got 0"):
        irr.SymmetricContraction("0e", (1,), 0)
    with pytest.raises(ValueError, match=r"same multiplicity, the number of channels, got 3x0e\+2x1o"):
        irr.apply(LAYER, PARAMS, SPECIES, ic.ones("3x0e + 2x1o", (4,)))
    with pytest.raises(ValueError, match=r"integer species of shape \(4,\), as the features have, got .* \(2,\)"):
        irr.apply(LAYER, PARAMS, SPECIES[:2], X)
