"""Neighbour search by brute force, for few points: all pairs at once, also under ``jax.jit``."""

from functools import partial
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import widened


def radius_graph(
    pos: IrrepsArray | jax.Array,
    r_max: float,
    *,
    batch: jax.Array | None = None,
    mask: jax.Array | None = None,
    size: int | None = None,
    loop: bool = False,
    fill_src: int = -1,
    fill_dst: int = -1,
) -> tuple[jax.Array, jax.Array]:
    """Return all pairs of points that are nearer than a cutoff, as edges in both directions.

    It computes the distances of all pairs, :math:`n^2` numbers: use it for up to some thousand points, and
    :func:`neighbour_list` for larger or periodic systems. :func:`edge_vectors` gives the vectors of the edges.

    Args:
        pos: positions, of shape (n, 3).
        r_max: the cutoff.
        batch: labels of shape (n,): only points of the same label are connected.
        mask: booleans of shape (n,), False for padding, which gets no edges.
        size: the number of edges in the result; needed under ``jax.jit``. Default outside of it: the number found.
        loop: whether each point has an edge to itself. Two points at the same position are connected in any case.
        fill_src: sender of padding edges. The default is out of range, so that :class:`EdgeIndex` and the scatter
            functions drop these edges.
        fill_dst: receiver of padding edges.

    Returns:
        Senders and receivers, integers of shape (size,), sorted by sender, then receiver, with padding at the end.
        Under ``jax.jit`` edges beyond `size` are lost: as long as the last sender is `fill_src`, none were.

    Raises:
        ValueError: wrong shapes; no `size` under ``jax.jit``; more edges than `size` outside of it.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> pos = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
        >>> senders, receivers = irr.radius_graph(pos, 1.5, size=4)
        >>> senders.tolist(), receivers.tolist()
        ([0, 1, -1, -1], [1, 0, -1, -1])
    """
    r_max = check.positive("radius_graph", "r_max", r_max)
    x = check.float_array("radius_graph", pos.array if isinstance(pos, IrrepsArray) else pos)
    if x.ndim != 2:
        raise ValueError(f"radius_graph expects positions of shape (n, 3), got {x.shape}; use jax.vmap for more axes")
    labels = None if batch is None else _per_point("batch", batch, x.shape[0])
    real = None if mask is None else _per_point("mask", mask, x.shape[0])
    near = _near_pairs(widened(jax.lax.stop_gradient(x)), r_max, labels, real, loop=bool(loop))
    if size is not None:
        size = check.count("radius_graph", "size", size, 0)
    if isinstance(near, jax.core.Tracer):
        if size is None:
            raise ValueError("radius_graph expects size, the number of edges in the result, under jax.jit, got None")
        senders, receivers = jnp.nonzero(near, size=size, fill_value=(fill_src, fill_dst))
        return senders.astype(jnp.int32), receivers.astype(jnp.int32)
    pairs = np.nonzero(np.asarray(near))  # in NumPy, which compiles nothing for a new number of edges
    found = len(pairs[0])
    if size is not None and found > size:
        raise ValueError(f"radius_graph expects a size of {found} or more, the number of edges, got {size}")
    edges = np.array([[fill_src], [fill_dst]], np.int32).repeat(found if size is None else size, axis=1)
    edges[:, :found] = pairs
    return jnp.asarray(edges[0], jnp.int32), jnp.asarray(edges[1], jnp.int32)


@partial(jax.jit, static_argnames="loop")
def _near_pairs(x: jax.Array, r_max: float, labels: Any, real: Any, *, loop: bool) -> jax.Array:
    """Return for all pairs whether they are near, have the same label, are no padding, and no point with itself."""
    near = _are_near(x, r_max)
    if labels is not None:
        near = near & (labels[:, None] == labels[None])
    if real is not None:
        near = near & real[:, None] & real[None]
    return near if loop else near & ~jnp.eye(x.shape[0], dtype=bool)


def _are_near(x: jax.Array, r_max: float) -> jax.Array:
    """Return for all pairs whether they are near; by coordinate, as all differences need three times the memory."""
    square = jnp.zeros((x.shape[0], x.shape[0]), x.dtype)
    for coordinate in x.T:
        # In units of the cutoff, so that squares overflow for distant points alone.
        square = square + ((coordinate[:, None] - coordinate[None]) / r_max) ** 2
    return square < 1


def _per_point(name: str, values: Any, count: int) -> jax.Array:
    array = jnp.asarray(values)
    if array.shape != (count,):
        raise ValueError(f"radius_graph expects {name} of shape ({count},), one for each point, got {array.shape}")
    return array
