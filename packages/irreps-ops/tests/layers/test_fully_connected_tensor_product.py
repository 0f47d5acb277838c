"""The layer `FullyConnectedTensorProduct`: its parameters, and that it is the functional product."""

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

IRREPS = ("4x0e + 3x1o", "0e + 2x1o", "5x0e + 3x1o + 2x1e + 2e")
PRODUCT = irr.FunctionalFullyConnectedTensorProduct(*IRREPS)


def data(*shape: int, irreps: str) -> ic.IrrepsArray:
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, np.random.default_rng(irreps.dim).normal(size=(*shape, irreps.dim)))


X, Y = data(4, irreps=IRREPS[0]), data(irreps=IRREPS[1])
SCALARS = ic.IrrepsArray(X.irreps, X.array, zero_flags=[False, True])


def test_it_is_the_functional_product_of_its_parameters() -> None:
    layer = irr.FullyConnectedTensorProduct(IRREPS[2])

    @jax.jit
    def both(x: ic.IrrepsArray, y: ic.IrrepsArray) -> tuple:
        parameters = irr.init(layer, jax.random.key(0), x, y)
        weights = [parameters[PRODUCT.parameter_name(c)] for c in PRODUCT.couplings]
        return parameters, irr.apply(layer, parameters, x, y), PRODUCT(weights, x, y)

    parameters, found, expected = both(X, Y)
    assert sorted(parameters) == sorted(PRODUCT.parameter_name(c) for c in PRODUCT.couplings)
    np.testing.assert_allclose(found.array, expected.array, atol=1e-13)


def parameters_of(layer: irr.FullyConnectedTensorProduct, x: ic.IrrepsArray) -> dict:
    return irr.bindings.parameter_specs(layer, x, Y)


def test_known_zeros_have_no_parameters_unless_the_irreps_are_given() -> None:
    every = parameters_of(irr.FullyConnectedTensorProduct(IRREPS[2]), X)
    assert parameters_of(irr.FullyConnectedTensorProduct(IRREPS[2]), SCALARS).keys() < every.keys()
    whole = irr.FullyConnectedTensorProduct(IRREPS[2], irreps_in1=IRREPS[0], irreps_in2=IRREPS[1])
    assert parameters_of(whole, SCALARS).keys() == every.keys()
    with pytest.raises(ValueError, match=r"irreps_in1=4x0e\+3x1o, got input of irreps 1x0e"):
        parameters_of(whole, Y)


def test_the_gradient_normalization_is_in_the_initial_weights() -> None:
    layer = irr.FullyConnectedTensorProduct(IRREPS[2], gradient_normalization="element")
    spec = parameters_of(layer, X)["w[0,0,0] 4x0e,1x0e,5x0e"]
    expected = (
        irr.FunctionalFullyConnectedTensorProduct(*IRREPS, gradient_normalization="element").couplings[0].weight_std
    )
    assert expected < 1
    assert np.std(spec.initializer(jax.random.key(0), (100, 100), np.float32)) == pytest.approx(expected, rel=0.05)
