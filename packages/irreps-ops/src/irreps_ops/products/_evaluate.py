"""Evaluation of couplings on data of irreps."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from irreps_core import Irreps, IrrepsArray, zeros
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._lowering import evaluate_on_batch
from irreps_ops.compute._terms import Access

from ._couplings import Coupling
from ._lowering import ProductLowering, product_lowering


def evaluate_product(
    x: IrrepsArray,
    y: IrrepsArray,
    irreps_out: Irreps,
    couplings: Sequence[Coupling],
    weights: Sequence[jax.Array] = (),
    *,
    packed: bool = False,
    square: bool = False,
    executor: Choice = None,
) -> IrrepsArray:
    """Return the sum of all couplings, of shape (..., irreps_out.dim).

    Args:
        x: data of shape (..., irreps1.dim).
        y: data of shape (..., irreps2.dim); leading axes broadcast.
        irreps_out: irreps of the result; items that no coupling contributes to are known to be zero.
        couplings: the couplings; those of data that is known to be zero are skipped.
        weights: for each coupling that has weights an array of shape (..., *path_shape).
        packed: `weights` is one array of shape (..., numbers) instead, the weights of all couplings one after another.
        square: whether `x` and `y` are the same.
        executor: see :func:`evaluate`.
    """
    couplings = tuple(couplings)
    irreps = (x.irreps, y.irreps)
    weight_axes = [1] if packed else [len(c.path_shape) for c in couplings if c.has_weight]
    live = tuple(
        n
        for n, c in enumerate(couplings)
        if not (x.zero_flags[c.i_in1] or y.zero_flags[c.i_in2] or c.is_empty(*irreps, irreps_out))
    )
    if not live:
        own = [w.shape[: w.ndim - n] for w, n in zip(weights, weight_axes, strict=True)]
        leading = jnp.broadcast_shapes(x.shape[:-1], y.shape[:-1], *own)
        return zeros(irreps_out, leading, jnp.result_type(x.array, y.array, *weights))

    def lower(accesses: tuple[Access, ...], *, in_one: bool = False) -> ProductLowering:
        options = {"packed": packed, "square": square, "in_one": in_one}
        return product_lowering(irreps, irreps_out, couplings, live, accesses, **options)

    in_one = partial(lower, in_one=True)
    array = evaluate_on_batch(lower, [x.array, y.array], weights, weight_axes, in_one=in_one, executor=executor)
    reached = {couplings[n].i_out for n in live}
    return IrrepsArray(irreps_out, array, zero_flags=[i not in reached for i in range(len(irreps_out))])
