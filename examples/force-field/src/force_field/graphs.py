"""Configurations as graphs of neighbours, and padded batches of them in few static shapes.

JAX compiles a program for each shape. So several graphs are joined into one batch and padded to the sizes of a bucket:
the numbers of graphs, atoms and edges that it has room for. There is one compilation for each bucket.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import DTypeLike

import irreps_ops as irr

from .data import loss_weights
from .errors import DataError

Array = np.ndarray | jax.Array


class AtomData(NamedTuple):
    """Data of the atoms of a graph or of a batch.

    Attributes:
        species: shape (atoms,), index into the elements of the model.
        positions: shape (atoms, 3), in Å.
        forces: shape (atoms, 3), targets in eV/Å.
    """

    species: Array
    positions: Array
    forces: Array


class GraphData(NamedTuple):
    """Targets of a graph, or of each graph of a batch.

    Attributes:
        energy: in eV.
        volume: of the cell, in Å^3; 0 if it has none, as for molecules and for slabs with a zero third vector.
        stress: shape (3, 3), in eV/Å^3.
        has_stress: whether the stress is known.
        weights: shape (3,), of the energy, the forces and the stress in the loss.
    """

    energy: Any
    volume: Any
    stress: Any
    has_stress: Any
    weights: Any = (1.0, 1.0, 1.0)


class Bucket(NamedTuple):
    """The static sizes of a batch: the numbers of graphs, atoms and edges that it has room for."""

    graphs: int
    atoms: int
    edges: int


def neighbors(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return receivers, senders and the cells of the senders, of shape (edges, 3), of all pairs within the cutoff.

    They are sorted: first by receiver, then by sender.

    Raises:
        DataError: two atoms are almost at the same position.
    """
    found = irr.neighbour_list(atoms.positions, cutoff, cell=atoms.cell.array, periodic=tuple(atoms.pbc.tolist()))
    # The search leaves the order of the senders open; with it, sums would differ in their last digits.
    order = np.lexsort((*found.shifts.T, found.senders, found.receivers))
    senders, receivers, images = (array[order] for array in found)
    vectors = images @ atoms.cell.array + atoms.positions[senders] - atoms.positions[receivers]
    distances = np.linalg.norm(vectors, axis=1)
    if len(distances) and distances.min() < 0.1:
        k = int(np.argmin(distances))
        raise DataError(
            f"atoms {receivers[k]} and {senders[k]} are {distances[k]:.3f} Å apart, expected at least 0.1 Å: "
            "correct or remove the frame"
        )
    return receivers, senders, images


def to_graph(atoms: Atoms, elements: Sequence[int], cutoff: float) -> irr.Graph:
    """Return the graph of a configuration, molecule or crystal, with an edge for each pair closer than the cutoff.

    Args:
        atoms: the configuration; the targets are zero if it has no calculator results.
        elements: atomic numbers that the model knows.
        cutoff: in Å.

    Returns:
        A graph with :class:`AtomData` as data of the nodes. The data of the edges, of shape (edges, 3) in Å, are the
        displacements of the periodic images of the senders. The globals are :class:`GraphData`.

    Raises:
        DataError: two atoms are almost at the same position.
    """
    receivers, senders, images = neighbors(atoms, cutoff)
    results = atoms.calc.results if atoms.calc is not None else {}
    index = {z: i for i, z in enumerate(elements)}
    return irr.Graph(
        nodes=AtomData(
            species=np.array([index[z] for z in atoms.numbers.tolist()], np.int32),
            positions=atoms.get_positions(),
            forces=np.asarray(results.get("forces", np.zeros((len(atoms), 3)))),
        ),
        senders=senders,
        receivers=receivers,
        edges=images @ atoms.cell.array,
        globals=GraphData(
            energy=float(results.get("energy", 0.0)),
            volume=float(np.abs(np.linalg.det(atoms.cell.array))),
            stress=voigt_6_to_full_3x3_stress(np.asarray(results.get("stress", np.zeros(6)))),
            has_stress="stress" in results,
            weights=loss_weights(atoms),
        ),
    )


