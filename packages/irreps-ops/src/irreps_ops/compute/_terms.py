"""Operands, sparse coefficients and paths: the parts of a polynomial."""

import enum
import math
import operator
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from irreps_core import converted, frozen, shown


class Access(enum.Enum):
    """How an operand that is not indexed relates to the batch.

    Attributes:
        BATCHED: the array has a batch axis, one entry for each element of the batch.
        BROADCAST: the array has no batch axis. As an input it is the same for the whole batch; as an output it is the
            sum over the batch.

    Example:
        >>> from irreps_ops.compute import Access, Operand
        >>> Operand(3, (8,), Access.BROADCAST, "weights").access
        <Access.BROADCAST: 'broadcast'>
    """

    BATCHED = "batched"
    BROADCAST = "broadcast"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Index:
    """Access through an index: element b of the batch uses row ``index[b]`` of the operand.

    An input is gathered, an output is scattered and added up.

    Attributes:
        name: of the index, such as ``"senders"``.
        padding: whether an entry equal to the number of rows marks padding; :func:`checked` refuses it otherwise.

    Raises:
        ValueError: the name is empty or not a string.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Index, Operand, Path, Polynomial, evaluate
        >>> same = Path((0,), 0, ("", ""), Coefficients.from_dense(np.eye(1)))
        >>> polynomial = Polynomial((Operand(1, (), Index("senders")),), (Operand(1),), (same,))
        >>> out = evaluate(polynomial, [jnp.array([[5.0], [7.0]])], indices={"senders": jnp.array([1, 1, 0])})
        >>> out[0][:, 0].tolist()
        [7.0, 7.0, 5.0]
    """

    name: str
    padding: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"the name of an index must be a string that is not empty, got {shown(self.name)}")

    def __str__(self) -> str:
        return f"index {self.name}"


AnyAccess: TypeAlias = Access | Index


def _integer(value: Any) -> Any:
    """Return an integer as an int, and anything else unchanged for `validate` to refuse."""
    try:
        return operator.index(value)
    except TypeError:
        return value


def _integers(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(_integer, values))


