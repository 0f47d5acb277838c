"""Names of earlier releases of e3nn-jax for what `Irreps` calls otherwise today."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from irreps_core.arrays._irreps_array import IrrepsArray

    from ._irreps import Irreps


class EarlierIrrepsNames:
    """Methods that e3nn-jax removed from its `Irreps`. New programs use what each of them names."""

    __slots__ = ()

    def randn(self, key: Any, size: Sequence[int], *, normalization: str | None = None) -> Any:
        """Random numbers as a plain array; today :func:`irreps_core.normal`.

        Args:
            key: a JAX random key or a ``numpy.random.Generator``.
            size: shape of the array; -1 stands for the axis of the irreps.
            normalization: ``"component"`` (default): every component has variance 1; ``"norm"``: every irrep has
                norm 1.

        Raises:
            ValueError: `size` has not exactly one -1, or unknown normalization.

        Example:
            >>> import numpy as np
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 1o").randn(np.random.default_rng(0), (4, -1, 2)).shape
            (4, 5, 2)
        """
        from irreps_core._inputs._namespace import array_namespace
        from irreps_core.arrays._creation import normal

        if tuple(size).count(-1) != 1:
            raise ValueError(f"size must have one -1, for the axis of the irreps, got {tuple(size)}")
        if normalization not in (None, "component", "norm"):
            raise ValueError(f"normalization must be 'component' or 'norm', got {normalization!r}")
        axis = tuple(size).index(-1)
        leading = (*size[:axis], *size[axis + 1 :])
        array = normal(cast("Irreps", self), key, leading, normalize=normalization == "norm").array
        return array_namespace(array).moveaxis(array, -1, axis)

    def transform_by_angles(self, array: Any, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> Any:
        """Rotate a plain array; today :meth:`IrrepsArray.transform_by_angles`."""
        return _data(self, array).transform_by_angles(alpha, beta, gamma, k).array

    def transform_by_quaternion(self, array: Any, q: Any, k: Any = 0) -> Any:
        """Rotate a plain array; today :meth:`IrrepsArray.transform_by_quaternion`."""
        return _data(self, array).transform_by_quaternion(q, k).array

    def transform_by_axis_angle(self, array: Any, axis: Any, angle: Any, k: Any = 0) -> Any:
        """Rotate a plain array; today :meth:`IrrepsArray.transform_by_axis_angle`."""
        return _data(self, array).transform_by_axis_angle(axis, angle, k).array

    def transform_by_matrix(self, array: Any, R: Any) -> Any:
        """Rotate or mirror a plain array; today :meth:`IrrepsArray.transform_by_matrix`."""
        return _data(self, array).transform_by_matrix(R).array


def _data(irreps: Any, array: Any) -> "IrrepsArray":
    from irreps_core.arrays._irreps_array import IrrepsArray

    return IrrepsArray(irreps, array)
