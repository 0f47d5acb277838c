"""One large system divided among devices, whose sum is exactly the whole.

Each device owns a compact block of atoms and computes their energies. Before, it receives copies of the atoms within
reach of its own, from the devices that own them; the transpose of this exchange brings the derivatives by the copies
back to their owners, where they become forces. One exchange of positions serves all layers of messages: its halo is as
deep as all of them together. The alternative, an exchange in each layer of a halo of one cutoff, saves the energies
that neighbours compute twice, but every network would have to know of it. This one works with any model.

A block with more atoms than fit into the memory of a device is computed in parts, one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import irreps_ops as irr
from force_field.derivatives import Potential, evaluate
from force_field.devices import first_devices
from force_field.evaluation import Parameters, Prediction, Predictor
from irreps_flax.nnx import binding

from .division import Division, Layout, Parts, Sizes, divide, from_blocks, in_blocks, layout, needed
from .system import Pairs, moving_batch, padded_size

_BLOCKS = "blocks"  # name of the axis of the mesh


class PartitionedSystem:
    """A system that is divided among devices of one process, see :class:`force_field.simulation.system.System`.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        devices: number of devices; 0: all.
        atoms_per_part: largest number of own atoms of a part (default: a device computes its block at once).
        hops: number of hops from neighbour to neighbour by which the energy of an atom reaches (default: that of the
            model).

    Raises:
        UsageError: there are fewer devices.
        ValueError: the number of hops or of atoms is not positive, or the model does not say its hops.
    """

    def __init__(
        self,
        model: Potential,
        dtype: str = "float64",
        devices: int = 0,
        atoms_per_part: int | None = None,
        hops: int | None = None,
    ) -> None:
        """See the class."""
        found = getattr(model, "hops", None) if hops is None else hops
        if found is None or found < 1:
            raise ValueError(
                f"expected hops of one or more, the number of layers of messages of the model, got {found}"
            )
        if atoms_per_part is not None and atoms_per_part < 1:
            raise ValueError(f"expected at least one atom in a part, got {atoms_per_part}")
        self.model, self.dtype, self.hops, self.atoms_per_part = model, np.dtype(dtype), found, atoms_per_part
        self.mesh = Mesh(np.array(first_devices(devices)), (_BLOCKS,))
        self.parameters = self._on_all(binding.to_trees(model)[0])
        self.traces = 0
        self.division = Division([], [], [])
        self._sizes = Sizes(0, 0, 0, {})
        self._layout: Any = None
        block = P(_BLOCKS)
        # The sum over devices is ours, so check_vma has nothing to add to derivatives.
        self._evaluate = jax.jit(
            jax.shard_map(
                self._traced,
                mesh=self.mesh,
                in_specs=(P(), block, block, P()),
                out_specs=(block, block, P()),
                check_vma=False,
            )
        )

    def take_over(self, species: np.ndarray, places: np.ndarray, pairs: Pairs) -> None:
        """Divide the atoms among the devices."""
        self.division = divide(places, pairs, self.hops, self.mesh.size, self.atoms_per_part)
        self._sizes = _padded(self._sizes, needed(self.division))
        arrays = layout(self.division, species, pairs, self._sizes, self.dtype)
        self._layout = jax.device_put(arrays, NamedSharding(self.mesh, P(_BLOCKS)))

    def __call__(self, positions: np.ndarray, cell: np.ndarray, parameters: Parameters | None = None) -> Prediction:
        """Return the prediction for positions and a cell."""
        parameters = self.parameters if parameters is None else self._on_all(parameters)
        own = in_blocks(np.asarray(positions, self.dtype), self.division, self._sizes.atoms)
        own = jax.device_put(own, NamedSharding(self.mesh, P(_BLOCKS)))
        found = self._evaluate(parameters, self._layout, own, self._on_all(cell))
        energies, forces, strain_derivative = (np.asarray(array, float) for array in jax.device_get(found))
        energies, forces = (from_blocks(array, self.division) for array in (energies, forces))
        return Prediction(energies, forces, strain_derivative)

    def _on_all(self, tree: Any) -> Any:
        arrays = jax.tree.map(lambda p: np.asarray(p, self.dtype), tree)
        return jax.device_put(arrays, NamedSharding(self.mesh, P()))

    def _traced(
        self, parameters: Parameters, of_block: Layout, own: jax.Array, cell: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the energies of the own atoms of a device, their forces, and the strain derivative of the system."""
        self.traces += 1
        of_block, own = jax.tree.map(lambda array: array[0], (of_block, own))
        local, transpose = jax.vjp(lambda positions: self._exchange(positions, of_block.sends), own)

        def add_part(sums: tuple[jax.Array, ...], part: Parts) -> tuple[tuple[jax.Array, ...], None]:
            energies, gradient, strain = sums
            positions = jnp.take(local, part.nodes, axis=0)
            batch = moving_batch(part.species, positions, cell, part.inside, part.pairs, self.model.cutoff)
            # The energies of the halo are left out of the sum that is differentiated.
            found = evaluate(binding.from_trees(self.model, parameters), replace(batch, node_mask=part.own))
            energies = energies.at[part.nodes].add(jnp.where(part.own, found.energies, 0))
            return (energies, gradient.at[part.nodes].add(-found.forces), strain + found.strain_derivatives[0]), None

        zeros = (jnp.zeros(len(local), local.dtype), jnp.zeros_like(local), jnp.zeros((3, 3), local.dtype))
        (energies, gradient, strain), _ = jax.lax.scan(add_part, zeros, of_block.parts)
        (of_own,) = transpose(gradient)
        return energies[None, : len(own)], -of_own[None], jax.lax.psum(strain, _BLOCKS)

    def _exchange(self, own: jax.Array, sends: Mapping[int, Any]) -> jax.Array:
        """Return the positions of the own atoms of a device, followed by those of its copies."""
        count, found = self.mesh.size, [own]
        for distance, chosen in sorted(sends.items()):
            ring = [(k, (k + distance) % count) for k in range(count)]
            found.append(jax.lax.ppermute(jnp.take(own, chosen, axis=0), _BLOCKS, ring))
        return jnp.concatenate(found)


