"""Softmax over the edges of each node: the attention that a node pays to each neighbour."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import rounded_to, widened


def edge_softmax(
    logits: jax.Array, receivers: Any, num_nodes: int, *, weights: Any = None, mask: Any = None
) -> jax.Array:
    r"""Return the weighted softmax over the edges of each receiving node.

    .. math:: \alpha_e = \frac{w_e \exp(l_e)}{\sum_{e' \to n(e)} w_{e'} \exp(l_{e'})}

    At each node with an edge of positive weight the results sum to 1, for logits of any size; for edges of all other
    nodes they are 0. Derivatives of every order are finite, also at weights of zero and at nodes without edges. float16
    and bfloat16 are computed in float32.

    Args:
        logits: of shape (edges, ...), for example (edges, heads).
        receivers: the receiver of each edge, integers of shape (edges,); edges with receivers out of range are padding.
        num_nodes: the number of nodes.
        weights: of shape (edges,), not negative: for example a cutoff, so that attention fades smoothly to zero at the
            largest distance.
        mask: booleans of shape (edges,), False for padding. Padding contributes nothing, whatever its logits.

    Returns:
        Array of the shape of `logits`.

    Raises:
        ValueError: shapes that do not fit together, or receivers that are not integers.

    Source: the weights as in the equivariant transformer of e3nn. The softmax is computed relative to its largest term,
    which does not change its value.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.edge_softmax(jnp.array([0.0, 800.0, 800.0, -900.0]), jnp.array([0, 0, 0, 1]), 3)
        Array([0. , 0.5, 0.5, 1. ], dtype=float...)
    """
    num_nodes = check.size("edge_softmax", "num_nodes", num_nodes)
    logits = check.float_array("edge_softmax", logits)
    receivers = receivers if isinstance(receivers, jax.Array) else jnp.asarray(receivers)
    if logits.ndim == 0 or receivers.shape != logits.shape[:1] or not jnp.issubdtype(receivers.dtype, jnp.integer):
        raise ValueError(
            f"edge_softmax expects logits of shape (edges, ...) and integers receivers of shape (edges,), got "
            f"{logits.shape} and {receivers.dtype}{receivers.shape}"
        )
    receivers = receivers.astype(jnp.int32)
    counted = (receivers >= 0) & (receivers < num_nodes)
    for name, array in (("weights", weights), ("mask", mask)):
        if array is not None and jnp.shape(array) != receivers.shape:
            raise ValueError(f"edge_softmax expects {name} of shape {receivers.shape}, got {jnp.shape(array)}")
    if mask is not None:
        counted = counted & jnp.asarray(mask, bool)
    if num_nodes == 0 or receivers.shape[0] == 0:
        return jnp.zeros_like(logits)
    dtype, logits = logits.dtype, widened(logits)

    def column(edges: jax.Array) -> jax.Array:
        return edges.reshape(-1, *(1,) * (logits.ndim - 1))

    w = jnp.ones(receivers.shape, logits.dtype) if weights is None else jnp.asarray(weights, logits.dtype)
    w = column(jnp.where(counted, w, 0))
    logits = jnp.where(column(counted), logits, 0)
    nodes = jnp.where(counted, receivers, num_nodes)
    positive = w > 0
    # Relative to the largest term of each node, a constant that cancels in its softmax, no exponential overflows.
    # The finite minimum instead of -inf: `jax_debug_infs` reports infinities as errors.
    least = float(jnp.finfo(logits.dtype).min)
    terms = jax.lax.stop_gradient(jnp.where(positive, logits + jnp.log(jnp.where(positive, w, 1)), least))
    largest = jnp.full((num_nodes + 1, *logits.shape[1:]), least, logits.dtype).at[nodes].max(terms)
    largest = jnp.where(jnp.isfinite(largest) & (largest > least), largest, 0)[nodes]
    # Edges of weight zero have no term there, but the derivative by their weight is this exponential: limit it, too.
    most = 0.9 * math.log(float(jnp.finfo(logits.dtype).max))
    p = w * jnp.exp(jnp.minimum(logits - largest, most))
    total = jax.ops.segment_sum(p, nodes, num_nodes + 1)[nodes]
    nonempty = total > 0
    return rounded_to(dtype, jnp.where(nonempty & column(counted), p / jnp.where(nonempty, total, 1), 0))
