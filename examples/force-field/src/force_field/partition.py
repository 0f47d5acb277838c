"""Large systems in parts that fit into the memory of a device, whose sum is exactly the whole.

The energy of an atom depends on the atoms that it reaches by some hops from neighbour to neighbour: one for each layer
of messages. A part therefore has its own atoms and a halo, all atoms within these hops. It computes the energies of its
own atoms; their derivatives by the positions of own atoms and halo are its contributions to the forces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

import irreps_ops as irr
from irreps_flax.nnx import binding

from .derivatives import Evaluation, Potential, evaluate
from .evaluation import Parameters, Prediction
from .graphs import AtomData, Bucket, pad, to_graph


class PartitionedPredictor:
    """A compiled force field for large systems, which are evaluated part by part, on one device or on several.

    All parts of a system are padded to one size, so there is one compilation for each system.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        atoms_per_part: largest number of atoms of a part, without its halo.
        hops: number of hops from neighbour to neighbour by which the energy of an atom reaches (default: that of the
            model, which published models do not state).
        devices: where parts are computed, in turn (default: the first device).
    """

    def __init__(
        self,
        model: Potential,
        dtype: str = "float64",
        atoms_per_part: int = 2000,
        hops: int | None = None,
        devices: Sequence[Any] | None = None,
    ) -> None:
        """See the class."""
        found = getattr(model, "hops", None) if hops is None else hops
        if found is None or found < 1:
            raise ValueError(
                f"expected hops of one or more, the number of layers of messages of the model, got {found}"
            )
        if atoms_per_part < 1:
            raise ValueError(f"expected at least one atom in a part, got {atoms_per_part}")
        self.model, self.dtype, self.hops, self.atoms_per_part = model, np.dtype(dtype), found, atoms_per_part
        devices = list(devices or jax.devices()[:1])
        parameters = jax.tree.map(lambda p: jnp.asarray(p, self.dtype), binding.to_trees(model)[0])
        self.places = [(device, jax.device_put(parameters, device)) for device in devices]
        self._evaluate = jax.jit(self._traced)

    def _traced(self, parameters: Parameters, batch: irr.GraphBatch, own: jax.Array) -> Evaluation:
        # The energies of the halo are left out of the sum that is differentiated.
        return evaluate(binding.from_trees(self.model, parameters), replace(batch, node_mask=own))

    def __call__(self, atoms: Atoms) -> Prediction:
        """Return the prediction for a configuration, molecule or crystal.

        Raises:
            DataError: two atoms are almost at the same position.
        """
        graph = to_graph(atoms, self.model.elements, self.model.cutoff)
        parts = list(self._parts(graph, split(atoms.get_positions(wrap=True), self.atoms_per_part)))
        sizes = np.array([(len(nodes), len(part.senders)) for nodes, _, part in parts])
        bucket = Bucket(1, *(irr.bucket_size(int(n), steps=4) for n in sizes.max(axis=0)))
        running: list[tuple[np.ndarray, np.ndarray, Any]] = []
        energies, forces, strain = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))

        def collect() -> None:
            nodes, own, found = running.pop(0)
            of_nodes, of_forces, of_strain = (np.asarray(array, float) for array in found)
            energies[nodes[own]] = of_nodes[: len(nodes)][own]
            np.add.at(forces, nodes, of_forces[: len(nodes)])
            strain[...] += of_strain[0]

        for number, (nodes, own, part) in enumerate(parts):
            device, parameters = self.places[number % len(self.places)]
            mask = np.zeros(bucket.atoms, bool)
            mask[: len(nodes)] = own
            batch, mask = jax.device_put((pad([part], bucket, self.dtype), mask), device)
            running.append((nodes, own, self._evaluate(parameters, batch, mask)))
            if len(running) > len(self.places):  # one part waits for each device; more would fill the memory
                collect()
        while running:
            collect()
        return Prediction(energies, forces, strain)

    def _parts(
        self, graph: irr.Graph, cores: Sequence[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, irr.Graph]]:
        """Yield the atoms of each part, halo included; which of them are its own; and their graph."""
        senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
        starts = np.searchsorted(receivers, np.arange(len(graph.nodes.species) + 1))
        for core in cores:
            inside, nodes = np.zeros(len(graph.nodes.species), bool), np.sort(core)
            inside[nodes] = True
            edges = np.zeros(0, int)
            for _ in range(self.hops):
                edges = _edges_of(nodes, starts)
                inside[senders[edges]] = True
                nodes = np.flatnonzero(inside)
            own = np.isin(nodes, core, assume_unique=True)
            data = AtomData(*(np.asarray(array)[nodes] for array in graph.nodes))
            ends = (np.searchsorted(nodes, end[edges]) for end in (senders, receivers))
            yield nodes, own, irr.Graph(data, *ends, edges=graph.edges[edges], globals=graph.globals)


def _edges_of(nodes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the indices of the edges that end at some nodes, where the edges are sorted by their ends."""
    counts = starts[nodes + 1] - starts[nodes]
    first = np.repeat(starts[nodes] - np.cumsum(counts) + counts, counts)
    return first + np.arange(counts.sum())


def split(positions: np.ndarray, largest: int) -> list[np.ndarray]:
    """Divide points into compact parts by halving the longest side of their box again and again.

    Args:
        positions: shape (points, 3).
        largest: largest number of points in a part.

    Returns:
        The indices of the points of each part.

    Example:
        >>> import numpy as np
        >>> [part.tolist() for part in split(np.array([[0.0, 0, 0], [9, 0, 0], [1, 0, 0], [8, 0, 0]]), 2)]
        [[0, 2], [3, 1]]
    """
    waiting, parts = [np.arange(len(positions))], []
    while waiting:
        part = waiting.pop()
        if len(part) <= largest:
            parts.append(part)
            continue
        axis = int(np.argmax(np.ptp(positions[part], axis=0)))
        part = part[np.argsort(positions[part, axis], kind="stable")]
        waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return parts
