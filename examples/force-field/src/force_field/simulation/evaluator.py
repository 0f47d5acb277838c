"""Energies, forces and stress of atoms that move: one compiled program, and neighbours that are reused."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

import irreps_ops as irr
from force_field.data import check_elements
from force_field.derivatives import Evaluation, Potential, evaluate
from force_field.evaluation import Parameters, Prediction
from force_field.graphs import AtomData
from irreps_flax.nnx import binding

from .verlet_list import VerletList


class Pairs(NamedTuple):
    """Pairs of atoms on the device; padding pairs an atom with itself.

    Attributes:
        receivers: int32 of shape (edges,).
        senders: int32 of shape (edges,).
        images: of shape (edges, 3), the cells in which the senders are.
    """

    receivers: jax.Array
    senders: jax.Array
    images: jax.Array


class Evaluator:
    """A compiled force field for atoms that move.

    In each step the positions and the cell go to the device. The neighbours go there only when they are found again;
    the program leaves out those beyond the cutoff. Their number is padded to a size that is kept until it is exceeded,
    or until less than a third of it is needed; so a simulation compiles once or a few times.

    Attributes:
        traces: the number of compilations.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        skin: in Å, see :class:`VerletList`.
    """

    def __init__(self, model: Potential, dtype: str = "float64", skin: float = 0.5) -> None:
        """See the class."""
        self.model, self.dtype = model, np.dtype(dtype)
        self.parameters = jax.tree.map(lambda p: jnp.asarray(p, dtype), binding.to_trees(model)[0])
        self.neighbors = VerletList(model.cutoff, skin)
        self.traces = 0
        self._sizes = (0, 0)  # of atoms and edges, padded
        self._numbers = np.zeros(0, int)
        self._pairs: Pairs | None = None
        self._species = jnp.zeros(0, np.int32)
        self._evaluate = jax.jit(self._traced)

    def __call__(self, atoms: Atoms) -> Prediction:
        """Return the prediction for a configuration.

        Raises:
            DataError: the model does not know an element, or two atoms are almost at the same position.
            FloatingPointError: a force is not finite.
        """
        if not np.array_equal(atoms.numbers, self._numbers):
            check_elements([atoms], self.model.elements, "the simulation")
        if self.neighbors.update(atoms) or not np.array_equal(atoms.numbers, self._numbers):
            self._take_over(atoms)
        positions = np.zeros((self._sizes[0], 3), self.dtype)
        positions[: len(atoms)] = atoms.positions
        cell = atoms.cell.array.astype(self.dtype)
        found = self._evaluate(self.parameters, self._species, positions, cell, np.int32(len(atoms)), self._pairs)
        energies, forces, strain_derivatives = (np.asarray(array, float) for array in jax.device_get(found))
        energies, forces = energies[: len(atoms)], forces[: len(atoms)]
        if not (np.isfinite(forces).all() and np.isfinite(energies).all()):
            raise FloatingPointError(f"the model has no finite energy and forces for {atoms.get_chemical_formula()}")
        return Prediction(energies, forces, strain_derivatives[0])

    def _take_over(self, atoms: Atoms) -> None:
        """Bring species and neighbours to the device."""
        found = self.neighbors
        count = len(found.senders)
        self._sizes = (padded_size(self._sizes[0], len(atoms)), padded_size(self._sizes[1], count, count // 10 + 16))
        self._numbers = atoms.numbers.copy()
        species = np.zeros(self._sizes[0], np.int32)
        index = np.zeros(119, np.int32)
        index[list(self.model.elements)] = np.arange(len(self.model.elements))
        species[: len(atoms)] = index[atoms.numbers]
        self._species = jnp.asarray(species)
        padding = self._sizes[1] - count
        self._pairs = Pairs(
            receivers=jnp.asarray(np.pad(found.receivers.astype(np.int32), (0, padding))),
            senders=jnp.asarray(np.pad(found.senders.astype(np.int32), (0, padding))),
            images=jnp.asarray(np.pad(found.images.astype(self.dtype), ((0, padding), (0, 0)))),
        )

    def _traced(
        self,
        parameters: Parameters,
        species: jax.Array,
        positions: jax.Array,
        cell: jax.Array,
        count: jax.Array,
        pairs: Pairs,
    ) -> Evaluation:
        self.traces += 1
        atoms = jnp.arange(len(species)) < count
        batch = moving_batch(species, positions, cell, atoms, pairs, self.model.cutoff)
        return evaluate(binding.from_trees(self.model, parameters), batch)


def moving_batch(
    species: jax.Array, positions: jax.Array, cell: jax.Array, atoms: jax.Array, pairs: Pairs, cutoff: float
) -> irr.GraphBatch:
    """Return the batch of one configuration, whose edges are the pairs within the cutoff.

    Args:
        species: integers of shape (atoms,).
        positions: of shape (atoms, 3), in Å.
        cell: of shape (3, 3), in Å.
        atoms: booleans of shape (atoms,), False for padding.
        pairs: the candidates.
        cutoff: in Å.
    """
    shifts = jnp.matmul(pairs.images, cell, precision=jax.lax.Precision.HIGHEST)
    vectors = irr.edge_vectors(positions, pairs.senders, pairs.receivers) + shifts
    padding = (pairs.senders == pairs.receivers) & jnp.all(pairs.images == 0, axis=1)
    inside = ~padding & (jnp.sum(vectors**2, axis=1) < cutoff**2)
    count = species.shape[0]
    return irr.GraphBatch(
        nodes=AtomData(species, positions, jnp.zeros_like(positions)),
        senders=jnp.where(inside, pairs.senders, count),
        receivers=jnp.where(inside, pairs.receivers, count),
        edges=shifts,
        globals=None,
        node_graph=jnp.where(atoms, 0, 1),
        node_mask=atoms,
        edge_mask=inside,
        graph_mask=jnp.ones(1, bool),
    )


def padded_size(size: int, needed: int, reserve: int = 0) -> int:
    """Return a size with room for `needed`: the present one if a third of it is used, else one with a reserve.

    With a reserve, a number that fluctuates does not exceed the size at once.
    """
    if needed <= size <= 3 * max(needed, 8):
        return size
    return irr.bucket_size(needed + reserve, steps=4)
