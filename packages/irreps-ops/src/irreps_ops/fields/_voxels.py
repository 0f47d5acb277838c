"""Resampling and interpolation of fields on grids of voxels."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Integral
from typing import Any, Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import rounded_to, widened

Interpolation: TypeAlias = Literal["linear", "nearest"]
Field = TypeVar("Field", jax.Array, IrrepsArray)


def zoom(
    input: Field,
    *,
    resize_rate: float | Sequence[float] | None = None,
    output_size: Sequence[int] | None = None,
    interpolation: Interpolation = "linear",
) -> Field:
    r"""Resample a field on a grid of voxels: return the same volume in more or in fewer voxels.

    Along an axis of n voxels that is resampled to m, the centre of voxel i is at
    :math:`(i + \frac12) \frac nm - \frac12` in units of the old voxels; beyond the outermost centres the field is
    constant. The positions are exact fractions, so a field keeps the symmetries of its grid. The field is not averaged:
    smooth it before you reduce its resolution, as :class:`VoxelPooling` does.

    Args:
        input: an array of shape (..., nx, ny, nz) or an IrrepsArray of shape (..., nx, ny, nz, irreps.dim), each
            component of which is resampled.
        resize_rate: the ratio of new to old numbers of voxels, one for all axes or one for each; products are rounded.
        output_size: the new numbers of voxels, (mx, my, mz).
        interpolation: ``"linear"`` between the nearest voxels of each axis; or ``"nearest"``, which keeps the dtype of
            integers. Halfway between two voxels "nearest" takes the voxel of even number, which mirrors do not
            preserve; "linear" takes the mean.

    Returns:
        The field, of shape (..., mx, my, mz) or (..., mx, my, mz, irreps.dim).

    Raises:
        ValueError: both or neither of `resize_rate` and `output_size`; not three positive numbers; fewer than three
            axes, or an axis without voxels; an unknown interpolation.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> irr.zoom(jnp.array([[[0.0, 4.0]]]), output_size=(1, 1, 4))
        Array([[[0., 1., 3., 4.]]], dtype=float...)
        >>> irr.zoom(ic.ones("0e + 1o", (8, 8, 8)), resize_rate=0.5).shape
        (4, 4, 4, 4)
    """
    if interpolation not in ("linear", "nearest"):
        raise ValueError(f"zoom expects interpolation 'linear' or 'nearest', got {interpolation!r}")
    old = grid_shape("zoom", input)
    new = resized_shape(old, resize_rate, output_size)
    along = _linear_along if interpolation == "linear" else _nearest_along

    def resample(given: jax.Array, first: int) -> jax.Array:
        given = check.float_array("zoom", given) if interpolation == "linear" else given
        array = widened(given)
        for axis, (n, m) in enumerate(zip(old, new, strict=True), first):
            if n != m:
                array = along(array, axis, n, m)
        return rounded_to(given.dtype, array)

    return _of_field(input, resample)


def _of_field(input: Any, function: Callable[[jax.Array, int], jax.Array]) -> Any:
    """Apply a function of an array and the position of its axis x."""
    if isinstance(input, IrrepsArray):
        return IrrepsArray(
            input.irreps, function(jnp.asarray(input.array), input.ndim - 4), zero_flags=input.zero_flags
        )
    array = jnp.asarray(input)
    return function(array, array.ndim - 3)


def grid_shape(function: str, input: Any) -> tuple[int, int, int]:
    """Return the numbers of voxels of a field along x, y and z."""
    shape = jnp.shape(input) if not isinstance(input, IrrepsArray) else input.shape[:-1]
    if len(shape) < 3 or 0 in shape[-3:]:
        expected = "(..., nx, ny, nz, irreps)" if isinstance(input, IrrepsArray) else "(..., nx, ny, nz)"
        raise ValueError(
            f"{function} expects a field of shape {expected} with at least one voxel along each axis, got shape "
            f"{tuple(input.shape)}"
        )
    nx, ny, nz = shape[-3:]
    return nx, ny, nz


def resized_shape(old: tuple[int, int, int], resize_rate: Any, output_size: Any) -> tuple[int, ...]:
    """Return the new numbers of voxels, from exactly one of a rate and the numbers themselves."""
    if (resize_rate is None) == (output_size is None):
        raise ValueError(
            f"zoom expects either resize_rate or output_size, got {resize_rate!r} and {output_size!r}: "
            "pass exactly one of them"
        )
    if output_size is None:
        rates = resize_rate if isinstance(resize_rate, Sequence) else (resize_rate,) * 3
        if len(rates) != 3:
            raise ValueError(f"zoom expects a resize_rate for each of 3 axes, or one for all, got {resize_rate!r}")
        output_size = [round(n * check.positive("zoom", "resize_rate", r)) for n, r in zip(old, rates, strict=True)]
    if len(output_size) != 3 or any(not isinstance(m, Integral) or m < 1 for m in output_size):
        raise ValueError(f"zoom expects an output_size of 3 positive integers, got {output_size!r} for a grid {old}")
    return tuple(int(m) for m in output_size)


def _positions(n: int, m: int) -> list[Fraction]:
    """Return the positions of the centres of m voxels in units of n voxels, clipped to the outermost centres."""
    return [min(max(Fraction((2 * i + 1) * n - m, 2 * m), Fraction(0)), Fraction(n - 1)) for i in range(m)]


def _nearest_along(array: jax.Array, axis: int, n: int, m: int) -> jax.Array:
    return jnp.take(array, np.array([round(p) for p in _positions(n, m)]), axis=axis, mode="clip")


def _linear_along(array: jax.Array, axis: int, n: int, m: int) -> jax.Array:
    positions = _positions(n, m)
    below = np.array([p.numerator // p.denominator for p in positions])
    share = np.array([float(p) for p in positions - below])
    shape = [m if a == axis else 1 for a in range(array.ndim)]
    weight = jnp.asarray(share.reshape(shape), array.dtype)
    low = jnp.take(array, below, axis=axis, mode="clip")
    high = jnp.take(array, np.minimum(below + 1, n - 1), axis=axis, mode="clip")
    return (1 - weight) * low + weight * high


def interpolate_trilinear(input: Field, x: Any, y: Any, z: Any) -> Field:
    """Return a field on a grid at any points, linear in each coordinate, constant beyond the outermost voxels.

    Differentiable in the field and in the coordinates; at the centre of a voxel, where the slope jumps, the derivative
    is that towards larger coordinates.

    Args:
        input: an array of shape (..., nx, ny, nz) or an IrrepsArray of shape (..., nx, ny, nz, irreps.dim).
        x: coordinates along x in units of voxels, where 0 is the centre of the first voxel. Any shape S.
        y: coordinates along y; the shapes broadcast.
        z: coordinates along z.

    Returns:
        The values, of shape (..., S) or (..., S, irreps.dim).

    Raises:
        ValueError: fewer than three axes, or an axis without voxels.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.interpolate_trilinear(jnp.array([[[0.0, 4.0]]]), 0.0, 0.0, jnp.array([0.25, 7.0]))
        Array([1., 4.], dtype=float...)
    """
    grid, points = grid_shape("interpolate_trilinear", input), _points("interpolate_trilinear", x, y, z)

    def read(given: jax.Array, first: int) -> jax.Array:
        # In float32 at least, because the transpose is a sum over points.
        array = widened(check.float_array("interpolate_trilinear", given))
        corners = [(jnp.ones_like(points[0], dtype=array.dtype), ())]
        for p, n in zip(points, grid, strict=True):
            p = jnp.clip(widened(p), -1, n).astype(array.dtype)
            below = jnp.floor(p)
            share, low = p - below, below.astype(jnp.int32)
            ends = [(1 - share, jnp.clip(low, 0, n - 1)), (share, jnp.clip(low + 1, 0, n - 1))]
            corners = [(w * weight, (*places, place)) for w, places in corners for weight, place in ends]
        rest = array.ndim - first - 3
        total = jnp.zeros((*array.shape[:first], *points[0].shape, *array.shape[first + 3 :]), array.dtype)
        for weight, places in corners:
            weight = weight.reshape((1,) * first + weight.shape + (1,) * rest)
            total = total + weight * _at(array, first, places)
        return rounded_to(given.dtype, total)

    return _of_field(input, read)


def interpolate_nearest(input: Field, x: Any, y: Any, z: Any) -> Field:
    """Return a field on a grid at the voxels nearest to any points; halfway between two, at the one of even number.

    Arguments, result and errors are those of :func:`interpolate_trilinear`. The result has the dtype of the field.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.interpolate_nearest(jnp.array([[[0, 4]]]), 0.0, 0.0, jnp.array([0.25, 0.75, 7.0]))
        Array([0, 4, 4], dtype=int...)
    """
    grid, points = grid_shape("interpolate_nearest", input), _points("interpolate_nearest", x, y, z)
    places = tuple(jnp.clip(jnp.round(p), 0, n - 1).astype(jnp.int32) for p, n in zip(points, grid, strict=True))
    # In float32 at least, because the transpose is a sum over points.
    return _of_field(input, lambda array, first: rounded_to(array.dtype, _at(widened(array), first, places)))


def _points(function: str, *coordinates: Any) -> list[jax.Array]:
    arrays = [check.float_array(function, c) for c in coordinates]
    shape = jnp.broadcast_shapes(*(a.shape for a in arrays))
    return [jnp.broadcast_to(a, shape) for a in arrays]


def _at(array: jax.Array, first: int, places: tuple[jax.Array, ...]) -> jax.Array:
    return array.at[(*[slice(None)] * first, *places)].get(mode="promise_in_bounds")
