"""The layer `FeedForward`: the block that follows attention in a transformer, for irreps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.testing import LayerCase


@dataclass(frozen=True)
class FeedForward:
    """Equivariant feed-forward block with residual connection: y = x + s * Linear(Dropout(gate(Linear(x)))).

    The factors s, one for each irrep of x, are learned and begin small, so that the block begins near the identity.

    Args:
        irreps_hidden: irreps behind the gate; the scalars that open it are added.
        dropout: probability that an irrep behind the gate is left out in training.
        initial_scale: first value of s.

    Source: Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762; the factors: Touvron et al., Going
    deeper with Image Transformers (2021), arXiv:2103.17239.

    Example:
        >>> import jax
        >>> import irreps_core as ic, irreps_ops as irr
        >>> from irreps_layer_plugin import FeedForward
        >>> x = ic.normal("4x0e + 2x1o", jax.random.key(0), (3,))
        >>> layer = FeedForward("8x0e + 4x1o")
        >>> params = irr.init(layer, jax.random.key(1), x)
        >>> sorted(params)
        ['linear_in', 'linear_out', 'scale']
        >>> irr.apply(layer, params, x).irreps
        4x0e+2x1o
    """

    irreps_hidden: ic.IntoIrreps
    dropout: float = 0.0
    initial_scale: float = 1e-2

    irreps_api = 1  # the interface number of the group irreps.layers

    def __post_init__(self) -> None:
        """Read the irreps; refuse a wrong probability."""
        object.__setattr__(self, "irreps_hidden", ic.Irreps(self.irreps_hidden))
        irr.Dropout(self.dropout)

    @classmethod
    def cases(cls) -> Iterator[LayerCase]:
        """What the conformance kit tries."""
        yield LayerCase(cls("2x0e + 1o"), ("2x0e + 1o",))
        yield LayerCase(cls("2x0e + 1o", dropout=0.5), ("2x0e + 1o",), name="FeedForward, dropout")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow."""
        return irr.bindings.example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: irr.bindings.Scope, x: ic.IrrepsArray, *, is_training: bool = True) -> ic.IrrepsArray:
        """Data of the same irreps.

        Args:
            scope: of the layer.
            x: data of shape (..., irreps.dim).
            is_training: whether anything is left out.
        """
        hidden = ic.Irreps(self.irreps_hidden).filter(keep=x.irreps)  # what a linear map of x can give
        gates = ic.Irreps([(hidden.filter(drop="0e + 0o").num_irreps, "0e")])
        y = irr.Linear(hidden + gates)(scope.child("linear_in"), x)
        y = irr.gate(y)
        y = irr.Dropout(self.dropout)(scope.child("dropout"), y, is_training=is_training)
        y = irr.Linear(x.irreps, force_irreps_out=True)(scope.child("linear_out"), y)
        n = x.irreps.num_irreps
        scale = scope.parameter("scale", (n,), x.dtype, jax.nn.initializers.constant(self.initial_scale))
        return x + y * ic.IrrepsArray([(n, "0e")], jnp.broadcast_to(scale, (*x.shape[:-1], n)))
