"""Scatter: sums, means and maxima of rows by group, as of edges by node or of nodes by graph."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import rounded_to, widened

ScatterMode: TypeAlias = Literal["drop", "fill", "clip", "promise_in_bounds"]
Data = TypeVar("Data", jax.Array, IrrepsArray)


def scatter_sum(
    data: Data,
    *,
    dst: jax.Array | None = None,
    nel: jax.Array | None = None,
    output_size: int | None = None,
    map_back: bool = False,
    indices_are_sorted: bool = False,
    mode: ScatterMode = "drop",
    mask: jax.Array | None = None,
) -> Data:
    """Return the sums of rows by group.

    With `dst`: output[dst[i]] += data[i]. With `nel`: output[0] is the sum of the first nel[0] rows, output[1] that of
    the next nel[1], and so on. Padding belongs to no group and contributes nothing, whatever its data: rows with `dst`
    out of range, rows beyond the last count of `nel`, and rows whose mask is False. float16 and bfloat16 are summed in
    float32.

    Args:
        data: array or IrrepsArray of shape (n1, ..., nd, ...).
        dst: the group of each row, integers of shape (n1, ..., nd).
        nel: the number of consecutive rows in each group, integers of shape (output_size,). Several axes become axes of
            the result: (graphs, nodes) for the edges of the nodes of graphs.
        output_size: the number of groups; with `dst` only.
        map_back: return for each row the result of its group, so the shape is that of `data`. Then there is no
            `output_size`, and `dst` may hold arbitrary labels.
        indices_are_sorted: promise that `dst` ascends, which is faster on some devices.
        mode: the treatment of `dst` that is negative or not below `output_size`. "drop" and "fill" drop these rows,
            "clip" moves them to the nearest group, "promise_in_bounds" promises that there are none (undefined results
            otherwise).
        mask: booleans of the shape of `dst`, or of the first axis of data with `nel`: False for padding.

    Returns:
        Array or IrrepsArray of shape (output_size, ...); zero for empty groups.

    Raises:
        ValueError: both or neither of `dst` and `nel`; `dst` of a wrong shape or not of integers; negative counts, or a
            sum of counts above the number of rows (if they are concrete); `output_size` missing, negative or with
            `nel`; an unknown mode; a mask of a wrong shape or not of booleans.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = ic.IrrepsArray("0e + 0o", jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        >>> irr.scatter_sum(x, dst=jnp.array([1, 1, 0]), output_size=3)
        1x0e+1x0o
        [[5. 6.]
         [4. 6.]
         [0. 0.]]
        >>> irr.scatter_sum(jnp.array([1, 2, 3, 4]), nel=jnp.array([2, 0, 1]))
        Array([3, 0, 3], dtype=int...)
    """
    groups = _groups("scatter_sum", data, dst, nel, output_size, map_back, indices_are_sorted, mode, mask)
    return _with_array(data, lambda array: groups.result(groups.sum(array)))


def scatter_mean(
    data: Data,
    *,
    dst: jax.Array | None = None,
    nel: jax.Array | None = None,
    output_size: int | None = None,
    map_back: bool = False,
    indices_are_sorted: bool = False,
    mode: ScatterMode = "drop",
    mask: jax.Array | None = None,
) -> Data:
    """Return the means of rows by group; zero for empty groups.

    Arguments and errors are those of :func:`scatter_sum`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.scatter_mean(jnp.array([1.0, 3.0, 5.0]), dst=jnp.array([1, 1, 0]), output_size=3)
        Array([5., 2., 0.], dtype=float...)
    """
    groups = _groups("scatter_mean", data, dst, nel, output_size, map_back, indices_are_sorted, mode, mask)

    def mean(array: jax.Array) -> jax.Array:
        array = check.float_array("scatter_mean", array)
        count = groups.sum(jnp.ones(array.shape[: groups.axes], array.dtype))
        total = groups.sum(array)
        return groups.result(total / jnp.maximum(count, 1).reshape(-1, *(1,) * (total.ndim - 1)))

    return _with_array(data, mean)


def scatter_max(
    data: Data,
    *,
    dst: jax.Array | None = None,
    nel: jax.Array | None = None,
    initial: float = -math.inf,
    output_size: int | None = None,
    map_back: bool = False,
    indices_are_sorted: bool = False,
    mode: ScatterMode = "drop",
    mask: jax.Array | None = None,
) -> Data:
    """Return the maxima of rows and `initial` by group, element by element.

    Other arguments and errors are those of :func:`scatter_sum`.

    Args:
        data: as there; an IrrepsArray must consist of scalars 0e.
        dst: as there.
        nel: as there.
        initial: lower bound of the results, and the result for empty groups. -inf is the smallest integer for integers.
        output_size: as there.
        map_back: as there.
        indices_are_sorted: as there.
        mode: as there.
        mask: as there.

    Raises:
        ValueError: as there, or irreps that are not scalars.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.scatter_max(jnp.array([1.0, 3.0, 5.0]), dst=jnp.array([1, 1, 0]), output_size=3)
        Array([  5.,   3., -inf], dtype=float...)
    """
    if isinstance(data, IrrepsArray) and not data.irreps.is_scalar():
        raise ValueError(
            f"scatter_max expects scalars (0e), got {data.irreps}: the largest component depends on the axes"
        )
    groups = _groups("scatter_max", data, dst, nel, output_size, map_back, indices_are_sorted, mode, mask)

    def largest(array: jax.Array) -> jax.Array:
        start = initial
        if jnp.issubdtype(array.dtype, jnp.integer):
            start = int(max(initial, jnp.iinfo(array.dtype).min))
        return groups.result(groups.max(array, start))

    # Without zero flags, which `initial` would make wrong.
    return _with_array(IrrepsArray(data.irreps, data.array) if isinstance(data, IrrepsArray) else data, largest)


def index_add(
    indices: jax.Array | None = None,
    input: Any = None,
    *,
    n_elements: jax.Array | None = None,
    out_dim: int | None = None,
    map_back: bool = False,
    indices_are_sorted: bool = False,
    mode: ScatterMode = "drop",
    mask: jax.Array | None = None,
) -> Any:
    """Return :func:`scatter_sum` under its older name, with `dst=indices, nel=n_elements, output_size=out_dim`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.index_add(jnp.array([0, 2, 2]), jnp.array([1.0, 2.0, 3.0]), out_dim=3)
        Array([1., 0., 5.], dtype=float...)
    """
    return scatter_sum(
        input,
        dst=indices,
        nel=n_elements,
        output_size=out_dim,
        map_back=map_back,
        indices_are_sorted=indices_are_sorted,
        mode=mode,
        mask=mask,
    )


@dataclass(frozen=True)
class _Groups:
    """The group of each row.

    Attributes:
        index: number of the group of each row, of shape (rows,).
        axes: the number of leading axes of the data that are rows.
        shape: the axes of the result in place of the rows; groups are numbered in C order.
        is_sorted: whether `index` ascends.
        mode: the treatment of numbers out of range.
        rows_shape: the leading axes of the data if the results are mapped back to rows, else None.
    """

    index: jax.Array
    axes: int
    shape: tuple[int, ...]
    is_sorted: bool
    mode: ScatterMode
    rows_shape: tuple[int, ...] | None

    def _update(self, array: jax.Array, how: Literal["add", "max"], initial: float) -> jax.Array:
        rows = array.reshape(self.index.shape + array.shape[self.axes :])
        start = jnp.full((math.prod(self.shape), *rows.shape[1:]), initial, rows.dtype)
        return getattr(start.at[self.index], how)(
            rows, indices_are_sorted=self.is_sorted, mode=self.mode, wrap_negative_indices=False
        )

    def sum(self, array: jax.Array) -> jax.Array:
        return self._update(array, "add", 0)

    def max(self, array: jax.Array, initial: float) -> jax.Array:
        return self._update(array, "max", initial)

    def result(self, values: jax.Array) -> jax.Array:
        """Return values of groups in the shape of the result, or of their rows, zero for padding, if asked for."""
        if self.rows_shape is None:
            return values.reshape(self.shape + values.shape[1:])
        mode = "fill" if self.mode == "drop" else self.mode
        rows = values.at[self.index].get(mode=mode, fill_value=0)
        return rows.reshape(self.rows_shape + values.shape[1:])


def _groups(
    function: str,
    data: Any,
    dst: jax.Array | None,
    nel: jax.Array | None,
    output_size: int | None,
    map_back: bool,
    indices_are_sorted: bool,
    mode: ScatterMode,
    mask: jax.Array | None,
) -> _Groups:
    if mode not in ("drop", "fill", "clip", "promise_in_bounds"):
        raise ValueError(f"{function} expects mode 'drop', 'fill', 'clip' or 'promise_in_bounds', got {mode!r}")
    if (dst is None) == (nel is None):
        raise ValueError(f"{function} expects either dst or nel, got {'neither' if dst is None else 'both'}")
    if output_size is not None and (map_back or nel is not None):
        raise ValueError(
            f"{function} expects no output_size with {'map_back' if map_back else 'nel, which implies it'}, "
            f"got {output_size!r}"
        )
    if nel is not None:
        counts = _integers(function, "nel", nel)
        index = _consecutive(function, data, counts)
        groups = _Groups(index, 1, counts.shape, True, "drop", index.shape if map_back else None)
        return _masked(function, groups, index.shape, mask)
    dst = _integers(function, "dst", dst)
    if dst.shape != data.shape[: dst.ndim]:
        raise ValueError(
            f"{function} expects dst of the shape of the leading axes of data, got {dst.shape} for data of shape "
            f"{data.shape}"
        )
    if map_back:
        index = dst.reshape(-1)
        if dst.size > 0:
            index = _numbered(index)
        groups = _Groups(index, dst.ndim, (dst.size,), False, "promise_in_bounds", dst.shape)
        return _masked(function, groups, dst.shape, mask)
    if output_size is None:
        raise ValueError(f"{function} expects output_size, the number of groups, with dst, got None")
    size = check.size(function, "output_size", output_size)
    groups = _Groups(dst.reshape(-1), dst.ndim, (size,), indices_are_sorted, "drop" if mode == "fill" else mode, None)
    return _masked(function, groups, dst.shape, mask)


def _masked(function: str, groups: _Groups, shape: tuple[int, ...], mask: jax.Array | None) -> _Groups:
    """Return the groups without the rows whose mask is False."""
    if mask is None:
        return groups
    mask = jnp.asarray(mask)
    if mask.dtype != bool or mask.shape != shape:
        raise ValueError(f"{function} expects a mask of booleans of shape {shape}, got {mask.dtype}{mask.shape}")
    size = math.prod(groups.shape)
    index = jnp.clip(groups.index, 0, max(size - 1, 0)) if groups.mode == "clip" else groups.index
    # Masked rows get a number out of range, which breaks the order.
    return replace(groups, index=jnp.where(mask.reshape(-1), index, size), is_sorted=False, mode="drop")


def _consecutive(function: str, data: Any, nel: jax.Array) -> jax.Array:
    """Return the group of each row from the counts of consecutive rows."""
    if nel.ndim == 0:
        raise ValueError(f"{function} expects nel of shape (output_size,), got {nel.shape}")
    rows = data.shape[0]
    if not isinstance(nel, jax.core.Tracer):
        counts = np.asarray(nel)
        if (counts < 0).any() or counts.sum() > rows:
            raise ValueError(
                f"{function} expects counts nel of 0 or more, in sum at most {rows}, the number of rows, got {counts}"
            )
    ends = jnp.cumsum(nel.reshape(-1))
    # The number of groups that end before each row.
    ended = jnp.zeros(rows, jnp.int32).at[ends].add(1, mode="drop", wrap_negative_indices=False)
    return jnp.cumsum(ended, dtype=jnp.int32)


def _numbered(values: jax.Array) -> jax.Array:
    """Return for each value its place among the distinct ones, which ascend."""
    order = jnp.argsort(values)
    ascending = values[order]
    is_new = jnp.concatenate([jnp.zeros(1, bool), ascending[1:] != ascending[:-1]])
    return jnp.zeros_like(values, jnp.int32).at[order].set(jnp.cumsum(is_new, dtype=jnp.int32))


def _integers(function: str, name: str, values: Any) -> jax.Array:
    array = jnp.asarray(values)
    if array.size == 0 and not hasattr(values, "dtype"):
        array = array.astype(int)  # an empty list
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"{function} expects integers {name}, got dtype {array.dtype}")
    return array


def _with_array(data: Any, function: Callable[[jax.Array], jax.Array]) -> Any:
    """Apply a function of arrays to an array or to the array of an IrrepsArray, in float32 if its dtype is narrower."""
    array = jnp.asarray(data.array if isinstance(data, IrrepsArray) else data)
    result = rounded_to(array.dtype, function(widened(array)))
    return IrrepsArray(data.irreps, result, zero_flags=data.zero_flags) if isinstance(data, IrrepsArray) else result
