"""Neighbour search with cell lists, for many points and periodic systems; the vectors of edges."""

import math
from typing import Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import rounded_to, widened


class Neighbours(NamedTuple):
    """The edges of a graph of points, periodic or not: NumPy arrays.

    Attributes:
        senders: int32 of shape (edges,): the neighbours.
        receivers: int32 of shape (edges,), ascending: the points that have these neighbours.
        shifts: int32 of shape (edges, 3): the periodic image of the sender, in numbers of cells.

    Example:
        >>> import numpy as np
        >>> import irreps_ops as irr
        >>> line = irr.neighbour_list(np.array([[0.0, 0, 0]]), 1.5, cell=np.eye(3), periodic=(True, False, False))
        >>> line.senders, line.receivers, line.shifts[:, 0]
        (array([0, 0], dtype=int32), array([0, 0], dtype=int32), array([-1,  1], dtype=int32))
    """

    senders: np.ndarray
    receivers: np.ndarray
    shifts: np.ndarray


def neighbour_list(
    positions: Any,
    r_max: float,
    *,
    cell: Any = None,
    periodic: bool | tuple[bool, bool, bool] | None = None,
    loop: bool = False,
) -> Neighbours:
    """Return all pairs of points, periodic images included, that are nearer than a cutoff, in time linear in n.

    The vector of an edge is ``positions[senders] + shifts @ cell - positions[receivers]``, see :func:`edge_vectors`.
    The cell may be smaller than the cutoff and skewed, points may lie outside of the cell, and the images of a point
    may be its own neighbours.

    The search is that of vesin, an optional dependency: ``pip install "irreps-ops[neighbours]"``. It runs on the CPU,
    in float64, and not under ``jax.jit``.

    Args:
        positions: of shape (n, 3).
        r_max: the cutoff.
        cell: the three vectors of the cell, in rows.
        periodic: whether the cell repeats, in all directions or in each. Default: True if there is a cell.
        loop: whether each point has an edge to itself, in the same cell.

    Returns:
        The edges by ascending receiver, in no particular order for each receiver.

    Raises:
        ValueError: wrong shapes, numbers that are not finite, traced positions, or a periodic system without a cell of
            three independent vectors.
        ImportError: vesin is not installed.

    Example:
        >>> import irreps_ops as irr
        >>> import numpy as np
        >>> edges = irr.neighbour_list(np.zeros((1, 3)), 1.1, cell=np.eye(3))  # simple cubic: six neighbours
        >>> len(edges.senders), sorted(map(tuple, edges.shifts.tolist()))[0]
        (6, (-1, 0, 0))
    """
    r_max = check.positive("neighbour_list", "r_max", r_max)
    x = _numbers("positions", positions)
    if x.ndim != 2 or x.shape[1] != 3:
        raise ValueError(f"neighbour_list expects positions of shape (n, 3), got {x.shape}")
    repeats = np.array(np.broadcast_to((cell is not None) if periodic is None else periodic, (3,)), bool)
    box = _box(cell, repeats)
    try:
        from vesin import NeighborList  # an optional dependency
    except ImportError as error:
        raise ImportError(
            'neighbour_list needs vesin: pip install "irreps-ops[neighbours]" (radius_graph does without it, for few '
            "points without a cell)"
        ) from error
    if len(x) == 0:
        return Neighbours(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3), np.int32))
    lists = NeighborList(cutoff=r_max, full_list=True, sorted=True)
    receivers, senders, shifts, distances = lists.compute(points=x, box=box, periodic=repeats, quantities="ijSd")
    near = distances < r_max
    receivers, senders, shifts = (a[near].astype(np.int32) for a in (receivers, senders, shifts))
    if loop:
        own = np.arange(len(x), dtype=np.int32)
        receivers, senders = np.concatenate([own, receivers]), np.concatenate([own, senders])
        shifts = np.concatenate([np.zeros((len(x), 3), np.int32), shifts])
        order = np.argsort(receivers, kind="stable")
        receivers, senders, shifts = receivers[order], senders[order], shifts[order]
    return Neighbours(senders, receivers, shifts)


def _numbers(name: str, values: Any) -> np.ndarray:
    values = values.array if isinstance(values, IrrepsArray) else values
    if isinstance(values, jax.core.Tracer):
        raise ValueError(f"neighbour_list expects concrete {name}, got traced ones: call it outside of jax.jit")
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"neighbour_list expects finite {name}, got {array[~np.isfinite(array)][0]}")
    return array


