"""The polynomial of a linear map, and how rows of data go through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, cached
from irreps_ops._inputs._operands import split_items
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Access, Coefficients, Operand, Path


class Block(NamedTuple):
    """Weights between an item of the input and one of the output.

    Attributes:
        i_in: place of the input item; -1 for a bias, which is added as it is.
        i_out: place of the output item.
        scale: of the weights.
        weights: their access: ``Access.BATCHED`` or ``Access.BROADCAST``.
    """

    i_in: int
    i_out: int
    scale: float
    weights: Access


@dataclass(frozen=True)
class LinearMap:
    """A linear map as a polynomial: y[k, w] = sum_u W[u, w] x[u, k] for each component k, which is a channel here.

    Attributes:
        polynomial: its inputs are the weights of the blocks that are no biases, then the items of the input.
        blocks: all blocks.
        items_in: places of the items that are read.
        items_out: places of the items that its outputs are.
        irreps_in: of the input.
        irreps_out: of the output.
    """

    polynomial: Polynomial
    blocks: tuple[Block, ...]
    items_in: tuple[int, ...]
    items_out: tuple[int, ...]
    irreps_in: Irreps
    irreps_out: Irreps

    def __call__(self, weights: Sequence[jax.Array], x: jax.Array, dtype: Any) -> jax.Array:
        """Data of shape (batch, irreps_out.dim).

        Args:
            weights: for each block, of shape ([batch,] mul_in, mul_out), or ([batch,] mul_out) for a bias.
            x: data of shape (batch, irreps_in.dim).
            dtype: of the result.
        """
        batch, items = len(x), split_items(x, self.irreps_in)
        arrays = [w for w, block in zip(weights, self.blocks, strict=True) if block.i_in >= 0]
        arrays += [items[i] for i in self.items_in]
        operands = self.polynomial.inputs
        fitted = [a.reshape(*a.shape[: o.batch_axes], *o.shape) for a, o in zip(arrays, operands, strict=True)]
        sums = evaluate(self.polynomial, fitted, batch=batch) if arrays else []
        made: Mapping[int, jax.Array] = dict(zip(self.items_out, sums, strict=True))
        biases = [(b, w) for b, w in zip(self.blocks, weights, strict=True) if b.i_in == -1]
        parts = []
        for i, item in enumerate(self.irreps_out):
            y = jnp.zeros((batch, item.dim), dtype)
            if i in made:
                y = jnp.swapaxes(made[i].reshape(batch, item.ir.dim, item.mul), 1, 2).reshape(batch, item.dim)
            for bias in (b.scale * w for b, w in biases if b.i_out == i):
                y = y + jnp.broadcast_to(bias, y.shape)
            parts.append(y)
        return jnp.concatenate(parts, axis=1) if parts else jnp.zeros((batch, 0), dtype)


@cached()
def linear_map(irreps_in: Irreps, irreps_out: Irreps, blocks: tuple[Block, ...]) -> LinearMap:
    """The polynomial of a linear map between irreps, with these blocks."""
    mixing = [b for b in blocks if b.i_in >= 0]
    items_in = tuple(dict.fromkeys(b.i_in for b in mixing))
    items_out = tuple(dict.fromkeys(b.i_out for b in mixing))
    inputs = [Operand(1, (irreps_in[b.i_in].mul, irreps_out[b.i_out].mul), b.weights, "weights") for b in mixing]
    inputs += [Operand(1, (irreps_in[i].mul, irreps_in[i].ir.dim), Access.BATCHED, f"x[{i}]") for i in items_in]
    outputs = [Operand(1, (irreps_out[i].ir.dim, irreps_out[i].mul), Access.BATCHED, f"out[{i}]") for i in items_out]
    paths = [
        Path(
            (n, len(mixing) + items_in.index(b.i_in)),
            items_out.index(b.i_out),
            ("uw", "uk", "kw"),
            Coefficients.from_dense(np.full((1, 1, 1), b.scale)),
        )
        for n, b in enumerate(mixing)
    ]
    return LinearMap(
        Polynomial(tuple(inputs), tuple(outputs), tuple(paths)), blocks, items_in, items_out, irreps_in, irreps_out
    )
