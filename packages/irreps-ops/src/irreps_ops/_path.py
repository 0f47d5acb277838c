"""What a polynomial is made of: operands, sparse coefficients, and the paths between operands."""

import itertools
import math
import operator
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

EACH = "each row"
SHARED = "shared"


def _counts(what: str, values: Iterable[Any]) -> tuple[int, ...]:
    """The values as integers that are not negative."""
    found = tuple(values)
    try:
        numbers = tuple(operator.index(n) for n in found)
    except TypeError:
        numbers = (-1,)
    if any(n < 0 for n in numbers):
        raise ValueError(f"{what} must be integers of 0 or more, got {found}")
    return numbers


@dataclass(frozen=True)
class Operand:
    """An array that a polynomial reads or writes, of shape ([rows,] components, *channels): channels are contiguous.

    Executors are fastest on this layout. Data that comes otherwise, multiplicity first and components last, need not
    be transposed for it: ``components_last=True`` says that the shape is ([rows,] *channels, components).

    Attributes:
        components: length of the component axis.
        channels: lengths of the channel axes, which come last.
        rows: ``EACH`` (a row for each row of the iteration), ``SHARED`` (no row axis: the same for all rows; as an
            output, the sum over all rows), or the name of the index that says which row.
        name: for printing.
        dtype: what its numbers are stored as, where that is not the dtype of the arithmetic; see :class:`Task`.
        components_last: whether the component axis is the last one, after the channels.

    Raises:
        ValueError: a count is negative or no integer, or `rows` names nothing.
    """

    components: int
    channels: tuple[int, ...] = ()
    rows: str = EACH
    name: str = field(default="", compare=False)
    dtype: str | None = None
    components_last: bool = False

    def __post_init__(self) -> None:
        """Check the counts."""
        of = f"operand {self.name!r}" if self.name else "an operand"
        object.__setattr__(self, "components", _counts(f"the components of {of}", [self.components])[0])
        object.__setattr__(self, "channels", _counts(f"the channels of {of}", self.channels))
        if not isinstance(self.rows, str) or not self.rows:
            raise ValueError(f"rows of {of} must be EACH, SHARED or the name of an index, got {self.rows!r}")

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return math.prod(self.channels) * self.components

    def laid_out(self, component: Any, channels: Any) -> Any:
        """What belongs to the component axis and what belongs to the channel axes, joined in the order of the array."""
        return channels + component if self.components_last else component + channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row, (components, *channels) or (*channels, components)."""
        return self.laid_out((self.components,), self.channels)

    @property
    def component_axis(self) -> int:
        """Which axis of the array is that of the components."""
        return self.row_axes + (len(self.channels) if self.components_last else 0)

    @property
    def channel_axis(self) -> int:
        """Which axis of the array is the first of the channels."""
        return self.row_axes + (0 if self.components_last else 1)

    @property
    def indexed(self) -> bool:
        """Whether the row is looked up in an index."""
        return self.rows not in (EACH, SHARED)

    @property
    def row_axes(self) -> int:
        """1 if there is a row axis, else 0."""
        return 0 if self.rows == SHARED else 1

    def __str__(self) -> str:
        """Name, shape and rows: ``x: 3 x 8, senders``."""
        more = ", components last" * (self.components_last and bool(self.channels))
        more += f", {self.dtype}" if self.dtype else ""
        return f"{self.name or '-'}: {' x '.join(map(str, self.shape))}, {self.rows}{more}"


class Coefficients:
    """Sparse coefficients: which components of the operands meet, and the value. Immutable, equal by content.

    Values are float64; whoever computes with them casts them once, to the dtype of the arithmetic.

    Attributes:
        terms: int32 of shape (n, operands): a component of each input and, last, of the output.
        values: float64 of shape (n,).

    Example:
        >>> import numpy as np
        >>> from irreps_ops import Coefficients
        >>> Coefficients(np.array([[0, 1, 0], [0, 1, 0], [1, 1, 0]]), np.array([1.0, 2.0, 0.0])).values
        array([3.])
    """

    __slots__ = ("_hash", "terms", "values")

    def __init__(self, terms: np.ndarray, values: np.ndarray) -> None:
        """Equal terms are added up; zeros are dropped.

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
            terms, place = np.unique(terms, axis=0, return_inverse=True)
            values = np.bincount(place.reshape(-1), values, len(terms))
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
        """The nonzeros of a tensor with an axis for each operand, the output last."""
        tensor = np.asarray(tensor)
        terms = np.argwhere(tensor)
        return cls(terms, tensor[tuple(terms.T)])

    def dense(self, shape: Sequence[int]) -> np.ndarray:
        """The tensor with an axis for each operand."""
        tensor = np.zeros(shape)
        tensor[tuple(self.terms.T)] = self.values
        return tensor


