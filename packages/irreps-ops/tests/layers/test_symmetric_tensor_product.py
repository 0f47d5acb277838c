"""The layer `SymmetricTensorProduct`: names, channels, what is kept. Its numbers are those of the contraction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

KEY = jax.random.key(0)
X = ic.normal("0e + 1o", KEY, (2, 3, 5), dtype=jnp.float64)


def test_square_of_a_vector_by_hand():
    layer = irr.SymmetricTensorProduct((2,), {"0e"})
    x = X.filter("1o")
    y = irr.apply(layer, {"w2_0e": jnp.full((1, 5), 3**0.5)}, x)
    np.testing.assert_allclose(y.array[..., 0], jnp.sum(x.array**2, axis=-1), atol=1e-13)


def test_each_channel_has_its_weights():
    layer = irr.SymmetricTensorProduct((1, 2), "0e + 1o")
    params = irr.init(layer, KEY, X)
    assert all(leaf.shape[-1] == 5 for leaf in jax.tree.leaves(params))
    assert jnp.std(jnp.concatenate(list(params.values()))) > 0.5
    y = irr.apply(layer, params, X)
    for c in (0, 4):
        alone = irr.apply(layer, {name: w[:, c : c + 1] for name, w in params.items()}, X[:, :, c : c + 1])
        np.testing.assert_allclose(alone.array[:, :, 0], y.array[:, :, c], atol=1e-13)
    assert_equivariant(lambda x: irr.apply(layer, params, x), KEY, "0e + 1o", leading_shape=(2, 5), dtype=jnp.float64)


@pytest.mark.parametrize("keep", ["0e + 1o + 7e", {"0e", "1o"}, frozenset({ic.Irrep("1o"), ic.Irrep("0e")}), None])
def test_what_is_kept(keep):
    layer = irr.SymmetricTensorProduct([1, 2], keep)
    y = irr.apply(layer, irr.init(layer, KEY, X), X)
    assert y.irreps == ("0e + 1o + 2e" if keep is None else "0e + 1o")
    assert hash(layer) == hash(irr.SymmetricTensorProduct((1, 2), keep))


def test_weights_may_come_from_elsewhere():
    asked = {}

    def get_parameter(name, shape, dtype):
        asked[name] = shape
        return jnp.ones(shape, dtype)

    layer = irr.SymmetricTensorProduct((1, 2), "0e", get_parameter)
    assert irr.init(layer, KEY, X) == {}
    ones = {name: jnp.ones(shape) for name, shape in asked.items()}
    assert list(ones) == ["w2_0e", "w1_0e"]  # the order of e3nn-jax: a key of Haiku makes the same parameters
    np.testing.assert_array_equal(
        irr.apply(layer, {}, X).array, irr.apply(irr.SymmetricTensorProduct((1, 2), "0e"), ones, X).array
    )


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="orders must be different positive integers"):
        irr.SymmetricTensorProduct((1, 1))
    with pytest.raises(ValueError, match=r"x must have shape \(..., channels, 4\), got \(4,\)"):
        irr.init(irr.SymmetricTensorProduct((1,)), KEY, X[0, 0, 0])
    with pytest.raises(ValueError, match="7e cannot be made of"):
        irr.init(irr.SymmetricTensorProduct((1,), "7e"), KEY, X)
