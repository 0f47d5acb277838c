"""Convolution over edges, as in NequIP and MACE, with the radial network that makes its weights.

Each message is the tensor product of the sender's features with the spherical harmonics of the edge, times a weight
for each irrep of the result, which a small network makes from the length of the edge. "forces" is the gradient to the
positions of an energy linear in the result; "train" that of the mean square of these to the parameters and features.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_core as ic
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
    """What a convolution is made of.

    Attributes:
        irreps: of the features.
        harmonics: irreps, each once.
        irreps_out: the irreps that are wanted, each once.
        diameter: the largest length of an edge.
    """

    irreps: str
    harmonics: str
    irreps_out: str
    diameter: float


def shape_of(sizes: Mapping[str, Any], graph: Graph) -> Shape:
    irreps = "+".join(f"{sizes['channels']}x{ir}" for ir in sizes["irreps"].split("+"))
    return Shape(irreps, sizes["harmonics"], sizes["irreps_out"], graph.diameter)


def ours(shape: Shape) -> Callable[..., jax.Array]:
    def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
        senders, receivers, edges = graph
        vectors = positions[senders] - positions[receivers]
        return irr.edge_convolution(
            ic.IrrepsArray(shape.irreps, x),
            irr.spherical_harmonics(shape.harmonics, vectors, normalize=True),
            lambda radial: network(weights, radial),
            edges,
            filter_ir_out=shape.irreps_out,
            edge_data=irr.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, shape.diameter),
        ).array

    return forward


def e3nn_jax(shape: Shape) -> Callable[..., jax.Array]:
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
    """The radial network, the same for all."""
    for w in weights[:-1]:
        x = jax.nn.silu(x @ w)
    return x @ weights[-1]


def radial_network(diameter: float, weights: list[jax.Array], vectors: jax.Array) -> jax.Array:
    return network(weights, irr.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, diameter))


def energy(forward: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda coefficients, *args: jnp.sum(coefficients * forward(*args))


def forces(forward: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return jax.grad(energy(forward), argnums=2)


def train(forward: Callable[..., jax.Array]) -> Callable[..., Any]:
    def loss(*args: Any) -> jax.Array:
        return mean_square(forces(forward)(*args))

    return jax.grad(loss, argnums=(1, 3))


def tasks(forward: Callable[..., jax.Array]) -> dict[str, Callable[..., Any]]:
    """All of coefficients of the energy, features, positions, weights and graph."""
    return {
        "forward": lambda coefficients, *args: forward(*args),
        "forces": forces(forward),
        "train": train(forward),
    }


def arguments(shape: Shape, graph: Graph) -> tuple[Any, ...]:
    """Coefficients of the energy, features, positions, weights."""
    rng = np.random.default_rng(0)
    result = irr.tensor_product(shape.irreps, shape.harmonics, filter_ir_out=shape.irreps_out)
    layers = itertools.pairwise([BASIS, HIDDEN, HIDDEN, result.num_irreps])
    nodes = len(graph.positions)
    normal = [rng.normal(size=(nodes, result.dim)), rng.normal(size=(nodes, ic.Irreps(shape.irreps).dim))]
    weights = [jnp.asarray(rng.normal(size=layer) / layer[0] ** 0.5, jnp.float32) for layer in layers]
    coefficients, x = (jnp.asarray(a, jnp.float32) for a in normal)
    return coefficients, x, jnp.asarray(graph.positions), weights


def our_graph(graph: Graph) -> tuple[Any, ...]:
    """With the sorted index: it is made once for each neighbour list and used by all layers and derivatives."""
    edges = irr.EdgeIndex.from_edges(graph.senders, graph.receivers, len(graph.positions))
    return jax.tree.map(jnp.asarray, (graph.senders, graph.receivers, edges))


def comparisons(size: str) -> Iterator[Comparison]:
    sizes = SIZES[size]
    graph = random_graph(sizes["nodes"], sizes["edges"])
    shape = shape_of(sizes, graph)
    args = arguments(shape, graph)
    their_graph = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
    for task, function in tasks(ours(shape)).items():
        candidates = {OURS: Candidate(function, (*args, our_graph(graph)))}
        if optional("e3nn_jax"):
            candidates["e3nn-jax"] = Candidate(tasks(e3nn_jax(shape))[task], (*args, their_graph))
        if cuequivariance.installed():
            theirs = cuequivariance.Convolution(shape.irreps, shape.harmonics, shape.irreps_out)
            their_function = tasks(theirs.forward(partial(radial_network, graph.diameter)))[task]
            their_args = *theirs.args(*args), their_graph
            candidates["cuequivariance"] = Candidate(their_function, their_args, theirs.common(task))
        yield Comparison("conv", task, candidates, sizes=sizes)


def uneven(size: str) -> Iterator[Comparison]:
    """Ours on a graph of uneven degrees beside ours on an even graph with as many edges."""
    sizes = SIZES[size]
    nodes, edges, largest = sizes["nodes"], sizes["edges"], sizes["largest_degree"]
    graphs = {
        "even degrees": even_graph(nodes, edges),
        f"degrees 0 to {largest}": uneven_graph(nodes, edges, largest),
    }
    for task in ("forward", "forces", "train"):
        candidates = {}
        for name, graph in graphs.items():
            shape = shape_of(sizes, graph)
            args = *arguments(shape, graph), our_graph(graph)
            candidates[name] = Candidate(tasks(ours(shape))[task], args)
        yield Comparison("uneven", task, candidates, reference="even degrees", tolerance=None, sizes=sizes)
