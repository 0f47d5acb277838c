"""Scatter against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irreps_core as ic
from irreps_ops import index_add, scatter_max, scatter_mean, scatter_sum


def groups_by_loop(data, dst, size):
    """For each place the rows that go there; rows elsewhere are dropped."""
    places = [[] for _ in range(size)]
    for row, i in zip(data, dst, strict=True):
        if 0 <= i < size:
            places[i].append(row)
    return places


# Of one length, so that it is compiled once.
@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(-3, 6), min_size=7, max_size=7), st.just(4))
def test_against_a_loop(dst, size):
    data = np.random.default_rng(0).normal(size=(len(dst), 2))
    places = groups_by_loop(data, dst, size)
    options = {"dst": jnp.array(dst, int), "output_size": size}
    total = [np.sum(rows, axis=0) if rows else np.zeros(2) for rows in places]
    mean = [np.mean(rows, axis=0) if rows else np.zeros(2) for rows in places]
    largest = [np.max(rows, axis=0) if rows else np.full(2, -np.inf) for rows in places]
    np.testing.assert_allclose(scatter_sum(jnp.asarray(data), **options), total, atol=1e-12)
    np.testing.assert_allclose(scatter_mean(jnp.asarray(data), **options), mean, atol=1e-12)
    np.testing.assert_array_equal(scatter_max(jnp.asarray(data), **options), largest)
    order = np.argsort(dst, kind="stable")
    ascending = {"dst": jnp.array(dst, int)[order], "output_size": size, "indices_are_sorted": True}
    np.testing.assert_allclose(scatter_sum(jnp.asarray(data[order]), **ascending), total, atol=1e-12)


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_counts_leave_padding_out(nel):
    dst = np.repeat(np.arange(len(nel)), nel)
    data = jnp.asarray(np.random.default_rng(0).normal(size=(12, 2)))
    for f in (scatter_sum, scatter_mean, scatter_max):
        expected = f(data[: len(dst)], dst=jnp.asarray(dst), output_size=len(nel))
        np.testing.assert_allclose(f(data, nel=jnp.asarray(nel)), expected, atol=1e-12)
        np.testing.assert_allclose(jax.jit(lambda d, n, f=f: f(d, nel=n))(data, jnp.asarray(nel)), expected, atol=1e-12)
        back = f(data, nel=jnp.asarray(nel), map_back=True)
        np.testing.assert_allclose(back[: len(dst)], expected[dst], atol=1e-12)
        assert not back[len(dst) :].any()


def test_many_axes_labels_and_modes():
    data = jnp.arange(12.0).reshape(2, 3, 2)
    dst = jnp.array([[0, 2, 0], [1, 2, 2]])
    expected = scatter_sum(data.reshape(6, 2), dst=dst.reshape(6), output_size=3)
    np.testing.assert_array_equal(scatter_sum(data, dst=dst, output_size=3), expected)
    labels = 1000 - 7 * dst
    np.testing.assert_array_equal(scatter_sum(data, dst=labels, map_back=True), expected[dst])
    ones, outside = jnp.ones(3), jnp.array([-1, 5, 1])
    np.testing.assert_array_equal(scatter_sum(ones, dst=outside, output_size=3, mode="clip"), [1, 1, 1])
    np.testing.assert_array_equal(jax.grad(lambda x: scatter_sum(x, dst=outside, output_size=3).sum())(ones), [0, 0, 1])
    np.testing.assert_array_equal(index_add(jnp.array([0, 2, 2]), ones, out_dim=3), [1, 0, 2])


@pytest.mark.parametrize("f", [scatter_sum, scatter_mean, scatter_max])
def test_what_a_mask_leaves_out_does_not_exist(f):
    data = jnp.arange(12.0).reshape(6, 2) - 5
    mask, dst, nel = jnp.array([1, 0, 1, 1, 0, 1], bool), jnp.array([2, 2, 0, 7, 1, 2]), jnp.array([2, 0, 3])
    spoiled = jnp.where(mask[:, None], data, jnp.nan)
    kept = {"dst": dst[mask], "output_size": 3}
    for mode in ("drop", "fill", "clip"):
        options = {"dst": dst, "output_size": 3, "mask": mask, "mode": mode}
        np.testing.assert_array_equal(f(spoiled, **options), f(data[mask], **{**kept, "mode": mode}))
    of_counts = f(data[mask], dst=jnp.array([0, 2, 2, 9]), output_size=3)
    np.testing.assert_array_equal(f(spoiled, nel=nel, mask=mask), of_counts)
    back = f(spoiled, nel=nel, mask=mask, map_back=True)
    np.testing.assert_array_equal(
        back, jnp.where(mask[:, None], of_counts[jnp.array([0, 0, 2, 2, 2, 0])], 0).at[5].set(0)
    )
    labelled = f(spoiled, dst=100 - dst, mask=mask, map_back=True)
    np.testing.assert_array_equal(labelled[mask], f(data[mask], dst=dst[mask], map_back=True))
    assert not labelled[~mask].any()
    gradient = jax.grad(lambda x: jnp.sum(jnp.where(jnp.isfinite(y := f(x, nel=nel, mask=mask)), y, 0)))(spoiled)
    assert jnp.isfinite(gradient).all()
    assert not gradient[~mask].any()


def test_counts_of_several_axes():
    data, nel = jnp.arange(14.0).reshape(7, 2), np.array([[2, 0, 1], [0, 3, 0]])
    flat = scatter_sum(data, nel=nel.reshape(-1))
    np.testing.assert_array_equal(scatter_sum(data, nel=nel), flat.reshape(2, 3, 2))
    np.testing.assert_array_equal(index_add(n_elements=nel, input=data), flat.reshape(2, 3, 2))
    back = scatter_mean(data, nel=nel, map_back=True)
    np.testing.assert_array_equal(back, scatter_mean(data, nel=nel.reshape(-1), map_back=True))


def test_irreps_arrays():
    x = ic.IrrepsArray("0e + 1o", jnp.ones((3, 4)).at[:, 0].set(0), zero_flags=[True, False])
    y = scatter_sum(x, dst=jnp.array([0, 0, 1]), output_size=2)
    assert y.irreps == x.irreps
    assert y.zero_flags == x.zero_flags
    np.testing.assert_array_equal(y.array, [[0, 2, 2, 2], [0, 1, 1, 1]])
    assert scatter_mean(x, dst=jnp.array([0, 0, 1]), output_size=2).array[0, 1] == 1
    scalars = ic.IrrepsArray("2x0e", jnp.ones((3, 2)))
    assert scatter_max(scalars, nel=jnp.array([3])).irreps == "2x0e"


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.int32])
def test_dtypes_and_empty(dtype):
    with jax.numpy_dtype_promotion("strict"):
        for rows, size in ((0, 0), (0, 2), (3, 2)):
            data, dst = jnp.ones((rows, 2), dtype), jnp.zeros(rows, jnp.int32)
            for f in (scatter_sum, scatter_max):
                assert f(data, dst=dst, output_size=size).dtype == dtype
            assert jnp.issubdtype(scatter_mean(data, dst=dst, output_size=size).dtype, jnp.floating)
            assert scatter_sum(data, dst=dst, map_back=True).shape == data.shape
    assert scatter_sum(jnp.ones(0), dst=[], output_size=2).shape == (2,)


def test_transformations():
    dst, data = jnp.array([1, 0, 1]), jnp.arange(6.0).reshape(3, 2)
    for f in (scatter_sum, scatter_mean, scatter_max):

        def g(x, f=f):
            return f(x, dst=dst, output_size=2)

        mapped = jax.vmap(g, in_axes=1, out_axes=1)(data)
        np.testing.assert_allclose(mapped, g(data))
        assert jax.jvp(g, (data,), (data,))[1].shape == (2, 2)
        assert jnp.isfinite(jax.grad(lambda x, g=g: jnp.sum(g(x) ** 2))(data)).all()
    several = jnp.stack([dst, 1 - dst])
    assert jax.vmap(lambda d: scatter_sum(data, dst=d, output_size=2))(several).shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither"),
        ({"dst": jnp.zeros(3, int), "nel": jnp.array([3])}, "both"),
        ({"dst": jnp.zeros(3, int)}, "output_size"),
        ({"dst": jnp.zeros(3), "output_size": 2}, "integers dst, got dtype float"),
        ({"dst": jnp.zeros(2, int), "output_size": 2}, r"\(2,\)"),
        ({"dst": jnp.zeros(3, int), "output_size": -1}, "got -1"),
        ({"dst": jnp.zeros(3, int), "output_size": 2.0}, "got 2.0"),
        ({"dst": jnp.zeros(3, int), "output_size": 2, "map_back": True}, "map_back"),
        ({"dst": jnp.zeros(3, int), "output_size": 2, "mode": "wrap"}, "'wrap'"),
        ({"nel": jnp.array([4, -1])}, "0 or more"),
        ({"nel": jnp.array([4])}, "at most 3"),
        ({"nel": jnp.array([1.0])}, "integers nel"),
        ({"nel": jnp.array(1)}, r"got \(\)"),
        ({"nel": jnp.array([3]), "mask": jnp.ones(2, bool)}, r"booleans of shape \(3,\), got bool\(2,\)"),
        ({"nel": jnp.array([3]), "mask": jnp.ones(3)}, "got float"),
        ({"nel": jnp.array([3]), "output_size": 1}, "output_size"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        scatter_sum(jnp.ones((3, 2)), **options)
    with pytest.raises(ValueError, match="scalars"):
        scatter_max(ic.zeros("1o", (3,)), nel=jnp.array([3]))


def test_agreement_with_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    data, dst = jnp.linspace(0, 1, 12).reshape(6, 2), jnp.array([0, 3, 1, 1, 3, 0])
    for name, f in (("scatter_sum", scatter_sum), ("scatter_mean", scatter_mean), ("scatter_max", scatter_max)):
        theirs = getattr(e3nn, name)
        np.testing.assert_allclose(f(data, dst=dst, output_size=5), theirs(data, dst=dst, output_size=5))
        nel = jnp.array([2, 0, 3, 1])
        np.testing.assert_allclose(f(data, nel=nel), theirs(data, nel=nel))
