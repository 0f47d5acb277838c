"""Voigt notation: symmetric 3x3 tensors as 6 numbers, elasticity tensors as 6x6 matrices."""

from typing import Any, Literal, get_args

import numpy as np

from irreps_core._inputs._namespace import array_namespace, as_float_arrays
from irreps_core._inputs._shown import shown

VoigtKind = Literal["stress", "strain", "stiffness", "compliance"]
_KINDS = get_args(VoigtKind)

# xx, yy, zz, yz, xz, xy
_ROW, _COLUMN = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
_PLACE = np.zeros((3, 3), int)
_PLACE[_ROW, _COLUMN] = _PLACE[_COLUMN, _ROW] = np.arange(6)


def to_voigt(tensor: Any, kind: VoigtKind) -> Any:
    r"""Convert a tensor to Voigt's 6 or 6x6 numbers, in the order xx, yy, zz, yz, xz, xy.

    Stress and stiffness keep their elements: :math:`σ_4 = σ_{yz}`, :math:`C_{14} = C_{xxyz}`. Strain counts each shear
    twice (engineering strain): :math:`ε_4 = 2 ε_{yz}`. So compliance has :math:`S_{14} = 2 S_{xxyz}`,
    :math:`S_{44} = 4 S_{yzyz}`. Thus

    .. math:: σ_I = \sum_J C_{IJ} ε_J, \qquad ε_I = \sum_J S_{IJ} σ_J,

    the 6x6 matrices of C and S are inverse to one another, and the energy density is :math:`\frac12 \sum_I σ_I ε_I`.
    Pairs of indices that should be symmetric are symmetrized by their mean.

    Args:
        tensor: NumPy or JAX array of shape (..., 3, 3) for ``"stress"`` and ``"strain"``, (..., 3, 3, 3, 3) for
            ``"stiffness"`` and ``"compliance"``.
        kind: the kind of tensor.

    Returns:
        Array of shape (..., 6) or (..., 6, 6), of the same kind and dtype.

    Raises:
        ValueError: the kind is unknown, or the shape does not belong to it.

    Example:
        >>> import numpy as np
        >>> from irreps_core import to_voigt
        >>> shear = np.array([[1.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 3.0]])
        >>> to_voigt(shear, "stress").tolist(), to_voigt(shear, "strain").tolist()
        ([1.0, 2.0, 3.0, 0.0, 0.0, 0.5], [1.0, 2.0, 3.0, 0.0, 0.0, 1.0])
    """
    pairs, weight = _kind(kind)
    (tensor,) = as_float_arrays(tensor)
    _check(tensor, (3, 3) * pairs, kind)
    if pairs == 1:
        return _pair_to_voigt(tensor, weight)
    xp = array_namespace(tensor)
    half = xp.moveaxis(_pair_to_voigt(tensor, weight), -1, -3)  # (..., kl, i, j)
    return xp.swapaxes(_pair_to_voigt(half, weight), -1, -2)


def from_voigt(voigt: Any, kind: VoigtKind) -> Any:
    """Convert Voigt's numbers to the tensor: the inverse of :func:`to_voigt`.

    Args:
        voigt: NumPy or JAX array of shape (..., 6) for ``"stress"`` and ``"strain"``, (..., 6, 6) for ``"stiffness"``
            and ``"compliance"``, with shear strains counted twice.
        kind: the kind of tensor.

    Returns:
        Array of shape (..., 3, 3) or (..., 3, 3, 3, 3), of the same kind and dtype.

    Raises:
        ValueError: the kind is unknown, or the shape does not belong to it.

    Example:
        >>> import numpy as np
        >>> from irreps_core import from_voigt
        >>> from_voigt(np.array([1.0, 2.0, 3.0, 0.0, 0.0, 1.0]), "strain").tolist()
        [[1.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 3.0]]
    """
    pairs, weight = _kind(kind)
    (voigt,) = as_float_arrays(voigt)
    _check(voigt, (6,) * pairs, kind)
    if pairs == 1:
        return _voigt_to_pair(voigt, weight)
    xp = array_namespace(voigt)
    half = xp.moveaxis(_voigt_to_pair(voigt, weight), -3, -1)  # (..., k, l, ij)
    return xp.moveaxis(_voigt_to_pair(half, weight), (-2, -1), (-4, -3))


def _kind(kind: VoigtKind) -> tuple[int, float]:
    """Return the number of pairs of indices, and the weight of the shears."""
    if kind not in _KINDS:
        raise ValueError(f"the kind of tensor must be one of {', '.join(map(repr, _KINDS))}, got {shown(kind)}")
    return (1 if kind in ("stress", "strain") else 2), (1.0 if kind in ("stress", "stiffness") else 2.0)


def _check(array: Any, ending: tuple[int, ...], kind: VoigtKind) -> None:
    if array.shape[-len(ending) :] != ending:
        raise ValueError(f"{kind} needs an array of shape (..., {str(ending)[1:-1].rstrip(',')}), got {array.shape}")


def _weights(weight: float, like: Any) -> Any:
    return array_namespace(like).asarray([1.0] * 3 + [weight] * 3, dtype=like.dtype)


def _pair_to_voigt(pair: Any, weight: float) -> Any:
    mean = (pair[..., _ROW, _COLUMN] + pair[..., _COLUMN, _ROW]) / 2
    return mean * _leading(_weights(weight, pair), mean.ndim)


def _voigt_to_pair(voigt: Any, weight: float) -> Any:
    return (voigt / _leading(_weights(weight, voigt), voigt.ndim))[..., _PLACE]


def _leading(vector: Any, ndim: int) -> Any:
    return vector.reshape((1,) * (ndim - 1) + vector.shape)
