"""The edge index: the edges of a graph, sorted by receiver and laid out in padded rows (ELL)."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._sizes import is_known
from irreps_ops.compute._cost_model import WIDEST_ROW

NumRows: TypeAlias = Literal["exact", "bound"] | int


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["slots", "senders", "receivers", "edge_senders", "edge_receivers"],
    meta_fields=["num_nodes", "num_senders", "num_edges"],
)
@dataclass(frozen=True)
class EdgeIndex:
    """The edges of a graph, sorted by receiver and laid out in padded rows (ELL). Made by :meth:`from_edges`.

    Each row has `width` slots, for edges of one receiver. A receiver with more edges has several rows, one without
    edges has none. The edges of a row can be summed by a matrix product, and however uneven the degrees are, at most
    `width - 1` slots per receiver stay empty. Rows that hold edges come first.

    Making the index sorts the edges, so make it once for all layers. It is a pytree, and so can be an argument of a
    jitted function; its sizes are static.

    Attributes:
        slots: int32 of shape (rows, width): the edge in each slot. An empty slot holds some edge of the graph.
        senders: int32 of shape (rows, width): the sender of each edge; `num_senders` in empty slots.
        receivers: int32 of shape (rows,): the receiver of each row; `num_nodes` for rows without edges.
        edge_senders: int32 of shape (edges,): the sender of each edge, in the order given; `num_senders` for padding.
        edge_receivers: int32 of shape (edges,): the receiver of each edge; `num_nodes` for padding.
        num_nodes: the number of receiving nodes.
        num_senders: the number of sending nodes; differs from `num_nodes` in bipartite graphs.
        num_edges: the number of edges, padding included: the length of arrays of edge data.

    Example:
        >>> import irreps_ops as irr
        >>> edges = irr.EdgeIndex.from_edges([0, 1, 2], [1, 0, 0], num_nodes=3)
        >>> edges.num_edges, edges.num_nodes
        (3, 3)
    """

    slots: jax.Array | np.ndarray
    senders: jax.Array | np.ndarray
    receivers: jax.Array | np.ndarray
    edge_senders: jax.Array | np.ndarray
    edge_receivers: jax.Array | np.ndarray
    num_nodes: int
    num_senders: int
    num_edges: int

    @property
    def num_rows(self) -> int:
        """The number of rows, empty ones included."""
        return self.slots.shape[-2]

    @property
    def width(self) -> int:
        """The number of slots in a row."""
        return self.slots.shape[-1]

    def __repr__(self) -> str:
        return (
            f"EdgeIndex({self.num_edges} edges from {self.num_senders} to {self.num_nodes} nodes, "
            f"{self.num_rows} rows of {self.width})"
        )

    @classmethod
    def from_edges(
        cls,
        senders: Any,
        receivers: Any,
        num_nodes: int,
        *,
        num_senders: int | None = None,
        mask: Any = None,
        width: int | None = None,
        num_rows: NumRows | None = None,
        receivers_are_sorted: bool = False,
    ) -> "EdgeIndex":
        """Make the index from two arrays of node numbers.

        An edge is padding if its sender or receiver is out of range (negative or too large) or its mask is False.
        Padding is in no slot and costs nothing. Concrete arrays (of NumPy or JAX) are sorted by NumPy; traced arrays,
        under ``jax.jit``, by JAX.

        Args:
            senders: integers of shape (edges,).
            receivers: integers of shape (edges,).
            num_nodes: the number of receiving nodes.
            num_senders: the number of sending nodes (default: `num_nodes`).
            mask: booleans of shape (edges,), False for padding. With a mask, all other edges must be in range.
            width: the number of slots in a row (default: by the mean degree, at most 4; 1 where the number of edges or
                nodes is symbolic, in a program for ``jax.export``).
            num_rows: the number of rows. ``"exact"``: as many as these edges need (default for concrete arrays).
                ``"bound"``: as many as any graph with this number of edges and nodes needs (default for traced
                arrays), so that a jitted function is compiled once for all of them. Or an integer. Empty rows at the
                end cost nothing.
            receivers_are_sorted: promise that the receivers ascend, which saves the sort.

        Raises:
            ValueError: arrays of different lengths, of other shapes or not of integers; negative sizes. If the arrays
                are concrete, also edges out of range in spite of a mask, receivers that do not ascend in spite of the
                promise, or too few rows.

        Example:
            >>> import numpy as np
            >>> import irreps_ops as irr
            >>> senders, receivers = np.array([1, 2, 0, 3]), np.array([0, 0, 1, 3])
            >>> edges = irr.EdgeIndex.from_edges(senders, receivers, num_nodes=3, width=4)  # 3 is out of range
            >>> edges
            EdgeIndex(4 edges from 3 to 3 nodes, 2 rows of 4)
            >>> edges.senders
            array([[1, 2, 3, 3],
                   [0, 3, 3, 3]], dtype=int32)
        """
        num_nodes = check.size("EdgeIndex", "num_nodes", num_nodes)
        num_senders = num_nodes if num_senders is None else check.size("EdgeIndex", "num_senders", num_senders)
        senders, receivers = _integers("senders", senders), _integers("receivers", receivers)
        if senders.shape != receivers.shape:
            raise ValueError(
                f"EdgeIndex expects as many senders as receivers, got shapes {senders.shape} and {receivers.shape}"
            )
        mask = None if mask is None else _mask(mask, senders.shape)
        num_edges = senders.shape[0]
        is_symbolic = not all(map(is_known, (num_edges, num_nodes, num_senders)))
        if width is None:
            width = 1 if is_symbolic else _width(num_edges, num_nodes)
        width = check.count("EdgeIndex", "width", width)
        if is_symbolic and (width > 1 or num_rows not in (None, "bound")):
            raise ValueError(
                "EdgeIndex expects width=1 and num_rows=None for a symbolic number of edges or nodes, got "
                f"width={width} and num_rows={num_rows!r}"
            )
        traced = is_symbolic or any(isinstance(a, jax.core.Tracer) for a in (senders, receivers, mask))
        xp: Any = jnp if traced else np
        senders, receivers = xp.asarray(senders), xp.asarray(receivers)
        inside = (senders >= 0) & (senders < num_senders) & (receivers >= 0) & (receivers < num_nodes)
        if mask is not None:
            mask = xp.asarray(mask)
            _check_range(inside | ~mask, senders, receivers, num_senders, num_nodes)
            inside = inside & mask
        if receivers_are_sorted:
            _check_sorted(receivers)
        receivers = xp.where(inside, receivers, num_nodes).astype(np.int32)
        senders = xp.where(inside, senders, num_senders).astype(np.int32)
        if is_symbolic:
            rows = _one_edge_in_each(senders, receivers, inside)
            return cls(*rows, senders, receivers, num_nodes, num_senders, num_edges)
        order = _first(xp, inside) if receivers_are_sorted else _order(xp, receivers)
        degree = _degrees(xp, receivers, num_nodes)
        needed = -(-degree // width)
        count = _row_count(num_rows, needed, num_edges, num_nodes, width)
        slots, filled, row_receivers = _layout(xp, order, degree, needed, count, width)
        row_senders = xp.full(slots.shape, num_senders, np.int32)
        if num_edges:
            row_senders = xp.where(filled, senders[slots], row_senders)
        return cls(slots, row_senders, row_receivers, senders, receivers, num_nodes, num_senders, num_edges)


def _one_edge_in_each(senders: Any, receivers: Any, inside: Any) -> tuple[Any, Any, Any]:
    """Return slots, senders and receivers of rows of one slot. Those of padding, with some edge as slot, come last."""
    order = _order(jnp, receivers)
    slots = jnp.where(inside[order], order, order[:1]).astype(np.int32)[:, None]
    return slots, senders[order][:, None], receivers[order]


def _integers(name: str, values: Any) -> Any:
    """Return `values` as an array of integers of shape (edges,)."""
    array = values if isinstance(values, jax.Array) else np.asarray(values)
    if array.size == 0 and not hasattr(values, "dtype"):
        array = array.astype(np.int32)  # an empty list
    if not jnp.issubdtype(array.dtype, jnp.integer) or array.ndim != 1:
        raise ValueError(f"EdgeIndex expects integers {name} of shape (edges,), got {array.dtype}{array.shape}")
    return array


def _mask(values: Any, shape: tuple[int, ...]) -> Any:
    array = values if isinstance(values, jax.Array) else np.asarray(values)
    if array.dtype != bool or array.shape != shape:
        raise ValueError(f"EdgeIndex expects a mask of booleans of shape {shape}, got {array.dtype}{array.shape}")
    return array


def _check_range(in_range: Any, senders: Any, receivers: Any, num_senders: int, num_nodes: int) -> None:
    """Check that all non-padding edges are in range, unless the arrays are traced."""
    if isinstance(in_range, np.ndarray) and not in_range.all():
        edge = int(np.argmin(in_range))
        raise ValueError(
            f"EdgeIndex expects senders from 0 to {num_senders - 1} and receivers from 0 to {num_nodes - 1} where the "
            f"mask is True, got {senders[edge]} and {receivers[edge]} at edge {edge}"
        )


def _check_sorted(receivers: Any) -> None:
    """Check that receivers ascend as promised, unless they are traced."""
    if isinstance(receivers, np.ndarray) and (receivers[1:] < receivers[:-1]).any():
        edge = int(np.argmax(receivers[1:] < receivers[:-1]))
        raise ValueError(
            f"EdgeIndex expects ascending receivers with receivers_are_sorted=True, got {receivers[edge]} before "
            f"{receivers[edge + 1]} at edge {edge}"
        )


def _width(num_edges: int, num_nodes: int) -> int:
    """Return the largest power of two that is at most half the mean degree, up to a limit: few slots stay empty."""
    width = 1
    while width < WIDEST_ROW and 4 * width * num_nodes <= num_edges:
        width *= 2
    return width


def _row_count(num_rows: NumRows | None, needed: Any, num_edges: int, num_nodes: int, width: int) -> int:
    """Return the number of rows to make, given how many each receiver needs."""
    concrete = isinstance(needed, np.ndarray)
    if num_rows is None:
        num_rows = "exact" if concrete else "bound"
    if num_rows == "bound":
        return (num_edges + min(num_nodes, num_edges) * (width - 1)) // width
    if num_rows == "exact":
        if not concrete:
            raise ValueError('EdgeIndex expects num_rows="bound" or an integer under jax.jit, got "exact"')
        return int(needed.sum())
    if isinstance(num_rows, str):
        raise ValueError(f'EdgeIndex expects num_rows="exact", "bound" or an integer, got {num_rows!r}')
    count = check.count("EdgeIndex", "num_rows", num_rows, 0)
    if concrete and count < needed.sum():
        raise ValueError(
            f"EdgeIndex expects at least {needed.sum()} rows of {width} slots for these edges, got num_rows={count}"
        )
    return count


def _first(xp: Any, inside: Any) -> Any:
    """Return the positions where `inside` is True, in order; the rest of the result is arbitrary."""
    found = xp.searchsorted(xp.cumsum(inside), xp.arange(1, len(inside) + 1))
    return xp.minimum(found, max(len(inside) - 1, 0))


def _order(xp: Any, receivers: Any) -> Any:
    """Return the edges sorted by receiver; edges of one receiver keep their order."""
    if xp is not np:
        return jnp.argsort(receivers, stable=True)
    # NumPy sorts 16-bit integers by their digits, three times faster than wider ones. The second sort is stable.
    order = np.argsort(receivers.astype(np.uint16), kind="stable")
    high = receivers >> 16
    return order[np.argsort(high[order].astype(np.uint16), kind="stable")] if high.any() else order


def _degrees(xp: Any, receivers: Any, num_nodes: int) -> Any:
    """Return the number of edges that each node receives."""
    size = num_nodes + 1
    found = np.bincount(receivers, minlength=size) if xp is np else jnp.bincount(receivers, length=size)
    return found[:num_nodes].astype(np.int32)


def _layout(xp: Any, order: Any, degree: Any, needed: Any, count: int, width: int) -> tuple[Any, Any, Any]:
    """Return the edge in each slot, whether the slot is filled, and the receiver of each row."""
    rows = xp.arange(count, dtype=np.int32)
    last_row = xp.cumsum(needed, dtype=np.int32)
    receivers = xp.searchsorted(last_row, rows, side="right").astype(np.int32)
    if len(order) == 0 or len(degree) == 0:  # no edge fits
        slots = xp.zeros((count, width), np.int32)
        return slots, slots > 0, receivers
    # The receiver of an empty row is the node after the last, which has no edges.
    node = xp.minimum(receivers, len(degree) - 1)
    edge_ends = xp.cumsum(degree, dtype=np.int32)
    first = (edge_ends - degree)[node] + (rows - (last_row - needed)[node]) * width
    first = xp.where(receivers < len(degree), first, edge_ends[-1])
    places = first[:, None] + xp.arange(width, dtype=np.int32)[None]
    filled = places < xp.where(receivers < len(degree), edge_ends[node], 0)[:, None]
    # Empty slots hold the first edge: if its data are finite, results for empty slots are finite, and can be dropped.
    slots = order[xp.where(filled, places, 0)].astype(np.int32)
    return slots, filled, receivers
