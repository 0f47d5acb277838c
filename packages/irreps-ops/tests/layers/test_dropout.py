"""The layer `Dropout`: the share of irreps that are zero, and the scale that keeps the mean.

The conformance kit tests its symmetry, derivatives, empty batches and dtypes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
X = ic.IrrepsArray("20x0e + 20x1o + 20x2e", np.ones((50, 3, 180)))


def factors(y):
    """The factor of each irrep, of shape (batch, 3, irreps), once it is the same for all components."""
    parts = []
    for (mul, ir), chunk in zip(y.irreps, y.chunks, strict=True):
        chunk = np.zeros((*y.shape[:-1], mul, ir.dim)) if chunk is None else np.asarray(chunk)
        np.testing.assert_array_equal(chunk, np.broadcast_to(chunk[..., :1], chunk.shape))
        parts.append(chunk[..., 0])
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("p", [0.0, 0.25, 0.7, 1.0])
def test_each_irrep_of_each_element_is_drawn_once(p):
    found = factors(jax.jit(lambda x: irr.apply(irr.Dropout(p), {}, x, key=KEY))(X))
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))  # other axes share the draw
    drawn = found[:, 0]
    kept = 1 / (1 - p) if p < 1 else 0.0
    assert set(np.unique(drawn)) <= {0.0, kept}
    # 3000 draws: five standard deviations.
    assert abs((drawn == 0).mean() - p) <= 5 * np.sqrt(p * (1 - p) / drawn.size)
    if 0 < p < 1:
        # Neither elements of the batch nor irreps share a draw.
        for one, other in ((drawn[0], drawn[1]), (drawn[:, :20], drawn[:, 20:40]), (drawn[:, 20:40], drawn[:, 40:])):
            assert (one != other).any()


def test_the_output_depends_on_the_key_alone():
    layer = irr.Dropout(0.5)
    one = layer(None, KEY, X).array  # with a key of its own it asks for nothing
    np.testing.assert_array_equal(layer(None, KEY, X, True).array, one)
    assert not jnp.array_equal(layer(None, jax.random.key(1), X).array, one)
    old = jax.random.PRNGKey(0)
    np.testing.assert_array_equal(jax.jit(lambda key: layer(None, key, X).array)(old), layer(None, old, X).array)
    twice = [irr.apply(layer, {}, X, key=jax.random.key(i)).array for i in range(2)]
    assert not jnp.array_equal(*twice)
    assert irr.init(layer, KEY, X) == irr.init_state(layer, KEY, X) == {}


def test_data_without_a_batch_is_one_element():
    y = irr.Dropout(0.5)(None, KEY, ic.IrrepsArray("2x1o + 0o", np.ones(7, np.float32)))
    assert (y.shape, y.dtype) == ((7,), jnp.float32)
    assert set(factors(y)) <= {0.0, 2.0}


def test_evaluation_returns_the_data():
    layer = irr.Dropout(0.5, irreps=X.irreps)
    for y in (irr.apply(layer, {}, X, is_training=False), layer(None, KEY, X, False), layer(None, X, False)):
        np.testing.assert_array_equal(y.array, X.array)


def test_errors_name_the_argument_and_its_value():
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="probability p between 0 and 1"):
            irr.Dropout(p)
    with pytest.raises(TypeError, match=r"called as \(x\), \(key, x\)"):
        irr.apply(irr.Dropout(0.5), {}, X.array, key=KEY)
    with pytest.raises(ValueError, match="random key, 'dropout'"):
        irr.apply(irr.Dropout(0.5), {}, X)
    with pytest.raises(ValueError, match="1x4e"):
        irr.apply(irr.Dropout(0.5, irreps="4e"), {}, X, key=KEY)