@frozen
class Operand:
    """An array that a polynomial reads or writes, of shape ([batch,] components, *channels).

    Channels are contiguous: executors are fastest on this layout. With ``components_last=True`` the shape is
    ([batch,] *channels, components), so that data in that order need not be transposed.

    Attributes:
        components: length of the component axis.
        channels: lengths of the channel axes.
        access: ``Access.BATCHED``, ``Access.BROADCAST`` or an :class:`Index`.
        name: for printing.
        dtype: storage dtype, where it differs from the dtype of the arithmetic; see :class:`Contraction`.
        components_last: whether the component axis comes after the channel axes.

    Raises:
        ValueError: a count is negative or not an integer.
        TypeError: `access` is neither an :class:`Access` nor an :class:`Index`.

    Example:
        >>> from irreps_ops import compute
        >>> compute.Operand(3, (8,), name="vectors").channels
        (8,)
    """

    components: int = converted(_integer)
    channels: tuple[int, ...] = converted(_integers, default=())
    access: AnyAccess = Access.BATCHED
    name: str = field(default="", compare=False)
    dtype: str | None = None
    components_last: bool = False

    def validate(self) -> None:
        """Check counts and access."""
        for what, counts in (("components", (self.components,)), ("channels", self.channels)):
            if any(not isinstance(n, int) or n < 0 for n in counts):
                name, got = shown(self.name), shown(counts)
                raise ValueError(f"the {what} of operand {name} must be integers of 0 or more, got {got}")
        if not isinstance(self.access, (Access, Index)):
            raise TypeError(
                f"the access of operand {self.name!r} must be Access.BATCHED, Access.BROADCAST or an Index, "
                f"got {self.access!r}"
            )

    @property
    def size(self) -> int:
        """Number of elements, without the batch axis."""
        return math.prod(self.channels) * self.components

    def laid_out(self, component: Any, channels: Any) -> Any:
        """Join a sequence for the component axis and one for the channel axes in the order of the array."""
        return channels + component if self.components_last else component + channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the batch axis, (components, *channels) or (*channels, components)."""
        return self.laid_out((self.components,), self.channels)

    @property
    def component_axis(self) -> int:
        """Position of the component axis of the array."""
        return self.batch_axes + (len(self.channels) if self.components_last else 0)

    @property
    def channel_axis(self) -> int:
        """Position of the first channel axis of the array."""
        return self.batch_axes + (0 if self.components_last else 1)

    @property
    def index(self) -> str | None:
        """Name of the index through which the operand is accessed; None without one."""
        return self.access.name if isinstance(self.access, Index) else None

    @property
    def batch_axes(self) -> int:
        """1 if the array has a batch axis (or rows that an index chooses from), else 0."""
        return 0 if self.access is Access.BROADCAST else 1

    def __str__(self) -> str:
        """Name, shape and access: ``x: 3 x 8, index senders``."""
        more = ", components last" * (self.components_last and bool(self.channels))
        more += f", {self.dtype}" if self.dtype else ""
        return f"{self.name or '-'}: {' x '.join(map(str, self.shape))}, {self.access}{more}"


class Coefficients:
    """Sparse coefficients: which components of the operands meet, and with which value. Immutable, equal by content.

    Values are float64; executors cast them once, to the dtype of the arithmetic.

    Attributes:
        terms: int32 of shape (n, operands): a component of each input and, last, of the output.
        values: float64 of shape (n,).

    Example:
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients
        >>> Coefficients(np.array([[0, 1, 0], [0, 1, 0], [1, 1, 0]]), np.array([1.0, 2.0, 0.0])).values
        array([3.])
    """

    __slots__ = ("_hash", "terms", "values")

    def __init__(self, terms: np.ndarray, values: np.ndarray) -> None:
        """Add up equal terms and drop zeros.

        Raises:
            ValueError: not one term for each value, a negative component, or a value that is not finite.
        """
        terms, values = np.asarray(terms), np.asarray(values, np.float64)
        if terms.ndim != 2 or values.shape != terms.shape[:1] or not np.issubdtype(terms.dtype, np.integer):
            raise ValueError(
                "coefficients must be integer terms of shape (n, operands) and n values, "
                f"got terms {terms.dtype}{terms.shape} and values of shape {values.shape}"
            )
        if terms.size and terms.min() < 0:
            raise ValueError(f"a term names component {terms.min()}; components are counted from 0")
        if not np.isfinite(values).all():
            raise ValueError("coefficients must be finite, got nan or inf")
        terms = terms.astype(np.int32)
        if len(values):
            terms, position = np.unique(terms, axis=0, return_inverse=True)
            values = np.bincount(position.reshape(-1), values, len(terms))
        kept = values != 0
        self.terms, self.values = np.ascontiguousarray(terms[kept]), values[kept]
        self.terms.flags.writeable = self.values.flags.writeable = False
        self._hash = hash((self.terms.shape, self.terms.tobytes(), self.values.tobytes()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coefficients):
            return NotImplemented
        return self._hash == other._hash and (
            np.array_equal(self.terms, other.terms) and np.array_equal(self.values, other.values)
        )

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Coefficients({len(self)} terms)"

    @classmethod
    def from_dense(cls, tensor: np.ndarray) -> "Coefficients":
        """Return the nonzeros of a tensor with an axis for each operand, the output last."""
        tensor = np.asarray(tensor)
        terms = np.argwhere(tensor)
        return cls(terms, tensor[tuple(terms.T)])

    def dense(self, shape: Sequence[int]) -> np.ndarray:
        """Return the tensor with an axis for each operand."""
        tensor = np.zeros(shape)
        tensor[tuple(self.terms.T)] = self.values
        return tensor


@frozen
class Path:
    """A sum of products of certain inputs, added to a certain output.

    Attributes:
        inputs: positions of the inputs in `Polynomial.inputs`; one may occur several times.
        output: position of the output in `Polynomial.outputs`.
        subscripts: for each input, and last for the output, a letter for each of its channel axes, as in an Einstein
            sum. Letters that the output lacks are summed over; letters that only the output has are broadcast.
        coefficients: which components meet.

    Raises:
        ValueError: subscripts or terms for another number of operands, or subscripts that are not distinct letters.

    Example:
        >>> import numpy as np
        >>> from irreps_ops import compute
        >>> dot = compute.Path((0, 1), 0, ("u", "u", "u"), compute.Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> len(dot.coefficients.values)
        3
    """

    inputs: tuple[int, ...] = converted(tuple)
    output: int
    subscripts: tuple[str, ...] = converted(tuple)
    coefficients: Coefficients

    def validate(self) -> None:
        """Check the conditions that do not depend on the operands."""
        expected = len(self.inputs) + 1
        if len(self.subscripts) != expected:
            raise ValueError(
                f"a path of {expected - 1} inputs needs {expected} subscripts, the output's last; "
                f"got {shown(self.subscripts)}"
            )
        if self.coefficients.terms.shape[1] != expected:
            raise ValueError(
                f"a path of {expected - 1} inputs needs terms of {expected} components, the output's last; "
                f"got terms of {self.coefficients.terms.shape[1]}"
            )
        for letters in self.subscripts:
            if not set(letters) <= set(string.ascii_letters) or len(set(letters)) < len(letters):
                raise ValueError(
                    f"subscripts must be distinct letters, one for each channel axis; got {shown(letters)}"
                )
