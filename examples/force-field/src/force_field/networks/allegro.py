"""Allegro: features of pairs of atoms, strictly local, without messages from atom to atom.

A. Musaelian et al., Nat. Commun. 14, 579 (2023), arXiv:2204.05249.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from force_field.settings import ModelConfig

from .neighbourhood import Neighbourhood


class Interaction(nnx.Module):
    """One layer: the features of a pair times those of the environment of its receiver, which update its latents."""

    def __init__(self, config: ModelConfig, neighbors: float, *, rngs: nnx.Rngs, param_dtype: str) -> None:
        """See the class."""
        make: Any = {"rngs": rngs, "param_dtype": param_dtype}
        self.channels, latent = config.channels, config.radial_hidden
        harmonics = irr.Irreps.spherical_harmonics(config.lmax)
        features = irr.Irreps(config.channels * harmonics).regroup()
        # The sum over neighbours of their harmonics, with weights that are a linear function of the latents.
        self.environment = layers.MessagePassingConvolution(
            (f"{config.channels}x0e", harmonics, latent), features, [], None, avg_num_neighbors=neighbors, **make
        )
        self.keep = harmonics
        paths = irr.tensor_product(harmonics, harmonics, filter_ir_out=harmonics)
        self.linear = layers.Linear(irr.Irreps(config.channels * paths).regroup(), features, **make)
        self.update = layers.MultiLayerPerceptron(
            latent + config.channels, [latent, latent], jax.nn.silu, output_activation=False, **make
        )

    def __call__(
        self, pairs: irr.IrrepsArray, latents: jax.Array, ones: irr.IrrepsArray, edges: Neighbourhood
    ) -> tuple[irr.IrrepsArray, jax.Array]:
        """Return new features and latents of the pairs.

        Args:
            pairs: features of shape (edges, irreps).
            latents: invariant features of shape (edges, latents).
            ones: of shape (atoms, channels).
            edges: the edges.
        """
        environment = self.environment(ones, edges.harmonics, latents, edges.edge_index)
        around = environment.mul_to_axis(self.channels)
        around = irr.IrrepsArray(around.irreps, jnp.take(around.array, edges.receivers, axis=0, mode="clip"))
        product = irr.tensor_product(pairs.mul_to_axis(self.channels), around, filter_ir_out=self.keep)
        pairs = self.linear(product.axis_to_mul().regroup())
        inputs = jnp.concatenate([latents, pairs.filter("0e").array], axis=-1)
        return pairs, (latents + edges.envelope[:, None] * self.update(inputs)) / 2**0.5


class Allegro(nnx.Module):
    """The network; the energy of an atom is a sum over its pairs."""

    def __init__(self, config: ModelConfig, neighbors: float, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters.

        Args:
            config: its shape.
            neighbors: average number of neighbours of an atom.
            rngs: random keys.
            dtype: dtype of the parameters.
        """
        make: Any = {"rngs": rngs, "param_dtype": dtype}
        self.neighbors, self.lmax = neighbors, config.lmax
        channels, latent, species = config.channels, config.radial_hidden, len(config.elements)
        self.channels = channels
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (species, channels), dtype))
        self.two_body = layers.MultiLayerPerceptron(
            config.radial_basis + 2 * channels, [latent, latent, latent], jax.nn.silu, output_activation=False, **make
        )
        self.weights = layers.MultiLayerPerceptron(latent, [channels * (config.lmax + 1)], None, **make)
        self.interactions = nnx.List(
            [Interaction(config, neighbors, rngs=rngs, param_dtype=dtype) for _ in range(config.layers)]
        )
        self.readout = layers.MultiLayerPerceptron(latent, [latent, 1], jax.nn.silu, output_activation=False, **make)

    def __call__(self, species: jax.Array, edges: Neighbourhood) -> jax.Array:
        """Return an energy of each atom, of shape (atoms,)."""
        of_atoms = self.embedding[...][species]
        ends = [jnp.take(of_atoms, end, axis=0, mode="clip") for end in (edges.senders, edges.receivers)]
        latents = edges.envelope[:, None] * self.two_body(jnp.concatenate([edges.radial, *ends], axis=-1))
        weights = self.weights(latents).reshape(-1, self.channels, self.lmax + 1)
        harmonics = edges.harmonics.chunks  # each of shape (edges, 1, 2 l + 1)
        irreps = irr.Irreps(self.channels * edges.harmonics.irreps).regroup()
        pairs = irr.from_chunks(
            irreps, [weights[:, :, l, None] * chunk for l, chunk in enumerate(harmonics)], weights.shape[:1]
        )
        ones = irr.IrrepsArray(f"{self.channels}x0e", jnp.ones((species.shape[0], self.channels), latents.dtype))
        for interaction in self.interactions:
            pairs, latents = interaction(pairs, latents, ones, edges)
        energies = edges.envelope * self.readout(latents)[:, 0]
        return irr.scatter_sum(energies, dst=edges.receivers, output_size=species.shape[0]) / self.neighbors**0.5
