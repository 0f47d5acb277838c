"""The polynomial of a linear map, and how rows of data go through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps
from irreps_core._caches import cached

from ._operands import split_items
from ._polynomial import EACH, Coefficients, Operand, Path, Polynomial, simplified
from ._primitive import evaluate


class Block(NamedTuple):
    """Weights between an item of the input and one of the output.

    Attributes:
        i_in: place of the input item; -1 for a bias, which is added as it is.
        i_out: place of the output item.
        scale: of the weights.
        weights: whether each row has its own: ``EACH`` or ``SHARED``.
    """

    i_in: int
    i_out: int
    scale: float
    weights: str


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
        """Data of shape (rows, irreps_out.dim).

        Args:
            weights: for each block, of shape ([rows,] mul_in, mul_out), or ([rows,] mul_out) for a bias.
            x: data of shape (rows, irreps_in.dim).
            dtype: of the result.
        """
        rows, items = len(x), split_items(x, self.irreps_in)
        arrays = [w for w, block in zip(weights, self.blocks, strict=True) if block.i_in >= 0]
        arrays += [items[i] for i in self.items_in]
        operands = self.polynomial.inputs
        fitted = [a.reshape(*a.shape[: o.row_axes], *o.shape) for a, o in zip(arrays, operands, strict=True)]
        sums = evaluate(self.polynomial, fitted, rows=rows) if arrays else []
        made: Mapping[int, jax.Array] = dict(zip(self.items_out, sums, strict=True))
        biases = [(b, w) for b, w in zip(self.blocks, weights, strict=True) if b.i_in == -1]
        parts = []
        for i, item in enumerate(self.irreps_out):
            y = jnp.zeros((rows, item.dim), dtype)
            if i in made:
                y = jnp.swapaxes(made[i].reshape(rows, item.ir.dim, item.mul), 1, 2).reshape(rows, item.dim)
            for bias in (b.scale * w for b, w in biases if b.i_out == i):
                y = y + jnp.broadcast_to(bias, y.shape)
            parts.append(y)
        return jnp.concatenate(parts, axis=1) if parts else jnp.zeros((rows, 0), dtype)


@cached()
def linear_map(irreps_in: Irreps, irreps_out: Irreps, blocks: tuple[Block, ...]) -> LinearMap:
    """The polynomial of a linear map between irreps, with these blocks."""
    mixing = [b for b in blocks if b.i_in >= 0]
    items_in = tuple(dict.fromkeys(b.i_in for b in mixing))
    items_out = tuple(dict.fromkeys(b.i_out for b in mixing))
    inputs = [Operand(1, (irreps_in[b.i_in].mul, irreps_out[b.i_out].mul), b.weights, "weights") for b in mixing]
    inputs += [Operand(1, (irreps_in[i].mul, irreps_in[i].ir.dim), EACH, f"x[{i}]") for i in items_in]
    outputs = [Operand(1, (irreps_out[i].ir.dim, irreps_out[i].mul), EACH, f"out[{i}]") for i in items_out]
    paths = [
        Path(
            (n, len(mixing) + items_in.index(b.i_in)),
            items_out.index(b.i_out),
            ("uw", "uk", "kw"),
            Coefficients.from_dense(np.full((1, 1, 1), b.scale)),
        )
        for n, b in enumerate(mixing)
    ]
    return LinearMap(simplified(inputs, outputs, paths), blocks, items_in, items_out, irreps_in, irreps_out)
