"""Functions that join IrrepsArrays: concatenate, stack, where."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace
from irreps_core.irreps._irreps import Irreps

from ._base import describe
from ._creation import as_irreps_array
from ._irreps_array import IrrepsArray
from ._rearranging import normalize_axis


def _same_irreps(arrays: Sequence[IrrepsArray], function: str) -> Irreps:
    for x in arrays:
        if x.irreps != arrays[0].irreps:
            raise ValueError(f"{function} expects equal irreps, got {describe(arrays[0])} and {describe(x)}")
    return arrays[0].irreps


def _all_zero(arrays: Sequence[IrrepsArray]) -> list[bool]:
    return [all(flags) for flags in zip(*(x.zero_flags for x in arrays), strict=True)]


def concatenate(arrays: Sequence[Any], axis: int = -1) -> IrrepsArray:
    """Join arrays along an axis. Along the last one this is the direct sum of the irreps.

    Args:
        arrays: IrrepsArrays, or arrays of scalars.
        axis: the axis.

    Returns:
        IrrepsArray; along the last axis the irreps follow one another and are not merged.

    Raises:
        ValueError: there are no arrays, or their irreps differ although the axis is not the last one.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x, y = ic.IrrepsArray("0e", np.ones(1)), ic.IrrepsArray("1o", np.zeros(3))
        >>> ic.concatenate([x, y])
        1x0e+1x1o [1. 0. 0. 0.]
    """
    arrays = [as_irreps_array(x) for x in arrays]
    if not arrays:
        raise ValueError("concatenate expects at least one array, got none")
    xp = array_namespace(*(x.array for x in arrays))
    ndim = arrays[0].ndim
    array = xp.concatenate([x.array for x in arrays], axis=axis)
    if axis in (-1, ndim - 1):
        irreps = Irreps([item for x in arrays for item in x.irreps])
        return IrrepsArray(irreps, array, zero_flags=[z for x in arrays for z in x.zero_flags])
    return IrrepsArray(_same_irreps(arrays, "concatenate"), array, zero_flags=_all_zero(arrays))


def stack(arrays: Sequence[Any], axis: int = 0) -> IrrepsArray:
    """Join arrays along a new axis.

    Args:
        arrays: IrrepsArrays of equal irreps, or arrays of scalars.
        axis: the place of the new axis in the result; not the last one.

    Returns:
        IrrepsArray of the same irreps.

    Raises:
        ValueError: there are no arrays, their irreps differ, or the new axis would be the last one.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("1o", np.zeros(3))
        >>> ic.stack([x, x]).shape
        (2, 3)
    """
    arrays = [as_irreps_array(x) for x in arrays]
    if not arrays:
        raise ValueError("stack expects at least one array, got none")
    irreps = _same_irreps(arrays, "stack")
    axis = normalize_axis(axis, arrays[0].ndim + 1, "stack")
    xp = array_namespace(*(x.array for x in arrays))
    return IrrepsArray(irreps, xp.stack([x.array for x in arrays], axis=axis), zero_flags=_all_zero(arrays))


def where(mask: Any, x: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
    """Select `x` where the mask is true, `y` elsewhere.

    Args:
        mask: booleans of shape (..., 1), one for the whole last axis, or (..., num_irreps), one for each irrep.
        x: the data where the mask is true.
        y: the data elsewhere, of the same irreps.

    Returns:
        IrrepsArray of the same irreps; leading axes broadcast.

    Raises:
        ValueError: the irreps differ, or the last axis of the mask has another length.

    Example:
        >>> import numpy as np
        >>> import irreps_core as ic
        >>> x = ic.IrrepsArray("0e + 1o", np.ones(4))
        >>> ic.where(np.array([True, False]), x, -x)
        1x0e+1x1o [ 1. -1. -1. -1.]
    """
    x, y = as_irreps_array(x), as_irreps_array(y)
    irreps = _same_irreps([x, y], "where")
    xp = array_namespace(mask, x.array, y.array)
    mask = xp.asarray(mask)
    if mask.ndim == 0 or mask.shape[-1] not in (1, irreps.num_irreps):
        raise ValueError(
            f"where expects a mask of shape (..., 1) or (..., {irreps.num_irreps}), got shape {tuple(mask.shape)}"
        )
    if mask.shape[-1] != 1:
        each = np.repeat(np.arange(irreps.num_irreps), [ir.dim for mul, ir in irreps for _ in range(mul)])
        mask = mask[..., each]
    return IrrepsArray(irreps, xp.where(mask, x.array, y.array), zero_flags=_all_zero([x, y]))
