"""Convolution over edges as in NequIP and MACE, with the radial network that computes its weights.

Each message is the tensor product of the sender's features with the spherical harmonics of the edge, times a weight
for each irrep of the output, which a small network computes from the length of the edge. "forces" is the gradient of
an energy linear in the output with respect to the positions; "train" is the gradient of the mean square of these
forces with respect to parameters and features.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from . import cuequivariance
from .derivatives import mean_square
from .graphs import Graph, even_graph, random_graph, uneven_graph

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "nodes": 10,
        "edges": 60,
        "largest_degree": 12,
        "channels": 2,
        "irreps": "0e+1o",
        "harmonics": "0e+1o",
        "irreps_out": "0e+1o",
    },
    "cpu": {
        "nodes": 1_000,
        "edges": 20_000,
        "largest_degree": 200,
        "channels": 64,
        "irreps": "0e+1o+2e",
        "harmonics": "0e+1o+2e+3o",
        "irreps_out": "0e+1o+2e",
    },
    # Layer 1 of MACE MP-L.
    "gpu": {
        "nodes": 3_000,
        "edges": 160_000,
        "largest_degree": 500,
        "channels": 128,
        "irreps": "0e+1o+2e",
        "harmonics": "0e+1o+2e+3o",
        "irreps_out": "0e+1o+2e+3o",
    },
}
BASIS = 8
HIDDEN = 64


class Shape(NamedTuple):
    """The irreps of a convolution and the length scale of its graph.

    Attributes:
        irreps: of the features.
        harmonics: of the edges, each once.
        irreps_out: of the output, each once.
        diameter: upper bound of the lengths of edges.
    """

    irreps: str
    harmonics: str
    irreps_out: str
    diameter: float


def shape_of(sizes: Mapping[str, Any], graph: Graph) -> Shape:
    """Return the shape of the convolution of a workload."""
    irreps = "+".join(f"{sizes['channels']}x{ir}" for ir in sizes["irreps"].split("+"))
    return Shape(irreps, sizes["harmonics"], sizes["irreps_out"], graph.diameter)


def ours(shape: Shape) -> Callable[..., jax.Array]:
    """Return the convolution as a function of features, positions, weights and graph."""

    def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
        senders, receivers, edges = graph
        vectors = positions[senders] - positions[receivers]
        return irr.edge_convolution(
            irr.IrrepsArray(shape.irreps, x),
            irr.spherical_harmonics(shape.harmonics, vectors, normalize=True),
            lambda radial: network(weights, radial),
            edges,
            filter_ir_out=shape.irreps_out,
            edge_data=irr.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, shape.diameter),
        ).array

    return forward


def e3nn_jax(shape: Shape) -> Callable[..., jax.Array]:
    """Return the same function for e3nn-jax."""
    e3nn = optional("e3nn_jax")

    def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
        senders, receivers = graph
        vectors = positions[senders] - positions[receivers]
        harmonics = e3nn.spherical_harmonics(shape.harmonics, e3nn.IrrepsArray("1o", vectors), True)
        radial = e3nn.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, shape.diameter)
        sent = e3nn.IrrepsArray(shape.irreps, x)[senders]
        messages = e3nn.tensor_product(sent, harmonics, filter_ir_out=shape.irreps_out) * network(weights, radial)
        return e3nn.scatter_sum(messages, dst=receivers, output_size=x.shape[0]).array

    return forward


def network(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    """Evaluate the radial network, which is the same for all libraries."""
    for w in weights[:-1]:
        x = jax.nn.silu(x @ w)
    return x @ weights[-1]


def radial_network(diameter: float, weights: list[jax.Array], vectors: jax.Array) -> jax.Array:
    """Evaluate the radial network on the lengths of edge vectors."""
    return network(weights, irr.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, diameter))


def energy(forward: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return the energy, which is linear in the output of the convolution."""
    return lambda coefficients, *args: jnp.sum(coefficients * forward(*args))


def forces(forward: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return the gradient of the energy with respect to the positions."""
    return jax.grad(energy(forward), argnums=2)


def train(forward: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Return the gradient of the mean square of the forces with respect to features and weights."""

    def loss(*args: Any) -> jax.Array:
        return mean_square(forces(forward)(*args))

    return jax.grad(loss, argnums=(1, 3))


def measures(forward: Callable[..., jax.Array]) -> dict[str, Callable[..., Any]]:
    """Return functions of coefficients of the energy, features, positions, weights and graph, by name."""
    return {
        "forward": lambda coefficients, *args: forward(*args),
        "forces": forces(forward),
        "train": train(forward),
    }


def arguments(shape: Shape, graph: Graph) -> tuple[Any, ...]:
    """Return coefficients of the energy, features, positions and weights."""
    rng = np.random.default_rng(0)
    result = irr.tensor_product(shape.irreps, shape.harmonics, filter_ir_out=shape.irreps_out)
    layers = itertools.pairwise([BASIS, HIDDEN, HIDDEN, result.num_irreps])
    nodes = len(graph.positions)
    normal = [rng.normal(size=(nodes, result.dim)), rng.normal(size=(nodes, irr.Irreps(shape.irreps).dim))]
    weights = [jnp.asarray(rng.normal(size=layer) / layer[0] ** 0.5, jnp.float32) for layer in layers]
    coefficients, x = (jnp.asarray(a, jnp.float32) for a in normal)
    return coefficients, x, jnp.asarray(graph.positions), weights


def our_graph(graph: Graph) -> tuple[Any, ...]:
    """Return senders, receivers and the edge index, which all layers and derivatives of a neighbour list share."""
    edges = irr.EdgeIndex.from_edges(graph.senders, graph.receivers, len(graph.positions))
    return jax.tree.map(jnp.asarray, (graph.senders, graph.receivers, edges))


def comparisons(size: str) -> Iterator[Comparison]:
    """Yield all measures on a random graph."""
    sizes = SIZES[size]
    graph = random_graph(sizes["nodes"], sizes["edges"])
    shape = shape_of(sizes, graph)
    args = arguments(shape, graph)
    their_graph = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
    for measure, function in measures(ours(shape)).items():
        candidates = {OURS: Candidate(function, (*args, our_graph(graph)))}
        if optional("e3nn_jax"):
            candidates["e3nn-jax"] = Candidate(measures(e3nn_jax(shape))[measure], (*args, their_graph))
        if cuequivariance.installed():
            theirs = cuequivariance.Convolution(shape.irreps, shape.harmonics, shape.irreps_out)
            their_function = measures(theirs.forward(partial(radial_network, graph.diameter)))[measure]
            their_args = *theirs.args(*args), their_graph
            candidates["cuequivariance"] = Candidate(their_function, their_args, theirs.common(measure))
        yield Comparison("conv", measure, candidates, sizes=sizes)


def uneven(size: str) -> Iterator[Comparison]:
    """Yield our measures on a graph of uneven degrees and on an even graph with equally many edges."""
    sizes = SIZES[size]
    nodes, edges, largest = sizes["nodes"], sizes["edges"], sizes["largest_degree"]
    graphs = {
        "even degrees": even_graph(nodes, edges),
        f"degrees 0 to {largest}": uneven_graph(nodes, edges, largest),
    }
    for measure in ("forward", "forces", "train"):
        candidates = {}
        for name, graph in graphs.items():
            shape = shape_of(sizes, graph)
            args = *arguments(shape, graph), our_graph(graph)
            candidates[name] = Candidate(measures(ours(shape))[measure], args)
        yield Comparison("uneven", measure, candidates, reference="even degrees", tolerance=None, sizes=sizes)
