"""Forces and stress: derivatives of the energy by positions and by strain."""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

import irreps_ops as irr


class Potential(Protocol):
    """A model of the energy; it sees no positions, only the vectors from atoms to their neighbours."""

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that it knows; species are indices into them."""
        ...

    @property
    def cutoff(self) -> float:
        """Radius of the neighbourhood of an atom, in Å."""
        ...

    @property
    def reference_energies(self) -> tuple[float, ...]:
        """The energy of each element in eV, which the energies below do not contain."""
        ...

    @property
    def energy_scale(self) -> float:
        """The order of its energies in eV, and of its forces in eV/Å: the unit of errors in training."""
        ...

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, of shape (atoms,), relative to their reference energies.

        Args:
            batch: graphs of :func:`force_field.graphs.to_graph`, padded.
            vectors: of each edge, from receiver to sender, of shape (edges, 3), in Å; beyond the cutoff for padding.
        """
        ...


class Evaluation(NamedTuple):
    """Energies and their derivatives.

    Attributes:
        energies: of the atoms, in eV, without reference energies, of shape (atoms,).
        forces: in eV/Å, of shape (atoms, 3).
        strain_derivatives: dE/dε of each graph in eV, symmetric, of shape (graphs, 3, 3), where the strain ε maps a
            position r to (1 + ε) r. Divided by the volume of the cell it is the stress, with the sign of ASE: positive
            if the cell would shrink. Its negative is the virial.
    """

    energies: jax.Array
    forces: jax.Array
    strain_derivatives: jax.Array


def evaluate(model: Potential, batch: irr.GraphBatch) -> Evaluation:
    """Return the energies, forces and strain derivatives of a batch.

    The strain acts on the vectors of the edges, so it is defined for molecules, slabs and crystals alike, and rounding
    errors do not depend on where the atoms are in space.
    """

    def total(positions: jax.Array, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
        vectors = irr.edge_vectors(positions, batch.senders, batch.receivers) + batch.edges
        of_edges = jnp.take(0.5 * (strain + strain.swapaxes(1, 2)), edge_graph, axis=0, mode="clip")
        vectors = vectors + jnp.einsum("eij,ej->ei", of_edges, vectors, precision=jax.lax.Precision.HIGHEST)
        outside = jnp.array([2 * model.cutoff, 0.0, 0.0], vectors.dtype)
        energies = model(batch, jnp.where(batch.edge_mask[:, None], vectors, outside))
        return jnp.sum(jnp.where(batch.node_mask, energies, 0)), energies

    positions = jnp.asarray(batch.nodes.positions)
    edge_graph = jnp.take(jnp.asarray(batch.node_graph), batch.receivers, mode="clip")
    strain = jnp.zeros((batch.num_graphs, 3, 3), positions.dtype)
    (gradient, strain_derivatives), energies = jax.grad(total, argnums=(0, 1), has_aux=True)(positions, strain)
    return Evaluation(energies, -gradient, strain_derivatives)


def graph_energies(energies: jax.Array, batch: irr.GraphBatch) -> jax.Array:
    """Return the energy of each graph, of shape (graphs,), from those of the atoms."""
    return irr.scatter_sum(energies, dst=batch.node_graph, output_size=batch.num_graphs)
