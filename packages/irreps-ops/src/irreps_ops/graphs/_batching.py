"""Batches of graphs, padded to a few sizes so that few programs are compiled."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from irreps_ops._inputs import _checks as check

from ._edge_index import EdgeIndex


def bucket_size(n: int, *, steps: int = 2, least: int = 8) -> int:
    r"""Return the size to which `n` elements are padded: the smallest of a geometric series of sizes that holds them.

    There are `steps` sizes per doubling: 8, 12, 16, 24, 32, 48, ... for two. So above the smallest size at most 1/steps
    of the elements are added as padding, and there are about :math:`\text{steps} \, \log_2(n / \text{least})` sizes up
    to n.

    Args:
        n: the number of elements.
        steps: the number of sizes per doubling.
        least: the smallest size.

    Returns:
        The size, at least `n` and at least `least`.

    Raises:
        ValueError: `n` is negative, `steps` or `least` is not positive, or one of them is not an integer.

    Example:
        >>> import irreps_ops as irr
        >>> [irr.bucket_size(n) for n in (0, 9, 13, 100, 1000)]
        [8, 12, 16, 128, 1024]
        >>> [irr.bucket_size(n, steps=4) for n in (0, 9, 13, 100, 1000)]
        [8, 10, 14, 112, 1024]
    """
    n = check.count("bucket_size", "n", n, 0)
    steps, base = check.count("bucket_size", "steps", steps), check.count("bucket_size", "least", least)
    if n <= base:
        return base
    while 2 * base < n:
        base *= 2
    sizes = (base + -(-step * base // steps) for step in range(1, steps + 1))
    return next(size for size in sizes if size >= n)


class Graph(NamedTuple):
    """A graph with data on its nodes, on its edges and on the whole graph, without padding.

    Attributes:
        nodes: a tree of arrays (or IrrepsArrays) of shape (nodes, ...).
        senders: integers of shape (edges,).
        receivers: integers of shape (edges,).
        edges: a tree of arrays of shape (edges, ...).
        globals: a tree of arrays or numbers.

    Example:
        >>> import irreps_ops as irr
        >>> import numpy as np
        >>> bond = irr.Graph({"species": np.array([6, 8])}, np.array([0, 1]), np.array([1, 0]))
        >>> bond.nodes["species"].shape, len(bond.senders)
        ((2,), 2)
    """

    nodes: Any
    senders: Any
    receivers: Any
    edges: Any = None
    globals: Any = None


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "nodes", "senders", "receivers", "edges", "globals", "node_graph", "node_mask", "edge_mask", "graph_mask",
    ],
    meta_fields=[],
)  # fmt: skip
@dataclass(frozen=True)
class GraphBatch:
    """A batch of graphs, joined into one graph and padded; made by :func:`batch_graphs`. A pytree.

    Padding comes last. Its data are zeros and its indices are out of range: `senders` and `receivers` are `num_nodes`,
    `node_graph` is `num_graphs`, so the scatter functions and :class:`EdgeIndex` drop it.

    Attributes:
        nodes: a tree of arrays of shape (num_nodes, ...).
        senders: int32 of shape (num_edges,).
        receivers: int32 of shape (num_edges,).
        edges: a tree of arrays of shape (num_edges, ...).
        globals: a tree of arrays of shape (num_graphs, ...).
        node_graph: int32 of shape (num_nodes,), the graph of each node.
        node_mask: booleans of shape (num_nodes,), False for padding.
        edge_mask: booleans of shape (num_edges,), False for padding.
        graph_mask: booleans of shape (num_graphs,), False for padding.

    Example:
        >>> import irreps_ops as irr
        >>> import numpy as np
        >>> bond = irr.Graph(np.array([6, 8]), np.array([0, 1]), np.array([1, 0]))
        >>> batch = irr.batch_graphs([bond, bond])
        >>> int(batch.node_mask.sum()), batch.num_nodes
        (4, 8)
    """

    nodes: Any
    senders: Any
    receivers: Any
    edges: Any
    globals: Any
    node_graph: Any
    node_mask: Any
    edge_mask: Any
    graph_mask: Any

    @property
    def num_nodes(self) -> int:
        """The number of nodes, padding included."""
        return self.node_mask.shape[-1]

    @property
    def num_edges(self) -> int:
        """The number of edges, padding included."""
        return self.edge_mask.shape[-1]

    @property
    def num_graphs(self) -> int:
        """The number of graphs, padding included."""
        return self.graph_mask.shape[-1]

    def __repr__(self) -> str:
        return f"GraphBatch({self.num_graphs} graphs, {self.num_nodes} nodes, {self.num_edges} edges)"

    def edge_index(self) -> EdgeIndex:
        """Return the edges for :func:`edge_convolution`; the size of the index depends on those of the batch alone."""
        return EdgeIndex.from_edges(self.senders, self.receivers, self.num_nodes, mask=self.edge_mask, num_rows="bound")


def batch_graphs(
    graphs: Sequence[Graph],
    *,
    num_nodes: int | None = None,
    num_edges: int | None = None,
    num_graphs: int | None = None,
) -> GraphBatch:
    """Join graphs into one graph and pad it. In NumPy, outside of ``jax.jit``.

    Args:
        graphs: one or more graphs, with trees of the same structure.
        num_nodes: the number of nodes with padding. Default: the :func:`bucket_size` of the number of all nodes.
        num_edges: the number of edges with padding. Default: the :func:`bucket_size` of the number of all edges.
        num_graphs: the number of graphs with padding. Default: no padding.

    Raises:
        ValueError: no graphs, trees or arrays that do not fit together, edges between nodes out of range, or a size
            that is too small.

    Example:
        >>> import numpy as np
        >>> import irreps_ops as irr
        >>> water = irr.Graph(nodes={"species": np.array([8, 1, 1])}, senders=[0, 0, 1, 2], receivers=[1, 2, 0, 0])
        >>> batch = irr.batch_graphs([water, water], num_graphs=4)
        >>> batch
        GraphBatch(4 graphs, 8 nodes, 8 edges)
        >>> batch.nodes["species"].tolist(), batch.node_graph.tolist()
        ([8, 1, 1, 8, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 4, 4])
        >>> batch.senders.tolist(), batch.graph_mask.tolist()
        ([0, 0, 1, 2, 3, 3, 4, 5], [True, True, False, False])
    """
    graphs = list(graphs)
    if not graphs:
        raise ValueError("batch_graphs expects one graph or more, got none")
    node_counts = [_length(number, graph.nodes, "nodes") for number, graph in enumerate(graphs)]
    edges = [
        _edges(number, graph, count) for number, (graph, count) in enumerate(zip(graphs, node_counts, strict=True))
    ]
    offsets = np.cumsum([0, *node_counts])
    nodes_found, edges_found = int(offsets[-1]), sum(len(senders) for senders, _ in edges)
    num_nodes = _checked_size("nodes", nodes_found, bucket_size(nodes_found) if num_nodes is None else num_nodes)
    num_edges = _checked_size("edges", edges_found, bucket_size(edges_found) if num_edges is None else num_edges)
    num_graphs = _checked_size("graphs", len(graphs), len(graphs) if num_graphs is None else num_graphs)
    senders, receivers = (
        _joined([pair[end] + offset for pair, offset in zip(edges, offsets, strict=False)], num_edges, num_nodes)
        for end in (0, 1)
    )
    numbers = np.repeat(np.arange(len(graphs)), node_counts)
    globals_of_each = [jax.tree.map(lambda a: np.asarray(a)[None], graph.globals) for graph in graphs]
    return GraphBatch(
        nodes=_joined_trees("nodes", [graph.nodes for graph in graphs], num_nodes),
        senders=senders.astype(np.int32),
        receivers=receivers.astype(np.int32),
        edges=_joined_trees("edges", [graph.edges for graph in graphs], num_edges),
        globals=_joined_trees("globals", globals_of_each, num_graphs),
        node_graph=_joined([numbers], num_nodes, num_graphs).astype(np.int32),
        node_mask=np.arange(num_nodes) < nodes_found,
        edge_mask=np.arange(num_edges) < edges_found,
        graph_mask=np.arange(num_graphs) < len(graphs),
    )


def _length(number: int, tree: Any, name: str) -> int:
    """Return the common length of the arrays of a tree."""
    lengths = {np.shape(leaf)[0] if np.ndim(leaf) else None for leaf in jax.tree.leaves(tree)}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"batch_graphs expects arrays of one length for the {name} of graph {number}, got {lengths or None}"
        )
    return int(lengths.pop() or 0)


def _edges(number: int, graph: Graph, num_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return senders and receivers of a graph as integers in range."""
    senders, receivers = (np.asarray(index) for index in (graph.senders, graph.receivers))
    if senders.ndim != 1 or senders.shape != receivers.shape:
        raise ValueError(
            f"batch_graphs expects senders and receivers of shape (edges,), got {senders.shape} and "
            f"{receivers.shape} in graph {number}"
        )
    if jax.tree.leaves(graph.edges) and _length(number, graph.edges, "edges") != len(senders):
        raise ValueError(f"batch_graphs expects data of {len(senders)} edges in graph {number}")
    if len(senders) == 0:
        return senders.astype(np.int64), receivers.astype(np.int64)
    if not all(np.issubdtype(index.dtype, np.integer) for index in (senders, receivers)):
        raise ValueError(f"batch_graphs expects integers, got {senders.dtype} and {receivers.dtype} in graph {number}")
    lowest, highest = min(senders.min(), receivers.min()), max(senders.max(), receivers.max())
    if lowest < 0 or highest >= num_nodes:
        raise ValueError(
            f"batch_graphs expects edges of graph {number} between its {num_nodes} nodes, 0 to {num_nodes - 1}, got "
            f"node {lowest if lowest < 0 else highest}"
        )
    return senders.astype(np.int64), receivers.astype(np.int64)


def _checked_size(name: str, needed: int, size: int) -> int:
    size = check.count("batch_graphs", f"num_{name}", size, 0)
    if needed > size:
        raise ValueError(f"batch_graphs expects num_{name} of {needed} or more for these graphs, got {size}")
    return size


def _joined(arrays: Sequence[Any], size: int, fill: int = 0) -> np.ndarray:
    """Concatenate arrays and pad the result to a size."""
    whole = np.concatenate(arrays)
    return np.concatenate([whole, np.full((size - len(whole), *whole.shape[1:]), fill, whole.dtype)])


def _joined_trees(name: str, trees: Sequence[Any], size: int) -> Any:
    try:
        return jax.tree.map(lambda *arrays: _joined([np.asarray(a) for a in arrays], size), *trees)
    except ValueError as error:
        raise ValueError(f"batch_graphs expects {name} of one structure and shape in all graphs: {error}") from error