@dataclass(frozen=True)
class Path:
    """A sum of products of certain inputs, added to a certain output.

    Attributes:
        inputs: places of the inputs; the same one may occur several times.
        output: place of the output.
        modes: for each input, and last for the output, a letter for each of its channel axes. Letters that the output
            lacks are summed over; letters that only the output has are broadcast.
        coefficients: which components meet.

    Raises:
        ValueError: modes or terms for another number of operands, or modes that are not letters, each once.
    """

    inputs: tuple[int, ...]
    output: int
    modes: tuple[str, ...]
    coefficients: Coefficients

    def __post_init__(self) -> None:
        """Check what does not depend on the operands."""
        expected = len(self.inputs) + 1
        if len(self.modes) != expected:
            raise ValueError(
                f"a path of {expected - 1} inputs needs {expected} modes, the output's last; got {self.modes}"
            )
        if self.coefficients.terms.shape[1] != expected:
            raise ValueError(
                f"a path of {expected - 1} inputs needs terms of {expected} components, the output's last; "
                f"got terms of {self.coefficients.terms.shape[1]}"
            )
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "modes", tuple(self.modes))
        for modes in self.modes:
            if not set(modes) <= set(string.ascii_letters) or len(set(modes)) < len(modes):
                raise ValueError(f"modes must be different letters, one for each channel axis; got {modes!r}")


def canonical(path: Path) -> Path:
    """The same path with its inputs in ascending order, its letters renamed by first use, its terms symmetrised.

    Where one operand stands in several places with the same modes, the order of its components means nothing; it is
    made ascending, so that equal monomials are one term.
    """
    values = path.coefficients.values.tolist()
    found = [_ordered(path, order) for order in _orders(path)]
    if len(found) > 1:
        found = [min(found, key=lambda one: (one[1], sorted(zip(one[2].tolist(), values, strict=True))))]
    inputs, modes, terms = found[0]
    if (inputs, modes) == (path.inputs, path.modes) and np.array_equal(terms, path.coefficients.terms):
        return path
    return Path(inputs, path.output, modes, Coefficients(terms, path.coefficients.values))


def _ordered(path: Path, order: Sequence[int]) -> tuple[tuple[int, ...], tuple[str, ...], np.ndarray]:
    """Inputs, modes and terms of a path with its factors in a certain order, alike ones ascending in every term."""
    inputs = tuple(path.inputs[s] for s in order)
    modes = _renamed([*(path.modes[s] for s in order), path.modes[-1]])
    terms = path.coefficients.terms[:, [*order, -1]]
    start = 0
    while start < len(inputs):
        stop = start + 1
        while stop < len(inputs) and (inputs[stop], modes[stop]) == (inputs[start], modes[start]):
            stop += 1
        if stop - start > 1:
            terms = terms.copy()
            terms[:, start:stop] = np.sort(terms[:, start:stop], axis=1)
        start = stop
    return inputs, modes, terms


def _orders(path: Path) -> list[tuple[int, ...]]:
    """The orders of factors among which the canonical one is: inputs ascend, and those of equal modes stay together.

    Usually that is one. Where an operand occurs with different modes, which of them comes first decides what letters
    they are given, so all possibilities must be compared.
    """
    groups: dict[int, dict[str, list[int]]] = {}
    for slot in sorted(range(len(path.inputs)), key=lambda s: path.inputs[s]):
        groups.setdefault(path.inputs[slot], {}).setdefault(path.modes[slot], []).append(slot)
    choices = []
    for alike in groups.values():
        orders = itertools.permutations(alike.values()) if len(alike) < 5 else [tuple(alike.values())]
        choices.append([list(itertools.chain(*order)) for order in orders])
    return [tuple(itertools.chain(*order)) for order in itertools.product(*choices)]


def _renamed(modes: Sequence[str]) -> tuple[str, ...]:
    """The modes with their letters replaced by a, b, c, ... in the order of their first use."""
    letters = dict.fromkeys("".join(modes))
    rename = str.maketrans(dict(zip(letters, string.ascii_letters, strict=False)))
    return tuple(m.translate(rename) for m in modes)


def merged(paths: Iterable[Path]) -> list[Path]:
    """Canonical paths, those of the same operands and modes made one, those without a term left out."""
    found: dict[tuple[tuple[int, ...], int, tuple[str, ...]], list[Coefficients]] = {}
    for path in map(canonical, paths):
        found.setdefault((path.inputs, path.output, path.modes), []).append(path.coefficients)
    kept = []
    for (inputs, output, modes), parts in found.items():
        coefficients = parts[0]
        if len(parts) > 1:
            terms, values = np.concatenate([p.terms for p in parts]), np.concatenate([p.values for p in parts])
            coefficients = Coefficients(terms, values)
        if len(coefficients):
            kept.append(Path(inputs, output, modes, coefficients))
    return kept
