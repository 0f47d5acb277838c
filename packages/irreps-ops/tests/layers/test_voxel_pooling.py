"""The layer `VoxelPooling`: Gaussian averages, symmetries of the grid, and the suppression of fine patterns."""

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

X = ic.IrrepsArray("0e + 1o", np.random.default_rng(0).normal(size=(6, 4, 4, 4)))
apply = jax.jit(irr.apply, static_argnums=0)


def pooled(x, *args, **options):
    return apply(irr.VoxelPooling(*args, **options), {}, x)


def average(values, n, m):
    """The average along the first axis, voxel by voxel."""
    sigma = 0.5 * np.sqrt((n / m) ** 2 - 1)
    offsets = np.arange(-40, 41)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    return [np.tensordot(weights / weights.sum(), values[np.clip(i + offsets, 0, n - 1)], 1) for i in range(n)]


def test_it_averages_then_resamples():
    found = pooled(X, output_size=(2, 4, 8))
    smooth = ic.IrrepsArray(X.irreps, np.array(average(X.array, 6, 2)))
    expected = jax.jit(lambda x: irr.zoom(x, output_size=(2, 4, 8)))(smooth)  # only the first axis shrinks
    assert found.shape == (2, 4, 8, 4)
    np.testing.assert_allclose(found.array, expected.array, atol=1e-7)


def test_without_smoothing_it_is_zoom():
    expected = jax.jit(lambda x: irr.zoom(x, resize_rate=0.5, interpolation="nearest"))(X)
    found = pooled(X, 0.5, interpolation="nearest", smoothing=0)
    np.testing.assert_array_equal(found.array, expected.array)


def test_constant_fields_remain_and_the_finest_pattern_vanishes():
    ones = ic.IrrepsArray("0e", np.ones((8, 8, 8, 1)))
    np.testing.assert_allclose(pooled(ones, 0.5).array, 1, rtol=1e-12)
    stripes = ic.IrrepsArray("0e", np.resize([1.0, -1.0], (48, 1, 1, 1)))

    def left(**options):
        found = np.asarray(pooled(stripes, output_size=(12, 1, 1), **options).array)
        return np.abs(found[4:-4]).max()  # far from the ends

    assert left(interpolation="nearest") < 1e-6 < 0.1 < left(interpolation="nearest", smoothing=0.1)


def test_commutes_with_rotations_of_the_grid():
    """A quarter turn about y maps z to x and x to -z, on the grid and in the vectors."""
    x = ic.IrrepsArray("0e + 1o", np.random.default_rng(1).normal(size=(4, 4, 4, 4)))

    def turned(field):
        moved = np.rot90(np.asarray(field.array), 1, axes=(2, 0))
        return ic.IrrepsArray(field.irreps, moved).transform_by_axis_angle(np.array([0.0, 1.0, 0.0]), np.pi / 2)

    np.testing.assert_allclose(pooled(turned(x), 0.5).array, turned(pooled(x, 0.5)).array, atol=1e-12)


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match="smoothing of 0 or more, got -1"):
        irr.VoxelPooling(0.5, smoothing=-1)
    with pytest.raises(ValueError, match="either resize_rate or output_size"):
        irr.VoxelPooling()
    with pytest.raises(ValueError, match="'linear' or 'nearest', got 'cubic'"):
        irr.VoxelPooling(0.5, interpolation="cubic")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"VoxelPooling expects a field of shape .*, got shape \(4,\)"):
        pooled(ic.ones("0e + 1o"), 0.5)
