"""Names that e3nn-jax renamed in its `IrrepsArray`, or removed from it."""

import itertools
from collections.abc import Sequence
from typing import Any

from irreps_core._inputs._renamed import Renamed
from irreps_core._inputs._shown import shown
from irreps_core.irreps._irreps import IntoIrreps, Irreps

from ._combining import concatenate
from ._creation import as_irreps_array, from_chunks, normal, ones, zeros, zeros_like
from ._irreps_array import RENAMED, IrrepsArray


def _from_list(
    irreps: IntoIrreps, chunks: Sequence[Any], leading_shape: Sequence[int], dtype: Any = None, *, backend: Any = None
) -> IrrepsArray:
    """Return :func:`from_chunks`; without data, zeros of the default dtype."""
    if dtype is None and all(chunk is None for chunk in chunks):
        dtype = zeros("", (), backend=backend).dtype
    return from_chunks(irreps, chunks, leading_shape, dtype, backend=backend)


def _from_any(irreps: IntoIrreps, any: Any) -> IrrepsArray:
    """Return an IrrepsArray of the data in `any`: an IrrepsArray, an array or a list of chunks."""
    if isinstance(any, IrrepsArray):
        return any.rechunk(irreps)
    if not isinstance(any, (list, tuple)):
        return IrrepsArray(irreps, any)
    known = [chunk for chunk in any if chunk is not None]
    if not known:
        raise ValueError("IrrepsArray.from_any cannot tell the shape when every chunk is None: use zeros")
    return from_chunks(irreps, any, known[0].shape[:-2])


def _randn(
    irreps: IntoIrreps, key: Any, leading_shape: Sequence[int] = (), *, normalization: str | None = None
) -> IrrepsArray:
    """Return random numbers; with ``normalization="norm"`` every irrep has norm 1."""
    if normalization not in (None, "component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {shown(normalization)}")
    return normal(irreps, key, leading_shape, normalize=normalization == "norm")


def _cat(args: Sequence[Any], axis: int = -1) -> IrrepsArray:
    """Return :func:`concatenate`, whose first argument is called `args`."""
    return concatenate(args, axis)


def _replace_none_with_zeros(x: IrrepsArray) -> IrrepsArray:
    """Return the same data, in which no item is known to be zero."""
    return IrrepsArray(x.irreps, x.array)


def _split(x: IrrepsArray, indices: Sequence[Any]) -> list[IrrepsArray]:
    """Cut before the items of the given numbers, or into parts of the given irreps.

    Raises:
        ValueError: the irreps of the parts together are not those of the data.
    """
    if not all(isinstance(i, int) for i in indices):
        parts = [Irreps(part) for part in indices]
        x = x.rechunk(Irreps([item for part in parts for item in part]))
        indices = list(itertools.accumulate(len(part) for part in parts[:-1]))
    cuts = [0, *indices, len(x.irreps)]
    return [x.slice_by_chunk[i:j] for i, j in itertools.pairwise(cuts)]


# The releases of e3nn-jax, by date.
_DATES = {
    "0.7.0": "2022-08-03",
    "0.9.0": "2022-09-04",
    "0.10.0": "2022-10-05",
    "0.11.0": "2022-11-08",
    "0.12.0": "2022-11-16",
    "0.14.0": "2022-12-16",
    "0.19.0": "2023-06-21",
}
# Release, former name, today's name, attribute.
_NAMES = [
    ("0.7.0", "contiguous", "IrrepsArray.array", IrrepsArray.array),
    ("0.9.0", "cat", "irreps_core.concatenate", staticmethod(_cat)),
    ("0.9.0", "from_any", "irreps_core.IrrepsArray", staticmethod(_from_any)),
    ("0.10.0", "split", "IrrepsArray.slice_by_chunk", _split),
    ("0.11.0", "factor_mul_to_last_axis", "IrrepsArray.mul_to_axis", IrrepsArray.mul_to_axis),
    ("0.11.0", "repeat_mul_by_last_axis", "IrrepsArray.axis_to_mul", IrrepsArray.axis_to_mul),
    ("0.12.0", "convert", "IrrepsArray.rechunk", IrrepsArray.rechunk),
    ("0.12.0", "filtered", "IrrepsArray.filter", IrrepsArray.filter),
    ("0.12.0", "repeat_irreps_by_last_axis", "IrrepsArray.axis_to_irreps", IrrepsArray.axis_to_irreps),
    ("0.12.0", "sorted", "IrrepsArray.sort", IrrepsArray.sort),
    ("0.14.0", "randn", "irreps_core.normal", staticmethod(_randn)),
    ("0.19.0", "_convert", "IrrepsArray.rechunk", IrrepsArray.rechunk),
    ("0.19.0", "as_irreps_array", "irreps_core.as_irreps_array", staticmethod(as_irreps_array)),
    ("0.19.0", "from_list", "irreps_core.from_chunks", staticmethod(_from_list)),
    ("0.19.0", "list", "IrrepsArray.chunks", IrrepsArray.chunks),
    ("0.19.0", "ones", "irreps_core.ones", staticmethod(ones)),
    ("0.19.0", "remove_nones", "IrrepsArray.remove_zero_chunks", IrrepsArray.remove_zero_chunks),
    ("0.19.0", "replace_none_with_zeros", "irreps_core.IrrepsArray", _replace_none_with_zeros),
    ("0.19.0", "zeros", "irreps_core.zeros", staticmethod(zeros)),
    ("0.19.0", "zeros_like", "irreps_core.zeros_like", staticmethod(zeros_like)),
]

RENAMED.update(
    {name: Renamed(release, _DATES[release], today, attribute) for release, name, today, attribute in _NAMES}
)
