"""The layer `FeedForward`: the block that follows attention in a transformer, for irreps."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_core import converted, frozen
from irreps_ops.testing import LayerCase


@frozen
class FeedForward:
    """Equivariant feed-forward block with residual connection: y = x + s * Linear(Dropout(gate(Linear(x)))).

    The factors s, one for each irrep of x, are learned. Their initial value is small, so that the block is initially
    close to the identity.

    Args:
        irreps_hidden: irreps after the gate; the scalars that open it are added.
        dropout: probability that an irrep after the gate is set to zero in training.
        initial_scale: initial value of s.

    Raises:
        ValueError: irreps that cannot be parsed, or a `dropout` that is not a probability.

    Source: Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762; the factors: Touvron et al., Going
    deeper with Image Transformers (2021), arXiv:2103.17239.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> from irreps_layer_plugin import FeedForward
        >>> x = irr.normal("4x0e + 2x1o", jax.random.key(0), (3,))
        >>> layer = FeedForward("8x0e + 4x1o")
        >>> params = irr.init(layer, jax.random.key(1), x)
        >>> sorted(params)
        ['linear_in', 'linear_out', 'scale']
        >>> irr.apply(layer, params, x).irreps
        4x0e+2x1o
    """

    irreps_hidden: irr.IntoIrreps = converted(irr.Irreps)
    dropout: float = 0.0
    initial_scale: float = 1e-2

    irreps_api = 1  # version of the interface of the group irreps.layers

    def validate(self) -> None:
        """Refuse a `dropout` that is not a probability."""
        irr.Dropout(self.dropout)  # raises the error

    @classmethod
    def cases(cls) -> Iterator[LayerCase]:
        """Yield the test cases of the conformance kit."""
        yield LayerCase(cls("2x0e + 1o"), ("2x0e + 1o",))
        yield LayerCase(cls("2x0e + 1o", dropout=0.5), ("2x0e + 1o",), name="FeedForward, dropout")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: irr.IrrepsArray, *, is_training: bool = True) -> irr.IrrepsArray:
        """Return data of the same irreps and shape.

        Args:
            scope: supplies the parameters.
            x: data of shape (..., irreps.dim).
            is_training: whether irreps are set to zero.
        """
        hidden = irr.Irreps(self.irreps_hidden).filter(keep=x.irreps)  # the irreps that a linear map of x can have
        gates = irr.Irreps([(hidden.filter(drop="0e + 0o").num_irreps, "0e")])
        y = irr.Linear(hidden + gates)(scope.child("linear_in"), x)
        y = irr.gate(y)
        y = irr.Dropout(self.dropout)(scope.child("dropout"), y, is_training=is_training)
        y = irr.Linear(x.irreps, force_irreps_out=True)(scope.child("linear_out"), y)
        n = x.irreps.num_irreps
        scale = scope.parameter("scale", (n,), x.dtype, jax.nn.initializers.constant(self.initial_scale))
        return x + y * irr.IrrepsArray([(n, "0e")], jnp.broadcast_to(scale, (*x.shape[:-1], n)))
