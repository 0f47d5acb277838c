"""Names of earlier releases of e3nn-jax for what `Irreps` and `IrrepsArray` call otherwise today."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from irreps_core.irreps._irreps import IntoIrreps

    from ._irreps_array import IrrepsArray


def _data(irreps: Any, array: Any) -> "IrrepsArray":
    from ._irreps_array import IrrepsArray

    return IrrepsArray(irreps, array)


class EarlierIrrepsArrayNames:
    """Attributes of e3nn-jax's `IrrepsArray` that have other names today. New programs use those.

    Example:
        >>> import numpy as np
        >>> from irreps_core import IrrepsArray
        >>> x = IrrepsArray.from_list("2x0e + 1o", [None, np.ones((1, 3))], ())
        >>> x.list
        [None, array([[1., 1., 1.]])]
        >>> x.remove_nones().contiguous
        array([1., 1., 1.])
    """

    __slots__ = ()

    @staticmethod
    def from_list(
        irreps: "IntoIrreps",
        chunks: Sequence[Any],
        leading_shape: Sequence[int],
        dtype: Any = None,
        *,
        backend: Any = None,
    ) -> "IrrepsArray":
        """Today :func:`irreps_core.from_chunks`; of no data it makes zeros of the default dtype."""
        from ._creation import from_chunks, zeros

        if dtype is None and all(chunk is None for chunk in chunks):
            dtype = zeros("", (), backend=backend).dtype
        return from_chunks(irreps, chunks, leading_shape, dtype, backend=backend)

    @staticmethod
    def from_any(irreps: "IntoIrreps", any: Any) -> "IrrepsArray":
        """Today ``IrrepsArray(irreps, array)``, :func:`irreps_core.from_chunks` or :meth:`IrrepsArray.rechunk`."""
        from ._creation import from_chunks
        from ._irreps_array import IrrepsArray

        if isinstance(any, IrrepsArray):
            return any.rechunk(irreps)
        if not isinstance(any, (list, tuple)):
            return IrrepsArray(irreps, any)
        known = [chunk for chunk in any if chunk is not None]
        if not known:
            raise ValueError("IrrepsArray.from_any cannot tell the shape when every chunk is None: use zeros")
        return from_chunks(irreps, any, known[0].shape[:-2])

    @staticmethod
    def as_irreps_array(array: Any, *, backend: Any = None) -> "IrrepsArray":
        """Today :func:`irreps_core.as_irreps_array`."""
        from ._creation import as_irreps_array

        return as_irreps_array(array, backend=backend)

    @staticmethod
    def zeros(irreps: "IntoIrreps", leading_shape: Sequence[int], dtype: Any = None) -> "IrrepsArray":
        """Today :func:`irreps_core.zeros`."""
        from ._creation import zeros

        return zeros(irreps, leading_shape, dtype)

    @staticmethod
    def zeros_like(irreps_array: "IrrepsArray") -> "IrrepsArray":
        """Today :func:`irreps_core.zeros_like`."""
        from ._creation import zeros_like

        return zeros_like(irreps_array)

    @staticmethod
    def ones(irreps: "IntoIrreps", leading_shape: Sequence[int], dtype: Any = None) -> "IrrepsArray":
        """Today :func:`irreps_core.ones`."""
        from ._creation import ones

        return ones(irreps, leading_shape, dtype)

    @staticmethod
    def randn(
        irreps: "IntoIrreps", key: Any, leading_shape: Sequence[int] = (), *, normalization: str | None = None
    ) -> "IrrepsArray":
        """Today :func:`irreps_core.normal`."""
        from irreps_core.irreps._irreps import Irreps

        irreps = Irreps(irreps)
        return _data(irreps, irreps.randn(key, (*leading_shape, -1), normalization=normalization))

    @staticmethod
    def cat(args: Sequence[Any], axis: int = -1) -> "IrrepsArray":
        """Today :func:`irreps_core.concatenate`."""
        from ._combining import concatenate

        return concatenate(args, axis)

    @property
    def contiguous(self) -> Any:
        """Today :attr:`IrrepsArray.array`."""
        return self._today.array

    def remove_nones(self) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.remove_zero_chunks`."""
        return self._today.remove_zero_chunks()

    def replace_none_with_zeros(self) -> "IrrepsArray":
        """Forget which items are known to be zero."""
        return _data(self._today.irreps, self._today.array)

    def sorted(self) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.sort`."""
        return self._today.sort()

    def filtered(self, *args: Any, **kwargs: Any) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.filter`."""
        return self._today.filter(*args, **kwargs)

    def convert(self, irreps: "IntoIrreps") -> "IrrepsArray":
        """Today :meth:`IrrepsArray.rechunk`."""
        return self._today.rechunk(irreps)

    def _convert(self, irreps: "IntoIrreps") -> "IrrepsArray":
        return self._today.rechunk(irreps)

    def split(self, indices: Sequence[Any]) -> "list[IrrepsArray]":
        """Today :attr:`IrrepsArray.slice_by_chunk`.

        Args:
            indices: before which items to cut; or the irreps of each part.

        Raises:
            ValueError: the irreps of the parts together are not those of the data.
        """
        from irreps_core.irreps._irreps import Irreps

        x = self._today
        if not all(isinstance(i, int) for i in indices):
            parts = [Irreps(part) for part in indices]
            x = x.rechunk(Irreps([item for part in parts for item in part]))
            indices = list(itertools.accumulate(len(part) for part in parts[:-1]))
        cuts = [0, *indices, len(x.irreps)]
        return [x.slice_by_chunk[i:j] for i, j in itertools.pairwise(cuts)]

    def repeat_irreps_by_last_axis(self, axis: int = -2) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.axis_to_irreps`."""
        return self._today.axis_to_irreps(axis)

    def repeat_mul_by_last_axis(self, axis: int = -2) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.axis_to_mul`."""
        return self._today.axis_to_mul(axis)

    def factor_mul_to_last_axis(self, factor: int | None = None, axis: int = -2) -> "IrrepsArray":
        """Today :meth:`IrrepsArray.mul_to_axis`."""
        return self._today.mul_to_axis(factor, axis)

    @property
    def _today(self) -> "IrrepsArray":
        return cast("IrrepsArray", self)

    # Last, because within the class it hides Python's own list.
    @property
    def list(self) -> Any:
        """Today :attr:`IrrepsArray.chunks`."""
        return self._today.chunks
