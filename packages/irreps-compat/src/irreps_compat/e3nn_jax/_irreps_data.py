"""`IrrepsData`: the data type of e3nn-jax before 0.7, which counts its axes without that of the irreps."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, cast

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, concatenate, from_chunks, ones, zeros

P = ParamSpec("P")


@jax.tree_util.register_pytree_node_class
class IrrepsData:
    """Data and its irreps. Today this is :class:`irreps_core.IrrepsArray`, whose shape has the axis of the irreps, too.

    Indices, shapes and what the data is multiplied by belong to the leading axes alone. JAX sees the array
    `contiguous` as its one leaf; the irreps, and which items are zero (None in `list`), belong to the tree structure.

    Args:
        irreps: the irreps.
        contiguous: array of shape (..., irreps.dim).
        list: for each item an array of shape (..., mul, 2l+1), of which only is read what is None: known to be zero.

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

    __array_ufunc__ = None  # NumPy arrays on the left leave the operation to this class

    def __init__(self, irreps: IntoIrreps, contiguous: Any, list: Sequence[Any] | None = None) -> None:
        """See the class."""
        self._set(IrrepsArray(irreps, contiguous, chunks=list))

    def _set(self, array: IrrepsArray) -> None:
        self.irreps, self.contiguous, self._zero_flags = array.irreps, array.array, array.zero_flags

    @classmethod
    def of(cls, array: IrrepsArray) -> "IrrepsData":
        """The same data, from today's type."""
        self = object.__new__(cls)
        self._set(array)
        return self

    @property
    def irreps_array(self) -> IrrepsArray:
        """The same data, in today's type."""
        return IrrepsArray(self.irreps, self.contiguous, zero_flags=self._zero_flags)

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Irreps, tuple[bool, ...]]]:
        """For JAX."""
        return (self.contiguous,), (self.irreps, self._zero_flags)

    @classmethod
    def tree_unflatten(cls, aux: tuple[Irreps, tuple[bool, ...]], leaves: tuple[Any]) -> "IrrepsData":
        """For JAX, which may put anything in place of the array."""
        self = object.__new__(cls)
        (self.irreps, self._zero_flags), (self.contiguous,) = aux, leaves
        return self

    # Making

    @staticmethod
    def from_contiguous(irreps: IntoIrreps, contiguous: Any) -> "IrrepsData":
        """From an array of shape (..., irreps.dim)."""
        return IrrepsData(irreps, contiguous)

    @staticmethod
    def from_list(irreps: IntoIrreps, list: Sequence[Any], shape: Sequence[int]) -> "IrrepsData":
        """From an array of shape (*shape, mul, 2l+1) for each item; None for zeros."""
        return IrrepsData.of(from_chunks(irreps, list, shape, jnp.zeros(()).dtype))

    @staticmethod
    def new(irreps: IntoIrreps, any: Any) -> "IrrepsData":
        """From data of equivalent irreps, an array or a list of arrays."""
        return IrrepsData.of(IrrepsArray.from_any(irreps, _today(any)))

    @staticmethod
    def zeros(irreps: IntoIrreps, shape: Sequence[int]) -> "IrrepsData":
        """Zeros, None in `list`."""
        return IrrepsData.of(zeros(irreps, shape))

    @staticmethod
    def ones(irreps: IntoIrreps, shape: Sequence[int]) -> "IrrepsData":
        """Ones in every component."""
        return IrrepsData.of(ones(irreps, shape))

    @staticmethod
    def randn(
        irreps: IntoIrreps, key: Any, size: Sequence[int] = (), *, normalization: str | None = None
    ) -> "IrrepsData":
        """Random numbers, see :meth:`Irreps.randn`."""
        return IrrepsData.of(IrrepsArray.randn(irreps, key, size, normalization=normalization))

    @staticmethod
    def cat(args: Sequence[Any], axis: int | str = "irreps") -> "IrrepsData":
        """Join along the irreps (``axis="irreps"``) or along a leading axis."""
        arrays = [_today(x) for x in args]
        if axis == "irreps":
            return IrrepsData.of(concatenate(arrays))
        if not isinstance(axis, int):
            raise ValueError(f"IrrepsData.cat: axis must be 'irreps' or a number, got {axis!r}")
        return IrrepsData.of(concatenate(arrays, _axis(axis, arrays[0].ndim - 1)))

    # The data

    @property
    def array(self) -> Any:
        """`contiguous`, as :class:`IrrepsArray` calls it."""
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
        """Forget which items are known to be zero."""
        return IrrepsData(self.irreps, self.contiguous)

    def remove_nones(self) -> "IrrepsData":
        """Without the items that are known to be zero."""
        return IrrepsData.of(self.irreps_array.remove_zero_chunks())

    def simplify(self) -> "IrrepsData":
        """The same data with the shortest description, see :meth:`Irreps.simplify`."""
        return IrrepsData.of(self.irreps_array.simplify())

    def convert(self, irreps: IntoIrreps) -> "IrrepsData":
        """The same data cut into other items, see :meth:`IrrepsArray.rechunk`."""
        return IrrepsData.of(self.irreps_array.rechunk(irreps))

    def split(self, indices: Sequence[int]) -> "list[IrrepsData]":
        """Cut before the items of these places."""
        return [IrrepsData.of(part) for part in self.irreps_array.split(indices)]

    def repeat_irreps_by_last_axis(self) -> "IrrepsData":
        """Put the entries of the last leading axis one after another, see :meth:`IrrepsArray.axis_to_irreps`."""
        return IrrepsData.of(self.irreps_array.axis_to_irreps())

    def repeat_mul_by_last_axis(self) -> "IrrepsData":
        """Move the last leading axis into the multiplicities, see :meth:`IrrepsArray.axis_to_mul`."""
        return IrrepsData.of(self.irreps_array.axis_to_mul())

    def factor_mul_to_last_axis(self, factor: int | None = None) -> "IrrepsData":
        """Move a factor of the multiplicities to a new axis, see :meth:`IrrepsArray.mul_to_axis`."""
        return IrrepsData.of(self.irreps_array.mul_to_axis(factor))

    # Arithmetic; numbers and arrays are of the leading axes

    def __neg__(self) -> "IrrepsData":
        return IrrepsData.of(-self.irreps_array)

    def __add__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array + _today(other))

    def __sub__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array - _today(other))

    def __mul__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array * _for_each_row(other))

    def __rmul__(self, other: Any) -> "IrrepsData":
        return self * other

    def __truediv__(self, other: Any) -> "IrrepsData":
        return IrrepsData.of(self.irreps_array / _for_each_row(other))

    # Rotations and mirrors

    def transform_by_angles(self, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`IrrepsArray.transform_by_angles`."""
        return IrrepsData.of(self.irreps_array.transform_by_angles(alpha, beta, gamma, k))

    def transform_by_quaternion(self, q: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`IrrepsArray.transform_by_quaternion`."""
        return IrrepsData.of(self.irreps_array.transform_by_quaternion(q, k))

    def transform_by_axis_angle(self, axis: Any, angle: Any, k: Any = 0) -> "IrrepsData":
        """See :meth:`IrrepsArray.transform_by_axis_angle`."""
        return IrrepsData.of(self.irreps_array.transform_by_axis_angle(axis, angle, k))

    def transform_by_matrix(self, R: Any) -> "IrrepsData":
        """See :meth:`IrrepsArray.transform_by_matrix`."""
        return IrrepsData.of(self.irreps_array.transform_by_matrix(R))

    # Last, because within the class it hides Python's own list.
    @property
    def list(self) -> Any:
        """The data of each item, of shape (..., mul, 2l+1); None where it is known to be zero."""
        return self.irreps_array.chunks


@jax.tree_util.register_pytree_node_class
class ArrayLikeIrrepsData(IrrepsData):
    """What products of plain arrays give: IrrepsData that JAX takes as an array, too, ``jnp.sum(x, 0)``.

    Data that came in as IrrepsData is none: ``array * data`` must be left to the data, which keeps its irreps.
    """

    def __jax_array__(self) -> Any:
        return jnp.asarray(self.contiguous)


def _for_each_row(x: Any) -> Any:
    x = x if isinstance(x, np.ndarray) else jnp.asarray(x)
    return x[..., None] if x.ndim else x


def _axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} does not exist, there are {ndim} axes without that of the irreps")
    return axis % ndim


