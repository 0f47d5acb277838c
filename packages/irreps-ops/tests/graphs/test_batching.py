"""Graphs in space and batches of them: against brute force, padding that counts for nothing, few compilations."""

import itertools

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
    """Every pair and every image that could be near."""
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
    assert (np.diff(neighbours.receivers) >= 0).all()
    assert {a.dtype for a in neighbours} == {np.dtype(np.int32)}
    rows = [
        (*pair, *shift)
        for *pair, shift in zip(
            neighbours.senders.tolist(), neighbours.receivers.tolist(), neighbours.shifts.tolist(), strict=True
        )
    ]
    assert len(set(rows)) == len(rows)
    return set(rows)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, True)])
def test_neighbours_of_a_crystal(name, periodic):
    pytest.importorskip("vesin")
    # Points outside of the cell, and two at the same place.
    x = 4 * np.random.default_rng(0).normal(size=(5, 3))
    x[4] = x[3]
    found = irr.neighbour_list(x, 1.6, cell=CELLS[name], periodic=periodic)
    assert edges(found) == by_brute_force(x, 1.6, CELLS[name], periodic)
    vectors = irr.edge_vectors(x, found.senders, found.receivers, shifts=found.shifts, cell=CELLS[name])
    assert (np.linalg.norm(vectors, axis=1) < 1.6).all()


def test_neighbours_without_a_cell():
    pytest.importorskip("vesin")
    x = np.random.default_rng(1).uniform(0, 4, size=(40, 3))
    x[1] = x[0]
    found = irr.neighbour_list(x, 1.2)
    assert edges(found) == by_brute_force(x, 1.2)
    src, dst = irr.radius_graph(x, 1.2)
    assert {(i, j, 0, 0, 0) for i, j in zip(src.tolist(), dst.tolist(), strict=True)} == edges(found)
    own = edges(irr.neighbour_list(x, 1.2, loop=True)) - edges(found)
    assert own == {(i, i, 0, 0, 0) for i in range(40)}
    assert len(irr.neighbour_list(np.zeros((0, 3)), 1.0).senders) == 0
    # A cell that does not repeat may have no volume.
    assert edges(
        irr.neighbour_list(x, 1.2, cell=np.diag([9.0, 0, 0]), periodic=(True, False, False))
    ) == by_brute_force(x, 1.2, np.diag([9.0, 0, 0]), (True, False, False))


