"""Names that e3nn-jax removed from its `Irreps`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from irreps_core._inputs._namespace import array_namespace, matmul
from irreps_core._inputs._renamed import Renamed
from irreps_core._inputs._shown import shown

from ._random import normal_array

# The class `Irreps` is not imported, because it reads this table.
_Irreps: TypeAlias = Any


def _randn(irreps: _Irreps, key: Any, size: Sequence[int], *, normalization: str | None = None) -> Any:
    """Return random numbers as a plain array of shape `size`, where -1 stands for the axis of the irreps.

    With ``normalization="norm"`` every irrep has norm 1.
    """
    if tuple(size).count(-1) != 1:
        raise ValueError(f"size must have one -1, for the axis of the irreps, got {tuple(size)}")
    if normalization not in (None, "component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {shown(normalization)}")
    axis = tuple(size).index(-1)
    leading = (*size[:axis], *size[axis + 1 :])
    array = normal_array(irreps, key, leading, normalize=normalization == "norm")
    return array_namespace(array).moveaxis(array, -1, axis)


def _transform_by(rotation: str) -> Callable[..., Any]:
    """Return a method that rotates plain arrays of shape (..., irreps.dim)."""

    def transform(irreps: _Irreps, array: Any, *args: Any, **kwargs: Any) -> Any:
        D = getattr(irreps, f"D_from_{rotation}")(*args, **kwargs)
        xp = array_namespace(array, D)
        D = xp.asarray(D, dtype=array.dtype if xp.isdtype(array.dtype, "real floating") else None)
        return matmul(D, array[..., None])[..., 0]

    return transform


_RELEASE = ("0.14.0", "2022-12-16")

RENAMED = {
    "randn": Renamed(*_RELEASE, "irreps_core.normal", _randn),
    "transform_by_angles": Renamed(*_RELEASE, "IrrepsArray.transform_by_angles", _transform_by("angles")),
    "transform_by_axis_angle": Renamed(*_RELEASE, "IrrepsArray.transform_by_axis_angle", _transform_by("axis_angle")),
    "transform_by_matrix": Renamed(*_RELEASE, "IrrepsArray.transform_by_matrix", _transform_by("matrix")),
    "transform_by_quaternion": Renamed(*_RELEASE, "IrrepsArray.transform_by_quaternion", _transform_by("quaternion")),
}
