"""Edge convolution: tensor product with harmonics, weights and sum over the edges of each node in one operation."""

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
from irreps_ops.compute._lowering import evaluate_lowering
from irreps_ops.compute._terms import Index
from irreps_ops.compute._tiled_sum import tiled_sum
from irreps_ops.products._selection_rules import Keep, all_pairs, allowed_products

from ._convolution_lowering import component_first, convolution_lowering, convolution_plan
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
    """Sum messages over the edges of each node: weights times features of the sender times harmonics of the edge.

    z[n, p u v, k] = scale * sum over edges e to n of w[e, p u v] sum_ij C[i, j, k] x[sender(e), u, i] Y[e, v, j]

    for each path p from an irrep of the features and one of the harmonics to an irrep of the result. It equals

    ``scatter_sum(tensor_product(x[senders], harmonics) * w, dst=receivers, output_size=num_nodes)``

    but stores neither the messages (edges x irreps of the result) nor, if they are given as a function, the weights
    (edges x paths x channels). Both are computed for a tile of some hundred edges at a time, and computed again for
    each derivative. So every derivative, of any order, in forward and reverse mode, needs memory for its inputs, its
    results and one tile.

    Args:
        x: features of the senders, of shape (num_senders, irreps).
        harmonics: spherical harmonics (or any irreps) of the edges, of shape (edges, irreps).
        weights: a number for each edge and each irrep of the result, in its order. Best given as a function, the radial
            network: it is called with `edge_data` of a tile of edges, returns an array of shape (edges, num_irreps),
            must treat each edge independently, and may close over parameters, which can be differentiated. Or an array
            of shape (edges, num_irreps). None: all weights are 1.
        edges: an :class:`EdgeIndex`, made once for all layers; or a pair (senders, receivers) of integer arrays.
        edge_data: the argument of the function `weights`: a tree of arrays of shape (edges, ...).
        num_nodes: the number of receiving nodes; needed with a pair of arrays.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: as in :func:`tensor_product`.
        tile_edges: the number of edges in a tile (default: 512). Accelerators process many tiles at once.
        precision: of matrix products; the default is the full precision of the dtype.
        executor: the executor of the products of a tile, see :func:`evaluate`. The default computes sums over the edges
            of a row, and their derivatives, as matrix products.

    Returns:
        Data of shape (num_nodes, irreps), each irrep once, sorted, in the order of :func:`tensor_product`. Nodes
        without edges get zeros. Padding edges of the index contribute nothing, whatever their data.

    Raises:
        ValueError: shapes that do not fit together, edge data without a function or a function without edge data, a
            function that returns a wrong shape, an executor that does not support the products; and the errors of
            :meth:`EdgeIndex.from_edges`.
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
    irreps = (x.irreps, harmonics.irreps)
    products = tuple(allowed_products(*irreps, all_pairs(*irreps), filter_ir_out))
    plan = convolution_plan(*irreps, products, x.zero_flags, harmonics.zero_flags, irrep_normalization)
    leaves, make_weights = _weights(weights, edge_data, index.num_edges, plan.irreps.num_irreps, x.dtype)
    if plan.empty or 0 in (index.num_nodes, index.num_senders, index.num_edges, index.num_rows):
        return plan.zeros(index.num_nodes, x.dtype)
    lowering = convolution_lowering(plan, index.width, weights is not None)

    def sum_of_rows(features: jax.Array, harmonics: jax.Array, *data: jax.Array) -> list[jax.Array]:
        rows, width = features.shape[:2]
        w = make_weights([leaf.reshape(rows * width, *leaf.shape[2:]) for leaf in data])
        arrays = [features, harmonics, *([] if w is None else [w.reshape(rows, width, -1)])]
        return [evaluate_lowering(lowering, arrays, precision=precision, executor=executor)]

    tile = _tile_rows(index, tile_edges)
    used = jnp.sum(index.receivers < index.num_nodes, dtype=jnp.int32)  # rows with edges come first
    (out,) = tiled_sum(
        sum_of_rows,
        inputs=[component_first(x), jnp.asarray(harmonics.array), *leaves],
        reads=[Index("senders"), *[Index("slots")] * (1 + len(leaves))],
        outputs=[jax.ShapeDtypeStruct((index.num_nodes, plan.irreps.dim), x.dtype)],
        writes=[Index("receivers")],
        indices={name: jnp.asarray(getattr(index, name)) for name in ("slots", "senders", "receivers")},
        batch=index.num_rows,
        tile=tile,
        count=-(-used // tile),
    )
    return plan.result(out)


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
    for name, operand, size, of in (
        ("x", x, index.num_senders, "sender"),
        ("harmonics", harmonics, index.num_edges, "edge"),
    ):
        if operand.ndim != 2 or operand.shape[0] != size:
            raise ValueError(
                f"edge_convolution expects {name} of shape ({size}, irreps), one row for each {of}, got "
                f"{operand.shape}; use jax.vmap for more axes"
            )


def _weights(
    weights: Any, edge_data: Any, num_edges: int, columns: int, dtype: Any
) -> tuple[list[jax.Array], Callable[[list[jax.Array]], jax.Array | None]]:
    """Return arrays of edge data, and the function that computes weights from the edge data of a tile."""
    if not callable(weights):
        if edge_data is not None:
            raise ValueError(
                f"edge_convolution expects edge_data only with weights that are a function of it, got {type(weights)}"
            )
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
            f"edge_convolution expects edge_data of arrays of shape ({num_edges}, ...), one row for each edge, with "
            f"weights that are a function of it, got shapes {[leaf.shape for leaf in leaves]}"
        )

    def make(data: list[jax.Array]) -> jax.Array:
        found = _array(weights(jax.tree.unflatten(treedef, data)))
        if found.shape != (len(data[0]), columns):
            raise ValueError(
                f"edge_convolution expects weights to return an array of shape (edges, {columns}), one for each irrep "
                f"of the result, got {found.shape} for {len(data[0])} edges"
            )
        return found.astype(dtype)

    return leaves, make


def _array(values: Any) -> jax.Array:
    """Return weights, which may be scalars in an IrrepsArray, as an array."""
    return check.float_array("edge_convolution", values.array if isinstance(values, IrrepsArray) else values)


def _tile_rows(index: EdgeIndex, tile_edges: int | None) -> int:
    """Return the number of rows of edges in a tile."""
    edges = TILE_EDGES if tile_edges is None else check.count("edge_convolution", "tile_edges", tile_edges)
    longest = max(edges // index.width, 1)
    return tile_length(index.num_rows, -(-index.num_rows // longest))