def _today(x: Any) -> Any:
    return x.irreps_array if isinstance(x, IrrepsData) else x


def _earlier(x: Any) -> Any:
    return IrrepsData.of(x) if isinstance(x, IrrepsArray) else x


def _is_data(x: Any) -> bool:
    return isinstance(x, (IrrepsData, IrrepsArray))


def of_irreps(irreps: IntoIrreps, x: Any) -> Any:
    """What came to a module made for these irreps: to releases before 0.9 it may be a plain array of their data.

    Of scalars alone, an array is what it is today.
    """
    if irreps is None or _is_data(x) or all(ir.is_scalar() for _, ir in Irreps(irreps)):
        return x
    return IrrepsData.new(irreps, x)


def for_irreps_data(function: Callable[P, Any]) -> Callable[P, Any]:
    """A function of IrrepsArrays that takes IrrepsData, too; if it is given any, it gives IrrepsData.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_compat.e3nn_jax import IrrepsData
        >>> for_irreps_data(ic.norm)(IrrepsData.ones("1o", ())).irreps
        1x0e
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        leaves = jax.tree.leaves((args, kwargs), is_leaf=_is_data)
        if not any(isinstance(x, IrrepsData) for x in leaves):
            return function(*args, **kwargs)
        today: Any = jax.tree.map(_today, (args, kwargs), is_leaf=_is_data)
        return jax.tree.map(_earlier, cast(Any, function)(*today[0], **today[1]), is_leaf=_is_data)

    return wrapped
