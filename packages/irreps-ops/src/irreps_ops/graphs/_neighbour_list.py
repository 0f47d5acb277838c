"""Who is near whom, of many points and in periodic crystals: cell lists, and the vectors of the edges."""

import math
from typing import Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check


class Neighbours(NamedTuple):
    """The edges of a graph in space, perhaps periodic: NumPy arrays.

    Attributes:
        src: int32 of shape (edges,): the neighbours.
        dst: int32 of shape (edges,), ascending: the points whose neighbours they are.
        shifts: int32 of shape (edges, 3): the periodic image of src that is meant, in numbers of cells.
    """

    src: np.ndarray
    dst: np.ndarray
    shifts: np.ndarray


def neighbour_list(
    pos: Any,
    r_max: float,
    *,
    cell: Any = None,
    periodic: bool | tuple[bool, bool, bool] | None = None,
    loop: bool = False,
) -> Neighbours:
    """All pairs of points, of periodic images too, that are nearer than r_max, by cell lists: in time linear in n.

    The vector of an edge is ``pos[src] + shifts @ cell - pos[dst]`` (:func:`edge_vectors`). The cell may be smaller
    than the cutoff and as skewed as it likes, points may lie outside of it, and a point may be its own neighbour, in
    another cell.

    It is computed by vesin, which is not installed by default: ``pip install "irreps-ops[neighbours]"``. On the CPU,
    in float64, and not under ``jax.jit``.

    Args:
        pos: positions, of shape (n, 3).
        r_max: the cutoff.
        cell: the three vectors of the cell, in rows.
        periodic: whether the cell repeats, in all directions or in each. Default: if there is a cell.
        loop: whether each point has an edge to itself, in the same cell.

    Returns:
        The edges, by ascending dst; several edges of one dst are in no particular order.

    Raises:
        ValueError: wrong shapes, numbers that are not finite, positions that are traced, or periodic without a cell of
            three independent vectors.
        ImportError: vesin is not installed.

    Example:
        >>> import irreps_ops as irr
        >>> import numpy as np
        >>> edges = irr.neighbour_list(np.zeros((1, 3)), 1.1, cell=np.eye(3))    # simple cubic: six neighbours
        >>> len(edges.src), sorted(map(tuple, edges.shifts.tolist()))[0]
        (6, (-1, 0, 0))
    """
    r_max = check.positive("neighbour_list", "r_max", r_max)
    x = _numbers("pos", pos)
    if x.ndim != 2 or x.shape[1] != 3:
        raise ValueError(f"neighbour_list expects positions pos of shape (n, 3), got {x.shape}")
    repeats = np.array(np.broadcast_to((cell is not None) if periodic is None else periodic, (3,)), bool)
    box = _box(cell, repeats)
    try:
        from vesin import NeighborList
    except ImportError as error:
        raise ImportError(
            'neighbour_list needs vesin: pip install "irreps-ops[neighbours]" (for few points without a cell, '
            "radius_graph does without it)"
        ) from error
    if len(x) == 0:
        return Neighbours(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3), np.int32))
    lists = NeighborList(cutoff=r_max, full_list=True, sorted=True)
    dst, src, shifts, distances = lists.compute(points=x, box=box, periodic=repeats, quantities="ijSd")
    near = distances < r_max
    dst, src, shifts = (a[near].astype(np.int32) for a in (dst, src, shifts))
    if loop:
        own = np.arange(len(x), dtype=np.int32)
        src, shifts = np.concatenate([own, src]), np.concatenate([np.zeros((len(x), 3), np.int32), shifts])
        dst = np.concatenate([own, dst])
        order = np.argsort(dst, kind="stable")
        src, dst, shifts = src[order], dst[order], shifts[order]
    return Neighbours(src, dst, shifts)


def _numbers(name: str, values: Any) -> np.ndarray:
    values = values.array if isinstance(values, IrrepsArray) else values
    if isinstance(values, jax.core.Tracer):
        raise ValueError(f"neighbour_list expects known {name}, got traced ones: call it outside of jax.jit")
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"neighbour_list expects finite {name}, got {array[~np.isfinite(array)][0]}")
    return array


def _box(cell: Any, repeats: np.ndarray) -> np.ndarray:
    """Three independent vectors: where the cell does not repeat, any do."""
    if not repeats.any():
        return np.zeros((3, 3))
    if cell is None:
        raise ValueError("neighbour_list expects a cell if periodic, got None")
    box = _numbers("cell", cell)
    if box.shape != (3, 3):
        raise ValueError(f"neighbour_list expects a cell of shape (3, 3), a vector in each row, got {box.shape}")
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
    pos: jax.Array, src: jax.Array, dst: jax.Array, *, shifts: jax.Array | None = None, cell: jax.Array | None = None
) -> jax.Array:
    """The vector of each edge, from dst to (the periodic image of) src: pos[src] + shifts @ cell - pos[dst].

    Differentiable in the positions, for forces, and in the cell, for stress.

    Args:
        pos: positions, of shape (n, 3).
        src: integers of shape (edges,).
        dst: integers of shape (edges,). Edges with src or dst out of range, which are padding, get the zero vector.
        shifts: integers of shape (edges, 3): periodic images, see :func:`neighbour_list`.
        cell: of shape (3, 3), or (edges, 3, 3) where the edges are of several graphs.

    Returns:
        Array of shape (edges, 3).

    Raises:
        ValueError: shifts without cell or a cell without shifts, or wrong shapes.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> pos = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        >>> src, dst = jnp.array([1, 1, -1]), jnp.array([0, 0, -1])
        >>> shifts = jnp.array([[0, 0, 0], [-1, 0, 0], [0, 0, 0]])
        >>> irr.edge_vectors(pos, src, dst, shifts=shifts, cell=3 * jnp.eye(3))
        Array([[ 1.,  0.,  0.],
               [-2.,  0.,  0.],
               [ 0.,  0.,  0.]], dtype=float...)
    """
    x = check.float_array("edge_vectors", pos.array if isinstance(pos, IrrepsArray) else pos)
    if (shifts is None) != (cell is None):
        missing = "cell" if cell is None else "shifts"
        raise ValueError(f"edge_vectors expects both shifts and cell or neither, got no {missing}")
    src, dst = jnp.asarray(src), jnp.asarray(dst)
    if x.ndim != 2 or src.ndim != 1 or src.shape != dst.shape:
        raise ValueError(
            f"edge_vectors expects pos of shape (n, 3), src and dst of shape (edges,), got {x.shape}, {src.shape} and "
            f"{dst.shape}"
        )

    def at(index: jax.Array) -> jax.Array:
        if len(x) == 0:  # nothing can be looked up
            return jnp.zeros((len(index), x.shape[1]), x.dtype)
        return x.at[index].get(mode="fill", fill_value=0, wrap_negative_indices=False)

    vectors = at(src) - at(dst)
    if shifts is not None and cell is not None:
        box, images = jnp.asarray(cell, x.dtype), jnp.asarray(shifts).astype(x.dtype)
        if images.shape != (len(src), 3) or box.shape not in ((3, 3), (len(src), 3, 3)):
            raise ValueError(
                f"edge_vectors expects shifts of shape ({len(src)}, 3) and a cell of shape (3, 3) or "
                f"({len(src)}, 3, 3), got {images.shape} and {box.shape}"
            )
        box = jnp.broadcast_to(box, (len(src), 3, 3))
        vectors = vectors + jnp.einsum("ei,eij->ej", images, box, precision="highest")
    real = (src >= 0) & (src < len(x)) & (dst >= 0) & (dst < len(x))
    return jnp.where(real[:, None], vectors, 0)
