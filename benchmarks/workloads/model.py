"""A NequIP-like force field on a batch of padded molecules, with the same weights for all libraries.

"inference" computes energies and forces; "training step" computes the gradient of the mean square errors of both with
respect to all parameters, without an optimizer, which costs the same for all libraries.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from .convolution import network
from .derivatives import mean_square

SIZES = {
    "tiny": {"molecules": 1, "atoms": 8, "neighbors": 3, "layers": 2, "channels": 2, "lmax": 1},
    "cpu": {"molecules": 8, "atoms": 64, "neighbors": 30, "layers": 3, "channels": 32, "lmax": 2},
    # NequIP M of cuequivariance's benchmarks.
    "gpu": {"molecules": 32, "atoms": 64, "neighbors": 40, "layers": 3, "channels": 128, "lmax": 3},
}
# One molecule of the size of aspirin, in which each atom is a neighbour of all others.
MOLECULE = {
    "tiny": SIZES["tiny"],
    "cpu": {"molecules": 1, "atoms": 21, "neighbors": 20, "layers": 3, "channels": 64, "lmax": 2},
    "gpu": {"molecules": 1, "atoms": 21, "neighbors": 20, "layers": 3, "channels": 64, "lmax": 2},
}
SPECIES, BASIS, HIDDEN = 4, 8, 64
Linear = Callable[[list[jax.Array], Any], Any]


class Batch(NamedTuple):
    """Molecules, followed by one that is padding.

    Attributes:
        species: shape (atoms,).
        senders: shape (edges,); padding edges connect the last atom with itself.
        receivers: shape (edges,).
        is_edge: shape (edges,), False for padding.
        is_atom: shape (atoms,), False for padding.
        molecule: shape (atoms,), the molecule of each atom.
        energies: shape (molecules,), targets.
        forces: shape (atoms, 3), targets.
    """

    species: jax.Array
    senders: jax.Array
    receivers: jax.Array
    is_edge: jax.Array
    is_atom: jax.Array
    molecule: jax.Array
    energies: jax.Array
    forces: jax.Array


class Shape(NamedTuple):
    """Irreps and sizes of a network.

    Attributes:
        harmonics: irreps of the harmonics.
        layers: for each layer the irreps of its input, of its output, and of the input of its gate.
        cutoff: radius of the neighbourhood.
        neighbors: neighbours of each atom.
    """

    harmonics: str
    layers: tuple[tuple[str, str, str], ...]
    cutoff: float
    neighbors: int


class Library(NamedTuple):
    """The operations of a network: data, harmonics, radial functions, gate, linear maps, convolution."""

    irreps_array: Callable[..., Any]
    harmonics: Callable[..., Any]
    bessel: Callable[..., jax.Array]
    envelope: Callable[..., Any]
    gate: Callable[..., Any]
    linear: Callable[..., Linear]
    indexed_linear: Callable[..., Linear]
    convolve: Callable[..., Any]


def ours() -> Library:
    """Return our operations."""

    def convolve(x: Any, harmonics: Any, weights: Any, radial: jax.Array, edges: Any, irreps_out: str) -> Any:
        return irr.edge_convolution(
            x, harmonics, lambda r: network(weights, r), edges, filter_ir_out=irreps_out, edge_data=radial
        )

    def harmonics(irreps: str, vectors: jax.Array) -> Any:
        return irr.spherical_harmonics(irreps, vectors, normalize=True)

    functional = irr.FunctionalLinear
    return Library(
        irr.IrrepsArray, harmonics, irr.bessel, irr.poly_envelope, irr.gate, functional, functional, convolve
    )


def e3nn_jax() -> Library:
    """Return the operations of e3nn-jax."""
    e3nn = optional("e3nn_jax")

    def linear(irreps_in: Any, irreps_out: Any) -> Linear:
        return e3nn.utils.vmap(e3nn.FunctionalLinear(irreps_in, irreps_out), in_axes=(None, 0))

    def indexed_linear(irreps_in: Any, irreps_out: Any) -> Linear:
        return e3nn.utils.vmap(e3nn.FunctionalLinear(irreps_in, irreps_out))

    def convolve(x: Any, harmonics: Any, weights: Any, radial: jax.Array, edges: Any, irreps_out: str) -> Any:
        senders, receivers = edges
        messages = e3nn.tensor_product(x[senders], harmonics, filter_ir_out=irreps_out) * network(weights, radial)
        return e3nn.scatter_sum(messages, dst=receivers, output_size=x.shape[0])

    def harmonics(irreps: str, vectors: jax.Array) -> Any:
        return e3nn.spherical_harmonics(irreps, e3nn.IrrepsArray("1o", vectors), True)

    return Library(
        e3nn.IrrepsArray, harmonics, e3nn.bessel, e3nn.poly_envelope, e3nn.gate, linear, indexed_linear, convolve
    )


def energies_of(library: Library, shape: Shape) -> Callable[..., jax.Array]:
    """Return the energies of all molecules as a function of parameters, positions, batch and edges."""

    def energies(params: Any, positions: jax.Array, batch: Batch, edges: Any) -> jax.Array:
        vectors = positions[batch.senders] - positions[batch.receivers]
        # Padding edges lie outside the cutoff, where nothing depends on them.
        outside = jnp.array([[2 * shape.cutoff, 0.0, 0.0]], vectors.dtype)
        vectors = jnp.where(batch.is_edge[:, None], vectors, outside)
        distances = jnp.sqrt(jnp.sum(vectors**2, axis=-1))
        harmonics = library.harmonics(shape.harmonics, vectors)
        radial = library.bessel(distances, BASIS, shape.cutoff)
        radial = radial * library.envelope(5, 2, shape.cutoff)(distances)[:, None]
        x = library.irreps_array(shape.layers[0][0], params["embedding"][batch.species])
        for irreps, weights in zip(shape.layers, params["layers"], strict=True):
            x = layer(library, shape, irreps, weights, x, harmonics, radial, edges, batch.species)
        energy = (jax.nn.silu(x.array @ params["readout"][0]) @ params["readout"][1])[:, 0]
        energy = jnp.where(batch.is_atom, energy, 0)
        return jax.ops.segment_sum(energy, batch.molecule, len(batch.energies))

    return energies


def layer(
    library: Library,
    shape: Shape,
    irreps: tuple[str, str, str],
    weights: Any,
    x: Any,
    harmonics: Any,
    radial: jax.Array,
    edges: Any,
    species: jax.Array,
) -> Any:
    """Evaluate one layer: linear map, convolution, linear map, self-connection and gate."""
    irreps_in, irreps_out, gated = irreps
    sent = library.linear(irreps_in, irreps_in)(weights["up"], x)
    received = library.convolve(sent, harmonics, weights["radial"], radial, edges, irreps_out)
    new = library.linear(received.irreps, gated)(weights["down"], received / shape.neighbors**0.5)
    own = library.indexed_linear(irreps_in, gated)([w[species] for w in weights["self"]], x)
    return library.gate((new + own) / 2**0.5, even_act=jax.nn.silu)


def natural(channels: int, lmax: int) -> str:
    """Return irreps of degrees 0 to lmax, each with the parity of its spherical harmonic."""
    return "+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(lmax + 1))


def shape_of(sizes: dict[str, int], cutoff: float) -> Shape:
    """Return the shape of the network of a workload."""
    channels, lmax = sizes["channels"], sizes["lmax"]
    scalars, features = natural(channels, 0), natural(channels, lmax)
    # The gate needs one scalar for each feature of degree above zero.
    gated = str((irr.Irreps(f"{lmax * channels}x0e") + irr.Irreps(features)).regroup())
    ends = [scalars, *[features] * (sizes["layers"] - 1), scalars]
    layers = tuple((a, b, gated if b == features else scalars) for a, b in itertools.pairwise(ends))
    return Shape(natural(1, lmax), layers, cutoff, sizes["neighbors"])


class Draw:
    """Normal weights of variance one."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def normal(self, *size: int) -> jax.Array:
        """Return an array."""
        return jnp.asarray(self.rng.normal(size=size), jnp.float32)

    def dense(self, *widths: int) -> list[jax.Array]:
        """Return the matrices of a network, divided by the roots of the widths before."""
        return [self.normal(a, b) / a**0.5 for a, b in itertools.pairwise(widths)]

    def linear(self, irreps_in: Any, irreps_out: Any, *indices: int) -> list[jax.Array]:
        """Return the weights of a linear map, or of one for each index."""
        paths = irr.FunctionalLinear(irreps_in, irreps_out).weights
        return [self.normal(*indices, *path.path_shape) for path in paths]