def to_graphs(
    frames: Iterable[Atoms], elements: Sequence[int], cutoff: float, source: str | Sequence[str]
) -> list[irr.Graph]:
    """Return the graphs of many configurations.

    Args:
        frames: the configurations.
        elements: atomic numbers that the model knows.
        cutoff: in Å.
        source: for messages, the name of the data, or the name of each frame.

    Raises:
        DataError: as :func:`to_graph`; the message names the frame.
    """
    graphs = []
    for number, atoms in enumerate(frames):
        try:
            graphs.append(to_graph(atoms, elements, cutoff))
        except DataError as error:
            name = f"{source}, frame {number}" if isinstance(source, str) else source[number]
            raise DataError(f"{name}: {error}") from None
    return graphs


def graph_sizes(graphs: Sequence[irr.Graph]) -> np.ndarray:
    """Return the numbers of atoms and edges of each graph, of shape (graphs, 2)."""
    return np.array([(len(g.nodes.species), len(g.senders)) for g in graphs]).reshape(-1, 2)


def pad(graphs: Sequence[irr.Graph], bucket: Bucket, dtype: DTypeLike) -> irr.GraphBatch:
    """Join graphs into a batch, padded to a bucket, with floating-point data of this dtype.

    Raises:
        ValueError: the graphs do not fit into the bucket.
    """
    batch = irr.batch_graphs(graphs, num_graphs=bucket.graphs, num_nodes=bucket.atoms, num_edges=bucket.edges)
    return jax.tree.map(lambda a: a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a, batch)


def pack(graphs: Sequence[irr.Graph], bucket: Bucket) -> Iterator[list[irr.Graph]]:
    """Divide graphs, in their order, into lists that fit into a bucket. Each graph must fit by itself."""
    chosen: list[irr.Graph] = []
    free = np.array(bucket)
    for graph, size in zip(graphs, graph_sizes(graphs), strict=True):
        needed = np.array([1, *size])
        if chosen and (needed > free).any():
            yield chosen
            chosen, free = [], np.array(bucket)
        chosen.append(graph)
        free = free - needed
    if chosen:
        yield chosen


class Batches:
    """The training batches of a data set. Graphs of similar size share a bucket, which fits its largest graphs.

    Args:
        graphs: the data set.
        batch_size: graphs in a batch.
        dtype: dtype of positions and targets.
        names: of the graphs, for messages.
    """

    def __init__(
        self,
        graphs: Sequence[irr.Graph],
        batch_size: int,
        dtype: DTypeLike = np.float32,
        names: Sequence[str] | None = None,
    ) -> None:
        """See the class."""
        self.graphs, self.dtype = list(graphs), dtype
        self.names = list(names) if names is not None else [f"configuration {i}" for i in range(len(self.graphs))]
        sizes = graph_sizes(self.graphs)
        classes: dict[tuple[int, int], list[int]] = {}
        for i, (atoms, edges) in enumerate(sizes.tolist()):
            classes.setdefault((irr.bucket_size(atoms), irr.bucket_size(edges)), []).append(i)
        self.members: list[tuple[Bucket, list[int]]] = []
        for members in classes.values():
            count = min(batch_size, len(members))
            atoms, edges = sizes[members].max(axis=0).tolist()
            self.members.append((Bucket(count, count * atoms, max(count * edges, 1)), members))

    @property
    def buckets(self) -> list[Bucket]:
        """The bucket of each class of sizes."""
        return [bucket for bucket, _ in self.members]

    def __len__(self) -> int:
        """Return the number of batches."""
        return sum(-(-len(members) // bucket.graphs) for bucket, members in self.members)

    def indices(self, rng: np.random.Generator) -> list[tuple[Bucket, list[int]]]:
        """Return bucket and graph indices of each batch, in random order."""
        batches = []
        for bucket, members in self.members:
            order = rng.permutation(members).tolist()
            batches += [(bucket, order[k : k + bucket.graphs]) for k in range(0, len(order), bucket.graphs)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def chosen(self, indices: Sequence[int]) -> list[irr.Graph]:
        """Return the graphs with these indices."""
        return [self.graphs[i] for i in indices]

    def batch(self, bucket: Bucket, indices: Sequence[int]) -> irr.GraphBatch:
        """Return the padded batch of the graphs with these indices."""
        return pad(self.chosen(indices), bucket, self.dtype)
