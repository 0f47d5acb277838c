"""The layer `VoxelPooling`: a field on fewer voxels, smoothed before it is sampled."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs._operands import floating
from irreps_ops.fields._voxels import Interpolation, _grid, _new_size, zoom
from irreps_ops.scope._scope import Scope, example_inputs


@dataclass(frozen=True)
class VoxelPooling:
    r"""Resample a field of irreps on fewer voxels (or more): a Gaussian average, then :func:`zoom`.

    Along an axis whose n voxels become m, the field is averaged with weights exp(-d²/2σ²), d the distance in units of
    the old voxels and σ = :math:`\frac12 \sqrt{(n/m)^2 - 1}`, which removes what the new voxels cannot show; along
    axes that do not shrink nothing is averaged. Beyond the grid the field is constant, as for :func:`zoom`. It has no
    parameters, treats all components alike, and commutes with the rotations and mirrors of the grid.

    Args:
        resize_rate: new over old number of voxels, see :func:`zoom`; 0.5 halves the resolution.
        output_size: or the new numbers of voxels.
        interpolation: between voxels, ``"linear"`` or ``"nearest"``.
        smoothing: σ / :math:`\sqrt{(n/m)^2 - 1}`; 0: no average.

    Raises:
        ValueError: not exactly one of `resize_rate` and `output_size`, a negative smoothing, or as :func:`zoom`.

    Source: the low-pass filter of e3nn's voxel networks, whose σ this is.

    Example:
        >>> import jax
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> irr.apply(irr.VoxelPooling(0.5), {}, ic.normal("0e + 1o", jax.random.key(0), (8, 8, 8))).shape
        (4, 4, 4, 4)
    """

    resize_rate: float | Sequence[float] | None = None
    _: KW_ONLY
    output_size: Sequence[int] | None = None
    interpolation: Interpolation = "linear"
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        """Check what can be checked without input."""
        if isinstance(self.resize_rate, Sequence):
            object.__setattr__(self, "resize_rate", tuple(self.resize_rate))
        if self.output_size is not None:
            object.__setattr__(self, "output_size", tuple(self.output_size))
        if not 0 <= self.smoothing < math.inf:
            raise ValueError(f"VoxelPooling expects a smoothing of 0 or more, got {self.smoothing!r}")
        if self.interpolation not in ("linear", "nearest"):
            raise ValueError(f"VoxelPooling expects interpolation 'linear' or 'nearest', got {self.interpolation!r}")
        _new_size((1 << 30, 1 << 30, 1 << 30), self.resize_rate, self.output_size)  # for its refusals

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of as many voxels as become one."""
        (field,) = example_inputs(*irreps_in, dtype=dtype)
        if field.ndim > 1:
            return (field,)
        rates = [1.0] if self.resize_rate is None else np.ravel(self.resize_rate)
        voxels = [math.ceil(1 / min(rates))] * 3
        return (IrrepsArray(field.irreps, jax.ShapeDtypeStruct((*voxels, field.irreps.dim), field.dtype)),)

    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        """Resample a field of shape (..., nx, ny, nz, irreps.dim)."""
        (x,) = floating(x)
        old = _grid("VoxelPooling", x)
        new = _new_size(old, self.resize_rate, self.output_size)
        array = jnp.asarray(x.array)
        for axis, (n, m) in enumerate(zip(old, new, strict=True), x.ndim - 4):
            if n > m and self.smoothing > 0:
                array = _averaged(array, axis, self.smoothing * math.sqrt((n / m) ** 2 - 1))
        smooth = IrrepsArray(x.irreps, array, zero_flags=x.zero_flags)
        return zoom(smooth, output_size=new, interpolation=self.interpolation)


def _averaged(array: jax.Array, axis: int, sigma: float) -> jax.Array:
    """Gaussian averages along an axis, beyond whose ends the array is constant."""
    n = array.shape[axis]
    reach = math.ceil(6 * sigma)  # beyond, the weights are below rounding in float32
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-((offsets / sigma) ** 2) / 2)
    matrix = np.zeros((n, n))
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        matrix[np.arange(n), np.clip(np.arange(n) + offset, 0, n - 1)] += weight
    out = jnp.tensordot(jnp.asarray(matrix, array.dtype), array, axes=(1, axis), precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(out, 0, axis)
