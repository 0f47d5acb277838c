"""The layer `Gate`: the gate, and the linear map before it. The conformance kit tests its symmetry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

X = ic.IrrepsArray("3x0e + 0o + 2x1o", np.random.default_rng(0).normal(size=(4, 10)))
KEY = jax.random.key(1)


def test_without_irreps_out_it_is_the_function():
    layer = irr.Gate(even_act=jnp.tanh, normalize_act=False)
    assert irr.init(layer, KEY, X) == {}
    found, expected = jax.jit(lambda x: (irr.apply(layer, {}, x), irr.gate(x, even_act=jnp.tanh, normalize_act=False)))(
        X
    )
    assert found.irreps == expected.irreps
    np.testing.assert_array_equal(found.array, expected.array)


def test_with_irreps_out_it_follows_a_linear_map():
    layer = irr.Gate("2x1o + 0o + 4x0e + 2x2e")
    linear = irr.Linear("0o + 6x0e + 2x1o", force_irreps_out=True)

    specs = irr.bindings.parameter_specs(layer, X)
    params = jax.tree.map(lambda spec: np.random.default_rng(0).normal(size=spec.shape), specs)

    @jax.jit
    def both(x):
        return irr.apply(layer, params, x), irr.gate(irr.apply(linear, params["linear"], x))

    found, expected = both(X)
    assert found.irreps == "0o + 4x0e + 2x1o"  # scalars first; 2e is dropped
    np.testing.assert_array_equal(found.array, expected.array)


def test_scalars_need_no_gates():
    specs = irr.bindings.parameter_specs(irr.Gate("5x0e"), X)
    assert specs["linear"]["w[0,0] 3x0e,5x0e"].shape == (3, 5)


def test_too_few_scalars_are_refused():
    with pytest.raises(ValueError, match=r"even scalars \(0e\), from which to make the gates of 1x1o, got 2x1o"):
        irr.apply(irr.Gate("1o"), {}, X.filter("1o"))
    with pytest.raises(ValueError, match="2 more scalars"):
        irr.apply(irr.Gate(), {}, X.filter("1o"))
