"""MACE on molecules of aspirin, with the same weights for all libraries.

The formulas are those of I. Batatia et al., NeurIPS 2022, arXiv:2206.07697: in each layer a convolution, symmetric
contractions up to an order with weights for each species, and a linear map of the features before; the energy of an
atom is read from the invariants of all layers. :mod:`workloads.model` has the measures.
"""

import itertools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from .model import BASIS, HIDDEN, SPECIES, Batch, Draw, Library, e3nn_jax, measures, natural, ours

ASPIRIN = pathlib.Path(__file__).parents[2] / "examples/force-field/src/force_field/data/aspirin.extxyz"
Contract = Callable[..., Any]


class Sizes(NamedTuple):
    """Sizes of the network and of the batch.

    Attributes:
        molecules: molecules in the batch.
        channels: channels of each degree.
        layers: number of layers.
        lmax: highest degree of harmonics and messages.
        lmax_hidden: highest degree of the features between layers.
        correlation: highest order of the symmetric contractions.
        cutoff: in Å.
    """

    molecules: int = 32
    channels: int = 64
    layers: int = 2
    lmax: int = 2
    lmax_hidden: int = 1
    correlation: int = 3
    cutoff: float = 5.0

    @property
    def ends(self) -> list[str]:
        """Irreps of the features before each layer and after the last."""
        hidden = natural(self.channels, self.lmax_hidden)
        return [natural(self.channels, 0), *[hidden] * (self.layers - 1), natural(self.channels, 0)]


def our_contraction(
    orders: tuple[int, ...], weights: dict[str, jax.Array], x: Any, species: jax.Array, out: str
) -> Any:
    """Return symmetric contractions of the features of all channels."""
    x = x.mul_to_axis()
    return irr.FunctionalSymmetricContraction(x.irreps, orders, out)(weights, x, species).axis_to_mul()


def their_contraction(
    orders: tuple[int, ...], weights: dict[str, jax.Array], x: Any, species: jax.Array, out: str
) -> Any:
    """Return the same with e3nn-jax, whose weights have no species: it gets those of each atom."""
    e3nn, hk = optional("e3nn_jax"), optional("haiku")

    def of_atom(weights: dict[str, jax.Array], x: Any) -> Any:
        product = optional("e3nn_jax.haiku").SymmetricTensorProduct(
            orders, e3nn.Irreps(out), get_parameter=lambda name, shape, dtype: weights[name]
        )
        return product(x)

    function = hk.without_apply_rng(hk.transform(of_atom))
    weights = {name: w[species] for name, w in weights.items()}
    return e3nn.utils.vmap(lambda w, x: function.apply({}, w, x))(weights, x.mul_to_axis()).axis_to_mul()


def energies_of(library: Library, contract: Contract, sizes: Sizes, neighbors: float) -> Callable[..., jax.Array]:
    """Return the energies of all molecules as a function of parameters, positions, batch and edges."""
    orders, messages = tuple(range(1, sizes.correlation + 1)), natural(sizes.channels, sizes.lmax)

    def energies(params: Any, positions: jax.Array, batch: Batch, edges: Any) -> jax.Array:
        vectors = positions[batch.senders] - positions[batch.receivers]
        distances = jnp.sqrt(jnp.sum(vectors**2, axis=-1))
        harmonics = library.harmonics(natural(1, sizes.lmax), vectors)
        radial = library.bessel(distances, BASIS, sizes.cutoff)
        radial = radial * library.envelope(5, 2, sizes.cutoff)(distances)[:, None]
        x, energy = library.irreps_array(sizes.ends[0], params["embedding"][batch.species]), 0.0
        for (before, after), weights in zip(itertools.pairwise(sizes.ends), params["layers"], strict=True):
            sent = library.linear(before, before)(weights["up"], x)
            received = library.convolve(sent, harmonics, weights["radial"], radial, edges, messages)
            received = library.linear(received.irreps, messages)(weights["down"], received / neighbors**0.5)
            products = contract(orders, weights["products"], received, batch.species, one_of_each(after))
            residual = library.indexed_linear(before, after)([w[batch.species] for w in weights["self"]], x)
            x = library.linear(products.irreps, after)(weights["mix"], products) + residual
            invariants = x.array[:, : sizes.channels]
            if len(weights["readout"]) > 1:
                invariants = jax.nn.silu(invariants @ weights["readout"][0])
            energy += (invariants @ weights["readout"][-1])[:, 0]
        return jax.ops.segment_sum(energy, batch.molecule, len(batch.energies))

    return energies


