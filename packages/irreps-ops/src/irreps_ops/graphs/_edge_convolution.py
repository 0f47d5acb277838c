"""The convolution over the edges of a graph in one operation: product with harmonics, weights, sum at the receivers."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._normalization import IrrepNormalization
from irreps_ops._inputs._operands import floating
from irreps_ops.compute._cost_model import TILE_EDGES, tile_length
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Index
from irreps_ops.compute._tiled_sum import tiled_sum
from irreps_ops.products._tensor_product import Keep, _paths

from ._convolution_lowering import component_first, convolution_plan
from ._edge_index import EdgeIndex

Weights: TypeAlias = "jax.Array | Callable[[Any], Any] | None"


def edge_convolution(
    x: IrrepsArray | jax.Array,
    harmonics: IrrepsArray | jax.Array,
    weights: Weights,
    edges: EdgeIndex | tuple[Any, Any],
    *,
    edge_data: Any = None,
    num_nodes: int | None = None,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
    tile_edges: int | None = None,
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST,
    executor: Choice = None,
) -> IrrepsArray:
    """Sum over the edges of each node: weights * (features of the sender (x) harmonics of the edge).

    z[n, p u v, k] = scale * sum over edges e to n of w[e, p u v] sum_ij C[i, j, k] x[sender(e), u, i] Y[e, v, j]

    for each path p of an irrep of the features and one of the harmonics to an irrep of the result. It is

    ``scatter_sum(tensor_product(x[senders], harmonics) * w, dst=receivers, output_size=num_nodes)``

    but neither the messages (edges x irreps of the result) nor, given as a function, the weights (edges x paths x
    channels) ever exist: they are made for some hundred edges at a time, and made again for each derivative. So
    every derivative, of any order, in forward and reverse mode, takes the memory of its inputs and its results.

    Args:
        x: features of the senders, of shape (num_senders, irreps).
        harmonics: spherical harmonics (or any irreps) of the edges, of shape (edges, irreps).
        weights: a number for each edge and each irrep of the result, in its order: an array of shape
            (edges, num_irreps). Better, a function that makes this array from the data of some edges: the radial
            network. It is called with `edge_data` of a few hundred edges, must treat each edge for itself, and may
            close over parameters, which can be differentiated. None: all weights are 1.
        edges: an :class:`EdgeIndex`, made once for all layers; or a pair (senders, receivers) of integer arrays.
        edge_data: what the function `weights` is called with: a tree of arrays of shape (edges, ...).
        num_nodes: how many nodes receive; needed with a pair of arrays.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: as in :func:`tensor_product`.
        tile_edges: how many edges are in a tile (default: 512). Accelerators process many tiles at once.
        precision: of matrix products; the default is all that the dtype has.
        executor: who computes the products of each chunk, see :func:`evaluate`. The default makes matrix products of
            the sums over the edges of a row, and knows their derivatives.

    Returns:
        Data of shape (num_nodes, irreps), each irrep once, sorted, in the order of :func:`tensor_product`. Nodes that
        no edge leads to get zeros. Edges that the index holds for padding count for nothing, whatever their data.

    Raises:
        ValueError: shapes that do not fit each other, edge data without a function or a function without edge data,
            a function that gives a wrong shape, an executor that cannot; and as :meth:`EdgeIndex.from_edges`.
        TypeError: `edges` is neither an index nor a pair of arrays.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> edges = irr.EdgeIndex.from_edges(senders=[0, 1, 2], receivers=[1, 0, 1], num_nodes=3)
        >>> vectors = jnp.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
        >>> x = ic.IrrepsArray("4x0e", jnp.ones((3, 4)))
        >>> Y = irr.spherical_harmonics("0e + 1o", vectors, normalize=True)
        >>> parameters = jnp.ones((3, 8))
        >>> def radial_network(vectors):
        ...     return jnp.exp(-(vectors**2)) @ parameters
        >>> z = irr.edge_convolution(x, Y, radial_network, edges, edge_data=vectors)
        >>> z.irreps, z.shape
        (4x0e+4x1o, (3, 16))
    """
    x, harmonics = floating(x, harmonics)
    index = _edge_index(edges, num_nodes, x)
    x, harmonics = x.regroup(), harmonics.regroup()
    _check_shapes(x, harmonics, index)
    every = ((i, j) for i in range(len(x.irreps)) for j in range(len(harmonics.irreps)))
    paths = tuple(_paths(x.irreps, harmonics.irreps, every, filter_ir_out))
    plan = convolution_plan(x.irreps, harmonics.irreps, paths, x.zero_flags, harmonics.zero_flags, irrep_normalization)
    leaves, make_weights = _weights(weights, edge_data, index.num_edges, plan.irreps.num_irreps, x.dtype)
    if plan.empty or 0 in (index.num_nodes, index.num_senders, index.num_edges, index.num_rows):
        return plan.zeros(index.num_nodes, x.dtype)

    def of_tile(senders: jax.Array, edges: jax.Array, *data: jax.Array) -> list[jax.Array]:
        rows, width = senders.shape[:2]
        w = make_weights([leaf.reshape(rows * width, *leaf.shape[2:]) for leaf in data])
        w = None if w is None else w.reshape(rows, width, -1)
        polynomial = plan.polynomial(width, w is not None)
        outputs = evaluate(polynomial, plan.factors(w, senders, edges), precision=precision, executor=executor)
        return [plan.joined(outputs)]

    tile = _tile_rows(index, tile_edges)
    used = jnp.sum(index.receivers < index.num_nodes, dtype=jnp.int32)  # rows with edges come first
    out = tiled_sum(
        of_tile,
        [component_first(x), jnp.asarray(harmonics.array), *leaves],
        [Index("senders"), Index("slots"), *(Index("slots") for _ in leaves)],
        [jax.ShapeDtypeStruct((index.num_nodes, plan.irreps.dim), x.dtype)],
        [Index("receivers")],
        {name: jnp.asarray(getattr(index, name)) for name in ("slots", "senders", "receivers")},
        index.num_rows,
        tile,
        -(-used // tile),
    )
    return plan.result(out[0])


def _edge_index(edges: Any, num_nodes: int | None, x: IrrepsArray) -> EdgeIndex:
    if isinstance(edges, EdgeIndex):
        if num_nodes not in (None, edges.num_nodes):
            raise ValueError(f"edge_convolution expects num_nodes={edges.num_nodes} as in edges, got {num_nodes}")
        return edges
    if not isinstance(edges, tuple) or len(edges) != 2:
        raise TypeError(f"edge_convolution expects edges as an EdgeIndex or (senders, receivers), got {type(edges)}")
    if num_nodes is None:
        raise ValueError("edge_convolution expects num_nodes with edges given as (senders, receivers), got None")
    return EdgeIndex.from_edges(*edges, num_nodes, num_senders=x.shape[0] if x.ndim == 2 else None)


def _check_shapes(x: IrrepsArray, harmonics: IrrepsArray, index: EdgeIndex) -> None:
    for name, operand, rows, what in (
        ("x", x, index.num_senders, "senders"),
        ("harmonics", harmonics, index.num_edges, "edges"),
    ):
        if operand.ndim != 2 or operand.shape[0] != rows:
            raise ValueError(
                f"edge_convolution expects {name} of shape ({rows}, irreps), a row for each of the {rows} {what}, got "
                f"{operand.shape}; use jax.vmap for more axes"
            )


def _weights(
    weights: Any, edge_data: Any, num_edges: int, columns: int, dtype: Any
) -> tuple[list[jax.Array], Callable[[list[jax.Array]], jax.Array | None]]:
    """Arrays with a row for each edge, and what makes weights of rows of them."""
    if not callable(weights):
        if edge_data is not None:
            raise ValueError("edge_convolution expects edge_data only with weights that are a function of it")
        if weights is None:
            return [], lambda data: None
        found = _array(weights)
        if found.shape != (num_edges, columns):
            raise ValueError(
                f"edge_convolution expects weights of shape ({num_edges}, {columns}), one for each edge and each irrep "
                f"of the result, got {found.shape}"
            )
        return [found.astype(dtype)], lambda data: data[0]
    leaves, treedef = jax.tree.flatten(edge_data)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    if not leaves or any(leaf.ndim == 0 or leaf.shape[0] != num_edges for leaf in leaves):
        raise ValueError(
            f"edge_convolution expects edge_data of arrays of shape ({num_edges}, ...), a row for each edge, for a "
            f"function that makes weights, got shapes {[leaf.shape for leaf in leaves]}"
        )

    def make(data: list[jax.Array]) -> jax.Array:
        found = _array(weights(jax.tree.unflatten(treedef, data)))
        if found.shape != (len(data[0]), columns):
            raise ValueError(
                f"edge_convolution expects weights to give an array of shape (edges, {columns}), one for each irrep of "
                f"the result, got {found.shape} for {len(data[0])} edges"
            )
        return found.astype(dtype)

    return leaves, make


def _array(values: Any) -> jax.Array:
    """Weights as an array: they may come as scalars of an IrrepsArray."""
    return check.float_array("edge_convolution", values.array if isinstance(values, IrrepsArray) else values)


def _tile_rows(index: EdgeIndex, tile_edges: int | None) -> int:
    """Return how many rows of edges are in a tile."""
    edges = TILE_EDGES if tile_edges is None else check.count("edge_convolution", "tile_edges", tile_edges)
    most = max(edges // index.width, 1)
    return tile_length(index.num_rows, -(-index.num_rows // most))
