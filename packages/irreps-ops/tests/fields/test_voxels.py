"""Fields on a grid: resampling and reading between the voxels, against SciPy and exact fractions."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import irreps_core as ic
import irreps_ops as irr

RNG = np.random.default_rng(0)
FIELD = RNG.normal(size=(2, 3, 4, 5))
# One program compiles faster than its many operations.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def zoom(field, **options):
    return compiled(partial(irr.zoom, **options))(field)


def centres(n: int, m: int) -> np.ndarray:
    return (np.arange(m) + 0.5) * n / m - 0.5


def scipy_zoom(field: np.ndarray, size: tuple[int, int, int], order: int) -> np.ndarray:
    points = np.meshgrid(*[centres(n, m) for n, m in zip(field.shape[-3:], size, strict=True)], indexing="ij")
    return np.stack([ndimage.map_coordinates(f, points, order=order, mode="nearest") for f in field])


@pytest.mark.parametrize("size", [(3, 4, 5), (6, 1, 3), (7, 9, 2)])
def test_linear_zoom_interpolates_at_the_centres_as_scipy_does(size):
    np.testing.assert_allclose(zoom(jnp.array(FIELD), output_size=size), scipy_zoom(FIELD, size, 1), atol=1e-14)


@pytest.mark.parametrize(("n", "m"), [(2, 7), (4, 10), (9, 6), (5, 5), (3, 1)])
def test_nearest_zoom_is_exact_and_keeps_integers(n, m):
    """Positions that floating-point numbers round to the wrong side of a tie are among them: 2 to 7, 4 to 10."""
    expected = [round(Fraction((2 * i + 1) * n, 2 * m) - Fraction(1, 2)) for i in range(m)]
    found = zoom(np.arange(n)[None, :, None], output_size=(1, m, 1), interpolation="nearest")
    assert jnp.issubdtype(found.dtype, jnp.integer)
    np.testing.assert_array_equal(found[0, :, 0], np.clip(expected, 0, n - 1))


def test_a_rate_is_for_each_axis_or_for_all():
    field = jnp.array(FIELD)
    np.testing.assert_array_equal(zoom(field, resize_rate=2), zoom(field, output_size=(6, 8, 10)))
    np.testing.assert_array_equal(zoom(field, resize_rate=(1, 0.5, 0.4)), zoom(field, output_size=(3, 2, 2)))


def test_each_component_of_irreps_is_resampled():
    x = ic.IrrepsArray("0e + 1o", jnp.array(RNG.normal(size=(2, 3, 4, 5, 4))))

    @compiled
    def read(x):
        at = 0.3, jnp.array([1.0, 2.5]), 3.9
        return (
            irr.zoom(x, output_size=(2, 2, 7)),
            irr.zoom(jnp.moveaxis(x.array, -1, 1), output_size=(2, 2, 7)),
            irr.interpolate_trilinear(x, *at),
            irr.interpolate_trilinear(x.array[..., 2], *at),
        )

    found, expected, point, component = read(x)
    assert found.irreps == x.irreps
    np.testing.assert_array_equal(found.array, np.moveaxis(expected, 1, -1))
    assert point.shape == (2, 2, 4)
    np.testing.assert_allclose(point.array[..., 2], component, atol=1e-14)
    flagged = ic.from_chunks("0e + 1o", [x.array[..., :1, None], None], x.shape[:-1])
    assert irr.zoom(flagged, output_size=(3, 4, 4)).zero_flags == (False, True)


def test_linear_zoom_keeps_the_symmetries_of_the_cube():
    turns = (lambda f: f[::-1], lambda f: jnp.rot90(f, axes=(0, 2)), lambda f: jnp.transpose(f, (2, 0, 1)))

    @compiled
    def both(field):
        cases = [(turn, partial(irr.zoom, output_size=(m, m, m))) for turn in turns for m in (2, 3, 6)]
        return [(zoom(turn(field)), turn(zoom(field))) for turn, zoom in cases]

    for one, other in both(RNG.normal(size=(4, 4, 4))):
        np.testing.assert_allclose(one, other, atol=1e-15)


def test_interpolation_agrees_with_scipy():
    points = RNG.uniform(-2, 6, (3, 4, 5))
    found, nearest = compiled(lambda f, *p: (irr.interpolate_trilinear(f, *p), irr.interpolate_nearest(f, *p)))(
        FIELD, *points
    )
    expected = np.stack([ndimage.map_coordinates(f, points, order=1, mode="nearest") for f in FIELD])
    np.testing.assert_allclose(found, expected, atol=1e-14)
    expected = np.stack([ndimage.map_coordinates(f, points, order=0, mode="nearest") for f in FIELD])
    np.testing.assert_array_equal(nearest, expected)


def test_beyond_the_grid_the_field_is_constant():
    line = np.arange(4.0)[:, None, None]

    @compiled
    def read(line, x):
        return irr.interpolate_trilinear(line, x, 0.0, 0.0), irr.interpolate_nearest(line, x, 0.0, 0.0)

    for values in read(line, np.array([-1e30, -1e10, 1e10, 1e30])):
        np.testing.assert_array_equal(values, [0, 0, 3, 3])
    slopes = compiled(jax.vmap(jax.grad(lambda x: irr.interpolate_trilinear(line**2, x, 0.0, 0.0))))
    np.testing.assert_array_equal(slopes(np.array([-3.0, 1.0, 1.5, 8.0])), [0, 3, 3, 0])


def test_float32_stays_float32():
    x = np.ones((2, 2, 2), np.float32)
    assert jax.eval_shape(lambda: irr.zoom(x, output_size=(3, 3, 3))).dtype == jnp.float32
    assert jax.eval_shape(lambda: irr.interpolate_trilinear(x, np.float64(0.5), 0.0, 0.0)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "either resize_rate or output_size"),
        ({"resize_rate": 2, "output_size": (1, 1, 1)}, "either resize_rate or output_size"),
        ({"resize_rate": (1, 2)}, "each of 3 axes"),
        ({"resize_rate": 0.1}, r"3 positive integers, got \[0"),
        ({"resize_rate": -1.0}, "positive number resize_rate"),
        ({"output_size": (1, 2)}, "3 positive integers"),
        ({"output_size": (1, 2, 1.5)}, "3 positive integers"),
        ({"output_size": (1, 1, 1), "interpolation": "cubic"}, "got 'cubic'"),
    ],
)
def test_errors_of_zoom_name_the_expected_and_the_received_argument(options, match):
    with pytest.raises(ValueError, match=match):
        irr.zoom(jnp.array(FIELD), **options)


def test_fields_without_voxels_are_refused():
    with pytest.raises(ValueError, match=r"\(\.\.\., nx, ny, nz, irreps\)"):
        irr.zoom(ic.ones("0e", (3, 3)), resize_rate=1)
    with pytest.raises(ValueError, match="at least one voxel"):
        irr.interpolate_nearest(jnp.ones((3, 0, 3)), 0, 0, 0)


def test_agreement_with_e3nn_jax():
    theirs = pytest.importorskip("e3nn_jax.experimental.voxel_pooling")
    field, size = jnp.array(FIELD), (5, 2, 8)
    for interpolation in ("linear", "nearest"):
        options = {"output_size": size, "interpolation": interpolation}
        np.testing.assert_allclose(irr.zoom(field, **options), theirs.zoom(field, **options), atol=1e-14)
