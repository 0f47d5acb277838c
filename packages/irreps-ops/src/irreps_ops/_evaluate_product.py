"""Products of irreps' data on the compute core: rows out of leading axes, the polynomial, data out of its outputs."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, IrrepsArray

from ._executors import Choice
from ._polynomial import EACH, SHARED
from ._primitive import evaluate
from ._product_polynomial import MODES, Connection, product_polynomial


def evaluate_product(
    x: IrrepsArray,
    y: IrrepsArray,
    irreps_out: Irreps,
    connections: Sequence[Connection],
    weights: Sequence[jax.Array | None] = (),
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
        weights: for each connection its weights, of shape (..., *path_shape), or None; empty: none has any.
        square: whether `x` and `y` are the same.
        executor: see :func:`evaluate`.
    """
    pairs = [
        (c, w)
        for c, w in zip(connections, weights or [None] * len(connections), strict=True)
        if not (x.zero_flags[c.i_in1] or y.zero_flags[c.i_in2])
    ]
    dtype = jnp.result_type(x.array, *(w for _, w in pairs if w is not None))
    own = [() if w is None else w.shape[: w.ndim - len(MODES[c.mode][0])] for c, w in pairs]
    leading = np.broadcast_shapes(x.shape[:-1], y.shape[:-1], *own)
    (x_kind, x_rows), (y_kind, y_rows) = (_rows(a.array.astype(dtype), a.shape[:-1], leading) for a in (x, y))
    if math.prod(leading) == 1:  # one row is a row
        (x_kind, x_rows), (y_kind, y_rows) = ((EACH, a.reshape(1, -1)) for a in (x_rows, y_rows))
    found, arrays = [], []
    for (c, w), w_leading in zip(pairs, own, strict=True):
        if w is not None:
            kind, w = _rows(w.astype(dtype), w_leading, leading)
            c = c._replace(weights=kind)
        found.append(c)
        arrays.append(w)
    product = product_polynomial(x.irreps, y.irreps, irreps_out, tuple(found), (x_kind, y_kind), square=square)
    rows = math.prod(leading)
    inputs = product.read([arrays[n] for n in product.weights], x_rows, y_rows)
    outputs = evaluate(product.polynomial, inputs, rows=rows, executor=executor) if inputs else []
    array = product.write(outputs, rows, dtype).reshape((*leading, irreps_out.dim))
    return IrrepsArray(irreps_out, array, zero_flags=[not places for places in product.written])


def _rows(x: jax.Array, own: tuple[int, ...], leading: tuple[int, ...]) -> tuple[str, jax.Array]:
    """An array of shape (*own, ...) with one axis of rows, or with none if all rows have the same."""
    rest = x.shape[len(own) :]
    if math.prod(own) == 1 and (own == () or math.prod(leading) != 1):
        return SHARED, x.reshape(rest)
    return EACH, jnp.broadcast_to(x.reshape((1,) * (len(leading) - len(own)) + x.shape), leading + rest).reshape(
        -1, *rest
    )
