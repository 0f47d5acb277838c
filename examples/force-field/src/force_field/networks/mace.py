"""MACE: products of several features of an atom, which know angles and dihedrals, in two interactions.

I. Batatia et al., MACE, NeurIPS 2022, arXiv:2206.07697.
"""

from typing import Any

import jax
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from force_field.settings import ModelConfig

from .neighbourhood import Neighbourhood

# The size of the features of which products are made. If it is one, products of the highest order dominate a random
# network, and few data do not correct that: with 50 configurations of aspirin, the error of forces is 71 meV/Å with a
# size of 1, and 54 with 0.1 or 0.03. (The paper's messages are smaller, too: they are divided by the number of
# neighbours, not by its root.)
_FEATURE_SIZE = 0.05


class Interaction(nnx.Module):
    """One layer: a convolution over the neighbours, its symmetric powers, plus a linear map of the features before."""

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
        species, harmonics = len(config.elements), irr.Irreps.spherical_harmonics(config.lmax)
        messages = irr.Irreps(config.channels * harmonics).regroup()
        self.convolution = layers.MessagePassingConvolution(
            (irreps_in, harmonics, config.radial_basis),
            messages,
            [config.radial_hidden] * 3,
            jax.nn.silu,
            avg_num_neighbors=neighbors,
            **make,
        )
        self.product = layers.SymmetricContraction(
            messages, irreps_out, range(1, config.correlation + 1), num_species=species, **make
        )
        self.linear_self = layers.Linear(
            irreps_in, irreps_out, num_indexed_weights=species, force_irreps_out=True, **make
        )

    def __call__(self, x: irr.IrrepsArray, species: jax.Array, edges: Neighbourhood) -> irr.IrrepsArray:
        """Return new features of the atoms, of shape (atoms, irreps_out), from those of shape (atoms, irreps_in)."""
        messages = _FEATURE_SIZE * self.convolution(x, edges.harmonics, edges.radial, edges.edge_index)
        residual = self.linear_self(species, x)
        return self.product(species, messages).rechunk(residual.irreps) + residual


class Mace(nnx.Module):
    """The network; the energy is a sum over the layers."""

    def __init__(self, config: ModelConfig, neighbors: float, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters.

        Args:
            config: its shape.
            neighbors: average number of neighbours of an atom.
            rngs: random keys.
            dtype: dtype of the parameters.
        """
        make: Any = {"rngs": rngs, "param_dtype": dtype}
        channels, scalars = config.channels, irr.Irreps(f"{config.channels}x0e")
        lmax = min(config.lmax_hidden, config.lmax)
        hidden = irr.Irreps(channels * irr.Irreps.spherical_harmonics(lmax)).regroup()
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (len(config.elements), channels), dtype))
        inputs = [scalars, *[hidden] * (config.layers - 1)]
        outputs = [*[hidden] * (config.layers - 1), scalars]
        self.interactions = nnx.List(
            [
                Interaction(config, neighbors, a, b, rngs=rngs, param_dtype=dtype)
                for a, b in zip(inputs, outputs, strict=True)
            ]
        )
        self.readouts = nnx.List([layers.Linear(hidden, "0e", **make) for _ in inputs[1:]])
        self.last_readout = layers.MultiLayerPerceptron(channels, [16, 1], jax.nn.silu, output_activation=False, **make)

    def __call__(self, species: jax.Array, edges: Neighbourhood) -> jax.Array:
        """Return an energy of each atom, of shape (atoms,)."""
        x = irr.IrrepsArray(f"{self.embedding.shape[1]}x0e", self.embedding[...][species])
        *interactions, last = self.interactions
        energies = 0.0
        for interaction, readout in zip(interactions, self.readouts, strict=True):
            x = interaction(x, species, edges)
            energies += readout(x).array[:, 0]
        return energies + self.last_readout(last(x, species, edges).array)[:, 0]
