"""NequIP: convolutions over the neighbours, with gates.

S. Batzner et al., Nat. Commun. 13, 2453 (2022), arXiv:2101.03164.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_flax.nnx as layers
import irreps_ops as irr
from force_field.settings import ModelConfig

from .neighbourhood import Neighbourhood


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
        self.scalars = irreps_out.count("0e")
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

    def __call__(self, x: irr.IrrepsArray, species: jax.Array, edges: Neighbourhood) -> irr.IrrepsArray:
        """Return new features of the atoms, of shape (atoms, irreps_out), from those of shape (atoms, irreps_in)."""
        new = self.linear_self(species, x)
        new = (self.convolution(x, edges.harmonics, edges.radial, edges.edge_index).rechunk(new.irreps) + new) / 2**0.5
        even = new.filter("0e")
        scalars, gates = even.slice_by_mul[: self.scalars], even.slice_by_mul[self.scalars :]
        rest = [new.filter("0o"), gates, new.filter(drop=["0e", "0o"])]
        return irr.gate(irr.concatenate([scalars, *rest]), even_act=jax.nn.silu, odd_act=jnp.tanh)


class NequIP(nnx.Module):
    """The network."""

    def __init__(self, config: ModelConfig, neighbors: float, *, rngs: nnx.Rngs, dtype: str) -> None:
        """Create a network with random parameters.

        Args:
            config: its shape.
            neighbors: average number of neighbours of an atom.
            rngs: random keys.
            dtype: dtype of the parameters.
        """
        channels, scalars = config.channels, irr.Irreps(f"{config.channels}x0e")
        features = irr.Irreps(channels * irr.Irreps.spherical_harmonics(config.lmax))
        if config.parity == "full":
            features = irr.Irreps([(channels, (l, p)) for l in range(config.lmax + 1) for p in (1, -1)])
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (len(config.elements), channels), dtype))
        # The features that a product with harmonics can reach from those before.
        ends = [scalars]
        for _ in range(config.layers - 1):
            product = irr.tensor_product(ends[-1], irr.Irreps.spherical_harmonics(config.lmax))
            ends.append(features.filter(keep=product).regroup())
        self.interactions = nnx.List(
            [
                Interaction(config, neighbors, a, b, rngs=rngs, param_dtype=dtype)
                for a, b in itertools.pairwise([*ends, scalars])
            ]
        )
        self.readout = layers.MultiLayerPerceptron(
            channels, [max(channels // 2, 1), 1], jax.nn.silu, output_activation=False, rngs=rngs, param_dtype=dtype
        )

    def __call__(self, species: jax.Array, edges: Neighbourhood) -> jax.Array:
        """Return an energy of each atom, of shape (atoms,)."""
        x = irr.IrrepsArray(f"{self.embedding.shape[1]}x0e", self.embedding[...][species])
        for interaction in self.interactions:
            x = interaction(x, species, edges)
        return self.readout(x.array)[:, 0]
