"""A NequIP-style force field: the energy is a sum over atoms.

S. Batzner et al., Nat. Commun. 13, 2453 (2022), arXiv:2101.03164. Here each degree has the parity of its spherical
harmonic.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr

from .settings import check_types, is_number


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Attributes:
        elements: atomic numbers that it knows, ascending.
        channels: features of each degree.
        layers: number of interactions.
        lmax: highest degree.
        cutoff: radius of the neighbourhood of an atom, in Å.
        radial_basis: number of Bessel functions.
        radial_hidden: neurons in each hidden layer of the radial network.
    """

    elements: tuple[int, ...]
    channels: int = 32
    layers: int = 3
    lmax: int = 2
    cutoff: float = 4.0
    radial_basis: int = 8
    radial_hidden: int = 64

    def __post_init__(self) -> None:
        """Check the values."""
        check_types(self)
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"expected {name} from {least} to {most}, got {getattr(self, name)}")
        if not self.cutoff > 0:
            raise ValueError(f"expected cutoff above zero, got {self.cutoff}")
        if not self.elements or not all(type(z) is int and 1 <= z <= 118 for z in self.elements):
            raise ValueError(f"expected atomic numbers from 1 to 118, got {self.elements!r:.100}")


# Far beyond useful networks; a damaged header does not start a computation without end.
_RANGES = {
    "channels": (1, 4096),
    "layers": (1, 100),
    "lmax": (0, 10),
    "radial_basis": (1, 1000),
    "radial_hidden": (1, 10_000),
}


# A small network learns most in a few minutes; given more time, a large network learns more from the same data.
SIZES = {"small": {"channels": 32}, "large": {"channels": 64}}


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


class Interaction(nnx.Module):
    """One layer: a convolution over the neighbours, plus a self-connection, then a gate."""

    def __init__(
        self,
        config: ModelConfig,
        neighbors: float,
        irreps_in: irr.Irreps,
        irreps_out: irr.Irreps,
        *,
        rngs: nnx.Rngs,
        param_dtype: str,
    ) -> None:
        """See the class; features go from `irreps_in` to `irreps_out`."""
        make: Any = {"rngs": rngs, "param_dtype": param_dtype}
        # The gate needs one scalar for each feature of degree above zero.
        gates = sum(mul for mul, ir in irreps_out if ir.l > 0)
        irreps_gated = (irr.Irreps([(gates, "0e")]) + irreps_out).regroup()
        self.convolution = layers.MessagePassingConvolution(
            (irreps_in, irr.Irreps.spherical_harmonics(config.lmax), config.radial_basis),
            irreps_gated,
            [config.radial_hidden] * 2,
            jax.nn.silu,
            avg_num_neighbors=neighbors,
            **make,
        )
        self.linear_self = layers.Linear(
            irreps_in, irreps_gated, num_indexed_weights=len(config.elements), force_irreps_out=True, **make
        )

    def __call__(
        self,
        x: irr.IrrepsArray,
        species: jax.Array,
        harmonics: irr.IrrepsArray,
        radial: jax.Array,
        edges: irr.EdgeIndex,
    ) -> irr.IrrepsArray:
        """Return new features of the atoms, of shape (atoms, irreps_out), from those of shape (atoms, irreps_in)."""
        new = self.convolution(x, harmonics, radial, edges) + self.linear_self(species, x)
        return irr.gate(new / 2**0.5, even_act=jax.nn.silu)


class ForceField(nnx.Module):
    """Energies of molecules and crystals."""

    def __init__(self, config: ModelConfig, scaling: Scaling, *, rngs: nnx.Rngs, dtype: str = "float32") -> None:
        """Create a force field with random parameters of this dtype."""
        self.config, self.scaling = config, scaling
        features = config.channels * irr.Irreps.spherical_harmonics(config.lmax)
        scalars, species = irr.Irreps(f"{config.channels}x0e"), len(config.elements)
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (species, config.channels), dtype))
        self.offsets = nnx.Param(jnp.zeros(species, dtype))
        ends = [scalars, *[features] * (config.layers - 1), scalars]
        self.interactions = nnx.List(
            [
                Interaction(config, scaling.neighbors, a, b, rngs=rngs, param_dtype=dtype)
                for a, b in itertools.pairwise(ends)
            ]
        )
        self.readout = layers.MultiLayerPerceptron(
            config.channels,
            [max(config.channels // 2, 1), 1],
            jax.nn.silu,
            output_activation=False,
            rngs=rngs,
            param_dtype=dtype,
        )

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

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        """Return the energies of the atoms in eV, see :class:`force_field.derivatives.Potential`."""
        config, species = self.config, batch.nodes.species
        distances = jnp.sqrt(jnp.sum(vectors**2, axis=-1))
        harmonics = irr.spherical_harmonics(irr.Irreps.spherical_harmonics(config.lmax), vectors, normalize=True)
        envelope = irr.poly_envelope(5, 2, config.cutoff)(distances)
        # The factor brings the basis to the order of one at the length of a bond, as the radial network expects.
        basis = config.cutoff**0.5 * irr.bessel(distances, config.radial_basis, config.cutoff)
        radial, edges = basis * envelope[:, None], batch.edge_index()
        x = irr.IrrepsArray(f"{config.channels}x0e", self.embedding[...][species])
        for interaction in self.interactions:
            x = interaction(x, species, harmonics, radial, edges)
        energies = self.readout(x.array)[:, 0] + self.offsets[...][species]
        return self.scaling.energy_scale * energies
