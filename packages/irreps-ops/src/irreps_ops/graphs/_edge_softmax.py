"""Softmax over the edges that lead to each node: how much attention a node pays to each neighbour."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from irreps_ops._inputs import _checks as check


def edge_softmax(
    logits: jax.Array, receivers: Any, num_nodes: int, *, weights: Any = None, mask: Any = None
) -> jax.Array:
    r"""Softmax over the edges to each node, each edge counted with a weight.

    .. math:: \alpha_e = \frac{w_e \exp(l_e)}{\sum_{e' \to n(e)} w_{e'} \exp(l_{e'})}

    They sum to 1 at each node that an edge of positive weight leads to, at any size of the logits, and are 0 for all
    other edges. Derivatives of every order are finite, at weights of zero and at nodes without edges too.

    Args:
        logits: of shape (edges, ...), say (edges, heads).
        receivers: for each edge the number of its node, integers of shape (edges,); edges to what is no node (negative
            or too large numbers) are padding.
        num_nodes: how many nodes there are.
        weights: not negative, of shape (edges,): a cutoff, say, so that attention fades smoothly where edges end.
        mask: booleans of shape (edges,), False for padding. Whatever the numbers of padding, they count for nothing.

    Returns:
        Array of the shape of `logits`.

    Raises:
        ValueError: shapes that do not fit each other, or receivers that are no integers.

    Source: the weights as in the equivariant transformer of e3nn; softmax relative to its largest term, which does not
    change its value.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.edge_softmax(jnp.array([0.0, 800.0, 800.0, -900.0]), jnp.array([0, 0, 0, 1]), 3)
        Array([0. , 0.5, 0.5, 1. ], dtype=float...)
    """
    num_nodes = check.count("edge_softmax", "num_nodes", num_nodes, 0)
    logits = check.float_array("edge_softmax", logits)
    receivers = receivers if isinstance(receivers, jax.Array) else jnp.asarray(receivers)
    if logits.ndim == 0 or receivers.shape != logits.shape[:1] or not jnp.issubdtype(receivers.dtype, jnp.integer):
        raise ValueError(
            f"edge_softmax expects logits of shape (edges, ...) and integers receivers of shape (edges,), got "
            f"{logits.shape} and {receivers.dtype}{receivers.shape}"
        )
    receivers = receivers.astype(jnp.int32)
    real = (receivers >= 0) & (receivers < num_nodes)
    for name, array in (("weights", weights), ("mask", mask)):
        if array is not None and jnp.shape(array) != receivers.shape:
            raise ValueError(f"edge_softmax expects {name} of shape {receivers.shape}, got {jnp.shape(array)}")
    if mask is not None:
        real = real & jnp.asarray(mask, bool)
    if num_nodes == 0 or receivers.shape[0] == 0:
        return jnp.zeros_like(logits)

    def column(edges: jax.Array) -> jax.Array:
        return edges.reshape(-1, *(1,) * (logits.ndim - 1))

    w = jnp.ones(receivers.shape, logits.dtype) if weights is None else jnp.asarray(weights, logits.dtype)
    w = column(jnp.where(real, w, 0))
    logits = jnp.where(column(real), logits, 0)
    nodes = jnp.where(real, receivers, num_nodes)
    counted = w > 0
    # Relative to the largest term of each node, which is a constant of its softmax: no exponential overflows.
    # Without infinities, which `jax_debug_infs` takes for mistakes.
    least = float(jnp.finfo(logits.dtype).min)
    terms = jax.lax.stop_gradient(jnp.where(counted, logits + jnp.log(jnp.where(counted, w, 1)), least))
    largest = jnp.full((num_nodes + 1, *logits.shape[1:]), least, logits.dtype).at[nodes].max(terms)
    largest = jnp.where(jnp.isfinite(largest) & (largest > least), largest, 0)[nodes]
    # The same holds of weights of zero, whose derivative is exp(logit): it may be as large as numbers are.
    most = 0.9 * math.log(float(jnp.finfo(logits.dtype).max))
    p = w * jnp.exp(jnp.minimum(logits - largest, most))
    total = jax.ops.segment_sum(p, nodes, num_nodes + 1)[nodes]
    there = total > 0
    return jnp.where(there & column(real), p / jnp.where(there, total, 1), 0)
