"""The edge index: every edge in one slot of a row of its receiver, padding in none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irreps_ops import EdgeIndex


def check(index, senders, receivers, num_nodes, num_senders, mask=None):
    """Check the definition of each attribute."""
    senders, receivers = np.asarray(senders), np.asarray(receivers)
    slots, row_senders, row_receivers = map(np.asarray, (index.slots, index.senders, index.receivers))
    inside = (senders >= 0) & (senders < num_senders) & (receivers >= 0) & (receivers < num_nodes)
    expected = np.flatnonzero(inside if mask is None else inside & np.asarray(mask))
    rows, columns = np.nonzero(row_senders < num_senders)
    edges = slots[rows, columns]
    np.testing.assert_array_equal(np.sort(edges), expected)  # each in one slot
    np.testing.assert_array_equal(row_senders[rows, columns], senders[edges])
    np.testing.assert_array_equal(row_receivers[rows], receivers[edges])
    assert (np.diff(row_receivers) >= 0).all()  # rows without edges last
    assert all(a.dtype == np.int32 for a in (slots, row_senders, row_receivers))
    if len(expected):
        assert set(slots.reshape(-1)) <= set(expected)  # empty slots name an edge that counts
        assert (row_receivers < num_nodes).sum() == sum(
            -(-d // index.width) for d in np.bincount(receivers[expected], minlength=num_nodes)
        )


@st.composite
def graphs(draw):
    num_nodes, num_senders, edges = draw(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 20)))
    senders = draw(st.lists(st.integers(-1, num_senders + 1), min_size=edges, max_size=edges))
    receivers = draw(st.lists(st.integers(-1, num_nodes + 1), min_size=edges, max_size=edges))
    return np.array(senders, int), np.array(receivers, int), num_nodes, num_senders


@settings(max_examples=100, deadline=None)
@given(graphs(), st.sampled_from([None, 1, 2, 4]), st.sampled_from(["exact", "bound"]))
def test_each_edge_is_in_one_slot_of_a_row_of_its_receiver(graph, width, rows):
    senders, receivers, num_nodes, num_senders = graph
    index = EdgeIndex.from_edges(senders, receivers, num_nodes, num_senders=num_senders, width=width, num_rows=rows)
    check(index, *graph)
    if rows == "exact":
        assert index.num_rows == (np.asarray(index.receivers) < num_nodes).sum()


@settings(max_examples=20, deadline=None)
@given(graphs())
def test_sorted_receivers_need_no_sort(graph):
    senders, receivers, num_nodes, num_senders = graph
    receivers = np.sort(receivers)
    index = EdgeIndex.from_edges(senders, receivers, num_nodes, num_senders=num_senders, receivers_are_sorted=True)
    check(index, senders, receivers, num_nodes, num_senders)


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize(("num_nodes", "num_senders", "edges"), [(5, 4, 30), (1, 1, 3), (3, 3, 0), (0, 2, 4)])
def test_traced_arrays_give_an_index_of_the_bound_on_rows(num_nodes, num_senders, edges, in_order):
    rng = np.random.default_rng(edges)
    senders, receivers = rng.integers(-1, num_senders + 1, edges), rng.integers(-1, num_nodes + 1, edges)
    receivers = np.sort(receivers) if in_order else receivers

    @jax.jit
    def make(senders, receivers):
        return EdgeIndex.from_edges(
            senders, receivers, num_nodes, num_senders=num_senders, width=4, receivers_are_sorted=in_order
        )

    index = make(senders, receivers)
    check(index, senders, receivers, num_nodes, num_senders)
    bound = EdgeIndex.from_edges(senders, receivers, num_nodes, num_senders=num_senders, width=4, num_rows="bound")
    assert jax.tree.structure(index) == jax.tree.structure(bound)
    assert index.num_rows == bound.num_rows


def test_masked_edges_are_padding():
    senders, receivers, mask = np.array([0, 1, 0]), np.array([1, 0, 1]), np.array([True, False, True])
    for given_mask in (mask, jnp.array(mask)):
        index = EdgeIndex.from_edges(senders, receivers, 2, mask=given_mask)
        check(index, senders, receivers, 2, 2, mask)
    index = jax.jit(lambda m: EdgeIndex.from_edges(senders, receivers, 2, mask=m))(mask)
    check(index, senders, receivers, 2, 2, mask)


def test_uneven_degrees_need_at_most_five_percent_more_slots():
    rng = np.random.default_rng(0)
    degrees = rng.integers(0, 201, 100)
    edges = degrees.sum()
    senders = rng.integers(0, 100, edges)
    uneven = EdgeIndex.from_edges(senders, np.repeat(np.arange(100), degrees), 100)
    even = EdgeIndex.from_edges(senders, np.arange(edges) % 100, 100)
    assert uneven.slots.size <= 1.05 * even.slots.size


def test_a_jitted_function_of_indices_of_one_bound_compiles_once():
    compiled = 0

    @jax.jit
    def degrees(index):
        nonlocal compiled
        compiled += 1
        filled = (index.senders < index.num_senders).sum(1)
        return jnp.zeros(index.num_nodes, int).at[index.receivers].add(filled, mode="drop")

    rng = np.random.default_rng(0)
    for _ in range(3):
        senders, receivers = rng.integers(0, 6, 40), rng.integers(0, 6, 40)
        index = EdgeIndex.from_edges(senders, receivers, 6, num_rows="bound")
        np.testing.assert_array_equal(degrees(index), np.bincount(receivers, minlength=6))
    assert compiled == 1
    for rows in (60, 61):
        assert EdgeIndex.from_edges(senders, receivers, 6, num_rows=rows).num_rows == rows


def test_an_index_can_be_made_under_vmap():
    rng = np.random.default_rng(0)
    senders, receivers = rng.integers(0, 5, (3, 20)), rng.integers(0, 6, (3, 20))
    batch = jax.jit(jax.vmap(lambda s, r: EdgeIndex.from_edges(s, r, 5)))(senders, receivers)
    for n in range(3):
        check(jax.tree.map(lambda a, n=n: a[n], batch), senders[n], receivers[n], 5, 5)


def test_the_repr_gives_the_sizes():
    assert repr(EdgeIndex.from_edges([0, 1], [1, 0], 2)) == "EdgeIndex(2 edges from 2 to 2 nodes, 2 rows of 1)"


WRONG = {
    "floats": (lambda: EdgeIndex.from_edges([0.0], [1], 2), r"integers senders of shape \(edges,\), got float64\(1,\)"),
    "booleans": (lambda: EdgeIndex.from_edges([0], [True], 2), r"integers receivers .* got bool\(1,\)"),
    "two axes": (lambda: EdgeIndex.from_edges([[0]], [[1]], 2), r"integers senders .* got int64\(1, 1\)"),
    "lengths": (lambda: EdgeIndex.from_edges([0, 1], [1], 2), r"as many senders as receivers, got shapes \(2,\) and"),
    "negative": (lambda: EdgeIndex.from_edges([0], [1], -1), "num_nodes of 0 or more, got -1"),
    "no number": (lambda: EdgeIndex.from_edges([0], [1], 2, num_senders=1.5), "integer num_senders .* got 1.5"),
    "no width": (lambda: EdgeIndex.from_edges([0], [1], 2, width=0), "width of 1 or more, got 0"),
    "rows": (lambda: EdgeIndex.from_edges([0, 0], [1, 0], 2, num_rows=1), "at least 2 rows of 1 .* got num_rows=1"),
    "unknown rows": (lambda: EdgeIndex.from_edges([0], [1], 2, num_rows="many"), "rows=.* got 'many'"),
    "unsorted": (
        lambda: EdgeIndex.from_edges([0, 0, 0], [0, 2, 1], 3, receivers_are_sorted=True),
        "ascending receivers .* got 2 before 1 at edge 1",
    ),
    "mask": (lambda: EdgeIndex.from_edges([0], [1], 2, mask=[1]), r"mask of booleans of shape \(1,\), got int64"),
    "out of range": (
        lambda: EdgeIndex.from_edges([0, 5], [1, 1], 2, mask=[True, True]),
        "senders from 0 to 1 .* got 5 and 1 at edge 1",
    ),
    "exact rows under jit": (
        lambda: jax.jit(lambda s: EdgeIndex.from_edges(s, s, 2, num_rows="exact"))(jnp.array([0])),
        'num_rows="bound" or an integer under jax.jit',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_expected_and_the_received_argument(case):
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        make()
