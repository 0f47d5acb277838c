"""Convolution over edges, as in NequIP and MACE, with the radial network that makes its weights.

Each message is the tensor product of the sender's features with the spherical harmonics of the edge, times a weight
for each irrep of the result, which a small network makes from the length of the edge. "forces" is the gradient to the
positions of an energy linear in the result; "train" that of the mean square of these to the parameters and features.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_core as ic
import irreps_ops as io

from . import cuequivariance
from .derivatives import mean_square
from .graphs import Graph, even_graph, random_graph, uneven_graph

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"nodes": 10, "edges": 60, "channels": 2, "irreps_out": "0e+1o+2e"},
    "cpu": {"nodes": 1_000, "edges": 20_000, "channels": 64, "irreps_out": "0e+1o+2e"},
    # Layer 1 of MACE MP-L.
    "gpu": {"nodes": 3_000, "edges": 160_000, "channels": 128, "irreps_out": "0e+1o+2e+3o"},
}
IRREPS = "0e+1o+2e"
HARMONICS = "0e+1o+2e+3o"
BASIS = 8
HIDDEN = 64


def ours(irreps: str, irreps_out: str, diameter: float) -> Callable[..., jax.Array]:
    def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
        senders, receivers, edges = graph
        vectors = positions[senders] - positions[receivers]
        harmonics = io.spherical_harmonics(HARMONICS, vectors, normalize=True)
        radial = io.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, diameter)
        return io.edge_convolution(
            ic.IrrepsArray(irreps, x),
            harmonics,
            lambda radial: network(weights, radial),
            edges,
            filter_ir_out=irreps_out,
            edge_data=radial,
        ).array

    return forward


def e3nn_jax(irreps: str, irreps_out: str, diameter: float) -> Callable[..., jax.Array]:
    e3nn = optional("e3nn_jax")

    def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
        senders, receivers = graph
        vectors = positions[senders] - positions[receivers]
        harmonics = e3nn.spherical_harmonics(HARMONICS, e3nn.IrrepsArray("1o", vectors), True)
        radial = e3nn.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, diameter)
        sent = e3nn.IrrepsArray(irreps, x)[senders]
        messages = e3nn.tensor_product(sent, harmonics, filter_ir_out=irreps_out) * network(weights, radial)
        return e3nn.scatter_sum(messages, dst=receivers, output_size=x.shape[0]).array

    return forward


def network(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    """The radial network, the same for all."""
    for w in weights[:-1]:
        x = jax.nn.silu(x @ w)
    return x @ weights[-1]


def radial_network(diameter: float, weights: list[jax.Array], vectors: jax.Array) -> jax.Array:
    return network(weights, io.bessel(jnp.sqrt(jnp.sum(vectors**2, axis=-1)), BASIS, diameter))


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


def arguments(graph: Graph, channels: int, irreps_out: str) -> tuple[Any, ...]:
    """Coefficients of the energy, features, positions, weights."""
    rng = np.random.default_rng(0)
    irreps = channels * ic.Irreps(IRREPS)
    result = io.tensor_product(irreps, HARMONICS, filter_ir_out=irreps_out)
    widths = [BASIS, HIDDEN, HIDDEN, result.num_irreps]
    shapes = list(itertools.pairwise(widths))
    nodes = len(graph.positions)
    normal = [rng.normal(size=(nodes, result.dim)), rng.normal(size=(nodes, irreps.dim))]
    weights = [jnp.asarray(rng.normal(size=s) / s[0] ** 0.5, jnp.float32) for s in shapes]
    coefficients, x = (jnp.asarray(a, jnp.float32) for a in normal)
    return coefficients, x, jnp.asarray(graph.positions), weights


def our_graph(graph: Graph) -> tuple[Any, ...]:
    """With the sorted index: it is made once for each neighbour list and used by all layers and derivatives."""
    edges = io.EdgeIndex.from_edges(graph.senders, graph.receivers, len(graph.positions))
    return jax.tree.map(jnp.asarray, (graph.senders, graph.receivers, edges))


def comparisons(size: str) -> Iterator[Comparison]:
    sizes = SIZES[size]
    graph = random_graph(sizes["nodes"], sizes["edges"])
    irreps, irreps_out = f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e", sizes["irreps_out"]
    args = arguments(graph, sizes["channels"], irreps_out)
    their_graph = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
    for task, function in tasks(ours(irreps, irreps_out, graph.diameter)).items():
        candidates = {OURS: Candidate(function, (*args, our_graph(graph)))}
        if optional("e3nn_jax"):
            their_function = tasks(e3nn_jax(irreps, irreps_out, graph.diameter))[task]
            candidates["e3nn-jax"] = Candidate(their_function, (*args, their_graph))
        if cuequivariance.installed():
            theirs = cuequivariance.Convolution(ic.Irreps(irreps), ic.Irreps(HARMONICS), ic.Irreps(irreps_out))
            their_function = tasks(theirs.forward(partial(radial_network, graph.diameter)))[task]
            candidates["cuequivariance"] = Candidate(
                their_function, (*theirs.args(*args), their_graph), theirs.common(task)
            )
        yield Comparison("conv", task, candidates, sizes=sizes)


def uneven(size: str) -> Iterator[Comparison]:
    """Ours on a graph of degrees 0 to 200 beside ours on an even graph with as many edges."""
    sizes = {**SIZES[size], "largest_degree": {"tiny": 12, "cpu": 200, "gpu": 500}[size]}
    nodes, edges = sizes["nodes"], sizes["edges"]
    irreps, irreps_out = f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e", sizes["irreps_out"]
    graphs = {"even degrees": even_graph(nodes, edges)}
    graphs["degrees 0 to " + str(sizes["largest_degree"])] = uneven_graph(nodes, edges, sizes["largest_degree"])
    for task in ("forward", "forces", "train"):
        candidates = {
            name: Candidate(
                tasks(ours(irreps, irreps_out, graph.diameter))[task],
                (*arguments(graph, sizes["channels"], irreps_out), our_graph(graph)),
            )
            for name, graph in graphs.items()
        }
        yield Comparison("uneven", task, candidates, reference="even degrees", tolerance=None, sizes=sizes)
