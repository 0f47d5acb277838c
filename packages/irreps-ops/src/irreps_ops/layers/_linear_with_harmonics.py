"""Linear maps of the product with spherical harmonics, one weight for each order: `LinearSHTP` and `shtp`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray, from_chunks
from irreps_ops._inputs._operands import floating
from irreps_ops.products._aligned_frame import AlignedFrames, central, is_reached, same_axes, vector_parity
from irreps_ops.scope._scope import Scope, example_inputs


@dataclass(frozen=True)
class LinearSHTP:
    r"""Linear map of the tensor product with the spherical harmonics of a direction, which is never computed.

    .. math:: z = \sum_l W_l \, (x \otimes Y_l(v / |v|)), \qquad l = 0, 1, 2, \ldots

    The weights mix the irreps of the product as a :class:`Linear` after it would, and there are as many; but they are
    given in the frame of the direction: for a pair of items of degrees l1 and l3 one for each order m, in place of one
    for each degree l from \|l1 - l3\| to l1 + l3. So a pair costs (2l1+1) + (2l3+1) products for each channel and
    (2 min(l1, l3) + 1) for each two, whatever the number of degrees. Where the vector is zero there is the degree
    l = 0 alone, as in :func:`tensor_product_with_spherical_harmonics`.

    Args:
        irreps_out: irreps of the output; those that nothing reaches are zero. Without `mix`: the irreps to compute.
        mix: whether channels are mixed. If not, each weight has one channel, and the output is each pair by itself:
            for each irrep in order those of all items of the input.

    Raises:
        TypeError: the direction is no IrrepsArray.
        ValueError: the direction is no single vector, 1o or 1e.

    Source: Passaro and Zitnick, Reducing SO(3) Convolutions to SO(2) for Efficient Equivariant GNNs (2023),
    arXiv:2302.03655; with mirrors, names and shapes of parameters as in e3nn-jax.

    Example:
        >>> import jax
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x, v = ic.ones("2x0e + 3x1o"), ic.ones("1o")
        >>> layer = irr.LinearSHTP("4x0e + 2x1o")
        >>> params = irr.init(layer, jax.random.key(0), x, v)
        >>> {name: w.shape for name, w in params.items()}
        {'0_0_S0e0e': (1, 2, 4), '1_0_S1o0e': (1, 3, 4), '0_1_S0e1o': (1, 2, 2), '1_1_S1o1o': (2, 3, 2)}
        >>> irr.apply(layer, params, x, v).irreps
        4x0e+2x1o
    """

    irreps_out: IntoIrreps
    mix: bool = True

    def __post_init__(self) -> None:
        """Read the irreps."""
        object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow: data and direction, or irreps."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any, direction: IrrepsArray) -> IrrepsArray:
        """Data of shape (..., irreps_out.dim), from data of shape (..., irreps.dim) and vectors of shape (..., 3)."""
        irreps_out = Irreps(self.irreps_out) if self.mix else Irreps(self.irreps_out).regroup()
        product = _Product("LinearSHTP", x, direction, irreps_out)
        weighted = [(path, self._weights(scope, path, irreps_out, product.x.dtype)) for path in product.paths]
        if not self.mix:
            chunks = [product([(path, w)], "...ui,iu->...ui") for path, w in weighted]
            irreps = [(path.mul, path.ir_out) for path, _ in weighted]
            return from_chunks(irreps, chunks, product.leading, product.x.dtype).simplify()
        chunks = []
        for i_out in range(len(irreps_out)):
            terms = [(path, w) for path, w in weighted if path.i_out == i_out]
            fan_in = max(sum(path.mul for path, _ in terms), 1)
            chunks.append(product(terms, "...ui,iuv->...vi") / fan_in**0.5 if terms else None)
        return from_chunks(irreps_out, chunks, product.leading, product.x.dtype)

    def _weights(self, scope: Scope, path: "_Path", irreps_out: Irreps, dtype: Any) -> jax.Array:
        shape = (path.orders, path.mul, *[irreps_out[path.i_out].mul] * self.mix)
        kind = "A" if path.odd else "S"
        name = f"{path.i_in}_{path.i_out}_{kind}{path.ir_in}{path.ir_out}"
        return scope.parameter(name, shape, dtype, jax.nn.initializers.normal(1.0))


def shtp(input: IrrepsArray | jax.Array, direction: IrrepsArray, filter_irreps_out: IntoIrreps) -> IrrepsArray:
    """All that a :class:`LinearSHTP` may combine: a basis of the products with spherical harmonics, order by order.

    Args:
        input: data of shape (..., irreps.dim).
        direction: a vector 1o or a pseudovector 1e, of shape (..., 3); its length does not matter. Leading axes
            broadcast.
        filter_irreps_out: the irreps to compute.

    Returns:
        Data of shape (..., irreps_out.dim), each irrep once, made of all items of the input. Of an item of multiplicity
        u and degree l1 come u times as many irreps of degree l3 as there are products with harmonics: of even
        l1 + l + l3 min(l1, l3) + 1, one for each order m from 0; of odd sums min(l1, l3), from 1.

    Raises:
        TypeError: the direction is no IrrepsArray.
        ValueError: the direction is no single vector, 1o or 1e.

    Source: as :class:`LinearSHTP`.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> v = ic.IrrepsArray("1o", jnp.array([0.0, 5.0, 0.0]))
        >>> irr.shtp(x, v, "0e + 1o")
        1x0e+2x1o [2. 0. 2. 0. 1. 0. 3.]
    """
    product = _Product("shtp", input, direction, Irreps(filter_irreps_out).regroup())
    chunks = []
    for path in product.paths:
        # Of odd sums z_m = -x_-m, as in e3nn-jax.
        basis = jnp.eye(path.orders, dtype=product.x.dtype) * (-1 if path.odd else 1)
        chunks.append(product([(path, basis)], "...ui,im->...umi"))
    irreps = [(path.mul * path.orders, path.ir_out) for path in product.paths]
    return from_chunks(irreps, chunks, product.leading, product.x.dtype).simplify()


class _Path(NamedTuple):
    """The products with harmonics that lead from an item of the input to one of the output.

    Attributes:
        i_in: place of the item of the input.
        i_out: place of the item of the output.
        mul: multiplicity of the input.
        ir_in: its irrep.
        ir_out: the irrep of the output.
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
        """The highest order."""
        return min(self.ir_in.l, self.ir_out.l)

    @property
    def orders(self) -> int:
        """How many orders have a number of their own: those from m = 0, or 1 of odd sums."""
        return self.highest + (not self.odd)


