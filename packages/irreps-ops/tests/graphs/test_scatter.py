"""Scatter functions: sums, means and maxima of rows by group, against loops in NumPy."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
from irreps_ops import index_add, scatter_max, scatter_mean, scatter_sum

# For each function the reduction of a group, and the result of an empty one.
REDUCTIONS = {scatter_sum: (np.sum, 0), scatter_mean: (np.mean, 0), scatter_max: (np.max, -np.inf)}
DATA = np.random.default_rng(0).normal(size=(12, 2))
SIZE = 4


def by_loop(f, data, groups, size=SIZE):
    """The definition: rows of groups out of range are dropped."""
    reduce, empty = REDUCTIONS[f]
    rows = [data[groups == group] for group in range(size)]
    return np.stack([reduce(r, axis=0) if len(r) else np.full(data.shape[1:], empty) for r in rows])


@cache
def jitted(f, **options):
    """A function of data and of a dictionary with dst or nel, compiled once."""
    return jax.jit(lambda data, index: f(data, **index, **options))


@pytest.mark.parametrize("f", REDUCTIONS)
@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(-3, SIZE + 2), min_size=12, max_size=12))
def test_rows_are_reduced_by_their_group(f, dst):
    dst = np.array(dst)
    expected = by_loop(f, DATA, dst)
    found = jitted(f, output_size=SIZE)(DATA, {"dst": dst})
    np.testing.assert_allclose(found, expected, atol=1e-12)
    order = np.argsort(dst, kind="stable")
    found = jitted(f, output_size=SIZE, indices_are_sorted=True)(DATA[order], {"dst": dst[order]})
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("f", REDUCTIONS)
@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 3), min_size=SIZE, max_size=SIZE))
def test_counts_are_groups_of_consecutive_rows(f, nel):
    nel, groups = np.array(nel), np.full(12, -1)
    groups[: sum(nel)] = np.repeat(np.arange(SIZE), nel)
    expected = by_loop(f, DATA, groups)
    np.testing.assert_allclose(jitted(f)(DATA, {"nel": nel}), expected, atol=1e-12)
    back = jitted(f, map_back=True)(DATA, {"nel": nel})
    np.testing.assert_allclose(back, np.where(groups[:, None] < 0, 0, expected[groups]), atol=1e-12)


def test_counts_of_several_axes_are_axes_of_the_result():
    data, nel = np.arange(14.0).reshape(7, 2), np.array([[2, 0, 1], [0, 3, 0]])
    groups = np.array([0, 0, 2, 4, 4, 4, -1])
    expected = by_loop(scatter_sum, data, groups, 6).reshape(2, 3, 2)
    np.testing.assert_array_equal(scatter_sum(data, nel=nel), expected)
    np.testing.assert_array_equal(index_add(n_elements=nel, input=data), expected)
    back = jitted(scatter_sum, map_back=True)(data, {"nel": nel})
    np.testing.assert_array_equal(back, np.where(groups[:, None] < 0, 0, expected.reshape(6, 2)[groups]))


def test_rows_and_labels_of_several_axes():
    data, dst = np.arange(12.0).reshape(2, 3, 2), np.array([[0, 2, 0], [1, 2, 2]])
    expected = by_loop(scatter_sum, data.reshape(6, 2), dst.reshape(6), 3)
    np.testing.assert_array_equal(scatter_sum(data, dst=dst, output_size=3), expected)
    np.testing.assert_array_equal(scatter_sum(data, dst=1000 - 7 * dst, map_back=True), expected[dst])


def test_modes_treat_groups_out_of_range():
    ones, outside = jnp.ones(3), jnp.array([-1, 5, 1])
    total = partial(scatter_sum, dst=outside, output_size=3)
    np.testing.assert_array_equal(total(ones), [0, 1, 0])
    np.testing.assert_array_equal(total(ones, mode="fill"), [0, 1, 0])
    np.testing.assert_array_equal(total(ones, mode="clip"), [1, 1, 1])
    np.testing.assert_array_equal(jax.grad(lambda x: total(x).sum())(ones), [0, 0, 1])
    np.testing.assert_array_equal(index_add(jnp.array([0, 2, 2]), ones, out_dim=3), [1, 0, 2])


@pytest.mark.parametrize("f", REDUCTIONS)
def test_masked_rows_contribute_nothing(f):
    data = np.arange(12.0).reshape(6, 2) - 5
    mask, dst, nel = np.array([1, 0, 1, 1, 0, 1], bool), np.array([2, 2, 0, 7, 1, 2]), np.array([2, 0, 3])
    spoiled = jnp.where(mask[:, None], data, jnp.nan)

    @jax.jit
    def run(data):
        modes = [f(data, dst=dst, output_size=3, mask=mask, mode=mode) for mode in ("drop", "fill", "clip")]
        of_counts = f(data, nel=nel, mask=mask), f(data, nel=nel, mask=mask, map_back=True)
        return modes, of_counts, f(data, dst=100 - dst, mask=mask, map_back=True)

    modes, (of_counts, back), labelled = run(spoiled)
    dropped = by_loop(f, data[mask], dst[mask], 3)
    clipped = by_loop(f, data[mask], np.minimum(dst[mask], 2), 3)
    for found, expected in zip(modes, (dropped, dropped, clipped), strict=True):
        np.testing.assert_array_equal(found, expected)
    expected = by_loop(f, data[mask], np.array([0, 2, 2, -1]), 3)
    np.testing.assert_array_equal(of_counts, expected)
    counted = mask & (np.arange(6) < 5)
    np.testing.assert_array_equal(back, np.where(counted[:, None], expected[[0, 0, 2, 2, 2, 0]], 0))
    of_labels = by_loop(f, data[mask], dst[mask], 8)
    np.testing.assert_array_equal(labelled, np.where(mask[:, None], of_labels[dst], 0))

    def total(x):
        y = f(x, nel=nel, mask=mask)
        return jnp.sum(jnp.where(jnp.isfinite(y), y, 0))

    gradient = jax.jit(jax.grad(total))(spoiled)
    assert jnp.isfinite(gradient).all()
    assert not gradient[~mask].any()


def test_irreps_arrays_keep_irreps_and_zero_flags():
    x = ic.IrrepsArray("0e + 1o", jnp.ones((3, 4)).at[:, 0].set(0), zero_flags=[True, False])
    y = scatter_sum(x, dst=jnp.array([0, 0, 1]), output_size=2)
    assert y.irreps == x.irreps
    assert y.zero_flags == x.zero_flags
    np.testing.assert_array_equal(y.array, [[0, 2, 2, 2], [0, 1, 1, 1]])
    assert scatter_mean(x, dst=jnp.array([0, 0, 1]), output_size=2).array[0, 1] == 1
    assert scatter_max(ic.ones("2x0e", (3,)), nel=jnp.array([3])).irreps == "2x0e"


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.int32])
@pytest.mark.parametrize(("rows", "size"), [(0, 0), (0, 2), (3, 2)])
def test_results_have_the_dtype_of_the_data_also_without_rows(dtype, rows, size):
    dst, data = np.zeros(rows, np.int32), jax.ShapeDtypeStruct((rows, 2), dtype)
    with jax.numpy_dtype_promotion("strict"):
        found = [jax.eval_shape(partial(f, dst=dst, output_size=size), data) for f in REDUCTIONS]
        assert jax.eval_shape(partial(scatter_sum, dst=dst, map_back=True), data).shape == data.shape
    assert [y.shape for y in found] == [(size, 2)] * 3
    assert [y.dtype == dtype for y in found] == [True, jnp.issubdtype(dtype, jnp.floating), True]
    assert jnp.issubdtype(found[1].dtype, jnp.floating)


def test_an_empty_list_of_groups_gives_zeros():
    np.testing.assert_array_equal(scatter_sum(jnp.ones(0), dst=[], output_size=2), [0, 0])


@pytest.mark.parametrize("f", REDUCTIONS)
def test_batches_and_derivatives(f):
    dst, data = jnp.array([1, 0, 1]), jnp.arange(6.0).reshape(3, 2)

    def g(x):
        return f(x, dst=dst, output_size=2)

    @jax.jit
    def run(data):
        forward = jax.jvp(g, (data,), (data,))[1]
        return jax.vmap(g, in_axes=1, out_axes=1)(data), g(data), forward, jax.grad(lambda x: jnp.sum(g(x) ** 2))(data)

    mapped, value, forward, gradient = run(data)
    np.testing.assert_allclose(mapped, value)
    np.testing.assert_allclose(forward, value)  # homogeneous of degree 1
    np.testing.assert_allclose(jnp.sum(gradient * data), 2 * jnp.sum(value**2))
    several = jnp.stack([dst, 1 - dst])
    assert jax.eval_shape(jax.vmap(lambda d: f(data, dst=d, output_size=2)), several).shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither"),
        ({"dst": np.zeros(3, int), "nel": np.array([3])}, "both"),
        ({"dst": np.zeros(3, int)}, "output_size"),
        ({"dst": np.zeros(3), "output_size": 2}, "integers dst, got dtype float"),
        ({"dst": np.zeros(2, int), "output_size": 2}, r"\(2,\)"),
        ({"dst": np.zeros(3, int), "output_size": -1}, "got -1"),
        ({"dst": np.zeros(3, int), "output_size": 2.0}, "got 2.0"),
        ({"dst": np.zeros(3, int), "output_size": 2, "map_back": True}, "map_back"),
        ({"dst": np.zeros(3, int), "output_size": 2, "mode": "wrap"}, "'wrap'"),
        ({"nel": np.array([4, -1])}, "0 or more"),
        ({"nel": np.array([4])}, "at most 3"),
        ({"nel": np.array([1.0])}, "integers nel"),
        ({"nel": np.array(1)}, r"got \(\)"),
        ({"nel": np.array([3]), "mask": np.ones(2, bool)}, r"booleans of shape \(3,\), got bool\(2,\)"),
        ({"nel": np.array([3]), "mask": np.ones(3)}, "got float"),
        ({"nel": np.array([3]), "output_size": 1}, "output_size"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(options, message):
    with pytest.raises(ValueError, match=message):
        scatter_sum(jnp.ones((3, 2)), **options)


def test_the_maximum_of_vectors_is_refused():
    with pytest.raises(ValueError, match="scalars"):
        scatter_max(ic.zeros("1o", (3,)), nel=jnp.array([3]))


def test_agreement_with_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    data, dst = jnp.linspace(0, 1, 12).reshape(6, 2), jnp.array([0, 3, 1, 1, 3, 0])
    for f in REDUCTIONS:
        theirs = getattr(e3nn, f.__name__)
        np.testing.assert_allclose(f(data, dst=dst, output_size=5), theirs(data, dst=dst, output_size=5))
        nel = jnp.array([2, 0, 3, 1])
        np.testing.assert_allclose(f(data, nel=nel), theirs(data, nel=nel))
