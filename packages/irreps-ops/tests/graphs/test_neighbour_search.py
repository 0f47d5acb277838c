"""Neighbour search against brute force; the vectors of edges and their derivatives."""

import itertools
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr

CELLS = {
    "cubic": np.eye(3) * 2.5,
    "smaller than the cutoff": np.diag([0.7, 1.1, 3.0]),
    "triclinic": np.array([[1.5, 0.0, 0.0], [1.3, 1.2, 0.0], [-0.9, 1.1, 1.4]]),
}


def by_brute_force(x, r_max, cell=None, periodic=(False, False, False)):
    """Return (sender, receiver, *shift) for every pair and every image within the cutoff."""
    cell = np.zeros((3, 3)) if cell is None else cell
    found = set()
    # Components along the reciprocal vectors bound how many cells away an image can be.
    dual = np.linalg.pinv(cell)
    for i, j in itertools.product(range(len(x)), repeat=2):
        d = x[i] - x[j]
        reach = [
            int(np.ceil(np.linalg.norm(dual[:, k]) * (r_max + np.linalg.norm(d)))) if periodic[k] else 0
            for k in range(3)
        ]
        for shift in itertools.product(*(range(-n, n + 1) for n in reach)):
            if np.linalg.norm(d + np.array(shift) @ cell) < r_max and (i != j or any(shift)):
                found.add((i, j, *shift))
    return found


def edges(neighbours):
    """Return (sender, receiver, *shift) for each edge, each once, and check the order and dtypes."""
    assert (np.diff(neighbours.receivers) >= 0).all()
    assert {a.dtype for a in neighbours} == {np.dtype(np.int32)}
    pairs = zip(neighbours.senders.tolist(), neighbours.receivers.tolist(), neighbours.shifts.tolist(), strict=True)
    found = [(sender, receiver, *shift) for sender, receiver, shift in pairs]
    assert len(set(found)) == len(found)
    return set(found)


def pairs_of(senders, receivers):
    return {(i, j) for i, j in zip(senders.tolist(), receivers.tolist(), strict=True) if i >= 0}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, True)])
def test_neighbours_of_a_crystal_are_those_of_brute_force(name, periodic):
    """With points outside of the cell, and two at the same position."""
    pytest.importorskip("vesin")
    x = 4 * np.random.default_rng(0).normal(size=(5, 3))
    x[4] = x[3]
    found = irr.neighbour_list(x, 1.6, cell=CELLS[name], periodic=periodic)
    assert edges(found) == by_brute_force(x, 1.6, CELLS[name], periodic)


def test_both_searches_find_the_neighbours_of_brute_force_without_a_cell():
    pytest.importorskip("vesin")
    x = np.random.default_rng(1).uniform(0, 4, size=(40, 3))
    x[1] = x[0]
    found = irr.neighbour_list(x, 1.2)
    assert edges(found) == by_brute_force(x, 1.2)
    assert {(i, j, 0, 0, 0) for i, j in pairs_of(*irr.radius_graph(x, 1.2))} == edges(found)
    own = edges(irr.neighbour_list(x, 1.2, loop=True)) - edges(found)
    assert own == {(i, i, 0, 0, 0) for i in range(40)}
    assert len(irr.neighbour_list(np.zeros((0, 3)), 1.0).senders) == 0


def test_a_cell_needs_no_extent_where_it_is_not_periodic():
    pytest.importorskip("vesin")
    x, cell, periodic = np.random.default_rng(1).uniform(0, 4, size=(10, 3)), np.diag([9.0, 0, 0]), (True, False, False)
    found = irr.neighbour_list(x, 1.2, cell=cell, periodic=periodic)
    assert edges(found) == by_brute_force(x, 1.2, cell, periodic)


def test_a_missing_vesin_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vesin", None)
    with pytest.raises(ImportError, match=r'pip install "irreps-ops\[neighbours\]"'):
        irr.neighbour_list(np.zeros((2, 3)), 1.0)


def test_the_radius_graph_compiles_nothing_for_another_number_of_edges(caplog: pytest.LogCaptureFixture) -> None:
    x = np.random.default_rng(0).normal(size=(9, 3))

    def compiled(r_max: float) -> tuple[int, int]:
        caplog.clear()
        with jax.log_compiles():
            senders, _ = irr.radius_graph(x, r_max)
        return len(senders), sum("Compiling" in record.getMessage() for record in caplog.records)

    (few, programs), (many, again) = compiled(0.9), compiled(2.0)
    assert few < many
    assert programs > again == 0


