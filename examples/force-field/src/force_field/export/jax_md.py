"""A force field as an energy function of jax-md."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from force_field.derivatives import Potential
from force_field.graphs import AtomData


def energy_function(
    model: Potential, numbers: Sequence[int] | np.ndarray, displacement: Callable[..., jax.Array]
) -> Callable[..., jax.Array]:
    """Return a function from positions and neighbours to the energy in eV, which jax-md differentiates.

    ::

        displacement, shift = space.periodic(box)
        neighbor_fn = partition.neighbor_list(displacement, box, model.cutoff, format=partition.Sparse)
        energy = energy_function(model, atoms.numbers, displacement)
        init, apply = simulate.nvt_nose_hoover(energy, shift, dt, kT)    # called with neighbor=...

    Args:
        model: the force field, with parameters of the dtype of the positions.
        numbers: atomic numbers, of shape (atoms,).
        displacement: displacement function of jax-md, in Å: from two positions to the vector to the first from the
            second. It knows the nearest periodic image alone, so the box must be wider than twice the cutoff.

    Returns:
        A function ``energy(positions, neighbor, **kwargs)``. `neighbor` is a sparse list of jax-md: its ``idx`` are
        receivers and senders, of shape (2, pairs), out of range for padding, with each pair in both directions.
        Further arguments, such as ``box``, are given to `displacement`.

    Raises:
        ValueError: an atomic number that the model does not know; when called, other lists of neighbours.
    """
    index = {z: i for i, z in enumerate(model.elements)}
    unknown = sorted({*np.asarray(numbers).tolist()} - {*index})
    if unknown:
        raise ValueError(f"expected atomic numbers among {sorted(index)}, got {unknown}")
    species = np.array([index[z] for z in np.asarray(numbers).tolist()], np.int32)
    reference = float(np.sum(np.array(model.reference_energies)[species]))
    count = len(species)

    def energy(positions: jax.Array, neighbor: Any, **kwargs: Any) -> jax.Array:
        if getattr(neighbor.idx, "ndim", None) != 2 or neighbor.idx.shape[0] != 2:
            raise ValueError(
                f"expected a list of neighbours of the format Sparse, with idx of shape (2, pairs), got "
                f"{getattr(neighbor.idx, 'shape', type(neighbor.idx))}"
            )
        name = getattr(getattr(neighbor, "format", None), "name", "Sparse")
        if name != "Sparse":
            raise ValueError(f"expected a list of neighbours of the format Sparse, got {name}")
        receivers, senders = neighbor.idx
        first, second = (jnp.take(positions, end, axis=0, mode="clip") for end in (senders, receivers))
        vectors = jax.vmap(lambda a, b: displacement(a, b, **kwargs))(first, second)
        # Before the square root of the model: derivatives of what is left out must be finite.
        inside = (receivers < count) & (senders < count) & (jnp.sum(vectors**2, axis=1) < model.cutoff**2)
        outside = jnp.array([2 * model.cutoff, 0.0, 0.0], vectors.dtype)
        everywhere = jnp.ones(count, bool)
        batch = irr.GraphBatch(
            nodes=AtomData(jnp.asarray(species), positions, jnp.zeros_like(positions)),
            senders=jnp.where(inside, senders, count),
            receivers=jnp.where(inside, receivers, count),
            edges=jnp.zeros_like(vectors),
            globals=None,
            node_graph=jnp.zeros(count, np.int32),
            node_mask=everywhere,
            edge_mask=inside,
            graph_mask=jnp.ones(1, bool),
        )
        return jnp.sum(model(batch, jnp.where(inside[:, None], vectors, outside))) + reference

    return energy