def test_neighbours_need_an_installation(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vesin", None)
    with pytest.raises(ImportError, match=r'pip install "irreps-ops\[neighbours\]"'):
        irr.neighbour_list(np.zeros((2, 3)), 1.0)


def test_radius_graph():
    x = np.random.default_rng(2).uniform(0, 2, size=(12, 3))
    x[5] = x[7]
    labels, mask = np.arange(12) % 2, np.arange(12) < 10

    def pairs(src, dst):
        return {(i, j) for i, j in zip(src.tolist(), dst.tolist(), strict=True) if i >= 0}

    expected = {edge[:2] for edge in by_brute_force(x, 0.9)}
    assert pairs(*irr.radius_graph(x, 0.9)) == expected
    assert (5, 7) in expected
    options = {"batch": labels, "mask": mask, "loop": True}
    inside = {(i, j) for i, j in expected if labels[i] == labels[j] and mask[i] and mask[j]} | {
        (i, i) for i in range(10)
    }
    assert pairs(*irr.radius_graph(x, 0.9, **options)) == inside
    src, dst = jax.jit(lambda x: irr.radius_graph(x, 0.9, size=200, fill_dst=99, **options))(x)
    assert pairs(src, dst) == inside
    assert src[: len(inside)].tolist() == sorted(src[: len(inside)].tolist())
    assert (src[len(inside) :] == -1).all()
    assert (dst[len(inside) :] == 99).all()
    index = irr.EdgeIndex.from_edges(src, dst, num_nodes=12)
    assert int(np.sum(index.senders < 12)) == len(inside)
    assert [len(a) for a in irr.radius_graph(x[:0], 1.0)] == [0, 0]


def test_vectors_are_differentiable_and_padding_has_none():
    x, cell = np.random.default_rng(3).normal(size=(4, 3)), CELLS["triclinic"]
    src, dst, shifts = np.array([0, 1, 3, -1, 4]), np.array([1, 1, 2, 0, 4]), np.arange(15).reshape(5, 3) % 3 - 1

    def f(x, cell):
        return irr.edge_vectors(x, src, dst, shifts=shifts, cell=cell)

    found = f(x, cell)
    np.testing.assert_allclose(found[:3], x[src[:3]] - x[dst[:3]] + shifts[:3] @ cell, atol=1e-14)
    assert not found[3:].any()
    np.testing.assert_allclose(f(x, np.broadcast_to(cell, (5, 3, 3))), found)
    gradient = jax.grad(lambda x, cell: jnp.sum(f(x, cell)[:, 0]), (0, 1))(x, cell)
    np.testing.assert_allclose(gradient[1][:, 0], shifts[:3].sum(0), atol=1e-14)
    np.testing.assert_allclose(gradient[0][:, 0], [1, -1, -1, 1], atol=1e-14)


@pytest.mark.parametrize(("steps", "least"), [(1, 8), (2, 8), (3, 5), (8, 1)])
def test_bucket_sizes(steps, least):
    sizes = [irr.bucket_size(n, steps=steps, least=least) for n in range(2000)]
    assert all(size >= n for n, size in enumerate(sizes))
    assert sizes == sorted(sizes)
    assert all(irr.bucket_size(size, steps=steps, least=least) == size for size in set(sizes))
    assert all(size <= n * (1 + 1 / steps) + 1 for n, size in enumerate(sizes) if n > least)
    assert len(set(sizes)) <= steps * np.ceil(np.log2(2000 / least)) + 1


def random_graph(rng, nodes, many):
    data = {"x": rng.normal(size=(nodes, 3)).astype(np.float32), "species": rng.integers(0, 3, nodes)}
    ends = rng.integers(0, nodes, (2, many))
    return irr.Graph(data, ends[0], ends[1], {"w": rng.normal(size=many)}, {"energy": rng.normal(), "cell": np.eye(3)})


def summed(batch):
    """A message over each edge, summed to nodes, summed to graphs."""
    messages = batch.nodes["x"][batch.senders] * batch.edges["w"][:, None]
    nodes = irr.scatter_sum(messages, dst=batch.receivers, output_size=batch.num_nodes)
    return irr.scatter_sum(nodes, dst=batch.node_graph, output_size=batch.num_graphs)


def test_a_batch_is_its_graphs():
    rng = np.random.default_rng(4)
    graphs = [random_graph(rng, *sizes) for sizes in ((3, 5), (1, 0), (4, 9))]
    batch = irr.batch_graphs(graphs, num_nodes=11, num_graphs=5)
    assert (batch.num_nodes, batch.num_edges, batch.num_graphs) == (11, 16, 5)
    assert [int(np.sum(m)) for m in (batch.node_mask, batch.edge_mask, batch.graph_mask)] == [8, 14, 3]
    assert batch.nodes["x"].dtype == np.float32
    np.testing.assert_array_equal(batch.globals["energy"], [*(g.globals["energy"] for g in graphs), 0, 0])
    found = summed(jax.tree.map(jnp.asarray, batch))
    for graph, ours in zip(graphs, found, strict=False):
        np.testing.assert_allclose(
            ours, (graph.nodes["x"][graph.senders] * graph.edges["w"][:, None]).sum(0), rtol=1e-6, atol=1e-6
        )
    assert not found[3:].any()
    index = batch.edge_index()
    assert int(np.sum(index.senders < 11)) == 14


def test_few_programs_are_compiled():
    rng = np.random.default_rng(5)
    traces = []

    @jax.jit
    def f(batch, index):
        traces.append(batch.num_nodes)
        return summed(batch) + index.num_rows

    batches = [irr.batch_graphs([random_graph(rng, nodes, 3 * nodes)]) for nodes in range(1, 120, 3)]
    for batch in batches:
        f(batch, batch.edge_index())
    assert len(traces) == len({(b.num_nodes, b.num_edges) for b in batches}) <= 18 < len(batches)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.radius_graph(np.zeros(3), 1.0), r"\(n, 3\), got \(3,\)"),
        (lambda: irr.radius_graph(np.zeros((2, 3)), 0.0), "positive number r_max, got 0.0"),
        (lambda: irr.radius_graph(np.zeros((3, 3)), 1.0, size=5), "size of 6 or more"),
        (lambda: irr.radius_graph(np.zeros((3, 3)), 1.0, batch=np.zeros(2, int)), r"batch of shape \(3,\)"),
        (lambda: jax.jit(lambda x: irr.radius_graph(x, 1.0))(jnp.zeros((3, 3))), "expects size"),
        (lambda: irr.neighbour_list(np.zeros((2, 2)), 1.0), r"got \(2, 2\)"),
        (lambda: irr.neighbour_list(np.full((2, 3), np.nan), 1.0), "finite positions, got nan"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, periodic=True), "cell if periodic"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, cell=np.ones((3, 3))), "independent vectors"),
        (lambda: irr.neighbour_list(np.zeros((2, 3)), 1.0, cell=np.ones(3)), r"\(3, 3\)"),
        (lambda: jax.jit(lambda x: irr.neighbour_list(x, 1.0))(jnp.zeros((3, 3))), "outside of jax.jit"),
        (lambda: irr.edge_vectors(np.zeros((2, 3)), np.zeros(1, int), np.zeros(1, int), cell=np.eye(3)), "no shifts"),
        (lambda: irr.edge_vectors(np.zeros((2, 3)), np.zeros(1, int), np.zeros(2, int)), r"\(1,\) and \(2,\)"),
        (lambda: irr.bucket_size(-1), "n of 0 or more, got -1"),
        (lambda: irr.batch_graphs([]), "got none"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros((2, 1)), [0], [2])]), "2 nodes"),
        (lambda: irr.batch_graphs([irr.Graph({}, [0], [0])]), "nodes of graph 0"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0.5], [0.5])]), "integers"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0, 1], [0])]), r"\(2,\) and \(1,\)"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0], [0], np.zeros(3))]), "data of 1 edges"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(9), [], [])], num_nodes=8), "num_nodes of 9 or more"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(1), [], []), irr.Graph([np.zeros(1)], [], [])]), "one structure"),
    ],
)
def test_bad_input(call, message):
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
