"""The force field: the energy is a sum over the energies of atoms, which a network computes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_ops as irr

from .networks import NETWORKS
from .networks.neighbourhood import Radial, repulsion
from .settings import SIZES, ModelConfig, check_types, is_number

__all__ = ["SIZES", "ForceField", "ModelConfig", "Scaling"]


@dataclass(frozen=True)
class Scaling:
    """Statistics of the training data that bring inputs and outputs of the network to the order of one.

    Attributes:
        reference_energies: eV, one for each element; the energy of the network is relative to their sum.
        energy_scale: eV, the root mean square of the force components times 1 Å.
        neighbors: average number of neighbours of an atom.
    """

    reference_energies: tuple[float, ...]
    energy_scale: float
    neighbors: float

    def __post_init__(self) -> None:
        """Check the values."""
        check_types(self)
        if not all(map(is_number, self.reference_energies)):
            raise ValueError(f"expected finite reference_energies, got {self.reference_energies!r:.100}")
        if not (self.energy_scale > 0 and self.neighbors > 0):
            raise ValueError(
                f"expected energy_scale and neighbors above zero, got {self.energy_scale} and {self.neighbors}"
            )


class ForceField(nnx.Module):
    """Energies of molecules and crystals."""

    def __init__(self, config: ModelConfig, scaling: Scaling, *, rngs: nnx.Rngs, dtype: str = "float32") -> None:
        """Create a force field with random parameters of this dtype."""
        self.config, self.scaling = config, scaling
        self.offsets = nnx.Param(jnp.zeros(len(config.elements), dtype))
        self.radial = Radial(config, dtype=dtype)
        self.network = NETWORKS[config.network](config, scaling.neighbors, rngs=rngs, dtype=dtype)

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that the model knows."""
        return self.config.elements

    @property
    def cutoff(self) -> float:
        """Radius of the neighbourhood of an atom, in Å."""
        return self.config.cutoff

    @property
    def reference_energies(self) -> tuple[float, ...]:
        """The energy of each element in eV."""
        return self.scaling.reference_energies

    @property
    def energy_scale(self) -> float:
        """The root mean square of the force components in training, times 1 Å, in eV."""
        return self.scaling.energy_scale

    @property
    def hops(self) -> int:
        """Number of hops from neighbour to neighbour by which the energy of an atom reaches."""
        return 1 if self.config.network == "allegro" else self.config.layers

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, see :class:`force_field.derivatives.Potential`."""
        species = batch.nodes.species
        energies = self.network(species, self.radial(batch, vectors)) + self.offsets[...][species]
        energies = self.scaling.energy_scale * energies
        return energies + repulsion(self.config, batch, vectors) if self.config.zbl else energies
