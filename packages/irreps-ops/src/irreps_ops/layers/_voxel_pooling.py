"""The layer `VoxelPooling`: a field is smoothed, then sampled on fewer voxels."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray, converted, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops.fields._voxels import Interpolation, grid_shape, resized_shape, zoom
from irreps_ops.scope._scope import Scope, example_inputs

from ._fields import optional


def _rates(rate: float | Sequence[float]) -> float | tuple[float, ...]:
    return tuple(rate) if isinstance(rate, Sequence) else rate


@frozen
class VoxelPooling:
    r"""Resample a field of irreps on fewer voxels (or more): a Gaussian average, then :func:`zoom`.

    Along an axis whose n voxels become m, the field is averaged with weights :math:`\exp(-d^2 / 2σ^2)`, where d is the
    distance in units of the old voxels and :math:`σ = \frac12 \sqrt{(n/m)^2 - 1}`. This removes frequencies that the
    new voxels cannot represent; along axes that do not shrink there is no average. Beyond the grid the field is
    constant, as in :func:`zoom`. The layer has no parameters, treats all components alike, and commutes with the
    rotations and mirrors of the grid.

    Args:
        resize_rate: ratio of the new to the old number of voxels, see :func:`zoom`; 0.5 halves the resolution.
        output_size: the new numbers of voxels, in place of `resize_rate`.
        interpolation: interpolation between voxels, ``"linear"`` or ``"nearest"``.
        smoothing: :math:`σ / \sqrt{(n/m)^2 - 1}`; 0 for no average.

    Raises:
        ValueError: not exactly one of `resize_rate` and `output_size`, a negative smoothing, or as :func:`zoom`.

    Source: the low-pass filter of e3nn's voxel networks, which has the same σ.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> irr.apply(irr.VoxelPooling(0.5), {}, irr.normal("0e + 1o", jax.random.key(0), (8, 8, 8))).shape
        (4, 4, 4, 4)
    """

    resize_rate: float | Sequence[float] | None = converted(optional(_rates), default=None)
    _: KW_ONLY
    output_size: Sequence[int] | None = converted(optional(tuple), default=None)
    interpolation: Interpolation = "linear"
    smoothing: float = 0.5

    def validate(self) -> None:
        """Refuse sizes that do not describe a grid, and unknown options."""
        if not 0 <= self.smoothing < math.inf:
            raise ValueError(f"VoxelPooling expects a smoothing of 0 or more, got {self.smoothing!r}")
        if self.interpolation not in ("linear", "nearest"):
            raise ValueError(f"VoxelPooling expects interpolation 'linear' or 'nearest', got {self.interpolation!r}")
        resized_shape((1 << 30, 1 << 30, 1 << 30), self.resize_rate, self.output_size)  # raises the error

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return an abstract field with as many voxels as are merged into one."""
        (field,) = example_inputs(*irreps_in, dtype=dtype)
        if field.ndim > 1:
            return (field,)
        rates = [1.0] if self.resize_rate is None else np.ravel(self.resize_rate)
        voxels = [math.ceil(1 / min(rates))] * 3
        return (IrrepsArray(field.irreps, jax.ShapeDtypeStruct((*voxels, field.irreps.dim), field.dtype)),)

    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Resample a field of shape (..., nx, ny, nz, irreps.dim)."""
        (x,) = floating(x)
        old = grid_shape("VoxelPooling", x)
        new = resized_shape(old, self.resize_rate, self.output_size)
        array = jnp.asarray(x.array)
        for axis, (n, m) in enumerate(zip(old, new, strict=True), x.ndim - 4):
            if n > m and self.smoothing > 0:
                array = _averaged(array, axis, self.smoothing * math.sqrt((n / m) ** 2 - 1))
        smooth = IrrepsArray(x.irreps, array, zero_flags=x.zero_flags)
        return zoom(smooth, output_size=new, interpolation=self.interpolation)


def _averaged(array: jax.Array, axis: int, sigma: float) -> jax.Array:
    """Return Gaussian averages along an axis, beyond whose ends the array is constant."""
    n = array.shape[axis]
    reach = math.ceil(6 * sigma)  # weights beyond are below the rounding error of float32
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-((offsets / sigma) ** 2) / 2)
    matrix = np.zeros((n, n))
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        matrix[np.arange(n), np.clip(np.arange(n) + offset, 0, n - 1)] += weight
    out = jnp.tensordot(jnp.asarray(matrix, array.dtype), array, axes=(1, axis), precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(out, 0, axis)
