"""The loss: weighted means of the errors of energies, forces and stresses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import irreps_ops as irr
from force_field.derivatives import Potential, evaluate, graph_energies
from force_field.settings import TrainingConfig


class Weights(NamedTuple):
    """Weights of the three parts of the loss."""

    energy: Any
    forces: Any
    stress: Any


def loss(
    model: Potential,
    batch: irr.GraphBatch,
    config: TrainingConfig,
    weights: Weights | None = None,
    total: Callable[[jax.Array], jax.Array] = lambda x: x,
) -> tuple[jax.Array, jax.Array]:
    """Return the weighted sum of the mean errors of energies per atom, force components and stress.

    The errors are in units of the force scale times 1 Å. The error of a stress is multiplied by the volume, which makes
    it the derivative of the energy by strain. Each error is also multiplied by the weight of its configuration.

    Args:
        model: the force field.
        batch: the configurations, or a part of them.
        config: the settings.
        weights: of energies, forces and stress (default: those of the settings for the first stage).
        total: returns the sum of a number over the parts of the batch.

    Returns:
        Loss, or the contribution of this part to it; and the root mean square error of the force components in eV/Å.
    """
    if weights is None:
        weights = Weights(config.energy_weight, config.forces_weight, config.stress_weight)
    scale, targets = model.energy_scale, batch.globals
    energies, forces, strain_derivatives = evaluate(model, batch)

    def cost(errors: jax.Array, mask: jax.Array) -> jax.Array:
        """Return the penalty of each row of errors."""
        shape = (-1, *(1 for _ in errors.shape[1:]))
        return penalty(jnp.where(mask.reshape(shape), errors, 0) / scale, config.huber)

    def mean(costs: jax.Array, weights: jax.Array, mask: jax.Array) -> jax.Array:
        costs = costs.reshape(len(costs), -1)
        return jnp.sum(weights[:, None] * costs) / jnp.maximum(costs.shape[1] * total(jnp.sum(mask)), 1)

    atoms = jnp.maximum(graph_energies(batch.node_mask.astype(forces.dtype), batch), 1)
    of_energy, of_forces, of_stress = (targets.weights[:, k] for k in range(3))
    graphs, has_stress, nodes = batch.graph_mask, batch.graph_mask & targets.has_stress, batch.node_mask

    errors = (graph_energies(energies, batch) - targets.energy) / jnp.sqrt(atoms)
    energy_loss = mean(cost(errors, graphs), of_energy, graphs)

    errors = forces - batch.nodes.forces
    of_atoms = jnp.take(of_forces, jnp.asarray(batch.node_graph), mode="clip")
    if config.per_element:
        of_atoms = of_atoms * _inverse_frequencies(batch, len(model.elements), total)
    force_loss = mean(cost(errors, nodes), of_atoms, nodes)
    squares = total(jnp.sum(jnp.where(nodes[:, None], errors, 0) ** 2))

    errors = strain_derivatives - targets.stress * targets.volume[:, None, None]
    strain_loss = mean(cost(errors / jnp.sqrt(atoms)[:, None, None], has_stress), of_stress, has_stress)

    value = weights.energy * energy_loss + weights.forces * force_loss + weights.stress * strain_loss
    return value, jnp.sqrt(squares / jnp.maximum(3 * total(jnp.sum(nodes)), 1))


def penalty(errors: jax.Array, huber: float) -> jax.Array:
    """Return the squares of errors or, with `huber` above zero, twice the Huber loss: its tangent beyond `huber`."""
    return 2 * optax.huber_loss(errors, delta=huber) if huber > 0 else errors**2


def _inverse_frequencies(batch: irr.GraphBatch, elements: int, total: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """Return the weight of each atom with which a mean over atoms is the mean over elements of their means."""
    mask = jnp.asarray(batch.node_mask)
    species = jnp.asarray(batch.nodes.species)
    counts = total(irr.scatter_sum(mask.astype(jnp.int32), dst=species, output_size=elements))
    present = jnp.sum(counts > 0)
    return jnp.sum(counts) / jnp.maximum(present * counts, 1)[species]
