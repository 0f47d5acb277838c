"""The layer `LayerNorm`: its parameters, and that it is the function `layer_norm`."""

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

IRREPS = ic.Irreps("4x0e + 3x0o + 2x1o + 0x2e + 1x2e + 2x0e")
SCALE, BIAS = np.linspace(0.5, 2, IRREPS.num_irreps), np.linspace(-1, 1, 6)
X = ic.IrrepsArray(IRREPS, np.random.default_rng(0).normal(size=(5, IRREPS.dim)))


def test_it_is_the_function_with_its_parameters():
    layer, plain = irr.LayerNorm(irreps=IRREPS, eps=1e-2, normalization="norm"), irr.LayerNorm(affine=False)

    @jax.jit
    def pairs(x):
        with_parameters = irr.layer_norm(x, SCALE, BIAS, eps=1e-2, normalization="norm")
        found = irr.apply(layer, {"weight": SCALE, "bias": BIAS}, x)
        return (found, with_parameters), (irr.apply(plain, {}, x), irr.layer_norm(x))

    for found, expected in pairs(X):
        np.testing.assert_array_equal(found.array, expected.array)


def test_the_first_parameters_change_nothing():
    first = irr.init(irr.LayerNorm(irreps=IRREPS), jax.random.key(0), X)
    np.testing.assert_array_equal(first["weight"], np.ones(IRREPS.num_irreps))
    np.testing.assert_array_equal(first["bias"], np.zeros(6))
    assert irr.init(irr.LayerNorm(affine=False), jax.random.key(0), X) == {}


def test_errors_name_the_wrong_argument():
    with pytest.raises(ValueError, match="'component' or 'norm', got 'sum'"):
        irr.LayerNorm(normalization="sum")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="positive number eps, got 0"):
        irr.LayerNorm(eps=0)
    with pytest.raises(ValueError, match=r"LayerNorm was made for irreps=2x0e, got input of irreps 4x0e"):
        irr.apply(irr.LayerNorm(irreps="2x0e"), {}, X)
