"""The lowering of linear maps between irreps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, cached
from irreps_ops.compute._lowering import Evaluate, as_operand
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access, Coefficients, Operand, Path
from irreps_ops.compute._views import Part, View


class Block(NamedTuple):
    """Weights between an item of the input and one of the output.

    Attributes:
        i_in: place of the item of the input; -1 for a bias, which is added to the output.
        i_out: place of the item of the output.
        scale: factor of the weights.
        access: access of the weights, ``Access.BATCHED`` or ``Access.BROADCAST``.
    """

    i_in: int
    i_out: int
    scale: float
    access: Access


@dataclass(frozen=True)
class LinearLowering:
    """A linear map: y[w, k] = sum_u W[u, w] x[u, k] for each component k, which is a channel of the polynomial.

    Called with data of shape (batch, irreps_in.dim) and the weights of each block, of shape ([batch,] mul_in, mul_out),
    or ([batch,] mul_out) for a bias.

    Attributes:
        polynomial: its inputs are the weights of the blocks that are not biases, then the items of the input.
        blocks: all blocks.
        items_in: places of the items that are read.
        items_out: places of the items that the outputs of the polynomial are.
        irreps_in: irreps of the input.
        irreps_out: irreps of the output.
    """

    polynomial: Polynomial
    blocks: tuple[Block, ...]
    items_in: tuple[int, ...]
    items_out: tuple[int, ...]
    irreps_in: Irreps
    irreps_out: Irreps

    @property
    def width(self) -> int:
        """See :class:`Lowering`."""
        return self.irreps_out.dim

    @property
    def intermediate(self) -> int:
        """See :class:`Lowering`. A linear map writes its result at once."""
        return 0

    def __call__(self, evaluate: Evaluate, x: jax.Array, *weights: jax.Array) -> jax.Array:
        """See :class:`Lowering`."""
        batch = x.shape[0]
        items = [Part(x, ((1, place.start),)) for place in self.irreps_in.slices()]
        if self.joined is not None:
            return self._evaluated(evaluate, items, weights, self.joined)[0]
        mixed, parts = self.mix(evaluate, items, weights), []
        for i, item in enumerate(self.irreps_out):
            y = mixed[i].reshape(batch, item.dim) if i in mixed else jnp.zeros((batch, item.dim), x.dtype)
            for block, w in zip(self.blocks, weights, strict=True):
                if block.i_in == -1 and block.i_out == i:
                    y = y + jnp.broadcast_to(block.scale * w, y.shape)
            parts.append(y)
        return jnp.concatenate(parts, axis=1) if parts else jnp.zeros((batch, 0), x.dtype)

    @cached_property
    def joined(self) -> tuple[View, ...] | None:
        """Where the outputs of the polynomial lie in the result; None if biases are added."""
        if not self.items_out or any(block.i_in == -1 for block in self.blocks):
            return None
        places = self.irreps_out.slices()
        return tuple(View(0, ((1, places[i].start),), 0, self.irreps_out.dim) for i in self.items_out)

    def _evaluated(
        self,
        evaluate: Evaluate,
        items: Sequence[jax.Array | Part],
        weights: Sequence[jax.Array],
        joined: tuple[View, ...] | None = None,
    ) -> list[jax.Array]:
        arrays = [w for w, block in zip(weights, self.blocks, strict=True) if block.i_in >= 0]
        inputs = [
            x if isinstance(x, Part) else as_operand(x, o)
            for x, o in zip([*arrays, *(items[i] for i in self.items_in)], self.polynomial.inputs, strict=True)
        ]
        return evaluate(self.polynomial, inputs, joined)

    def mix(
        self, evaluate: Evaluate, items: Sequence[jax.Array | Part], weights: Sequence[jax.Array]
    ) -> Mapping[int, jax.Array]:
        """Return the items of the output that blocks lead to, of shape (batch, mul, dim), by their places.

        Args:
            evaluate: evaluates a polynomial.
            items: data of each item of the input, of shape (batch, ...).
            weights: for each block.
        """
        if not self.items_out:
            return {}
        sums = self._evaluated(evaluate, items, weights)
        made = zip(self.items_out, sums, self.polynomial.outputs, strict=True)
        return {i: y.reshape(y.shape[0], *o.channels) for i, y, o in made}


@cached()
def linear_lowering(
    irreps_in: Irreps, irreps_out: Irreps, blocks: tuple[Block, ...], *, components_first: bool = False
) -> LinearLowering:
    """Return the lowering of a linear map.

    Args:
        irreps_in: irreps of the input.
        irreps_out: irreps of the output.
        blocks: which items the map connects.
        components_first: whether the data of each item is given as (dim, mul) instead of (mul, dim).
    """
    mixing = [block for block in blocks if block.i_in >= 0]
    items_in = tuple(dict.fromkeys(block.i_in for block in mixing))
    items_out = tuple(dict.fromkeys(block.i_out for block in mixing))
    shapes = {i: (irreps_in[i].mul, irreps_in[i].ir.dim) for i in items_in}
    if components_first:
        shapes = {i: (dim, mul) for i, (mul, dim) in shapes.items()}
    inputs = [Operand(1, (irreps_in[b.i_in].mul, irreps_out[b.i_out].mul), b.access, "weights") for b in mixing]
    inputs += [Operand(1, shapes[i], Access.BATCHED, f"x[{i}]") for i in items_in]
    outputs = [Operand(1, (irreps_out[i].mul, irreps_out[i].ir.dim), Access.BATCHED, f"out[{i}]") for i in items_out]
    paths = [
        Path(
            (n, len(mixing) + items_in.index(block.i_in)),
            items_out.index(block.i_out),
            ("uw", "ku" if components_first else "uk", "wk"),
            Coefficients.from_dense(np.full((1, 1, 1), block.scale)),
        )
        for n, block in enumerate(mixing)
    ]
    polynomial = Polynomial(tuple(inputs), tuple(outputs), tuple(paths))
    return LinearLowering(polynomial, blocks, items_in, items_out, irreps_in, irreps_out)
