"""The layer `Dropout`: whole irreps, the right share of them, scaled so that the mean is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
X = ic.IrrepsArray("20x0e + 20x1o + 20x2e", jnp.ones((50, 3, 180), jnp.float64))


def factors(y):
    """The factor of each irrep, of shape (batch, 3, irreps), once it is the same for all components."""
    parts = []
    for (mul, ir), chunk in zip(y.irreps, y.chunks, strict=True):
        chunk = jnp.zeros((*y.shape[:-1], mul, ir.dim)) if chunk is None else chunk
        np.testing.assert_array_equal(chunk, jnp.broadcast_to(chunk[..., :1], chunk.shape))
        parts.append(np.asarray(chunk[..., 0]))
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("p", [0.0, 0.25, 0.7, 1.0])
def test_each_row_and_irrep_is_drawn_once(p):
    found = factors(irr.apply(irr.Dropout(p), {}, X, key=KEY))
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))  # other axes share the draw
    drawn = found[:, 0]
    kept = 1 / (1 - p) if p < 1 else 0.0
    assert set(np.unique(drawn)) <= {0.0, kept}
    # 3000 draws: five standard deviations.
    assert abs((drawn == 0).mean() - p) <= 5 * np.sqrt(p * (1 - p) / drawn.size)
    if 0 < p < 1:
        # Neither rows nor items of one multiplicity go together.
        for one, other in ((drawn[0], drawn[1]), (drawn[:, :20], drawn[:, 20:40]), (drawn[:, 20:40], drawn[:, 40:])):
            assert (one != other).any()


def test_keys_decide():
    layer = irr.Dropout(0.5)
    one = layer(None, KEY, X).array  # with a key of its own it asks for nothing
    np.testing.assert_array_equal(layer(None, KEY, X, True).array, one)
    assert not jnp.array_equal(layer(None, jax.random.key(1), X).array, one)
    old = jax.random.PRNGKey(0)
    np.testing.assert_array_equal(jax.jit(lambda key: layer(None, key, X).array)(old), layer(None, old, X).array)
    twice = [irr.apply(layer, {}, X, key=jax.random.key(i)).array for i in range(2)]
    assert not jnp.array_equal(*twice)
    assert irr.init(layer, KEY, X) == irr.init_state(layer, KEY, X) == {}


def test_without_training_nothing_happens():
    layer = irr.Dropout(0.5, irreps=X.irreps)
    for y in (irr.apply(layer, {}, X, is_training=False), layer(None, KEY, X, False), layer(None, X, False)):
        np.testing.assert_array_equal(y.array, X.array)


def test_symmetry_derivatives_and_small_batches():
    layer = irr.Dropout(0.5)
    x = ic.IrrepsArray("2x1o + 0o", np.random.default_rng(0).normal(size=(4, 7)))
    mirror = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))
    dropped = layer(None, KEY, x)
    on_numpy = ic.IrrepsArray(x.irreps, np.asarray(dropped.array))
    np.testing.assert_allclose(
        layer(None, KEY, x.transform_by_matrix(mirror)).array, on_numpy.transform_by_matrix(mirror).array, atol=1e-14
    )
    slope = jax.jit(jax.grad(lambda a: layer(None, KEY, ic.IrrepsArray(x.irreps, a)).array.sum()))(x.array)
    assert set(np.unique(slope)) == {0.0, 2.0}
    assert layer(None, KEY, x[:0]).shape == (0, 7)
    small = layer(None, KEY, x[0].astype(np.float32))
    assert (small.shape, small.dtype) == ((7,), jnp.float32)


def test_bad_use_is_named():
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="probability p between 0 and 1"):
            irr.Dropout(p)
    with pytest.raises(TypeError, match=r"called as \(x\), \(key, x\)"):
        irr.apply(irr.Dropout(0.5), {}, X.array, key=KEY)
    with pytest.raises(ValueError, match="random key, 'dropout'"):
        irr.apply(irr.Dropout(0.5), {}, X)
    with pytest.raises(ValueError, match="1x4e"):
        irr.apply(irr.Dropout(0.5, irreps="4e"), {}, X, key=KEY)
