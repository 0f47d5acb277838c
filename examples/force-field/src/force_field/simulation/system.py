"""One system of atoms that move: a compiled program, and pairs of neighbours that stay on the device."""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

import irreps_ops as irr
from force_field.derivatives import Evaluation, Potential, evaluate
from force_field.evaluation import Parameters, Prediction
from force_field.graphs import AtomData
from irreps_flax.nnx import binding


class Pairs(NamedTuple):
    """Pairs of atoms; padding pairs an atom with itself.

    Attributes:
        receivers: int32 of shape (edges,).
        senders: int32 of shape (edges,).
        images: of shape (edges, 3), the cells in which the senders are.
    """

    receivers: Any
    senders: Any
    images: Any

    def padded(self, size: int, dtype: DTypeLike) -> "Pairs":
        """Return arrays of NumPy of this number of pairs, in the dtypes of programs."""
        ends = (np.asarray(end).astype(np.int32) for end in self[:2])
        arrays = [*ends, np.asarray(self.images).astype(dtype)]
        return Pairs(*(np.pad(a, [(0, size - len(a)), *[(0, 0)] * (a.ndim - 1)]) for a in arrays))


class System(Protocol):
    """A compiled force field for one system of atoms; its candidates for neighbours are given first, then positions."""

    @property
    def traces(self) -> int:
        """The number of compilations."""
        ...

    def take_over(self, species: np.ndarray, places: np.ndarray, pairs: Pairs) -> None:
        """Bring species and neighbours to the devices.

        Args:
            species: integers of shape (atoms,), indices into the elements of the model.
            places: of shape (atoms, 3), in Å: where the atoms are, but for whole vectors of the cell.
            pairs: the candidates, sorted by receiver.
        """
        ...

    def __call__(self, positions: np.ndarray, cell: np.ndarray, parameters: Parameters | None = None) -> Prediction:
        """Return the prediction for positions of shape (atoms, 3) and a cell of shape (3, 3), in Å.

        Other parameters can take the place of those of the model.
        """
        ...


class WholeSystem:
    """A system that one device evaluates as a whole, see :class:`System`.

    The number of pairs is padded to a size that is kept until it is exceeded, or until less than a third of it is
    needed; so a simulation compiles once or a few times.

    Args:
        model: the force field.
        dtype: dtype of the computation.
    """

    def __init__(self, model: Potential, dtype: str) -> None:
        """See the class."""
        self.model, self.dtype = model, np.dtype(dtype)
        self.parameters = jax.tree.map(lambda p: jnp.asarray(p, dtype), binding.to_trees(model)[0])
        self.traces = 0
        self._sizes = (0, 0)  # of atoms and edges, padded
        self._pairs: Pairs | None = None
        self._species = jnp.zeros(0, np.int32)
        self._evaluate = jax.jit(self._traced)

    def take_over(self, species: np.ndarray, places: np.ndarray, pairs: Pairs) -> None:
        """Bring species and neighbours to the device."""
        count = len(pairs.senders)
        self._sizes = (padded_size(self._sizes[0], len(species)), padded_size(self._sizes[1], count, count // 10 + 16))
        self._species = jnp.asarray(np.pad(species, (0, self._sizes[0] - len(species))))
        self._pairs = jax.tree.map(jnp.asarray, pairs.padded(self._sizes[1], self.dtype))

    def __call__(self, positions: np.ndarray, cell: np.ndarray, parameters: Parameters | None = None) -> Prediction:
        """Return the prediction for positions and a cell."""
        count, padded = len(positions), np.zeros((self._sizes[0], 3), self.dtype)
        padded[:count] = positions
        parameters, cell = self.parameters if parameters is None else parameters, cell.astype(self.dtype)
        found = self._evaluate(parameters, self._species, padded, cell, np.int32(count), self._pairs)
        energies, forces, strain_derivatives = (np.asarray(array, float) for array in jax.device_get(found))
        return Prediction(energies[:count], forces[:count], strain_derivatives[0])

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
