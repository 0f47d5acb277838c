"""The edges of a graph, sorted by receiver and laid out in rows: made once, used by every layer and derivative."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check
from irreps_ops.compute._cost_model import WIDEST_ROW

Rows: TypeAlias = Literal["exact", "bound"] | int


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["slots", "senders", "receivers"],
    meta_fields=["num_nodes", "num_senders", "num_edges"],
)
@dataclass(frozen=True)
class EdgeIndex:
    """The edges of a graph, sorted by receiver, in rows of a few slots. Made by :meth:`from_edges`.

    Each row holds up to `width` edges of one receiver; a receiver with more has several rows, one without edges has
    none. So the edges of a row can be summed by a matrix product, without loss at uneven degrees: at most `width - 1`
    slots per receiver stay empty. Rows that hold edges come first.

    It is a pytree: an argument of jitted functions, with the sizes as static parts.

    Attributes:
        slots: int32 of shape (rows, width): the edge in each slot. Empty slots name some edge of the graph.
        senders: int32 of shape (rows, width): where each edge comes from; `num_senders` in empty slots.
        receivers: int32 of shape (rows,): where the edges of each row go to; `num_nodes` for empty rows.
        num_nodes: how many nodes receive.
        num_senders: how many nodes send; differs from `num_nodes` in bipartite graphs.
        num_edges: how many edges there are, padding included: the length of arrays of edge data.
    """

    slots: jax.Array | np.ndarray
    senders: jax.Array | np.ndarray
    receivers: jax.Array | np.ndarray
    num_nodes: int
    num_senders: int
    num_edges: int

    @property
    def num_rows(self) -> int:
        """How many rows there are, empty ones included."""
        return self.slots.shape[-2]

    @property
    def width(self) -> int:
        """How many slots a row has."""
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
        rows: Rows | None = None,
        receivers_are_sorted: bool = False,
    ) -> "EdgeIndex":
        """The edges given by two arrays of node numbers.

        An edge whose sender or receiver is out of range, negative or too large, or whose mask is False, is padding:
        it is in no slot, and costs nothing. Concrete arrays (of NumPy or JAX) are sorted by NumPy at once; traced
        ones under ``jax.jit``, by JAX.

        Args:
            senders: integers of shape (edges,).
            receivers: integers of shape (edges,).
            num_nodes: how many nodes receive.
            num_senders: how many nodes send (default: `num_nodes`).
            mask: booleans of shape (edges,), False for padding. With a mask, all other edges must be in range.
            width: how many slots a row has (default: by the mean degree, at most 4).
            rows: how many rows to make. ``"exact"``: as many as are needed (default for concrete arrays);
                ``"bound"``: as many as any graph with that many edges and nodes needs (default for traced arrays), so
                that a jitted function compiles once for all of them; or a number. Empty rows at the end cost nothing.
            receivers_are_sorted: promise that receivers ascend, so that nothing has to be sorted.

        Raises:
            ValueError: arrays of different lengths or shapes, or not of integers; negative counts; edges out of range
                in spite of a mask, receivers that do not ascend in spite of the promise, or too few rows, where the
                arrays are concrete.

        Example:
            >>> import numpy as np
            >>> import irreps_ops as irr
            >>> senders, receivers = np.array([1, 2, 0, 3]), np.array([0, 0, 1, 3])
            >>> edges = irr.EdgeIndex.from_edges(senders, receivers, num_nodes=3, width=4)  # 3 is no node: padding
            >>> edges
            EdgeIndex(4 edges from 3 to 3 nodes, 2 rows of 4)
            >>> edges.senders
            array([[1, 2, 3, 3],
                   [0, 3, 3, 3]], dtype=int32)
        """
        num_nodes = check.count("EdgeIndex", "num_nodes", num_nodes, 0)
        num_senders = num_nodes if num_senders is None else check.count("EdgeIndex", "num_senders", num_senders, 0)
        senders, receivers = _integers("senders", senders), _integers("receivers", receivers)
        if senders.shape != receivers.shape:
            raise ValueError(
                f"EdgeIndex expects as many senders as receivers, got shapes {senders.shape} and {receivers.shape}"
            )
        mask = None if mask is None else _mask(mask, senders.shape)
        num_edges = senders.shape[0]
        width = _width(num_edges, num_nodes) if width is None else check.count("EdgeIndex", "width", width)
        traced = any(isinstance(a, jax.core.Tracer) for a in (senders, receivers, mask))
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
        order = _first(xp, inside) if receivers_are_sorted else xp.argsort(receivers, stable=True)
        degree = _degrees(xp, receivers, num_nodes)
        needed = -(-degree // width)
        count = _count(rows, needed, num_edges, num_nodes, width)
        slots, filled, row_receivers = _layout(xp, order, degree, needed, count, width)
        row_senders = xp.full(slots.shape, num_senders, np.int32)
        if num_edges:
            row_senders = xp.where(filled, senders[slots], row_senders)
        return cls(slots, row_senders, row_receivers, num_nodes, num_senders, num_edges)


def _integers(name: str, values: Any) -> Any:
    """`values` as an array of integers of shape (edges,)."""
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


def _check_range(fine: Any, senders: Any, receivers: Any, num_senders: int, num_nodes: int) -> None:
    """Without tracing: that all edges that are no padding are in range."""
    if isinstance(fine, np.ndarray) and not fine.all():
        edge = int(np.argmin(fine))
        raise ValueError(
            f"EdgeIndex expects senders from 0 to {num_senders - 1} and receivers from 0 to {num_nodes - 1} where the "
            f"mask is True, got {senders[edge]} and {receivers[edge]} at edge {edge}"
        )


def _check_sorted(receivers: Any) -> None:
    """Without tracing: that receivers ascend as promised."""
    if isinstance(receivers, np.ndarray) and (receivers[1:] < receivers[:-1]).any():
        edge = int(np.argmax(receivers[1:] < receivers[:-1]))
        raise ValueError(
            f"EdgeIndex expects ascending receivers with receivers_are_sorted=True, got {receivers[edge]} before "
            f"{receivers[edge + 1]} at edge {edge}"
        )


def _width(num_edges: int, num_nodes: int) -> int:
    """The largest power of two, up to a limit, that is at most half the mean degree: few slots stay empty."""
    width = 1
    while width < WIDEST_ROW and 4 * width * num_nodes <= num_edges:
        width *= 2
    return width


def _count(rows: Rows | None, needed: Any, num_edges: int, num_nodes: int, width: int) -> int:
    """How many rows to make."""
    concrete = isinstance(needed, np.ndarray)
    if rows is None:
        rows = "exact" if concrete else "bound"
    if rows == "bound":
        return (num_edges + min(num_nodes, num_edges) * (width - 1)) // width
    if rows == "exact":
        if not concrete:
            raise ValueError('EdgeIndex expects rows="bound" or a number of rows under jit, got "exact"')
        return int(needed.sum())
    if isinstance(rows, str):
        raise ValueError(f'EdgeIndex expects rows="exact", "bound" or a number, got {rows!r}')
    count = check.count("EdgeIndex", "rows", rows, 0)
    if concrete and count < needed.sum():
        raise ValueError(f"EdgeIndex expects at least {needed.sum()} rows of {width} for these edges, got rows={count}")
    return count


def _first(xp: Any, inside: Any) -> Any:
    """The places where `inside` is True, in order; then anything."""
    found = xp.searchsorted(xp.cumsum(inside), xp.arange(1, len(inside) + 1))
    return xp.minimum(found, max(len(inside) - 1, 0))


def _degrees(xp: Any, receivers: Any, num_nodes: int) -> Any:
    """How many edges each node receives."""
    size = num_nodes + 1
    found = np.bincount(receivers, minlength=size) if xp is np else jnp.bincount(receivers, length=size)
    return found[:num_nodes].astype(np.int32)


def _layout(xp: Any, order: Any, degree: Any, needed: Any, count: int, width: int) -> tuple[Any, Any, Any]:
    """The edge of each slot of each row; whether it is one of the row's; and the receiver of each row."""
    rows = xp.arange(count, dtype=np.int32)
    last_row = xp.cumsum(needed, dtype=np.int32)
    receivers = xp.searchsorted(last_row, rows, side="right").astype(np.int32)
    if len(order) == 0 or len(degree) == 0:  # no edge fits
        slots = xp.zeros((count, width), np.int32)
        return slots, slots > 0, receivers
    # An empty row reads as the node after the last, of which there are no edges.
    of = xp.minimum(receivers, len(degree) - 1)
    edge_ends = xp.cumsum(degree, dtype=np.int32)
    first = (edge_ends - degree)[of] + (rows - (last_row - needed)[of]) * width
    first = xp.where(receivers < len(degree), first, edge_ends[-1])
    places = first[:, None] + xp.arange(width, dtype=np.int32)[None]
    filled = places < xp.where(receivers < len(degree), edge_ends[of], 0)[:, None]
    # Empty slots repeat the first edge: what is computed of it is finite if anything is, and counts for nothing.
    slots = order[xp.where(filled, places, 0)].astype(np.int32)
    return slots, filled, receivers