def _box(cell: Any, repeats: np.ndarray) -> np.ndarray:
    """Return three independent vectors: those of the cell, and arbitrary ones along which it does not repeat."""
    if not repeats.any():
        return np.zeros((3, 3))
    if cell is None:
        raise ValueError("neighbour_list expects a cell if periodic, got None")
    box = _numbers("cell", cell)
    if box.shape != (3, 3):
        raise ValueError(f"neighbour_list expects a cell of shape (3, 3), one vector in each row, got {box.shape}")
    rows = box[repeats]
    volume = math.sqrt(max(np.linalg.det(rows @ rows.T), 0.0))
    if volume <= 1e-10 * np.prod(np.linalg.norm(rows, axis=1)):
        raise ValueError(
            f"neighbour_list expects independent vectors of the cell where it is periodic, got {box.tolist()}"
        )
    # The last rows of the full Q are orthogonal to those of the cell.
    box = box.copy()
    box[~repeats] = np.linalg.qr(rows.T, mode="complete")[0].T[len(rows) :]
    return box


def edge_vectors(
    positions: Any, senders: Any, receivers: Any, *, shifts: jax.Array | None = None, cell: jax.Array | None = None
) -> jax.Array:
    """Return the vector of each edge, from the receiver to (the periodic image of) the sender.

    It is ``positions[senders] + shifts @ cell - positions[receivers]``: the position of the neighbour as seen from the
    node that receives its message. Differentiable in the positions, for forces, and in the cell, for stress.

    Args:
        positions: of shape (n, 3).
        senders: integers of shape (edges,).
        receivers: integers of shape (edges,). Edges whose sender or receiver is out of range are padding and get the
            zero vector.
        shifts: integers of shape (edges, 3): periodic images, see :func:`neighbour_list`.
        cell: of shape (3, 3), or (edges, 3, 3) if the edges are of several graphs.

    Returns:
        Array of shape (edges, 3).

    Raises:
        ValueError: shifts without a cell or a cell without shifts, or wrong shapes.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> positions = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        >>> senders, receivers = jnp.array([1, 1, -1]), jnp.array([0, 0, -1])
        >>> shifts = jnp.array([[0, 0, 0], [-1, 0, 0], [0, 0, 0]])
        >>> irr.edge_vectors(positions, senders, receivers, shifts=shifts, cell=3 * jnp.eye(3))
        Array([[ 1.,  0.,  0.],
               [-2.,  0.,  0.],
               [ 0.,  0.,  0.]], dtype=float...)
    """
    x = check.float_array("edge_vectors", positions.array if isinstance(positions, IrrepsArray) else positions)
    dtype, x = x.dtype, widened(x)
    if (shifts is None) != (cell is None):
        missing = "cell" if cell is None else "shifts"
        raise ValueError(f"edge_vectors expects both shifts and cell or neither, got no {missing}")
    senders, receivers = jnp.asarray(senders), jnp.asarray(receivers)
    if x.ndim != 2 or senders.ndim != 1 or senders.shape != receivers.shape:
        raise ValueError(
            f"edge_vectors expects positions of shape (n, 3), senders and receivers of shape (edges,), got {x.shape}, "
            f"{senders.shape} and {receivers.shape}"
        )

    def at(index: jax.Array) -> jax.Array:
        if x.shape[0] == 0:  # JAX refuses to index an empty array
            return jnp.zeros((index.shape[0], x.shape[1]), x.dtype)
        return x.at[index].get(mode="fill", fill_value=0, wrap_negative_indices=False)

    in_range = (senders >= 0) & (senders < x.shape[0]) & (receivers >= 0) & (receivers < x.shape[0])
    vectors = at(senders) - at(receivers)
    if shifts is not None and cell is not None:
        box, images = jnp.asarray(cell, x.dtype), jnp.asarray(shifts).astype(x.dtype)
        if images.shape != (senders.shape[0], 3) or box.shape not in ((3, 3), (senders.shape[0], 3, 3)):
            raise ValueError(
                f"edge_vectors expects shifts of shape ({senders.shape[0]}, 3) and a cell of shape (3, 3) or "
                f"({senders.shape[0]}, 3, 3), got {images.shape} and {box.shape}"
            )
        box = jnp.broadcast_to(box, (senders.shape[0], 3, 3))
        # Replaced before the product, because the derivatives of a product with NaN are NaN.
        box = jnp.where(in_range[:, None, None], box, 0)
        vectors = vectors + jnp.einsum("ei,eij->ej", images, box, precision="highest")
    return rounded_to(dtype, jnp.where(in_range[:, None], vectors, 0))
