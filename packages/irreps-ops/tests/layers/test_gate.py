"""The layer `Gate`: the gate, and the linear map before it. The gate itself is tested in test_activation.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

X = ic.normal("3x0e + 0o + 2x1o", jax.random.key(0), (4,), dtype=jnp.float64)
KEY = jax.random.key(1)


def test_alone_it_is_the_function():
    layer = irr.Gate(even_act=jnp.tanh, normalize_act=False)
    assert irr.init(layer, KEY, X) == {}
    expected = irr.gate(X, even_act=jnp.tanh, normalize_act=False)
    found = irr.apply(layer, {}, X)
    assert found.irreps == expected.irreps
    np.testing.assert_array_equal(found.array, expected.array)


def test_makes_what_it_is_told_of_a_linear_map():
    layer = irr.Gate("2x1o + 0o + 4x0e + 2x2e")
    params = irr.init(layer, KEY, X)
    linear = irr.Linear("0o + 6x0e + 2x1o", force_irreps_out=True)
    expected = irr.gate(irr.apply(linear, params["linear"], X))
    found = irr.apply(layer, params, X)
    assert found.irreps == "0o + 4x0e + 2x1o"  # scalars first; of nothing comes no 2e
    np.testing.assert_array_equal(found.array, expected.array)


def test_is_equivariant():
    layer = irr.Gate("4x0e + 2x0o + 3x1o")
    params = irr.init(layer, KEY, X)
    assert_equivariant(lambda x: irr.apply(layer, params, x), KEY, X.irreps, leading_shape=(2,), dtype=jnp.float64)


def test_of_scalars_alone_needs_no_gates():
    params = irr.init(irr.Gate("5x0e"), KEY, X)
    assert jax.tree.map(jnp.shape, params) == {"linear": {"w[0,0] 3x0e,5x0e": (3, 5)}}


def test_bad_use_is_named():
    with pytest.raises(ValueError, match=r"even scalars \(0e\), from which to make the gates of 1x1o, got 2x1o"):
        irr.apply(irr.Gate("1o"), {}, X.filter("1o"))
    with pytest.raises(ValueError, match="2 more scalars"):
        irr.apply(irr.Gate(), {}, X.filter("1o"))
