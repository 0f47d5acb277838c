"""`IrrepsData`: the data type of e3nn-jax before 0.7, whose shape does not include the axis of the irreps."""

import itertools
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, cast

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, IrrepsArray, as_irreps_array, concatenate, from_chunks, normal, ones, zeros

from ._irreps import Irreps
from ._irreps_array import own, to_core

P = ParamSpec("P")


def floating(x: Any) -> IrrepsArray:
    """Convert data to an IrrepsArray of floating-point numbers on a JAX array; a plain array is scalars."""
    x = as_irreps_array(x)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.zeros(()).dtype
    return IrrepsArray(x.irreps, jnp.asarray(x.array, dtype), zero_flags=x.zero_flags)


@jax.tree_util.register_pytree_node_class
class IrrepsData:
    """Data and its irreps; the present form is :class:`irreps_core.IrrepsArray`, whose shape has one axis more.

    Indices, shapes and factors refer to the leading axes alone. In a JAX pytree, the array `contiguous` is the one
    leaf; the irreps, and which items are zero (None in `list`), are part of the structure.

    Args:
        irreps: the irreps.
        contiguous: array of shape (..., irreps.dim).
        list: for each item an array of shape ``(..., mul, 2l+1)``, or None if the item is known to be zero. Only the
            positions of None are used.

    Example:
        >>> import jax.numpy as jnp
        >>> from irreps_compat.e3nn_jax import IrrepsData
        >>> x = IrrepsData.from_list("0e + 1o", [None, jnp.ones((2, 1, 3))], (2,))
        >>> x.shape, x.contiguous.shape, x.list[0]
        ((2,), (2, 4), None)
        >>> (x * jnp.array([1.0, 2.0]))[1]
        IrrepsData(1x0e+1x1o [0. 2. 2. 2.])
    """

    irreps: Irreps
    contiguous: Any

    __array_ufunc__ = None  # so that NumPy arrays leave binary operations to this class

    def __init__(self, irreps: IntoIrreps, contiguous: Any, list: Sequence[Any] | None = None) -> None:
        """See the class."""
        self._set(IrrepsArray(Irreps(irreps), contiguous, chunks=list))

    def _set(self, array: IrrepsArray) -> None:
        self.irreps, self.contiguous, self._zero_flags = Irreps(array.irreps), array.array, array.zero_flags

    @classmethod
    def of(cls, array: IrrepsArray) -> "IrrepsData":
        """Convert an IrrepsArray to IrrepsData."""
        self = object.__new__(cls)
        self._set(array)
        return self

    @property
    def irreps_array(self) -> IrrepsArray:
        """The same data as an IrrepsArray."""
        return IrrepsArray(self.irreps, self.contiguous, zero_flags=self._zero_flags)

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Irreps, tuple[bool, ...]]]:
        """Return the array, and the irreps and zero flags, for JAX."""
        return (self.contiguous,), (self.irreps, self._zero_flags)

    @classmethod
    def tree_unflatten(cls, aux: tuple[Irreps, tuple[bool, ...]], leaves: tuple[Any]) -> "IrrepsData":
        """Rebuild from the results of :meth:`tree_flatten`; the leaf may be any object."""
        self = object.__new__(cls)
        (self.irreps, self._zero_flags), (self.contiguous,) = aux, leaves
        return self

    # Creation

    @staticmethod
    def from_contiguous(irreps: IntoIrreps, contiguous: Any) -> "IrrepsData":
        """Return data from an array of shape (..., irreps.dim)."""
        return IrrepsData(irreps, contiguous)

    @staticmethod
    def from_list(irreps: IntoIrreps, list: Sequence[Any], shape: Sequence[int]) -> "IrrepsData":
        """Return data from an array of shape ``(*shape, mul, 2l+1)`` for each item; None for zeros."""
        return IrrepsData.of(from_chunks(Irreps(irreps), list, shape, jnp.zeros(()).dtype))

    @staticmethod
    def new(irreps: IntoIrreps, any: Any) -> "IrrepsData":
        """Return data from data of equivalent irreps, an array, or a list of the arrays of the items."""
        irreps = Irreps(irreps)
        if _is_data(any):
            return IrrepsData.of(_to_present(any).rechunk(irreps))
        if not isinstance(any, (list, tuple)):
            return IrrepsData(irreps, any)
        known = [chunk for chunk in any if chunk is not None]
        if not known:
            raise ValueError("IrrepsData.new cannot infer the shape from a list of None: use IrrepsData.zeros")
        return IrrepsData.of(from_chunks(irreps, any, known[0].shape[:-2]))

    @staticmethod
    def zeros(irreps: IntoIrreps, shape: Sequence[int]) -> "IrrepsData":
        """Return zeros, None in `list`."""
        return IrrepsData.of(zeros(Irreps(irreps), shape))

    @staticmethod
    def ones(irreps: IntoIrreps, shape: Sequence[int]) -> "IrrepsData":
        """Return ones in every component."""
        return IrrepsData.of(ones(Irreps(irreps), shape))

    @staticmethod
    def randn(
        irreps: IntoIrreps, key: Any, size: Sequence[int] = (), *, normalization: str | None = None
    ) -> "IrrepsData":
        """Return normal random numbers; with ``normalization="norm"``, irreps of norm 1."""
        if normalization not in (None, "component", "norm"):
            raise ValueError(f"normalization must be 'component' or 'norm', got {normalization!r}")
        return IrrepsData.of(normal(Irreps(irreps), key, size, normalize=normalization == "norm"))

    @staticmethod
    def cat(args: Sequence[Any], axis: int | str = "irreps") -> "IrrepsData":
        """Join data along the irreps (``axis="irreps"``) or along a leading axis."""
        arrays = [_to_present(x) for x in args]
        if axis == "irreps":
            return IrrepsData.of(concatenate(arrays))
        if not isinstance(axis, int):
            raise ValueError(f"IrrepsData.cat: axis must be 'irreps' or a number, got {axis!r}")
        return IrrepsData.of(concatenate(arrays, _axis(axis, arrays[0].ndim - 1)))

    # Attributes

    @property
    def array(self) -> Any:
        """The array `contiguous`, under its name in :class:`IrrepsArray`."""
        return self.contiguous

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the axis of the irreps."""
        return tuple(self.contiguous.shape[:-1])

    @property
    def ndim(self) -> int:
        """Number of axes without that of the irreps."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """Dtype of the array."""
        return self.contiguous.dtype

    def __repr__(self) -> str:
        text = str(self.contiguous)
        return f"IrrepsData({self.irreps}{chr(10) if chr(10) in text else ' '}{text})"

    def __len__(self) -> int:
        return len(self.irreps_array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.contiguous.__array__(dtype)

    # Rearranging

    def __getitem__(self, index: Any) -> "IrrepsData":
        index = index if isinstance(index, tuple) else (index,)
        return IrrepsData.of(
            self.irreps_array[(*index, slice(None))] if Ellipsis in index else self.irreps_array[index]
        )

    def reshape(self, shape: Sequence[int]) -> "IrrepsData":
        """Reshape the leading axes."""
        return IrrepsData.of(self.irreps_array.reshape((*shape, self.irreps.dim)))

    def broadcast_to(self, shape: Sequence[int]) -> "IrrepsData":
        """Broadcast the leading axes."""
        return IrrepsData.of(self.irreps_array.broadcast_to((*shape, self.irreps.dim)))

    def replace_none_with_zeros(self) -> "IrrepsData":
        """Treat every item as data, also those known to be zero."""
        return IrrepsData(self.irreps, self.contiguous)

    def remove_nones(self) -> "IrrepsData":
        """Remove the items that are known to be zero."""
        return IrrepsData.of(self.irreps_array.remove_zero_chunks())

    def simplify(self) -> "IrrepsData":
        """Merge equal neighbouring irreps, see :meth:`irreps_core.Irreps.simplify`."""
        return IrrepsData.of(self.irreps_array.simplify())

    def convert(self, irreps: IntoIrreps) -> "IrrepsData":
        """Split the data into other items, see :meth:`irreps_core.IrrepsArray.rechunk`."""
        return IrrepsData.of(self.irreps_array.rechunk(irreps))

    def split(self, indices: Sequence[int]) -> "list[IrrepsData]":
        """Split before the items of these indices."""
        cuts = [0, *indices, len(self.irreps)]
        return [IrrepsData.of(self.irreps_array.slice_by_chunk[i:j]) for i, j in itertools.pairwise(cuts)]

    def repeat_irreps_by_last_axis(self) -> "IrrepsData":
        """Concatenate along the last leading axis, see :meth:`irreps_core.IrrepsArray.axis_to_irreps`."""
        return IrrepsData.of(self.irreps_array.axis_to_irreps())

    def repeat_mul_by_last_axis(self) -> "IrrepsData":
        """Move the last leading axis into the multiplicities, see :meth:`irreps_core.IrrepsArray.axis_to_mul`."""
        return IrrepsData.of(self.irreps_array.axis_to_mul())

    def factor_mul_to_last_axis(self, factor: int | None = None) -> "IrrepsData":
        """Move a factor of the multiplicities to a new axis, see :meth:`irreps_core.IrrepsArray.mul_to_axis`."""
        return IrrepsData.of(self.irreps_array.mul_to_axis(factor))

    # Arithmetic

    def __neg__(self) -> "IrrepsData":
        return IrrepsData.of(-self.irreps_array)

    def __add__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array + _to_present(other))

    def __sub__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array - _to_present(other))

    def __mul__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array * _with_irreps_axis(other))

    def __rmul__(self, other: Any) -> "IrrepsData":
        return self * other

    def __truediv__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array / _with_irreps_axis(other))

    # Rotations and mirrors

    def transform_by_angles(self, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`irreps_core.IrrepsArray.transform_by_angles`."""
        return IrrepsData.of(self.irreps_array.transform_by_angles(alpha, beta, gamma, k))

    def transform_by_quaternion(self, q: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`irreps_core.IrrepsArray.transform_by_quaternion`."""
        return IrrepsData.of(self.irreps_array.transform_by_quaternion(q, k))

    def transform_by_axis_angle(self, axis: Any, angle: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`irreps_core.IrrepsArray.transform_by_axis_angle`."""
        return IrrepsData.of(self.irreps_array.transform_by_axis_angle(axis, angle, k))

    def transform_by_matrix(self, R: Any) -> "IrrepsData":
        """See :meth:`irreps_core.IrrepsArray.transform_by_matrix`."""
        return IrrepsData.of(self.irreps_array.transform_by_matrix(R))

    # Last, because it hides Python's list within the class.
    @property
    def list(self) -> Any:
        """The data of each item, of shape ``(..., mul, 2l+1)``; None if it is known to be zero."""
        return self.irreps_array.chunks


@jax.tree_util.register_pytree_node_class
class ArrayLikeIrrepsData(IrrepsData):
    """The product of plain arrays: IrrepsData that JAX also accepts as an array, ``jnp.sum(x, 0)``.

    Other IrrepsData is not array-like, so that ``array * data`` is left to the data, which keeps its irreps.
    """

    def __jax_array__(self) -> Any:
        return jnp.asarray(self.contiguous)


def _with_irreps_axis(x: Any) -> Any:
    """Add an axis to a factor of the leading axes, so that it broadcasts over the irreps."""
    x = x if isinstance(x, np.ndarray) else jnp.asarray(x)
    return x[..., None] if x.ndim else x


def _axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} does not exist, there are {ndim} axes without that of the irreps")
    return axis % ndim


