"""The layer `VoxelPooling`: averages written out, symmetries of the grid, what the new voxels cannot show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

X = ic.normal("0e + 1o", jax.random.key(0), (6, 4, 4), dtype=jnp.float64)


def pooled(x, *args, **options):
    return irr.apply(irr.VoxelPooling(*args, **options), {}, x)


def average(values, n, m):
    """Along the first axis, one voxel after the other."""
    sigma = 0.5 * np.sqrt((n / m) ** 2 - 1)
    offsets = np.arange(-40, 41)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    return [np.tensordot(weights / weights.sum(), values[np.clip(i + offsets, 0, n - 1)], 1) for i in range(n)]


def test_is_an_average_and_a_resampling():
    found = pooled(X, output_size=(2, 4, 8))
    smooth = ic.IrrepsArray(X.irreps, jnp.asarray(np.array(average(np.asarray(X.array), 6, 2))))
    expected = irr.zoom(smooth, output_size=(2, 4, 8))  # only the first axis shrinks
    assert found.shape == (2, 4, 8, 4)
    np.testing.assert_allclose(found.array, expected.array, atol=1e-7)


def test_without_smoothing_it_is_zoom():
    expected = irr.zoom(X, resize_rate=0.5, interpolation="nearest")
    found = pooled(X, 0.5, interpolation="nearest", smoothing=0)
    np.testing.assert_array_equal(found.array, expected.array)


def test_constants_stay_and_the_finest_pattern_goes():
    ones = ic.ones("0e", (8, 8, 8), dtype=jnp.float64)
    np.testing.assert_allclose(pooled(ones, 0.5).array, 1, rtol=1e-12)
    stripes = ic.IrrepsArray("0e", jnp.resize(jnp.array([1.0, -1.0], jnp.float64), (48, 1, 1, 1)))

    def left(**options):
        return float(jnp.abs(pooled(stripes, output_size=(12, 1, 1), **options).array[4:-4]).max())  # far from the ends

    assert left(interpolation="nearest") < 1e-6 < 0.1 < left(interpolation="nearest", smoothing=0.1)


def test_commutes_with_rotations_of_the_grid():
    """A quarter turn about y takes the grid's z to x, and x to -z; of the vectors, too."""
    x = ic.normal("0e + 1o", jax.random.key(1), (4, 4, 4), dtype=jnp.float64)

    def turned(field):
        moved = jnp.rot90(field.array, 1, axes=(2, 0))
        return ic.IrrepsArray(field.irreps, moved).transform_by_axis_angle(jnp.array([0.0, 1.0, 0.0]), jnp.pi / 2)

    np.testing.assert_allclose(pooled(turned(x), 0.5).array, turned(pooled(x, 0.5)).array, atol=1e-12)


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="smoothing of 0 or more, got -1"):
        irr.VoxelPooling(0.5, smoothing=-1)
    with pytest.raises(ValueError, match="either resize_rate or output_size"):
        irr.VoxelPooling()
    with pytest.raises(ValueError, match="'linear' or 'nearest', got 'cubic'"):
        irr.VoxelPooling(0.5, interpolation="cubic")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"VoxelPooling expects a field of shape .*, got shape \(4,\)"):
        pooled(ic.ones("0e + 1o"), 0.5)
