"""Evaluate products of data of irreps: leading axes become the batch, and large batches are processed in tiles."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, IrrepsArray
from irreps_ops._inputs._operands import split_last_axis
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._terms import Access
from irreps_ops.compute._tiled_map import in_tiles

from ._lowering import Connection, product_polynomial


def evaluate_product(
    x: IrrepsArray,
    y: IrrepsArray,
    irreps_out: Irreps,
    connections: Sequence[Connection],
    weights: Sequence[jax.Array] = (),
    shapes: Sequence[tuple[int, ...]] = (),
    *,
    square: bool = False,
    executor: Choice = None,
) -> IrrepsArray:
    """The sum of all connections, of shape (..., irreps_out.dim).

    Args:
        x: data of shape (..., irreps1.dim).
        y: data of shape (..., irreps2.dim), of the same dtype; leading axes broadcast.
        irreps_out: irreps of the result; items that nothing reaches are known to be zero.
        connections: what meets; what is known to be zero is left out.
        weights: of the connections that have some, one after the other: arrays of shape (..., numbers), each with the
            weights of one connection, or one array with those of all.
        shapes: of these weights.
        square: whether `x` and `y` are the same.
        executor: see :func:`evaluate`.
    """
    dtype = jnp.result_type(x.array, *weights)
    leading = np.broadcast_shapes(x.shape[:-1], y.shape[:-1], *(w.shape[:-1] for w in weights))
    batch = math.prod(leading)
    # Weights without leading axes are broadcast; a single element of data is a batch of one.
    arrays = [_flattened(a.astype(dtype), leading) for a in (x.array, y.array, *weights)]
    kinds = [Access.BROADCAST if a.ndim == 1 else Access.BATCHED for a in arrays]
    if batch == 1:
        arrays[:2], kinds[:2] = [a.reshape(1, -1) for a in arrays[:2]], [Access.BATCHED, Access.BATCHED]
    kinds_of_weights = iter(kinds[2:] if len(weights) == len(shapes) else kinds[2:] * len(shapes))
    given = [c._replace(weights=next(kinds_of_weights)) if c.weights else c for c in connections]
    zero = [x.zero_flags[c.i_in1] or y.zero_flags[c.i_in2] for c in given]
    found = tuple(c for c, z in zip(given, zero, strict=True) if not z)
    product = product_polynomial(x.irreps, y.irreps, irreps_out, found, (kinds[0], kinds[1]), square=square)
    known = [z for c, z in zip(given, zero, strict=True) if c.weights]
    places = [n for n, c in enumerate(found) if c.weights]

    def compute(x: jax.Array, y: jax.Array, *weights: jax.Array) -> jax.Array:
        some = next((len(a) for a, kind in zip((x, y, *weights), kinds, strict=True) if kind is Access.BATCHED), batch)
        used = [w for w, z in zip(_unpacked(weights, shapes), known, strict=True) if not z]
        return product.evaluate(dict(zip(places, used, strict=True)), x, y, some, dtype, executor)

    if product.segments:
        intermediate = product.polynomial.sizes()[1]
        array = in_tiles(compute, arrays, kinds, batch, irreps_out.dim, intermediate)
    else:
        array = jnp.zeros((batch, irreps_out.dim), dtype)
    zero_flags = [not places for places in product.written]
    return IrrepsArray(irreps_out, array.reshape((*leading, irreps_out.dim)), zero_flags=zero_flags)


def _flattened(x: jax.Array, leading: tuple[int, ...]) -> jax.Array:
    """Reshape an array (..., n) to (batch, n), or to (n,) if it is the same for the whole batch."""
    own = x.shape[:-1]
    if math.prod(own) == 1 and (own == () or math.prod(leading) != 1):
        return x.reshape(-1)
    x = x.reshape((1,) * (len(leading) - len(own)) + x.shape)
    return jnp.broadcast_to(x, (*leading, x.shape[-1])).reshape(math.prod(leading), x.shape[-1])


def _unpacked(weights: Sequence[jax.Array], shapes: Sequence[tuple[int, ...]]) -> list[jax.Array]:
    """The weights of each connection that has some, of shape ([batch,] *path_shape), from arrays of their own or one."""
    if len(weights) != len(shapes):
        weights = split_last_axis(weights[0], [math.prod(shape) for shape in shapes])
    return [w.reshape((*w.shape[:-1], *shape)) for w, shape in zip(weights, shapes, strict=True)]