def _to_present(x: Any) -> Any:
    return x.irreps_array if isinstance(x, IrrepsData) else to_core(x)


def _to_earlier(x: Any) -> Any:
    return IrrepsData.of(x) if isinstance(x, IrrepsArray) else x


def _is_data(x: Any) -> bool:
    return isinstance(x, (IrrepsData, IrrepsArray))


def of_irreps(irreps: IntoIrreps, x: Any) -> Any:
    """Convert a plain array to IrrepsData of the irreps that a layer was made for, as releases before 0.9 did.

    An array for a layer of scalars remains an array, as in the present release.
    """
    if irreps is None or _is_data(x) or all(ir.is_scalar() for _, ir in Irreps(irreps)):
        return x
    return IrrepsData.new(irreps, x)


def for_irreps_data(function: Callable[P, Any]) -> Callable[P, Any]:
    """Make a function of IrrepsArrays accept IrrepsData; it then returns IrrepsData.

    Otherwise the results are converted to the types of this package, see :func:`own`.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_compat.e3nn_jax import IrrepsData
        >>> for_irreps_data(irr.norm)(IrrepsData.ones("1o", ())).irreps
        1x0e
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        leaves = jax.tree.leaves((args, kwargs), is_leaf=_is_data)
        if not any(isinstance(x, IrrepsData) for x in leaves):
            return own(cast(Any, function)(*to_core(args), **to_core(kwargs)))
        present: Any = jax.tree.map(_to_present, (args, kwargs), is_leaf=_is_data)
        return jax.tree.map(_to_earlier, cast(Any, function)(*present[0], **present[1]), is_leaf=_is_data)

    wrapped.__module__ = __package__ or ""  # its public home, not that of the function which it wraps
    return wrapped