def one_of_each(irreps: str) -> str:
    """Return the irreps, each once."""
    return "+".join(str(ir) for _, ir in irr.Irreps(irreps))


def parameters(sizes: Sizes) -> Any:
    """Return the parameters; one tree serves all libraries."""
    draw, layers = Draw(), []
    harmonics, messages = natural(1, sizes.lmax), natural(sizes.channels, sizes.lmax)
    for k, (before, after) in enumerate(itertools.pairwise(sizes.ends)):
        received = irr.tensor_product(before, harmonics, filter_ir_out=irr.Irreps(messages))
        orders = range(1, sizes.correlation + 1)
        paths = irr.FunctionalSymmetricContraction(one_of_each(messages), orders, one_of_each(after)).weights
        layers.append(
            {
                "up": draw.linear(before, before),
                "radial": draw.dense(BASIS, *[HIDDEN] * 3, received.num_irreps),
                "down": draw.linear(received, messages),
                "products": {path.name: draw.normal(SPECIES, path.multiplicity, sizes.channels) for path in paths},
                "mix": draw.linear(after, after),
                "self": draw.linear(before, after, SPECIES),
                "readout": draw.dense(sizes.channels, *[16] * (k == sizes.layers - 1), 1),
            }
        )
    return {"embedding": draw.normal(SPECIES, sizes.channels), "layers": layers}


def molecules(count: int, cutoff: float) -> tuple[np.ndarray, Batch]:
    """Return positions of shape (atoms, 3) and the batch of the first molecules of the shipped data."""
    lines = ASPIRIN.read_text().splitlines()
    atoms = int(lines[0])
    rows = [[line.split() for line in lines[k * (atoms + 2) :][2 : atoms + 2]] for k in range(count)]
    numbers = np.array([[float(entry) for entry in row[1:]] for frame in rows for row in frame], np.float32)
    positions, forces = numbers[:, :3], numbers[:, 3:]
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    molecule = np.repeat(np.arange(count), atoms)
    pairs = (distances < cutoff) & (molecule[:, None] == molecule) & ~np.eye(len(positions), dtype=bool)
    receivers, senders = (end.astype(np.int32) for end in np.nonzero(pairs))
    batch = Batch(
        species=np.array(["HCO".index(row[0]) for frame in rows for row in frame]),
        senders=senders,
        receivers=receivers,
        is_edge=np.ones(len(senders), bool),
        is_atom=np.ones(len(positions), bool),
        molecule=molecule,
        energies=np.zeros(count, np.float32),
        forces=forces,
    )
    return positions, jax.tree.map(jnp.asarray, batch)


def comparisons(sizes: Sizes, chosen: tuple[str, ...] = ("inference", "training step")) -> Iterator[Comparison]:
    """Yield energies with forces, and the gradient of a training step."""
    positions, batch = molecules(sizes.molecules, sizes.cutoff)
    neighbors, args = len(batch.senders) / len(positions), (parameters(sizes), jnp.asarray(positions), batch)
    index = irr.EdgeIndex.from_edges(batch.senders, batch.receivers, len(positions))
    found = {OURS: (ours(), our_contraction, jax.tree.map(jnp.asarray, index))}
    if optional("e3nn_jax") and optional("haiku"):
        found["e3nn-jax"] = (e3nn_jax(), their_contraction, (batch.senders, batch.receivers))
    about = {**sizes._asdict(), "atoms": len(positions), "edges": len(batch.senders)}
    for measure in chosen:
        candidates = {
            name: Candidate(measures(energies_of(library, contract, sizes, neighbors))[measure], (*args, edges))
            for name, (library, contract, edges) in found.items()
        }
        yield Comparison("mace", measure, candidates, tolerance=1e-4, sizes=about)
