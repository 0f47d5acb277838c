"""Edge convolution: tensor product with harmonics, weights and sum over the edges of each node in one operation."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._normalization import IrrepNormalization
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import wide_dtype
from irreps_ops._inputs._sizes import is_known
from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._cost_model import HIDDEN_BYTES, TILE_EDGES, tile_length
from irreps_ops.compute._dispatch import Choice, may_take_whole_batches, takes_whole_batches
from irreps_ops.compute._lowering import evaluate_lowering
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Access, Index
from irreps_ops.compute._tiled_sum import tiled_sum
from irreps_ops.products._selection_rules import Keep, all_pairs, allowed_products

from ._convolution_lowering import ConvolutionPlan, component_first, convolution_lowering, convolution_plan
from ._edge_index import EdgeIndex
from ._factored_weights import FactoredWeights, factored
from ._graph_lowering import graph_lowering

Weights: TypeAlias = "tuple[jax.Array, jax.Array] | Callable[[Any], Any] | jax.Array | None"


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
    r"""Sum messages over the edges of each node: weights times features of the sender times harmonics of the edge.

    .. math:: z_{n,puv,k} = c_p \sum_{e \to n} w_{e,puv} \sum_{ij} C_{ijk} \, x_{s(e),ui} \, Y_{e,vj}

    for each path p from an irrep of the features and one of the harmonics to an irrep of the result; :math:`s(e)` is
    the sender of the edge e, and :math:`c_p` normalizes the path as in :func:`tensor_product`. It equals

    ``scatter_sum(tensor_product(x[senders], harmonics) * w, dst=receivers, output_size=num_nodes)``

    but stores neither the messages (edges x irreps of the result) nor, if they are given in one of the first two forms
    below, the weights (edges x paths x channels). Both are computed for some edges at a time, and computed again for
    each derivative, of any order, in forward and reverse mode.

    Where an executor computes whole graphs (``llvm``, of the package irreps-llvm, on CPUs), the product with the last
    matrix of the radial network is part of its loops. What comes before the matrix is computed tile by tile, and only
    its result is kept for all edges. Otherwise the convolution is computed tile by tile, with the whole radial network
    in the tile.

    Args:
        x: features of the senders, of shape (num_senders, irreps).
        harmonics: spherical harmonics (or any irreps) of the edges, of shape (edges, irreps).
        weights: a number for each edge and each irrep of the result, in its order:

            * a function, the radial network: it is called with `edge_data`, of all edges or of a tile of them, returns
              an array of shape (edges, num_irreps), must treat each edge independently, and may close over parameters,
              which can be differentiated. Fastest is a function whose last operation is a product with a matrix,
              ``h @ V``, perhaps times a number, as in a perceptron;
            * a pair (h, V): hidden activations of shape (edges, n) and the last matrix, of shape (n, num_irreps);
            * an array of shape (edges, num_irreps);
            * None: all weights are 1.

        edges: an :class:`EdgeIndex`, made once for all layers; or a pair (senders, receivers) of integer arrays.
        edge_data: the argument of the function `weights`: a tree of arrays of shape (edges, ...).
        num_nodes: the number of receiving nodes; needed with a pair of arrays.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: as in :func:`tensor_product`.
        tile_edges: compute tile by tile, with this many edges in a tile (default: 512). Accelerators process many
            tiles at once.
        precision: of matrix products; the default is the full precision of the dtype.
        executor: the executor, of the whole graph or of the products of a tile, see :func:`evaluate`.

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
    summed_in = wide_dtype(x.dtype)
    if tile_edges is None and may_take_whole_batches(executor):
        z = _over_graph(plan, x, harmonics, weights, edge_data, leaves, index, precision, executor)
        if z is not None:
            return z
    lowering = convolution_lowering(plan, index.width, weights is not None)

    def sum_of_rows(features: jax.Array, harmonics: jax.Array, *data: jax.Array) -> list[jax.Array]:
        rows, width = features.shape[:2]
        w = make_weights([leaf.reshape(rows * width, *leaf.shape[2:]) for leaf in data])
        arrays = [features, harmonics, *([] if w is None else [w.reshape(rows, width, -1)])]
        y = evaluate_lowering(lowering, arrays, precision=precision, executor=executor)
        return [y.astype(summed_in)]

    tile = _tile_rows(index, tile_edges)
    used = jnp.sum(index.receivers < index.num_nodes, dtype=jnp.int32)  # rows with edges come first
    (out,) = tiled_sum(
        sum_of_rows,
        inputs=[component_first(x), jnp.asarray(harmonics.array), *leaves],
        reads=[Index("senders"), *[Index("slots")] * (1 + len(leaves))],
        outputs=[jax.ShapeDtypeStruct((index.num_nodes, plan.irreps.dim), summed_in)],
        writes=[Index("receivers")],
        indices={name: jnp.asarray(getattr(index, name)) for name in ("slots", "senders", "receivers")},
        batch=index.num_rows,
        tile=tile,
        count=-(-used // tile),
    )
    return plan.result(out.astype(x.dtype))


def _over_graph(
    plan: ConvolutionPlan,
    x: IrrepsArray,
    harmonics: IrrepsArray,
    weights: Any,
    edge_data: Any,
    leaves: list[jax.Array],
    index: EdgeIndex,
    precision: jax.lax.Precision,
    executor: Choice,
) -> IrrepsArray | None:
    """Evaluate the convolution as one polynomial over all edges.

    None if the executor takes no whole batches, or if the weights are a function whose last operation is not a product
    with a matrix.
    """
    padding = _padding(index)
    leaves = [_filled(leaf, padding) for leaf in leaves]
    if isinstance(weights, tuple):
        hidden, last = leaves[0], jnp.asarray(weights[1])
        network = FactoredWeights(hidden.shape[1], hidden.dtype, lambda _: hidden, lambda: last)
    elif callable(weights):
        edge_data = jax.tree.unflatten(jax.tree.structure(edge_data), leaves)
        network = factored(weights, edge_data, plan.irreps.num_irreps)
        if network is None:
            return None
    else:
        network = None
    lowering = graph_lowering(plan, weights is not None, None if network is None else network.width)
    sizes = {"senders": index.num_senders, "receivers": index.num_nodes}
    contraction = Contraction(lowering.polynomial, index.num_edges, tuple(sizes.items()), wide_dtype(x.dtype))
    if not takes_whole_batches(contraction, executor):
        return None
    per_edge, matrix = leaves[0] if leaves else None, None
    if network is not None:
        per_edge, matrix = _hidden_activations(network, edge_data, leaves, index.num_edges), network.matrix()
    per_edge, matrix = (None if a is None else a.astype(x.dtype) for a in (per_edge, matrix))
    y = _filled(jnp.asarray(harmonics.array, x.dtype), padding)
    (array,) = evaluate(
        lowering.polynomial,
        lowering.inputs(jnp.asarray(x.array), y, per_edge, matrix),
        {"senders": jnp.asarray(index.edge_senders), "receivers": jnp.asarray(index.edge_receivers)},
        sizes=sizes,
        precision=precision,
        executor=executor,
        joined=lowering.joined(),
    )
    return lowering.result(array)


def _hidden_activations(network: FactoredWeights, edge_data: Any, leaves: list[jax.Array], edges: int) -> jax.Array:
    """Evaluate what comes before the last matrix for all edges; tile by tile, so that nothing else is kept for all."""
    if edge_data is None:
        return network.hidden(None)
    structure = jax.tree.structure(edge_data)

    def of_tile(*tile: jax.Array) -> list[jax.Array]:
        return [network.hidden(jax.tree.unflatten(structure, tile))]

    result = jax.ShapeDtypeStruct((edges, network.width), network.dtype)
    count = -(-math.prod(result.shape) * network.dtype.itemsize // HIDDEN_BYTES) if is_known(edges) else 1
    if count == 1:
        return of_tile(*leaves)[0]
    reads, tile = [Access.BATCHED] * len(leaves), tile_length(edges, count)
    return tiled_sum(of_tile, leaves, reads, [result], [Access.BATCHED], {}, edges, tile)[0]


def _padding(index: EdgeIndex) -> Any:
    """Return whether each edge is padding; None if it is known that none is."""
    padding = (index.edge_receivers >= index.num_nodes) | (index.edge_senders >= index.num_senders)
    return None if isinstance(padding, np.ndarray) and not padding.any() else padding


def _filled(data: jax.Array, padding: Any) -> jax.Array:
    """Replace the data of padding, which may be anything, by those of another edge: derivatives are finite there."""
    if padding is None:
        return data
    padding = jnp.asarray(padding)
    some = jnp.where(jnp.all(padding), jnp.ones_like(data[0]), data[jnp.argmin(padding)])
    return jnp.where(padding.reshape(-1, *[1] * (data.ndim - 1)), jax.lax.stop_gradient(some), data)


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
    if isinstance(weights, tuple):
        return _hidden(weights, edge_data, num_edges, columns, dtype)
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
        edges = data[0].shape[0]
        if found.shape != (edges, columns):
            raise ValueError(
                f"edge_convolution expects weights to return an array of shape (edges, {columns}), one for each irrep "
                f"of the result, got {found.shape} for {edges} edges"
            )
        return found.astype(dtype)

    return leaves, make


def _hidden(
    weights: tuple[Any, ...], edge_data: Any, num_edges: int, columns: int, dtype: Any
) -> tuple[list[jax.Array], Callable[[list[jax.Array]], jax.Array]]:
    """Return hidden activations as edge data, and the function that multiplies them by the last matrix."""
    if len(weights) != 2 or edge_data is not None:
        raise ValueError(
            "edge_convolution expects weights as a pair (hidden, matrix), and no edge_data with it; got a tuple of "
            f"{len(weights)} and edge_data of type {type(edge_data).__name__}"
        )
    hidden, matrix = map(_array, weights)
    if hidden.ndim != 2 or hidden.shape[0] != num_edges or matrix.shape != (hidden.shape[-1], columns):
        raise ValueError(
            f"edge_convolution expects hidden activations of shape ({num_edges}, n) and a matrix of shape "
            f"(n, {columns}), one column for each irrep of the result, got {hidden.shape} and {matrix.shape}"
        )
    matrix = matrix.astype(dtype)

    def make(data: list[jax.Array]) -> jax.Array:
        return jnp.matmul(data[0], matrix, precision=jax.lax.Precision.HIGHEST)

    return [hidden.astype(dtype)], make


def _array(values: Any) -> jax.Array:
    """Return weights, which may be scalars in an IrrepsArray, as an array."""
    return check.float_array("edge_convolution", values.array if isinstance(values, IrrepsArray) else values)


def _tile_rows(index: EdgeIndex, tile_edges: int | None) -> int:
    """Return the number of rows of edges in a tile."""
    edges = TILE_EDGES if tile_edges is None else check.count("edge_convolution", "tile_edges", tile_edges)
    longest = max(edges // index.width, 1)
    return tile_length(index.num_rows, -(-index.num_rows // longest))
