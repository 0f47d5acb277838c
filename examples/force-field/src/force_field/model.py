"""A NequIP-style force field: the energy is a sum over atoms, the forces are its exact negative gradient.

S. Batzner et al., Nat. Commun. 13, 2453 (2022), arXiv:2101.03164. Here each degree has the parity of its
spherical harmonic.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_flax.nnx as layers
from irreps_core import Irrep, Irreps, IrrepsArray
from irreps_ops import bessel, gate, poly_envelope, spherical_harmonics

from .convolution import convolve, paths
from .graphs import Batch


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Attributes:
        elements: atomic numbers that it knows, ascending.
        channels: features of each degree.
        layers: number of interactions.
        lmax: highest degree.
        cutoff: in Å, how far a neighbour may be.
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
        """Check what would only fail later."""
        for name in ("channels", "layers", "cutoff", "radial_basis", "radial_hidden"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} above zero, got {getattr(self, name)}")
        if self.lmax < 0:
            raise ValueError(f"expected lmax not below zero, got {self.lmax}")


# A small network learns most in a few minutes; a large one learns more from the same data, given time.
SIZES = {"small": {"channels": 32}, "large": {"channels": 64}}


@dataclass(frozen=True)
class Scaling:
    """What the training data says about sizes, so that the network works with numbers near one.

    Attributes:
        reference_energies: eV, one for each element; the network's energy is relative to their sum.
        energy_scale: eV, the root mean square force component times 1 Å.
        neighbors: average number of neighbours of an atom.
    """

    reference_energies: tuple[float, ...]
    energy_scale: float
    neighbors: float


def natural_irreps(channels: int, lmax: int) -> Irreps:
    """Each degree with the parity of its spherical harmonic: channels x (0e + 1o + 2e + ...)."""
    return Irreps([(channels, Irrep(l, (-1) ** l)) for l in range(lmax + 1)])


class Interaction(nnx.Module):
    """One layer: messages from the neighbours, a memory of what was there, a gate."""

    def __init__(
        self,
        config: ModelConfig,
        neighbors: float,
        irreps_in: Irreps,
        irreps_out: Irreps,
        *,
        rngs: nnx.Rngs,
        param_dtype: str,
    ) -> None:
        """See the class; features go from `irreps_in` to `irreps_out`."""
        make: Any = {"rngs": rngs, "param_dtype": param_dtype}
        channels, species = config.channels, len(config.elements)
        self.neighbors = neighbors
        self.harmonics = natural_irreps(1, config.lmax)
        self.irreps_messages = natural_irreps(channels, irreps_out.lmax)
        found = paths(irreps_in, self.harmonics, self.irreps_messages)
        summed = Irreps([(channels, ir) for _, _, ir in found]).simplify()
        # Every feature of degree above zero needs a scalar to be gated by.
        gates = sum(mul for mul, ir in irreps_out if ir.l > 0)
        self.irreps_gated = (Irreps([(gates, "0e")]) + irreps_out).regroup()
        self.linear_up = layers.Linear(irreps_in, irreps_in, **make)
        hidden = [config.radial_hidden] * 2
        self.radial = layers.MultiLayerPerceptron(
            config.radial_basis, [*hidden, len(found) * channels], jax.nn.silu, output_activation=False, **make
        )
        self.linear_down = layers.Linear(summed, self.irreps_gated, **make)
        self.linear_self = layers.Linear(
            irreps_in, self.irreps_gated, num_indexed_weights=species, force_irreps_out=True, **make
        )

    def __call__(self, x: IrrepsArray, harmonics: IrrepsArray, radial: jax.Array, batch: Batch) -> IrrepsArray:
        """New features of the atoms from their old ones, (atoms, irreps)."""
        weights = self.radial(radial).reshape(radial.shape[0], -1, x.irreps[0].mul)
        sent = self.linear_up(x)
        received = convolve(sent, harmonics, weights, batch.senders, batch.receivers, self.irreps_messages)
        new = self.linear_down(received / self.neighbors**0.5)
        return gate((new + self.linear_self(batch.species, x)) / 2**0.5, even_act=jax.nn.silu)


class ForceField(nnx.Module):
    """Energies of molecules and crystals."""

    def __init__(self, config: ModelConfig, scaling: Scaling, *, rngs: nnx.Rngs, dtype: str = "float32") -> None:
        """A force field with random parameters of this dtype."""
        self.config, self.scaling = config, scaling
        scalars, features = natural_irreps(config.channels, 0), natural_irreps(config.channels, config.lmax)
        species = len(config.elements)
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
            [config.channels // 2, 1],
            jax.nn.silu,
            output_activation=False,
            rngs=rngs,
            param_dtype=dtype,
        )

    def __call__(self, batch: Batch) -> jax.Array:
        """Energy in eV of each graph, (graphs,), without the reference energies of its atoms."""
        config = self.config
        vectors = batch.positions[batch.senders] + batch.shifts - batch.positions[batch.receivers]
        # Padding edges lie outside the cutoff, where nothing depends on them.
        outside = jnp.array([2 * config.cutoff, 0.0, 0.0], vectors.dtype)
        vectors = jnp.where(batch.edge_mask[:, None], vectors, outside)
        distances = jnp.sqrt(jnp.sum(vectors**2, axis=-1))
        harmonics = spherical_harmonics(natural_irreps(1, config.lmax), vectors, normalize=True)
        envelope = poly_envelope(5, 2, config.cutoff)(distances)
        # Near one for distances of chemical bonds, as the radial network expects.
        basis = config.cutoff**0.5 * bessel(distances, config.radial_basis, config.cutoff)
        radial = basis * envelope[:, None]
        x = IrrepsArray(natural_irreps(config.channels, 0), self.embedding[...][batch.species])
        for interaction in self.interactions:
            x = interaction(x, harmonics, radial, batch)
        energy = self.readout(x.array)[:, 0] + self.offsets[...][batch.species]
        energy = jnp.where(batch.atom_mask, energy, 0)
        return self.scaling.energy_scale * jax.ops.segment_sum(energy, batch.graph_index, len(batch.graph_mask))


def energy_and_forces(model: ForceField, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """Energies (eV, without reference energies) of the graphs, and forces (eV/Å) on the atoms.

    Returns:
        (graphs,) and (atoms, 3).
    """

    def total(positions: jax.Array) -> tuple[jax.Array, jax.Array]:
        energies = model(batch._replace(positions=positions))
        return jnp.sum(energies), energies

    gradient, energies = jax.grad(total, has_aux=True)(jnp.asarray(batch.positions))
    return energies, -gradient