def _padded(before: Sizes, now: Sizes) -> Sizes:
    """Return sizes with a reserve, and those before where they suffice: then the program is not compiled again."""
    copies = {k: now.copies.get(k, 0) for k in sorted({*before.copies, *now.copies})}
    return Sizes(
        atoms=padded_size(before.atoms, now.atoms),
        nodes=padded_size(before.nodes, now.nodes, now.nodes // 10 + 4),
        edges=padded_size(before.edges, now.edges, now.edges // 10 + 16),
        copies={k: padded_size(before.copies.get(k, 0), n, n // 10 + 4) for k, n in copies.items()},
    )


class PartitionedPredictor(Predictor):
    """A compiled force field for graphs of large systems, each of which is divided among devices.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        devices: see :class:`PartitionedSystem`.
        atoms_per_part: see :class:`PartitionedSystem`.
    """

    def __init__(
        self, model: Potential, dtype: str = "float64", devices: int = 0, atoms_per_part: int | None = None
    ) -> None:
        """See the class."""
        super().__init__(model, dtype)
        self.system = PartitionedSystem(model, dtype, devices, atoms_per_part)

    def __call__(self, graphs: Sequence[irr.Graph], parameters: Parameters | None = None) -> list[Prediction]:
        """Return the predictions for graphs, in their order; see :class:`force_field.evaluation.Predictor`."""
        predictions = []
        for graph in graphs:
            # Their edges have displacements in Å instead of numbers of cells: those in a cell of 1 Å.
            pairs = Pairs(graph.receivers, graph.senders, graph.edges)
            self.system.take_over(np.asarray(graph.nodes.species), np.asarray(graph.nodes.positions), pairs)
            predictions.append(self.system(graph.nodes.positions, np.eye(3), parameters))
        return predictions


def predictor(model: Potential, dtype: str, devices: int = 1, atoms_per_part: int | None = None) -> Predictor:
    """Return the predictor for one device, or the one that divides each system."""
    if devices == 1 and atoms_per_part is None:
        return Predictor(model, dtype)
    return PartitionedPredictor(model, dtype, devices, atoms_per_part)
