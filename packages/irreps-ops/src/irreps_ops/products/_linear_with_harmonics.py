"""Products with spherical harmonics, order by order in the frame of a direction: the function `shtp`."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray, from_chunks
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import wide_dtype, widened

from ._aligned_frame import AlignedFrames, central, is_reached, same_axes, vector_parity


def shtp(input: IrrepsArray | jax.Array, direction: IrrepsArray, filter_irreps_out: IntoIrreps) -> IrrepsArray:
    r"""Return a basis of the products with spherical harmonics, order by order: the terms of :class:`LinearSHTP`.

    Args:
        input: data of shape (..., irreps.dim).
        direction: a vector 1o or a pseudovector 1e, of shape (..., 3); its length does not matter. Leading axes
            broadcast.
        filter_irreps_out: the irreps to compute.

    Returns:
        Data of shape (..., irreps_out.dim), each irrep once, with contributions of all items of the input. An item of
        multiplicity u and degree :math:`l_1` yields, for each irrep of degree :math:`l_3`, u irreps for each product
        with a harmonic: :math:`\min(l_1, l_3) + 1` where :math:`l_1 + l + l_3` is even, one for each order
        :math:`m ≥ 0`, and :math:`\min(l_1, l_3)` where it is odd, one for each order :math:`m ≥ 1`.

    Raises:
        TypeError: the direction is not an IrrepsArray.
        ValueError: the direction is not a single vector, 1o or 1e.

    Source: as :class:`LinearSHTP`.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> v = irr.IrrepsArray("1o", jnp.array([0.0, 5.0, 0.0]))
        >>> irr.shtp(x, v, "0e + 1o")
        1x0e+2x1o [2. 0. 2. 0. 1. 0. 3.]
    """
    product = HarmonicProduct("shtp", input, direction, Irreps(filter_irreps_out).regroup())
    chunks = []
    for path in product.paths:
        # Where l1 + l + l3 is odd, z_m = -x_-m, as in e3nn-jax.
        basis = jnp.eye(path.orders, dtype=product.x.dtype) * (-1 if path.odd else 1)
        chunks.append(product([(path, basis)], "...ui,im->...umi"))
    irreps = [(path.mul * path.orders, path.ir_out) for path in product.paths]
    return from_chunks(irreps, chunks, product.leading, product.x.dtype).simplify().astype(product.dtype)


class HarmonicPath(NamedTuple):
    """The products with harmonics that lead from an item of the input to an item of the output.

    Attributes:
        i_in: index of the item of the input.
        i_out: index of the item of the output.
        mul: multiplicity of the input.
        ir_in: irrep of the input.
        ir_out: irrep of the output.
        odd: whether l1 + l + l3 is odd, see :mod:`._aligned_frame`.
    """

    i_in: int
    i_out: int
    mul: int
    ir_in: Irrep
    ir_out: Irrep
    odd: bool

    @property
    def highest(self) -> int:
        """Highest order m."""
        return min(self.ir_in.l, self.ir_out.l)

    @property
    def orders(self) -> int:
        """Number of orders m: from 0, or from 1 where l1 + l + l3 is odd."""
        return self.highest + (not self.odd)


class HarmonicProduct:
    """Data in the frames of directions, and the products with harmonics that lead to given irreps.

    Attributes:
        x: the data, in float32 if they are narrower.
        dtype: that of the given data.
        leading: leading axes of the result.
        paths: ordered by output, then by input, without those of chunks that are known to be zero.
    """

    def __init__(self, name: str, x: Any, direction: Any, irreps_out: Irreps) -> None:
        parity = vector_parity(name, direction)
        x, v = floating(x, direction)
        self.dtype = x.dtype
        x, v = (a.astype(wide_dtype(x.dtype)) for a in (x, v))
        self.x, v, self.leading = same_axes(x, v)
        self.paths = [
            HarmonicPath(i_in, i_out, mul, ir_in, ir_out, odd)
            for i_out, (_, ir_out) in enumerate(irreps_out)
            for i_in, (mul, ir_in) in enumerate(x.irreps)
            for odd in (False, True)
            if not x.zero_flags[i_in] and is_reached(ir_in, ir_out, parity, odd)
        ]
        self._frames, self._in_frames = AlignedFrames.with_data(
            self.x, v.array, [(p.ir_out, p.i_in) for p in self.paths]
        )

    def __call__(self, terms: Sequence[tuple[HarmonicPath, jax.Array]], subscripts: str) -> jax.Array:
        """Return the weighted sum of products that lead to one irrep, of shape (..., mul, dim).

        Args:
            terms: paths, and weights of shape (orders, ...).
            subscripts: of an einsum of the data and the weights, where i is the order.
        """
        ir = terms[0][0].ir_out
        terms = [(path, widened(w)) for path, w in terms]
        highest = max(path.highest for path, _ in terms)
        plain, turned = [], []
        for path, w in terms:
            if path.ir_in == path.ir_out and not path.odd:
                # The product with the harmonic of degree 0 is the data itself, also where the vector is zero.
                mean = (w[0] + 2 * jnp.sum(w[1:], axis=0)) / ir.dim
                plain.append(_einsum(subscripts.replace(",i", ","), self.x.chunks[path.i_in], mean))
                w = w - mean[None]
            if path.ir_in.l == path.ir_out.l == 0:
                continue
            rotated: Any = self._in_frames[path.i_in]
            rotated = rotated[..., central(rotated.shape[-1] // 2, path.highest)]
            zero = jnp.zeros_like(w, shape=(1, *w.shape[1:]))
            w = jnp.concatenate([-w[::-1], zero, w] if path.odd else [w[:0:-1], w])
            z = _einsum(subscripts, rotated[..., ::-1] if path.odd else rotated, w)
            beyond = highest - path.highest
            turned.append(jnp.pad(z, [(0, 0)] * (z.ndim - 1) + [(beyond, beyond)]))
        total = [self._channels(sum(terms[1:], terms[0])) for terms in (plain, turned) if terms]
        if turned:
            total[-1] = self._frames.from_frames(total[-1], ir.l)
        total = sum(total[1:], total[0])
        return jnp.broadcast_to(total, (*self.leading, *total.shape[-2:]))

    def _channels(self, z: jax.Array) -> jax.Array:
        """Merge all axes of channels into one."""
        n = len(self.leading)
        return z.reshape((*z.shape[:n], math.prod(z.shape[n:-1]), z.shape[-1]))


_einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