class _Product:
    """Data and directions, ready for the products that lead to some irreps.

    Attributes:
        x: the data.
        leading: leading axes of the result.
        paths: in the order of the output and of the input, without those of data that is known to be zero.
    """

    def __init__(self, name: str, x: Any, direction: Any, irreps_out: Irreps) -> None:
        parity = vector_parity(name, direction)
        x, v = floating(x, direction)
        self.x, v, self.leading = same_axes(x, v)
        self.paths = [
            _Path(i_in, i_out, mul, ir_in, ir_out, odd)
            for i_out, (_, ir_out) in enumerate(irreps_out)
            for i_in, (mul, ir_in) in enumerate(x.irreps)
            for odd in (False, True)
            if not x.zero_flags[i_in] and is_reached(ir_in, ir_out, parity, odd)
        ]
        self._frames, self._seen = AlignedFrames.seeing(self.x, v.array, [(p.ir_out, p.i_in) for p in self.paths])

    def __call__(self, terms: Sequence[tuple[_Path, jax.Array]], modes: str) -> jax.Array:
        """The sum of products that lead to one irrep, of shape (..., mul, dim), with a number for each order.

        Args:
            terms: paths, and weights of shape (orders, ...).
            modes: of an einsum of the data and the weights, i the order.
        """
        ir = terms[0][0].ir_out
        highest = max(path.highest for path, _ in terms)
        plain, turned = [], []
        for path, w in terms:
            if path.ir_in == path.ir_out and not path.odd:
                # Of the harmonics of degree 0 the product is the data itself, wherever the vector is.
                mean = (w[0] + 2 * jnp.sum(w[1:], axis=0)) / ir.dim
                plain.append(_einsum(modes.replace(",i", ","), self.x.chunks[path.i_in], mean))
                w = w - mean[None]
            if path.ir_in.l == path.ir_out.l == 0:
                continue
            seen: Any = self._seen[path.i_in]
            seen = seen[..., central(seen.shape[-1] // 2, path.highest)]
            zero = jnp.zeros_like(w, shape=(1, *w.shape[1:]))
            w = jnp.concatenate([-w[::-1], zero, w] if path.odd else [w[:0:-1], w])
            z = _einsum(modes, seen[..., ::-1] if path.odd else seen, w)
            beyond = highest - path.highest
            turned.append(jnp.pad(z, [(0, 0)] * (z.ndim - 1) + [(beyond, beyond)]))
        total = [self._channels(sum(terms[1:], terms[0])) for terms in (plain, turned) if terms]
        if turned:
            total[-1] = self._frames.leave(total[-1], ir.l)
        total = sum(total[1:], total[0])
        return jnp.broadcast_to(total, (*self.leading, *total.shape[-2:]))

    def _channels(self, z: jax.Array) -> jax.Array:
        """With one axis of channels."""
        n = len(self.leading)
        return z.reshape((*z.shape[:n], math.prod(z.shape[n:-1]), z.shape[-1]))


_einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
