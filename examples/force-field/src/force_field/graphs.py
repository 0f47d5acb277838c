"""Configurations as graphs of neighbours, padded to few static shapes so that few programs are compiled.

A batch is several graphs put side by side, filled up with atoms and edges that count for nothing: the sizes of all
three are its bucket, and JAX compiles once per bucket.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import DTypeLike

from .data import DataError

Array = np.ndarray | jax.Array


class Graph(NamedTuple):
    """A configuration: n atoms, m directed edges between atoms nearer than the cutoff.

    Attributes:
        species: (n,) index into the elements of the model.
        positions: (n, 3) in Å.
        senders: (m,) the neighbours.
        receivers: (m,) the atoms whose neighbours they are.
        shifts: (m, 3) in Å, what the periodic image of the sender is displaced by.
        energy: in eV.
        forces: (n, 3) in eV/Å.
    """

    species: np.ndarray
    positions: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    shifts: np.ndarray
    energy: float
    forces: np.ndarray


class Bucket(NamedTuple):
    """The static sizes of a batch: how many graphs, atoms and edges it has room for."""

    graphs: int
    atoms: int
    edges: int


class Batch(NamedTuple):
    """Graphs side by side, padded to a bucket.

    Padding belongs to the last graph and atom; masks tell it from what is real.

    Attributes:
        species: (atoms,) int32.
        positions: (atoms, 3).
        senders: (edges,) int32.
        receivers: (edges,) int32.
        shifts: (edges, 3).
        graph_index: (atoms,) int32, the graph of each atom.
        atom_mask: (atoms,) bool.
        edge_mask: (edges,) bool.
        graph_mask: (graphs,) bool.
        energy: (graphs,), target.
        forces: (atoms, 3), target.
    """

    species: Array
    positions: Array
    senders: Array
    receivers: Array
    shifts: Array
    graph_index: Array
    atom_mask: Array
    edge_mask: Array
    graph_mask: Array
    energy: Array
    forces: Array


def to_graph(atoms: Atoms, elements: Sequence[int], cutoff: float) -> Graph:
    """The graph of a configuration, periodic or not; targets are zero where it has no calculator results.

    Raises:
        DataError: two atoms nearly at the same place.
    """
    receivers, senders, distances, images = neighbor_list("ijdS", atoms, cutoff)
    if len(distances) and distances.min() < 0.1:
        k = int(np.argmin(distances))
        raise DataError(
            f"atoms {receivers[k]} and {senders[k]} are {distances[k]:.3f} Å apart: no chemistry happens there"
        )
    results = atoms.calc.results if atoms.calc is not None else {}
    index = {z: i for i, z in enumerate(elements)}
    return Graph(
        species=np.array([index[z] for z in atoms.numbers.tolist()], np.int32),
        positions=atoms.get_positions(),
        senders=senders.astype(np.int32),
        receivers=receivers.astype(np.int32),
        shifts=images @ atoms.cell.array,
        energy=float(results.get("energy", 0.0)),
        forces=np.asarray(results.get("forces", np.zeros((len(atoms), 3)))),
    )


def to_graphs(frames: Iterable[Atoms], elements: Sequence[int], cutoff: float, source: str) -> list[Graph]:
    """The graphs of many configurations; what is wrong with one is reported with its number."""
    graphs = []
    for number, atoms in enumerate(frames):
        try:
            graphs.append(to_graph(atoms, elements, cutoff))
        except DataError as error:
            raise DataError(f"{source}, frame {number}: {error}") from None
    return graphs


def ladder(size: int) -> int:
    """The smallest of 8, 12, 16, 24, 32, 48, 64, ... that is not less than `size`.

    Example:
        >>> [ladder(n) for n in (0, 9, 12, 13, 100)]
        [8, 12, 12, 16, 128]
    """
    step = 8
    while step < size:
        if step * 3 // 2 >= size:
            return step * 3 // 2
        step *= 2
    return step


def size_class(graph: Graph) -> tuple[int, int]:
    """What graphs must share to be put into batches of one bucket."""
    return ladder(len(graph.species)), ladder(len(graph.senders))


def pad_batch(graphs: Sequence[Graph], bucket: Bucket, dtype: DTypeLike = np.float32) -> Batch:
    """Put graphs side by side and fill up the bucket.

    Raises:
        ValueError: graphs that do not fit.
    """
    sizes = np.array([len(g.species) for g in graphs])
    atoms, edges = int(sizes.sum()), sum(len(g.senders) for g in graphs)
    if len(graphs) > bucket.graphs or atoms > bucket.atoms or edges > bucket.edges:
        raise ValueError(f"{len(graphs)} graphs, {atoms} atoms, {edges} edges do not fit into {bucket}")
    offsets = np.concatenate([[0], np.cumsum(sizes)])

    def pad(arrays: Sequence[np.ndarray], size: int, fill: int = 0) -> np.ndarray:
        joined = np.concatenate(arrays)
        widths = [(0, size - len(joined))] + [(0, 0)] * (joined.ndim - 1)
        return np.pad(joined, widths, constant_values=fill)

    def shifted(name: str) -> list[np.ndarray]:
        return [getattr(g, name) + o for g, o in zip(graphs, offsets[:-1], strict=True)]

    return Batch(
        species=pad([g.species for g in graphs], bucket.atoms),
        positions=pad([g.positions for g in graphs], bucket.atoms).astype(dtype),
        senders=pad(shifted("senders"), bucket.edges, bucket.atoms - 1).astype(np.int32),
        receivers=pad(shifted("receivers"), bucket.edges, bucket.atoms - 1).astype(np.int32),
        shifts=pad([g.shifts for g in graphs], bucket.edges).astype(dtype),
        graph_index=pad([np.repeat(np.arange(len(graphs)), sizes)], bucket.atoms, bucket.graphs - 1).astype(np.int32),
        atom_mask=np.arange(bucket.atoms) < atoms,
        edge_mask=np.arange(bucket.edges) < edges,
        graph_mask=np.arange(bucket.graphs) < len(graphs),
        energy=np.pad(np.array([g.energy for g in graphs]), (0, bucket.graphs - len(graphs))).astype(dtype),
        forces=pad([g.forces for g in graphs], bucket.atoms).astype(dtype),
    )


def _round_up(size: int, multiple: int = 8) -> int:
    return max(multiple, -(-size // multiple) * multiple)


class Batches:
    """The batches of a data set: graphs of similar size share one bucket, made to measure.

    Args:
        graphs: the data set.
        batch_size: graphs per batch.
        dtype: of positions and targets.
    """

    def __init__(self, graphs: Sequence[Graph], batch_size: int, dtype: DTypeLike = np.float32) -> None:
        """See the class."""
        self.graphs, self.batch_size, self.dtype = list(graphs), batch_size, dtype
        self._members: dict[tuple[int, int], list[int]] = {}
        for i, graph in enumerate(self.graphs):
            self._members.setdefault(size_class(graph), []).append(i)
        self.buckets = {name: self._bucket(members) for name, members in self._members.items()}

    def _bucket(self, members: Sequence[int]) -> Bucket:
        graphs = min(self.batch_size, len(members))
        atoms = max(len(self.graphs[i].species) for i in members)
        edges = max(len(self.graphs[i].senders) for i in members)
        return Bucket(graphs, _round_up(graphs * atoms), _round_up(graphs * edges))

    def __len__(self) -> int:
        """Number of batches."""
        return sum(-(-len(m) // self.buckets[name].graphs) for name, m in self._members.items())

    def indices(self, rng: np.random.Generator | None = None) -> list[tuple[Bucket, list[int]]]:
        """Bucket and graph indices of each batch, in random order if there is an `rng`, else in order."""
        batches = []
        for name, members in self._members.items():
            bucket = self.buckets[name]
            order = members if rng is None else rng.permutation(members).tolist()
            batches += [(bucket, order[k : k + bucket.graphs]) for k in range(0, len(order), bucket.graphs)]
        if rng is not None:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def batch(self, bucket: Bucket, indices: Sequence[int]) -> Batch:
        """The padded batch of some graphs."""
        return pad_batch([self.graphs[i] for i in indices], bucket, self.dtype)