def parameters(shape: Shape, channels: int) -> Any:
    """Return normal weights of variance one; the forward pass contains e3nn's normalization."""
    draw = Draw()
    layers = []
    for irreps_in, irreps_out, gated in shape.layers:
        received = irr.tensor_product(irreps_in, shape.harmonics, filter_ir_out=irr.Irreps(irreps_out))
        layers.append(
            {
                "up": draw.linear(irreps_in, irreps_in),
                "radial": draw.dense(BASIS, HIDDEN, HIDDEN, received.num_irreps),
                "down": draw.linear(received, gated),
                "self": draw.linear(irreps_in, gated, SPECIES),
            }
        )
    return {
        "embedding": draw.normal(SPECIES, channels),
        "layers": layers,
        "readout": draw.dense(channels, channels // 2, 1),
    }


def molecules(count: int, atoms: int, neighbors: int) -> tuple[np.ndarray, Batch, float]:
    """Return positions of shape (atoms, 3), the batch, and a cutoff beyond the farthest neighbour.

    Atoms are on lattices with random displacements; each is connected with its nearest neighbours.
    """
    rng = np.random.default_rng(0)
    side = int(np.ceil(atoms ** (1 / 3)))
    lattice = np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1, 3)[:atoms]
    positions = lattice + rng.uniform(-0.2, 0.2, (count + 1, atoms, 3))
    distances = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    nearest = np.argsort(distances, axis=-1)[:count, :, 1 : neighbors + 1]
    cutoff = 1.1 * float(np.take_along_axis(distances[:count], nearest, -1).max())
    first = atoms * np.arange(count)[:, None, None]
    senders = (nearest + first).reshape(-1)
    receivers = np.broadcast_to(np.arange(atoms)[:, None] + first, nearest.shape).reshape(-1)
    total, edges = (count + 1) * atoms, len(senders)
    padding = np.full(2 ** int(np.ceil(np.log2(edges + 1))) - edges, total - 1)
    batch = Batch(
        species=rng.integers(0, SPECIES, total),
        senders=np.concatenate([senders, padding]).astype(np.int32),
        receivers=np.concatenate([receivers, padding]).astype(np.int32),
        is_edge=np.arange(edges + len(padding)) < edges,
        is_atom=np.arange(total) < count * atoms,
        molecule=np.repeat(np.arange(count + 1), atoms),
        energies=rng.normal(size=count + 1).astype(np.float32),
        forces=rng.normal(size=(total, 3)).astype(np.float32),
    )
    positions = positions.reshape(-1, 3).astype(np.float32)
    return positions, jax.tree.map(jnp.asarray, batch), cutoff


