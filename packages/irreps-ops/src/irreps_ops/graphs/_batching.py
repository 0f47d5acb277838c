"""Graphs of any size in arrays of few sizes, so that few programs are compiled: buckets, padding, masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from irreps_ops._inputs import _checks as check

from ._edge_index import EdgeIndex


def bucket_size(n: int, *, steps: int = 2, least: int = 8) -> int:
    """The size to which n things are padded: the smallest one that is not less than n of a few that grow geometrically.

    Each size to twice the size there are `steps` steps: with 2 the sizes are 8, 12, 16, 24, 32, 48, ... So at most a
    1/steps-th is padding (beyond the least size), and up to n there are about steps log2(n / least) sizes.

    Args:
        n: how many there are.
        steps: how many sizes there are in each doubling.
        least: the smallest size.

    Raises:
        ValueError: `n` is negative, `steps` or `least` is not positive, or they are no integers.

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
    """A graph with data on its nodes, on its edges and of its own; nothing is padded.

    Attributes:
        nodes: a tree of arrays (or IrrepsArrays) of shape (nodes, ...).
        senders: integers of shape (edges,).
        receivers: integers of shape (edges,).
        edges: a tree of arrays of shape (edges, ...).
        globals: a tree of arrays or numbers.
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
    """Graphs side by side as one graph, filled up with padding. Made by :func:`batch_graphs`; a pytree.

    Padding comes last, its data are zeros, and its indices point nowhere: `senders` and `receivers` to the node
    `num_nodes`, `node_graph` to the graph `num_graphs`. Neither exists, so what is scattered there is left out.

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
        """How many nodes there are, padding included."""
        return self.node_mask.shape[-1]

    @property
    def num_edges(self) -> int:
        """How many edges there are, padding included."""
        return self.edge_mask.shape[-1]

    @property
    def num_graphs(self) -> int:
        """How many graphs there are, padding included."""
        return self.graph_mask.shape[-1]

    def __repr__(self) -> str:
        return f"GraphBatch({self.num_graphs} graphs, {self.num_nodes} nodes, {self.num_edges} edges)"

    def edge_index(self) -> EdgeIndex:
        """The edges for :func:`edge_convolution`, of a size that depends on the sizes of the batch only."""
        return EdgeIndex.from_edges(self.senders, self.receivers, self.num_nodes, mask=self.edge_mask, rows="bound")


def batch_graphs(
    graphs: Sequence[Graph],
    *,
    num_nodes: int | None = None,
    num_edges: int | None = None,
    num_graphs: int | None = None,
) -> GraphBatch:
    """Put graphs side by side and fill up with padding. In NumPy, outside of ``jax.jit``.

    Args:
        graphs: one or more, with trees of the same structure.
        num_nodes: of the result. Default: the :func:`bucket_size` of the nodes of all graphs.
        num_edges: of the result. Default: the :func:`bucket_size` of the edges of all graphs.
        num_graphs: of the result. Default: as many as there are.

    Raises:
        ValueError: no graphs, trees or arrays that do not fit together, edges to nodes that do not exist, or more
            than there is room for.

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
    edges = [_indices(number, graph) for number, graph in enumerate(graphs)]
    counts = [_length(number, graph.nodes, "nodes") for number, graph in enumerate(graphs)]
    for number, (graph, count, (senders, receivers)) in enumerate(zip(graphs, counts, edges, strict=True)):
        if len(senders) and not 0 <= min(senders.min(), receivers.min()) <= max(senders.max(), receivers.max()) < count:
            raise ValueError(
                f"batch_graphs expects edges of graph {number} between its {count} nodes, 0 to {count - 1}"
            )
        if jax.tree.leaves(graph.edges) and _length(number, graph.edges, "edges") != len(senders):
            raise ValueError(f"batch_graphs expects data of {len(senders)} edges in graph {number}")
    offsets = np.cumsum([0, *counts])
    nodes, many = int(offsets[-1]), sum(len(senders) for senders, _ in edges)
    num_nodes = _room("nodes", nodes, bucket_size(nodes) if num_nodes is None else num_nodes)
    num_edges = _room("edges", many, bucket_size(many) if num_edges is None else num_edges)
    num_graphs = _room("graphs", len(graphs), len(graphs) if num_graphs is None else num_graphs)

    def joined(arrays: Sequence[Any], size: int, fill: int = 0) -> np.ndarray:
        whole = np.concatenate(arrays)
        return np.concatenate([whole, np.full((size - len(whole), *whole.shape[1:]), fill, whole.dtype)])

    def data(name: str, size: int) -> Any:
        trees = [getattr(graph, name) for graph in graphs]
        try:
            return jax.tree.map(lambda *arrays: joined([np.asarray(a) for a in arrays], size), *trees)
        except ValueError as error:
            raise ValueError(
                f"batch_graphs expects {name} of one structure and shape in all graphs: {error}"
            ) from error

    graphs = [graph._replace(globals=jax.tree.map(lambda a: np.asarray(a)[None], graph.globals)) for graph in graphs]
    ends = [
        joined([pair[k] + o for pair, o in zip(edges, offsets, strict=False)], num_edges, num_nodes) for k in (0, 1)
    ]
    return GraphBatch(
        nodes=data("nodes", num_nodes),
        senders=ends[0].astype(np.int32),
        receivers=ends[1].astype(np.int32),
        edges=data("edges", num_edges),
        globals=data("globals", num_graphs),
        node_graph=joined([np.repeat(np.arange(len(counts)), counts)], num_nodes, num_graphs).astype(np.int32),
        node_mask=np.arange(num_nodes) < nodes,
        edge_mask=np.arange(num_edges) < many,
        graph_mask=np.arange(num_graphs) < len(graphs),
    )


def _indices(number: int, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    senders, receivers = (np.asarray(index) for index in (graph.senders, graph.receivers))
    if senders.ndim != 1 or senders.shape != receivers.shape:
        raise ValueError(
            f"batch_graphs expects senders and receivers of shape (edges,), got {senders.shape} and "
            f"{receivers.shape} in graph {number}"
        )
    if len(senders) and not all(np.issubdtype(index.dtype, np.integer) for index in (senders, receivers)):
        raise ValueError(f"batch_graphs expects integers, got {senders.dtype} and {receivers.dtype} in graph {number}")
    return senders.astype(np.int64), receivers.astype(np.int64)


def _length(number: int, tree: Any, name: str) -> int:
    """The common length of the arrays of a tree."""
    lengths = {np.shape(leaf)[0] if np.ndim(leaf) else None for leaf in jax.tree.leaves(tree)}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"batch_graphs expects arrays of one length for the {name} of graph {number}, got {lengths or None}"
        )
    return int(lengths.pop() or 0)


def _room(name: str, needed: int, size: int) -> int:
    size = check.count("batch_graphs", f"num_{name}", size, 0)
    if needed > size:
        raise ValueError(f"batch_graphs expects num_{name} of {needed} or more for these graphs, got {size}")
    return size
