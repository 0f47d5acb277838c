"""A network whose answer does not depend on how a shape is turned, and is mirrored with the shape."""

import jax
import jax.numpy as jnp
from flax import nnx

import irreps_core as ic
import irreps_flax.nnx as layers
from irreps_ops import gate, scatter_sum, spherical_harmonics, tensor_product

HARMONICS = "0e + 1o + 2e"
# The last 32 of the scalars are gates, one for each of the irreps of higher degree.
HIDDEN = "16x0e + 16x0o + 32x0e + 8x1o + 8x1e + 8x2e + 8x2o"
# One number that a mirror turns into its negative, seven that it does not change.
ANSWER = "0o + 7x0e"


class Convolution(nnx.Module):
    """Every cube hears from its neighbours what they are, and in which direction they lie."""

    def __init__(self, irreps_in: str | ic.Irreps, irreps_out: str | ic.Irreps, rngs: nnx.Rngs) -> None:
        self.irreps_out = ic.Irreps(irreps_out)
        irreps_messages = tensor_product(irreps_in, HARMONICS, filter_ir_out=self.irreps_out)
        self.linear = layers.Linear(irreps_messages, irreps_out, force_irreps_out=True, rngs=rngs)

    def __call__(
        self, x: ic.IrrepsArray, edges: ic.IrrepsArray, senders: jax.Array, receivers: jax.Array
    ) -> ic.IrrepsArray:
        """New features of the cubes, (cubes, irreps_out)."""
        harmonics = spherical_harmonics(HARMONICS, edges, normalize=True)
        messages = tensor_product(x[senders], harmonics, filter_ir_out=self.irreps_out)
        return self.linear(scatter_sum(messages, dst=receivers, output_size=x.shape[0]))


class Classifier(nnx.Module):
    """Three convolutions with gates between them; the answer for a shape is the sum of those for its cubes."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.first = Convolution("0e", HIDDEN, rngs)
        self.second = Convolution(gate(HIDDEN), HIDDEN, rngs)
        self.third = Convolution(gate(HIDDEN), ANSWER, rngs)

    def __call__(self, positions: ic.IrrepsArray, senders: jax.Array, receivers: jax.Array) -> ic.IrrepsArray:
        """The answer for each shape, (shapes, 0o + 7x0e), from the centers of its cubes, (shapes, cubes, 1o)."""
        shapes, cubes, _ = positions.shape
        centers = positions.reshape(shapes * cubes, 3)
        edges = centers[senders] - centers[receivers]
        x = ic.ones("0e", (shapes * cubes,), centers.dtype)
        x = gate(self.first(x, edges, senders, receivers))
        x = gate(self.second(x, edges, senders, receivers))
        x = self.third(x, edges, senders, receivers)
        return ic.sum(x.reshape(shapes, cubes, -1), axis=1)


def logits(answer: ic.IrrepsArray) -> jax.Array:
    """How well each of the eight shapes fits, (shapes, 8): a mirror swaps the first two and keeps the others."""
    odd, even = answer.array[:, :1], answer.array[:, 1:]
    return jnp.concatenate([odd * even[:, :1], -odd * even[:, :1], even[:, 1:]], axis=1)
