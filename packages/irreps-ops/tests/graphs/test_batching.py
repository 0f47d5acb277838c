"""Batches of graphs: sizes, padding that contributes nothing, few compilations."""

import jax
import numpy as np
import pytest

import irreps_ops as irr


@pytest.mark.parametrize(("steps", "least"), [(1, 8), (2, 8), (3, 5), (8, 1)])
def test_bucket_sizes_are_few_and_little_larger_than_needed(steps, least):
    sizes = [irr.bucket_size(n, steps=steps, least=least) for n in range(2000)]
    assert all(size >= n for n, size in enumerate(sizes))
    assert sizes == sorted(sizes)
    assert all(irr.bucket_size(size, steps=steps, least=least) == size for size in set(sizes))
    assert all(size <= n * (1 + 1 / steps) + 1 for n, size in enumerate(sizes) if n > least)
    assert len(set(sizes)) <= steps * np.ceil(np.log2(2000 / least)) + 1


def random_graph(rng, nodes, edges):
    data = {"x": rng.normal(size=(nodes, 3)).astype(np.float32), "species": rng.integers(0, 3, nodes)}
    senders, receivers = rng.integers(0, nodes, (2, edges))
    return irr.Graph(
        data, senders, receivers, {"w": rng.normal(size=edges)}, {"energy": rng.normal(), "cell": np.eye(3)}
    )


def summed(batch):
    """A message over each edge, summed to nodes, summed to graphs."""
    messages = batch.nodes["x"][batch.senders] * batch.edges["w"][:, None]
    nodes = irr.scatter_sum(messages, dst=batch.receivers, output_size=batch.num_nodes)
    return irr.scatter_sum(nodes, dst=batch.node_graph, output_size=batch.num_graphs)


def test_a_batch_gives_the_results_of_its_graphs():
    rng = np.random.default_rng(4)
    graphs = [random_graph(rng, *sizes) for sizes in ((3, 5), (1, 0), (4, 9))]
    batch = irr.batch_graphs(graphs, num_nodes=11, num_graphs=5)
    assert (batch.num_nodes, batch.num_edges, batch.num_graphs) == (11, 16, 5)
    assert [int(np.sum(m)) for m in (batch.node_mask, batch.edge_mask, batch.graph_mask)] == [8, 14, 3]
    assert batch.nodes["x"].dtype == np.float32
    np.testing.assert_array_equal(batch.globals["energy"], [*(g.globals["energy"] for g in graphs), 0, 0])
    found = jax.jit(summed)(batch)
    for graph, ours in zip(graphs, found, strict=False):
        expected = (graph.nodes["x"][graph.senders] * graph.edges["w"][:, None]).sum(0)
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)
    assert not found[3:].any()
    assert int(np.sum(batch.edge_index().senders < 11)) == 14


def test_few_programs_are_compiled():
    rng = np.random.default_rng(5)
    traces = []

    def f(batch, index):
        traces.append(batch.num_nodes)
        return batch.nodes["x"], index.senders

    # Tracing shows when a program would be compiled.
    batches = [irr.batch_graphs([random_graph(rng, nodes, 3 * nodes)]) for nodes in range(1, 120, 3)]
    jitted = jax.jit(f)
    for batch in batches:
        jitted.eval_shape(batch, batch.edge_index())
    assert len(traces) == len({(b.num_nodes, b.num_edges) for b in batches}) <= 18 < len(batches)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.bucket_size(-1), "n of 0 or more, got -1"),
        (lambda: irr.batch_graphs([]), "got none"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros((2, 1)), [0], [2])]), "2 nodes, 0 to 1, got node 2"),
        (lambda: irr.batch_graphs([irr.Graph({}, [0], [0])]), "nodes of graph 0"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0.5], [0.5])]), "integers"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0, 1], [0])]), r"\(2,\) and \(1,\)"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(2), [0], [0], np.zeros(3))]), "data of 1 edges"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(9), [], [])], num_nodes=8), "num_nodes of 9 or more"),
        (lambda: irr.batch_graphs([irr.Graph(np.zeros(1), [], []), irr.Graph([np.zeros(1)], [], [])]), "one structure"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