def test_the_radius_graph_connects_points_of_one_label_and_pads():
    x = np.random.default_rng(2).uniform(0, 2, size=(12, 3))
    x[5] = x[7]
    labels, mask = np.arange(12) % 2, np.arange(12) < 10
    near = {edge[:2] for edge in by_brute_force(x, 0.9)}
    assert pairs_of(*irr.radius_graph(x, 0.9)) == near
    assert (5, 7) in near
    expected = {(i, j) for i, j in near if labels[i] == labels[j] and mask[i] and mask[j]} | {(i, i) for i in range(10)}
    search = partial(irr.radius_graph, r_max=0.9, batch=labels, mask=mask, loop=True)
    assert pairs_of(*search(x)) == expected
    senders, receivers = map(np.asarray, jax.jit(partial(search, size=200, fill_dst=99))(x))
    assert pairs_of(senders, receivers) == expected
    assert senders[: len(expected)].tolist() == sorted(senders[: len(expected)].tolist())
    assert (senders[len(expected) :] == -1).all()
    assert (receivers[len(expected) :] == 99).all()
    index = irr.EdgeIndex.from_edges(senders, receivers, num_nodes=12)
    assert int(np.sum(index.senders < 12)) == len(expected)
    assert [len(a) for a in irr.radius_graph(x[:0], 1.0)] == [0, 0]


def test_edge_vectors_are_their_definition_and_zero_for_padding():
    x, cell = np.random.default_rng(3).normal(size=(4, 3)), CELLS["triclinic"]
    senders, receivers = np.array([0, 1, 3, -1, 4]), np.array([1, 1, 2, 0, 4])
    shifts = np.arange(15).reshape(5, 3) % 3 - 1

    @jax.jit
    def run(x, cell):
        def f(x, cell):
            return irr.edge_vectors(x, senders, receivers, shifts=shifts, cell=cell)

        return (
            f(x, cell),
            f(x, jnp.broadcast_to(cell, (5, 3, 3))),
            jax.grad(lambda *a: f(*a)[:, 0].sum(), (0, 1))(x, cell),
        )

    found, with_a_cell_for_each_edge, gradient = run(x, cell)
    np.testing.assert_allclose(found[:3], x[senders[:3]] + shifts[:3] @ cell - x[receivers[:3]], atol=1e-14)
    assert not found[3:].any()
    np.testing.assert_allclose(with_a_cell_for_each_edge, found)
    np.testing.assert_allclose(gradient[0][:, 0], [1, -1, -1, 1], atol=1e-14)
    np.testing.assert_allclose(gradient[1][:, 0], shifts[:3].sum(0), atol=1e-14)


ONE = np.zeros(1, int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.radius_graph(np.zeros(3), 1.0), r"\(n, 3\), got \(3,\)"),
        (lambda: irr.radius_graph(np.zeros((2, 3)), 0.0), "positive number r_max, got 0.0"),
        (lambda: irr.radius_graph(np.zeros((3, 3)), 1.0, size=5), "size of 6 or more"),
        (lambda: irr.radius_graph(np.zeros((3, 3)), 1.0, batch=np.zeros(2, int)), r"batch of shape \(3,\)"),
        (lambda: jax.jit(lambda x: irr.radius_graph(x, 1.0))(np.zeros((3, 3))), "expects size"),
        (lambda: irr.neighbour_list(np.zeros((2, 2)), 1.0), r"got \(2, 2\)"),
        (lambda: irr.neighbour_list(np.full((2, 3), np.nan), 1.0), "finite positions, got nan"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, periodic=True), "cell if periodic"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, cell=np.ones((3, 3))), "independent vectors"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, cell=np.ones(3)), r"\(3, 3\)"),
        (lambda: jax.jit(lambda x: irr.neighbour_list(x, 1.0))(np.zeros((3, 3))), "outside of jax.jit"),
        (lambda: irr.edge_vectors(np.zeros((2, 3)), ONE, ONE, cell=np.eye(3)), "no shifts"),
        (lambda: irr.edge_vectors(np.zeros((2, 3)), ONE, np.zeros(2, int)), r"\(1,\) and \(2,\)"),
        (lambda: irr.edge_vectors(np.zeros((2, 3)), ONE, ONE, shifts=ONE, cell=np.eye(3)), r"shifts of shape \(1, 3\)"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_agreement_with_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    x = jnp.asarray(np.random.default_rng(6).uniform(0, 2, size=(20, 3)))
    for options in ({}, {"loop": True}, {"size": 300}, {"size": 300, "fill_src": 20, "fill_dst": 21}):
        for ours, theirs in zip(irr.radius_graph(x, 0.8, **options), e3nn.radius_graph(x, 0.8, **options), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    batch = jnp.arange(20) < 10
    ours, theirs = irr.radius_graph(x, 0.8, batch=batch), e3nn.radius_graph(x, 0.8, batch=batch)
    np.testing.assert_array_equal(ours, theirs)
