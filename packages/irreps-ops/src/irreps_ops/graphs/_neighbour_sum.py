"""Sums over neighbours for convolution and attention: their features, and these features times harmonics."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, IrrepsArray, cached, concatenate, ones
from irreps_ops.products._selection_rules import all_pairs, allowed_products
from irreps_ops.products._tensor_product import tensor_product

from ._convolution_lowering import convolution_plan
from ._edge_convolution import edge_convolution
from ._edge_index import EdgeIndex

_ONE = Irreps("0e")


def messages(x: IrrepsArray, harmonics: IrrepsArray, keep: Irreps) -> IrrepsArray:
    """Return the messages of edges: features of the sender, and their products with harmonics, each irrep once.

    Args:
        x: features of the senders, of shape (edges, irreps).
        harmonics: of the edges, of shape (edges, irreps), without 0e.
        keep: the irreps to compute.
    """
    product = tensor_product(x, harmonics, filter_ir_out=keep)
    return concatenate([x.filter(keep), product]).regroup()


def message_irreps(x: Irreps, harmonics: Irreps, keep: Irreps) -> Irreps:
    """Return the irreps of :func:`messages`."""
    return (x.filter(keep) + tensor_product(x, harmonics, filter_ir_out=keep)).regroup()


def neighbour_sum(
    x: IrrepsArray,
    harmonics: IrrepsArray,
    weights: Callable[[Any], jax.Array],
    edge_data: Any,
    edges: EdgeIndex,
    keep: Irreps,
) -> IrrepsArray:
    """Return the sum over the edges of each node of :func:`messages` times weights, without storing the messages.

    Args:
        x: features of the nodes, of shape (nodes, irreps).
        harmonics: of the edges, of shape (edges, irreps), without 0e.
        weights: a function from the edge data of some edges to an array of shape (edges, num_irreps of the messages).
        edge_data: a tree of arrays of shape (edges, ...).
        edges: the edges of the graph.
        keep: the irreps to compute.

    Returns:
        Data of shape (nodes, irreps of the messages).
    """
    irreps_x = x.irreps.regroup()
    columns = _columns(irreps_x, harmonics.irreps.regroup(), keep)
    # The features themselves are their products with the harmonic of degree 0, which is 1.
    one = ones(_ONE, harmonics.shape[:-1], dtype=x.dtype)
    inverse = np.argsort(columns)
    in_order = np.array_equal(inverse, np.arange(len(inverse)))

    def reordered(data: Any) -> jax.Array:
        w = weights(data)
        return w if in_order else jnp.take(w, inverse, axis=-1)

    summed = edge_convolution(
        x, concatenate([one, harmonics]), reordered, edges, edge_data=edge_data, filter_ir_out=keep
    )
    if in_order:
        # Without zero flags: a graph without edges has the parameters, and the irreps, of every other.
        return IrrepsArray(summed.irreps, summed.array)
    components = np.concatenate([np.arange(s, s + d) for s, d in _components(summed.irreps)[columns]])
    return IrrepsArray(summed.irreps, jnp.take(summed.array, components, axis=-1))


def _components(irreps: Irreps) -> np.ndarray:
    """Return start and dimension of each irrep, repetitions counted, of shape (irreps, 2)."""
    dims = np.array([ir.dim for mul, ir in irreps for _ in range(mul)], int)
    return np.stack([np.cumsum(dims) - dims, dims], axis=-1)


@cached(maxsize=256)
def _columns(irreps_x: Irreps, irreps_y: Irreps, keep: Irreps) -> np.ndarray:
    """Return for each irrep of the messages its position in the convolution with 0e and the harmonics.

    In the messages the features come before the products; in the convolution both are in the order of the features.
    """
    irreps_y = Irreps([(1, "0e"), *irreps_y])
    products = tuple(allowed_products(irreps_x, irreps_y, all_pairs(irreps_x, irreps_y), keep))
    nonzero = (False,) * len(irreps_x), (False,) * len(irreps_y)
    couplings = convolution_plan(irreps_x, irreps_y, products, *nonzero, "component").couplings
    order = sorted(couplings, key=lambda c: (c.ir, c.y > 0))
    columns = np.concatenate([np.arange(0), *(np.arange(c.start, c.stop) for c in order)])
    columns.flags.writeable = False
    return columns
