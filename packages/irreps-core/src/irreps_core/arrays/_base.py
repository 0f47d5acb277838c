"""The data structure of `IrrepsArray`: an array, the irreps of its last axis, and flags of the items that are zero.

Functions that compute with an `IrrepsArray` depend on this class alone, and build results with ``type(x)``.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core.irreps._irreps import IntoIrreps, Irreps

A = TypeVar("A", bound="ArrayBase")


class ArrayBase:
    """An array and the irreps of its last axis; see :class:`irreps_core.IrrepsArray`."""

    __slots__ = ("__weakref__", "array", "irreps", "zero_flags")

    irreps: Irreps
    array: Any
    zero_flags: tuple[bool, ...]

    # With these, NumPy arrays and numbers on the left of an operator leave the operation to this class.
    __array_ufunc__ = None
    __array_priority__ = 1000

    def __init__(
        self,
        irreps: IntoIrreps,
        array: Any,
        *,
        zero_flags: Sequence[bool] | None = None,
        chunks: Sequence[Any] | None = None,
    ) -> None:
        """Check that the array fits the irreps; see :class:`irreps_core.IrrepsArray`."""
        irreps = Irreps(irreps)
        shape = getattr(array, "shape", None)
        if not isinstance(shape, tuple) or not hasattr(array, "dtype"):
            raise TypeError(
                f"IrrepsArray({irreps}, ...) expects a NumPy or JAX array, got {type(array).__name__}: "
                "convert it first, for example with jnp.asarray"
            )
        if len(shape) == 0 or shape[-1] != irreps.dim:
            raise ValueError(
                f"IrrepsArray({irreps}, ...) expects an array whose last axis has length {irreps.dim}, "
                f"got shape {shape}"
            )
        if zero_flags is None and chunks is not None:
            zero_flags = [chunk is None for chunk in chunks]
        if zero_flags is None:
            zero_flags = (False,) * len(irreps)
        elif len(zero_flags) != len(irreps):
            raise ValueError(f"IrrepsArray({irreps}, ...) expects {len(irreps)} zero flags, got {len(zero_flags)}")
        self._fill(irreps, array, tuple(bool(z) for z in zero_flags))

    def _fill(self, irreps: Irreps, array: Any, zero_flags: tuple[bool, ...]) -> None:
        object.__setattr__(self, "irreps", irreps)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "zero_flags", zero_flags)

    @classmethod
    def _unchecked(cls: type[A], irreps: Irreps, array: Any) -> A:
        """Make an instance with whatever JAX puts in place of the array: tracers, shapes, None, any object."""
        self = object.__new__(cls)
        self._fill(irreps, array, (False,) * len(irreps))
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"IrrepsArray is immutable: make a new one instead of setting {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"IrrepsArray is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.irreps, self.array, self.zero_flags)

    # The array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, (..., irreps.dim)."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """Dtype of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, that of the irreps included."""
        return len(self.array.shape)

    @property
    def chunks(self) -> list[Any]:
        """The data of each item, of shape ``(..., mul, 2l+1)``; None where it is known to be zero.

        In NumPy these are views of the array. In JAX they are the results of one split, whose derivative is one
        concatenation.

        Example:
            >>> import numpy as np
            >>> from irreps_core import IrrepsArray
            >>> IrrepsArray("2x0e + 1o", np.arange(5.0)).chunks
            [array([[0.], [1.]]), array([[2., 3., 4.]])]

        Raises:
            ValueError: the last axis is not that of the irreps, because a transformation of JAX such as
                ``jax.vmap(..., out_axes=-1)`` put another axis there.
        """
        if self.array.shape[-1:] != (self.irreps.dim,):
            raise ValueError(
                f"{describe(self)}: the last axis must have length {self.irreps.dim}. A transformation such as "
                "jax.vmap(..., out_axes=-1) or jax.jacobian put another axis there: use other axes, irreps_core.vmap, "
                "or .array"
            )
        leading = self.array.shape[:-1]
        pieces = _split(self.array, [item.dim for item in self.irreps])
        return [
            None if zero else piece.reshape((*leading, item.mul, item.ir.dim))
            for piece, item, zero in zip(pieces, self.irreps, self.zero_flags, strict=True)
        ]


def _rebuild(array_class: type[A], irreps: Irreps, array: Any, zero_flags: tuple[bool, ...]) -> A:
    return array_class(irreps, array, zero_flags=zero_flags)


def _split(array: Any, lengths: list[int]) -> list[Any]:
    """Cut the last axis. In JAX this is one split, whose transpose is a concatenation instead of a sum of paddings."""
    if len(lengths) == 1:
        return [array]
    if is_jax(array):
        import jax  # optional; the array is JAX's

        return list(jax.lax.split(array, lengths, axis=array.ndim - 1)) if lengths else []
    return np.split(array, np.cumsum(lengths)[:-1], axis=-1) if lengths else []


def describe(x: Any) -> str:
    """Return a short description of an operand for error messages."""
    if isinstance(x, ArrayBase):
        return f"IrrepsArray({x.irreps}, shape={tuple(x.shape)})"
    if hasattr(x, "shape") and tuple(x.shape) != ():
        return f"array(shape={tuple(x.shape)})"
    return repr(x) if isinstance(x, (int, float, complex)) else type(x).__name__


def default_backend() -> Any:
    """Return ``jax.numpy`` where JAX is installed, else ``numpy``: the library of arrays made from nothing."""
    try:
        import jax.numpy as jnp  # JAX is optional
    except ImportError:
        return np
    return jnp


def from_chunks(
    array_class: type[A],
    irreps: IntoIrreps,
    chunks: Sequence[Any],
    leading_shape: Sequence[int],
    dtype: Any = None,
    *,
    backend: Any = None,
) -> A:
    """Build an array of `array_class` from the data of each item; see :func:`irreps_core.from_chunks`."""
    irreps = Irreps(irreps)
    leading = tuple(leading_shape)
    if len(chunks) != len(irreps):
        raise ValueError(f"from_chunks expects {len(irreps)} chunks for {irreps}, got {len(chunks)}")
    for item, chunk in zip(irreps, chunks, strict=True):
        if chunk is None:
            continue
        if not hasattr(chunk, "shape"):
            raise TypeError(f"from_chunks expects arrays as chunks, got {type(chunk).__name__} for {item}")
        if tuple(chunk.shape) != (*leading, item.mul, item.ir.dim):
            raise ValueError(
                f"from_chunks: the chunk of {item} must have shape {(*leading, item.mul, item.ir.dim)}, "
                f"got {tuple(chunk.shape)}"
            )
    known = [chunk for chunk in chunks if chunk is not None]
    xp = array_namespace(*known) if known else (backend or default_backend())
    if known:
        dtype = known[0].dtype if len(known) == 1 else xp.result_type(*known)
    elif dtype is None:
        raise ValueError("from_chunks: dtype must be given when every chunk is None")
    flat = [
        xp.zeros((*leading, item.dim), dtype) if chunk is None else chunk.reshape((*leading, item.dim))
        for item, chunk in zip(irreps, chunks, strict=True)
    ]
    if len(flat) == 1:
        array = flat[0]
    else:
        array = xp.concatenate(flat, axis=-1) if flat else xp.zeros((*leading, 0), dtype)
    return array_class(irreps, array, zero_flags=[chunk is None for chunk in chunks])