def measures(energies: Callable[..., jax.Array]) -> dict[str, Callable[..., Any]]:
    """Return functions of parameters, positions, batch and edges, by name."""

    def energies_and_forces(params: Any, positions: jax.Array, batch: Batch, edges: Any) -> Any:
        def total(positions: jax.Array) -> tuple[jax.Array, jax.Array]:
            energy = energies(params, positions, batch, edges)
            return jnp.sum(energy), energy

        gradient, energy = jax.grad(total, has_aux=True)(positions)
        return energy, -gradient

    def loss(params: Any, positions: jax.Array, batch: Batch, edges: Any) -> jax.Array:
        energy, forces = energies_and_forces(params, positions, batch, edges)
        return mean_square(energy - batch.energies) + mean_square(forces - batch.forces)

    return {"inference": energies_and_forces, "training step": jax.grad(loss)}


def comparisons(size: str) -> Iterator[Comparison]:
    """Yield inference and training step."""
    yield from _compared("model", SIZES[size], ("inference", "training step"))


def molecule(size: str) -> Iterator[Comparison]:
    """Yield energy and forces of a single molecule."""
    yield from _compared("molecule", MOLECULE[size], ("inference",))


def _compared(name: str, sizes: dict[str, int], chosen: Sequence[str]) -> Iterator[Comparison]:
    positions, batch, cutoff = molecules(sizes["molecules"], sizes["atoms"], sizes["neighbors"])
    shape = shape_of(sizes, cutoff)
    args = parameters(shape, sizes["channels"]), jnp.asarray(positions), batch
    # The index excludes padding edges; it is computed once for each neighbour list.
    edges = irr.EdgeIndex.from_edges(batch.senders, batch.receivers, len(positions), mask=batch.is_edge)
    edges = jax.tree.map(jnp.asarray, edges)
    our_measures = measures(energies_of(ours(), shape))
    their_measures = measures(energies_of(e3nn_jax(), shape)) if optional("e3nn_jax") else {}
    for measure in chosen:
        candidates = {OURS: Candidate(our_measures[measure], (*args, edges))}
        if measure in their_measures:
            candidates["e3nn-jax"] = Candidate(their_measures[measure], (*args, (batch.senders, batch.receivers)))
        yield Comparison(name, measure, candidates, tolerance=1e-4, sizes=sizes)
