"""`IrrepsArray`: an array together with the irreps of its last axis."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace
from irreps_core._inputs._renamed import Renamed, renamed_attribute
from irreps_core.irreps._irreps import IntoIrreps, Irreps, Selection
from irreps_core.irreps._slicing import ChunkSlicer, DimSlicer, MulSlicer
from irreps_core.representations._direct_sum import rotation_and_inversions
from irreps_core.rotations._angles import angles_to_quaternion
from irreps_core.rotations._axis_angle import axis_angle_to_quaternion
from irreps_core.rotations._log_coordinates import log_coordinates_to_quaternion

from . import _arithmetic as arithmetic
from . import _indexing as indexing
from . import _rearranging as rearranging
from ._base import ArrayBase, describe
from ._pytree import register
from ._transforming import transform

# Former names of attributes. `_renamed.py` fills it, because the functions there build on this class.
RENAMED: dict[str, Renamed] = {}


class _FindsFormerNames(type):
    """The class of `IrrepsArray`, for former names of the class itself such as ``IrrepsArray.from_list``."""

    if not TYPE_CHECKING:  # a type checker should not accept every name

        def __getattr__(cls, name: str) -> Any:
            return renamed_attribute(RENAMED, name, cls)


class IrrepsArray(ArrayBase, metaclass=_FindsFormerNames):
    """An array whose last axis holds data of given irreps.

    The items of the irreps follow one another on the last axis. Within ``mul x ir`` the multiplicity comes first and
    the component (:math:`m = -l, ..., l`) last. An operation that is not equivariant raises an error that says what to
    do instead. For plain numbers take :attr:`array`: an IrrepsArray has no truth value, unless it is a single number,
    and does not become a NumPy array by itself, unless it consists of scalars 0e.

    An IrrepsArray is immutable. With JAX it is a pytree with one leaf, the array. The flags of the items that are known
    to be zero are not part of the pytree, so that they never change a tree structure.

    Args:
        irreps: the irreps of the last axis.
        array: a NumPy or JAX array of shape (..., irreps.dim).
        zero_flags: for each item of the irreps whether its data is known to be zero; in `array`, that data must be
            zero.
        chunks: a list as :attr:`chunks`, instead of `zero_flags`: only the positions of None are used, which mark the
            items that are known to be zero.

    Attributes:
        irreps: the irreps.
        array: the array.
        zero_flags: for each item whether it is known to be zero.

    Raises:
        ValueError: the last axis does not have length irreps.dim, or there are not as many flags as items.
        TypeError: `array` is not an array.

    Example:
        >>> import numpy as np
        >>> from irreps_core import IrrepsArray
        >>> x = IrrepsArray("2x0e + 1o", np.array([[1.0, 2.0, 0.0, 3.0, 4.0]]))
        >>> x
        2x0e+1x1o
        [[1. 2. 0. 3. 4.]]
        >>> x[0, "1o"]
        1x1o [0. 3. 4.]
        >>> [chunk.shape for chunk in x.chunks]
        [(1, 2, 1), (1, 1, 3)]
        >>> x + 2 * x
        2x0e+1x1o
        [[ 3.  6.  0.  9. 12.]]
        >>> x + 1.0
        Traceback (most recent call last):
        ...
        ValueError: IrrepsArray(2x0e+1x1o, shape=(1, 5)) + 1.0 is not equivariant: ...
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker should not accept every name

        def __getattr__(self, name: str) -> Any:
            return renamed_attribute(RENAMED, name, type(self), self)

    # The array

    def __bool__(self) -> bool:
        """Return the truth value of a single number, as any array does.

        Raises:
            ValueError: the array does not have exactly one element.
        """
        if math.prod(self.shape) != 1:
            raise ValueError(
                f"the truth value of {describe(self)} is ambiguous: reduce its .array, for example "
                "jnp.allclose(x.array, y.array) or (x.array == y.array).all()"
            )
        return bool(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Convert scalars 0e to a NumPy array. Data of other irreps would lose them: write ``x.array``.

        Raises:
            TypeError: there are other irreps than 0e.
        """
        if not all(ir.is_scalar() for _, ir in self.irreps):
            raise TypeError(
                f"{describe(self)} does not become a plain array by itself, because that would lose its irreps: "
                "write x.array"
            )
        return np.asarray(self.array, dtype, copy=copy)

    def __len__(self) -> int:
        if self.ndim == 1:
            raise TypeError(f"len() of {describe(self)} is not defined: its only axis is that of the irreps")
        return self.array.shape[0]

    def __iter__(self) -> Iterator["IrrepsArray"]:
        if self.ndim == 1:
            raise TypeError(f"cannot iterate over the irreps axis of {describe(self)}: use .chunks")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        data = str(self.array)
        return f"{self.irreps}{chr(10) if chr(10) in data else ' '}{data}"

    def astype(self, dtype: Any) -> "IrrepsArray":
        """Return the same data in another dtype."""
        return IrrepsArray(self.irreps, self.array.astype(dtype), zero_flags=self.zero_flags)

    # Indexing

    def __getitem__(self, index: Any) -> "IrrepsArray":
        """Index the leading axes as in any array, and the last one by irreps or by a slice between irreps.

        Examples are ``x[0]``, ``x[mask]``, ``x[:, None]``, ``x[..., "1o + 2e"]`` (the items next to one another that
        have these irreps, which must occur once) and ``x[..., 3:6]`` (from component 3 to before component 6).

        Raises:
            IndexError: the irreps do not occur exactly once, a cut falls inside an irrep, or the irreps axis is indexed
                in any other way.
        """
        return indexing.get(self, index)

    @property
    def at(self) -> "indexing.At[IrrepsArray]":
        """Updated copies: ``x.at[index].set(y)`` and ``x.at[index].add(y)``, with an index as in ``x[index]``.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.ones(4)).at[..., "1o"].set(0)
            1x0e+1x1o [1. 0. 0. 0.]
        """
        return indexing.At(self)

    @property
    def slice_by_mul(self) -> MulSlicer["IrrepsArray"]:
        """Slices of the last axis that count irreps: ``x.slice_by_mul[1:3]``.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("2x0e + 1o", np.arange(5)).slice_by_mul[1:]
            1x0e+1x1o [1 2 3 4]
        """
        return rearranging.slice_by_mul(self)

    @property
    def slice_by_dim(self) -> DimSlicer["IrrepsArray"]:
        """Slices of the last axis that count components, cut between irreps: ``x.slice_by_dim[2:5]``.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("2x0e + 1o", np.arange(5)).slice_by_dim[2:]
            1x1o [2 3 4]
        """
        return rearranging.slice_by_dim(self)

    @property
    def slice_by_chunk(self) -> ChunkSlicer["IrrepsArray"]:
        """Slices of the last axis that count items: ``x.slice_by_chunk[1:]``.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("2x0e + 1o", np.arange(5)).slice_by_chunk[:1]
            2x0e [0 1]
        """
        return rearranging.slice_by_chunk(self)

    # Arithmetic

    def __neg__(self) -> "IrrepsArray":
        return IrrepsArray(self.irreps, -self.array, zero_flags=self.zero_flags)

    def __add__(self, other: Any) -> "IrrepsArray":
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> "IrrepsArray":
        return arithmetic.add(self, other)

    def __sub__(self, other: Any) -> "IrrepsArray":
        return arithmetic.add(self, -other, sign="-", shown=other)

    def __rsub__(self, other: Any) -> "IrrepsArray":
        return arithmetic.add(-self, other)

    def __mul__(self, other: Any) -> "IrrepsArray":
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: Any) -> "IrrepsArray":
        return arithmetic.multiply(self, other)

    def __truediv__(self, other: Any) -> "IrrepsArray":
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> "IrrepsArray":
        return arithmetic.reciprocal(self, other)

    def __pow__(self, exponent: Any) -> "IrrepsArray":
        return arithmetic.power(self, exponent)

    def __eq__(self, other: object) -> "IrrepsArray":  # type: ignore[override]  # elementwise, as arrays do
        """Return for each irrep whether all its components are equal, as scalars 0e."""
        return arithmetic.equal(self, other)

    def __ne__(self, other: object) -> "IrrepsArray":  # type: ignore[override]  # elementwise, as arrays do
        equal = arithmetic.equal(self, other)
        return IrrepsArray(equal.irreps, ~equal.array)

    __hash__ = None  # type: ignore[assignment]  # unhashable, as any array

    # Rearranging, see _rearranging.py

    def rechunk(self, irreps: IntoIrreps) -> "IrrepsArray":
        """Cut the same data into other items: irreps that differ only in how neighbours are merged.

        Raises:
            ValueError: the simplified irreps differ.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("3x0e + 0e", np.arange(4)).rechunk("2x0e + 2x0e")
            2x0e+2x0e [0 1 2 3]
        """
        return rearranging.rechunk(self, Irreps(irreps))

    def simplify(self) -> "IrrepsArray":
        """Return the same data with the shortest description; see :meth:`Irreps.simplify`."""
        return rearranging.rechunk(self, self.irreps.simplify())

    def unify(self) -> "IrrepsArray":
        """Merge neighbouring items of the same irrep; see :meth:`Irreps.unify`."""
        return rearranging.rechunk(self, self.irreps.unify())

    def sort(self) -> "IrrepsArray":
        """Sort the items by irrep; see :meth:`Irreps.sort`."""
        return rearranging.take_items(self, self.irreps.sort().inv)

    def regroup(self) -> "IrrepsArray":
        """Sort and simplify, so that every irrep occurs once.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o + 2x0e", np.arange(6)).regroup()
            3x0e+1x1o [0 4 5 1 2 3]
        """
        return self.sort().simplify()

    def remove_zero_chunks(self) -> "IrrepsArray":
        """Drop the items that are known to be zero."""
        return rearranging.take_items(self, [i for i, zero in enumerate(self.zero_flags) if not zero])

    def filter(
        self,
        keep: Selection = None,
        *,
        drop: Selection = None,
        lmax: int | None = None,
        mask: Sequence[bool] | None = None,
    ) -> "IrrepsArray":
        """Keep some of the items, selected as in :meth:`Irreps.filter`.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 2x1o + 2x0e", np.arange(9)).filter("1o")
            2x1o [1 2 3 4 5 6]
        """
        chosen = self.irreps.filter_mask(keep, drop=drop, lmax=lmax, mask=mask)
        return rearranging.take_items(self, [i for i, yes in enumerate(chosen) if yes])

    def extend_with_zeros(self, new_irreps: IntoIrreps) -> "IrrepsArray":
        """Put the items, in their order, into larger irreps, with zeros between them.

        Raises:
            ValueError: the items of this array do not occur in that order.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.array([1, 3, 3, 3])).extend_with_zeros("2x0e + 0e + 1o")
            2x0e+1x0e+1x1o [0 0 1 3 3 3]
        """
        return rearranging.extend_with_zeros(self, Irreps(new_irreps))

    def reshape(self, *shape: Any) -> "IrrepsArray":
        """Reshape the leading axes; the last entry of the shape is irreps.dim or -1.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.ones((6, 4))).reshape(2, 3, -1).shape
            (2, 3, 4)
        """
        return rearranging.reshape(self, shape[0] if len(shape) == 1 else shape)

    def broadcast_to(self, shape: Sequence[int]) -> "IrrepsArray":
        """Broadcast the leading axes; the last entry of the shape is irreps.dim or -1.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.ones(4)).broadcast_to((2, -1)).shape
            (2, 4)
        """
        return rearranging.broadcast_to(self, tuple(shape))

    def mul_to_axis(self, factor: int | None = None, axis: int = -2) -> "IrrepsArray":
        """Move a factor of every multiplicity to a new axis.

        Args:
            factor: the length of the new axis (default: the greatest common divisor of the multiplicities).
            axis: the place of the new axis in the result.

        Raises:
            ValueError: the factor does not divide every multiplicity, or the axis is the last one.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("4x0e + 2x1o", np.arange(10)).mul_to_axis()
            2x0e+1x1o
            [[0 1 4 5 6]
             [2 3 7 8 9]]
        """
        return rearranging.mul_to_axis(self, factor, axis)

    def axis_to_mul(self, axis: int = -2) -> "IrrepsArray":
        """Move an axis into the multiplicities: the inverse of :meth:`mul_to_axis`.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.arange(8).reshape(2, 4)).axis_to_mul()
            2x0e+2x1o [0 4 1 2 3 5 6 7]
        """
        return rearranging.axis_to_mul(self, axis)

    def axis_to_irreps(self, axis: int = -2) -> "IrrepsArray":
        """Put the entries of an axis one after another on the last axis, and simplify the irreps.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o", np.arange(8).reshape(2, 4)).axis_to_irreps()
            1x0e+1x1o+1x0e+1x1o [0 1 2 3 4 5 6 7]
        """
        return rearranging.axis_to_irreps(self, axis)

    def irreps_to_axis(self, length: int, axis: int = -2) -> "IrrepsArray":
        """Cut the last axis into `length` equal sequences of items: the inverse of :meth:`axis_to_irreps`.

        Raises:
            ValueError: the irreps are not `length` times the same sequence.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("0e + 1o + 0e + 1o", np.arange(8)).irreps_to_axis(2)
            1x0e+1x1o
            [[0 1 2 3]
             [4 5 6 7]]
        """
        return rearranging.irreps_to_axis(self, length, axis)

    # Rotations and mirrors, see _transforming.py

    def transform_by_angles(
        self, alpha: Any, beta: Any, gamma: Any, k: Any = 0, inverse: bool = False
    ) -> "IrrepsArray":
        """Rotate by Ry(alpha) Rx(beta) Ry(gamma) (radians) after `k` inversions of space.

        Args:
            alpha: third rotation, about y; a number or an array that broadcasts with the leading axes.
            beta: second rotation, about x.
            gamma: first rotation, about y.
            k: how many times space is inverted.
            inverse: apply the inverse instead.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("1o", np.array([0.0, 0.0, 1.0])).transform_by_angles(np.pi / 2, 0.0, 0.0)
            1x1o [1.  0.  0.]
        """
        alpha, beta, gamma = (_like(self.array, a) for a in (alpha, beta, gamma))
        return transform(self, angles_to_quaternion(alpha, beta, gamma), k, inverse=inverse)

    def transform_by_quaternion(self, q: Any, k: Any = 0, inverse: bool = False) -> "IrrepsArray":
        """Rotate by a quaternion (w, x, y, z) of shape (..., 4) after `k` inversions of space."""
        return transform(self, _like(self.array, q), k, inverse=inverse)

    def transform_by_matrix(self, R: Any, inverse: bool = False) -> "IrrepsArray":
        """Rotate or mirror by orthogonal matrices of shape (..., 3, 3); others are refused.

        Matrices that JAX traces are checked inside ``irreps_ops.checked`` alone.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("1o + 1e", np.arange(6.0)).transform_by_matrix(-np.eye(3))  # the inversion of space
            1x1o+1x1e [ 0. -1. -2.  3.  4.  5.]
        """
        q, k = rotation_and_inversions(_like(self.array, R))
        return transform(self, q, k, inverse=inverse)

    def transform_by_axis_angle(self, axis: Any, angle: Any, k: Any = 0, inverse: bool = False) -> "IrrepsArray":
        """Rotate about `axis` (..., 3) by `angle` (...) radians after `k` inversions of space."""
        q = axis_angle_to_quaternion(_like(self.array, axis), _like(self.array, angle))
        return transform(self, q, k, inverse=inverse)

    def transform_by_log_coordinates(self, log_coordinates: Any, k: Any = 0, inverse: bool = False) -> "IrrepsArray":
        """Rotate by log coordinates (axis times angle) of shape (..., 3) after `k` inversions of space."""
        q = log_coordinates_to_quaternion(_like(self.array, log_coordinates))
        return transform(self, q, k, inverse=inverse)


def _like(array: Any, x: Any) -> Any:
    """Convert `x` (numbers or an array) to the library of either, in the floating dtype of `array`."""
    xp = array_namespace(array, x)
    dtype = array.dtype if xp.isdtype(array.dtype, "real floating") else None
    return xp.asarray(x, dtype=dtype)


register(IrrepsArray)
