"""Products of irreps' data on the compute core: rows out of leading axes, weights out of arrays, chunks of rows."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, IrrepsArray

from ._executors import Choice
from ._operands import split_last_axis
from ._polynomial import EACH, SHARED
from ._product_polynomial import Connection, product_polynomial
from ._row_chunks import by_row_chunks


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
    rows = math.prod(leading)
    # One row of data is a row; weights that have no rows are shared by all.
    arrays = [_rows(a.astype(dtype), leading) for a in (x.array, y.array, *weights)]
    kinds = [SHARED if a.ndim == 1 else EACH for a in arrays]
    if rows == 1:
        arrays[:2], kinds[:2] = [a.reshape(1, -1) for a in arrays[:2]], [EACH, EACH]
    kinds_of_weights = iter(kinds[2:] if len(weights) == len(shapes) else kinds[2:] * len(shapes))
    given = [c._replace(weights=next(kinds_of_weights)) if c.weights else c for c in connections]
    zero = [x.zero_flags[c.i_in1] or y.zero_flags[c.i_in2] for c in given]
    found = tuple(c for c, z in zip(given, zero, strict=True) if not z)
    product = product_polynomial(x.irreps, y.irreps, irreps_out, found, (kinds[0], kinds[1]), square=square)
    known = [z for c, z in zip(given, zero, strict=True) if c.weights]
    places = [n for n, c in enumerate(found) if c.weights]

    def compute(x: jax.Array, y: jax.Array, *weights: jax.Array) -> jax.Array:
        some = next((len(a) for a, kind in zip((x, y, *weights), kinds, strict=True) if kind == EACH), rows)
        used = [w for w, z in zip(_unpacked(weights, shapes), known, strict=True) if not z]
        return product.evaluate(dict(zip(places, used, strict=True)), x, y, some, dtype, executor)

    if product.segments:
        shared, made = [kind == SHARED for kind in kinds], product.polynomial.numbers()[1]
        array = by_row_chunks(compute, arrays, shared, rows, irreps_out.dim, made)
    else:
        array = jnp.zeros((rows, irreps_out.dim), dtype)
    zero_flags = [not places for places in product.written]
    return IrrepsArray(irreps_out, array.reshape((*leading, irreps_out.dim)), zero_flags=zero_flags)


def _rows(x: jax.Array, leading: tuple[int, ...]) -> jax.Array:
    """An array of shape (..., n) with one axis of rows, or with none if all rows have the same."""
    own = x.shape[:-1]
    if math.prod(own) == 1 and (own == () or math.prod(leading) != 1):
        return x.reshape(-1)
    x = x.reshape((1,) * (len(leading) - len(own)) + x.shape)
    return jnp.broadcast_to(x, (*leading, x.shape[-1])).reshape(math.prod(leading), x.shape[-1])


def _unpacked(weights: Sequence[jax.Array], shapes: Sequence[tuple[int, ...]]) -> list[jax.Array]:
    """The weights of each connection that has some, of shape ([rows,] *path_shape), from arrays of their own or one."""
    if len(weights) != len(shapes):
        weights = split_last_axis(weights[0], [math.prod(shape) for shape in shapes])
    return [w.reshape((*w.shape[:-1], *shape)) for w, shape in zip(weights, shapes, strict=True)]
