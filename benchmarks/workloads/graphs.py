"""Graphs: atoms on a lattice with random displacements, and edges between them."""

from typing import NamedTuple

import numpy as np


class Graph(NamedTuple):
    """Atoms and edges.

    Attributes:
        positions: shape (nodes, 3); the lattice constant is 1, and no two atoms are closer than 0.5.
        senders: shape (edges,).
        receivers: shape (edges,), in random order.
        diameter: upper bound of the distance of two atoms.
    """

    positions: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    diameter: float


def random_graph(nodes: int, edges: int) -> Graph:
    """Return a graph with uniformly random senders and receivers, as in the benchmarks of cuequivariance."""
    return _graph(nodes, np.random.default_rng(1).integers(0, nodes, edges))


def even_graph(nodes: int, edges: int) -> Graph:
    """Return a graph whose degrees differ by at most one."""
    return _graph(nodes, np.arange(edges) % nodes)


def uneven_graph(nodes: int, edges: int, largest: int) -> Graph:
    """Return a graph with power-law degrees from 0 to about `largest` and the given number of edges."""
    u = (np.arange(nodes) + 0.5) / nodes
    # The mean of largest * u^k over u in (0, 1) is largest / (k + 1).
    before = np.cumsum(u ** (largest * nodes / edges - 1))
    degrees = np.diff(np.rint(edges * before / before[-1]).astype(int), prepend=0)
    return _graph(nodes, np.repeat(np.random.default_rng(2).permutation(nodes), degrees))


def _graph(nodes: int, receivers: np.ndarray) -> Graph:
    rng = np.random.default_rng(0)
    side = int(np.ceil(nodes ** (1 / 3)))
    lattice = np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1, 3)[:nodes]
    positions = rng.permutation(lattice + rng.uniform(-0.2, 0.2, lattice.shape))
    receivers = rng.permutation(receivers)
    # An atom never sends to itself.
    senders = (receivers + rng.integers(1, nodes, len(receivers))) % nodes
    as_float, as_int = np.float32, np.int32
    return Graph(positions.astype(as_float), senders.astype(as_int), receivers.astype(as_int), side * 3**0.5)
