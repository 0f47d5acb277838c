"""What the compute core computes: a sparse polynomial over rows, channels and components, as data.

Every equivariant operation is a sum of *paths*

    out[r, c, k]  +=  value * in_1[r, c_1, i_1] * in_2[r, c_2, i_2] * ...

over rows r (nodes, edges), channels c (multiplicities) and a short list of terms (i_1, i_2, ..., k; value), the
Clebsch-Gordan coefficients. Which channels are shared, summed or kept is said by *modes*, as in an Einstein sum:
``("u", "v", "uvw", "w")`` is a fully connected product with weights uvw. An operand is read or written row by row,
or is shared by all rows, or its row is looked up in an index (senders, receivers).

A polynomial is data: it can be differentiated, transposed, batched and pruned without running it, and each result is
a polynomial again. How it is run is the executors' affair.
"""

import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

EACH = "each row"
SHARED = "shared"


@dataclass(frozen=True)
class Operand:
    """An array that a polynomial reads or writes, of shape ([rows,] components, *channels): channels are contiguous.

    Attributes:
        components: length of the component axis.
        channels: lengths of the channel axes, which come last.
        rows: ``EACH`` (a row for each row of the iteration), ``SHARED`` (no row axis: the same for all rows; as an
            output, the sum over all rows), or the name of the index that says which row.
        name: for printing.
    """

    components: int
    channels: tuple[int, ...] = ()
    rows: str = EACH
    name: str = field(default="", compare=False)

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return math.prod(self.channels) * self.components

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row, (components, *channels)."""
        return (self.components, *self.channels)

    @property
    def indexed(self) -> bool:
        """Whether the row is looked up in an index."""
        return self.rows not in (EACH, SHARED)

    @property
    def row_axes(self) -> int:
        """1 if there is a row axis, else 0."""
        return 0 if self.rows == SHARED else 1


class Coefficients:
    """Sparse coefficients: which components of the operands meet, and the value. Immutable, equal by content.

    Attributes:
        terms: int32 of shape (n, operands): a component of each input and, last, of the output.
        values: float64 of shape (n,).
    """

    __slots__ = ("_hash", "terms", "values")

    def __init__(self, terms: np.ndarray, values: np.ndarray) -> None:
        """Equal terms are added up; zeros are dropped."""
        terms = np.asarray(terms, np.int32).reshape(len(values), -1)
        values = np.asarray(values, np.float64)
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
        return np.array_equal(self.terms, other.terms) and np.array_equal(self.values, other.values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Coefficients({len(self)} terms)"

    @classmethod
    def from_dense(cls, tensor: np.ndarray) -> "Coefficients":
        """The nonzeros of a tensor with an axis for each operand, the output last."""
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
        inputs: places of the inputs, ascending; the same one may occur several times.
        output: place of the output.
        modes: for each input, and last for the output, a letter for each of its channel axes. Letters that the output
            lacks are summed over; letters that only the output has are broadcast.
        coefficients: which components meet.
    """

    inputs: tuple[int, ...]
    output: int
    modes: tuple[str, ...]
    coefficients: Coefficients


def canonical(path: Path) -> Path:
    """The same path with its inputs in ascending order, its letters renamed by first use, its terms symmetrised.

    Where one operand stands in several places with the same modes, the order of its components means nothing; it is
    made ascending, so that equal monomials are one term.
    """
    order = sorted(range(len(path.inputs)), key=lambda s: (path.inputs[s], path.modes[s]))
    inputs = tuple(path.inputs[s] for s in order)
    modes = [path.modes[s] for s in order]
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
    letters = dict.fromkeys("".join([*modes, path.modes[-1]]))
    rename = str.maketrans(dict(zip(letters, string.ascii_letters, strict=False)))
    return Path(
        inputs,
        path.output,
        tuple(m.translate(rename) for m in [*modes, path.modes[-1]]),
        Coefficients(terms, path.coefficients.values),
    )


@dataclass(frozen=True)
class Polynomial:
    """A sparse polynomial: operands and paths. Immutable, equal and hashed by content.

    Attributes:
        inputs: the operands that are read.
        outputs: the operands that are written.
        paths: what is added to the outputs. :func:`simplified` makes them canonical.
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        """Check that operands and paths fit."""
        for path in self.paths:
            self._check(path)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.inputs, self.outputs, self.paths))

    def operands(self, path: Path) -> tuple[Operand, ...]:
        """The inputs of a path and, last, its output."""
        return (*(self.inputs[i] for i in path.inputs), self.outputs[path.output])

    def extents(self, path: Path) -> dict[str, int]:
        """How many channels each letter of a path runs over."""
        found: dict[str, int] = {}
        for modes, operand in zip(path.modes, self.operands(path), strict=True):
            found.update(zip(modes, operand.channels, strict=True))
        return found

    def _check(self, path: Path) -> None:
        extents: dict[str, int] = {}
        for slot, (modes, operand) in enumerate(zip(path.modes, self.operands(path), strict=True)):
            if len(modes) != len(operand.channels):
                raise ValueError(f"modes {modes!r} do not name the channels {operand.channels} of {operand}")
            for letter, extent in zip(modes, operand.channels, strict=True):
                if extents.setdefault(letter, extent) != extent:
                    raise ValueError(f"mode {letter!r} has {extents[letter]} channels, and {extent} in {operand}")
            terms = path.coefficients.terms
            if len(terms) and not 0 <= terms[:, slot].min() <= terms[:, slot].max() < operand.components:
                raise ValueError(f"a term names component {terms[:, slot].max()} of {operand}")

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Names of the indices that rows are looked up in, in the order of their first use."""
        return tuple(dict.fromkeys(o.rows for o in (*self.inputs, *self.outputs) if o.indexed))

    # Algebra: each result is a polynomial again.

    def derivative(self, active: Sequence[bool]) -> "Polynomial":
        """The directional derivative: the inputs followed by a tangent for each active one; the same outputs."""
        tangents = [i for i, yes in enumerate(active) if yes]
        place = {i: len(self.inputs) + n for n, i in enumerate(tangents)}
        paths = []
        for path in self.paths:
            for slot, i in enumerate(path.inputs):
                if active[i]:
                    inputs = (*path.inputs[:slot], place[i], *path.inputs[slot + 1 :])
                    paths.append(Path(inputs, path.output, path.modes, path.coefficients))
        inputs = (*self.inputs, *(self.inputs[i] for i in tangents))
        return simplified(inputs, self.outputs, paths)

    def transpose(self, linear: Sequence[bool]) -> "Polynomial":
        """The transpose in the inputs in which it is linear.

        Inputs: those that are not linear, then the old outputs; outputs: the linear inputs.
        """
        kept = [i for i, yes in enumerate(linear) if not yes]
        turned = [i for i, yes in enumerate(linear) if yes]
        place = {i: n for n, i in enumerate(kept)}
        paths = []
        for path in self.paths:
            (slot,) = (s for s, i in enumerate(path.inputs) if linear[i])
            rest = [s for s in range(len(path.inputs)) if s != slot]
            inputs = (*(place[path.inputs[s]] for s in rest), len(kept) + path.output)
            modes = (*(path.modes[s] for s in rest), path.modes[-1], path.modes[slot])
            terms = path.coefficients.terms[:, [*rest, -1, slot]]
            output = turned.index(path.inputs[slot])
            paths.append(Path(inputs, output, modes, Coefficients(terms, path.coefficients.values)))
        inputs = (*(self.inputs[i] for i in kept), *self.outputs)
        return simplified(inputs, tuple(self.inputs[i] for i in turned), paths)

    def batch(self, size: int, batched: Sequence[bool]) -> "tuple[Polynomial, list[bool]]":
        """A first channel axis of length `size` for the batched inputs and what depends on them.

        Returns:
            The polynomial, and for each output whether it has the new axis.
        """
        depends = [False] * len(self.outputs)
        for path in self.paths:
            depends[path.output] |= any(batched[i] for i in path.inputs)
        paths = []
        for path in self.paths:
            used = {letter for modes in path.modes for letter in modes}
            new = next(letter for letter in string.ascii_letters if letter not in used)
            flags = [*(batched[i] for i in path.inputs), depends[path.output]]
            modes = tuple(new + m if yes else m for m, yes in zip(path.modes, flags, strict=True))
            paths.append(Path(path.inputs, path.output, modes, path.coefficients))

        def widened(operands: tuple[Operand, ...], flags: Sequence[bool]) -> tuple[Operand, ...]:
            return tuple(
                Operand(o.components, (size, *o.channels), o.rows, o.name) if yes else o
                for o, yes in zip(operands, flags, strict=True)
            )

        return simplified(widened(self.inputs, batched), widened(self.outputs, depends), paths), depends

    def select(self, used: Sequence[bool]) -> "tuple[Polynomial, list[bool]]":
        """Only some of the outputs, and only the inputs that these need.

        Returns:
            The polynomial, and for each input whether it is still there.
        """
        paths = [path for path in self.paths if used[path.output]]
        needed = {i for path in paths for i in path.inputs}
        keeps = [i in needed for i in range(len(self.inputs))]
        new_in = {i: n for n, i in enumerate(sorted(needed))}
        new_out = {o: n for n, o in enumerate(o for o, yes in enumerate(used) if yes)}
        renumbered = [
            Path(tuple(new_in[i] for i in p.inputs), new_out[p.output], p.modes, p.coefficients) for p in paths
        ]
        return (
            Polynomial(
                tuple(o for o, yes in zip(self.inputs, keeps, strict=True) if yes),
                tuple(o for o, yes in zip(self.outputs, used, strict=True) if yes),
                tuple(renumbered),
            ),
            keeps,
        )

    # Counting and printing

    def multiply_adds(self) -> int:
        """Multiply-adds for one row, term by term: an upper bound on what an executor has to do."""
        return sum(
            len(path.coefficients) * max(len(path.inputs), 1) * math.prod(self.extents(path).values())
            for path in self.paths
        )

    def numbers(self) -> tuple[int, int]:
        """Numbers read and written for one row; what is shared by all rows is counted once, with the first."""
        return sum(o.size for o in self.inputs), sum(o.size for o in self.outputs)

    def explain(self) -> str:
        """What reads what, with how many terms: a table for people."""
        read, written = self.numbers()
        lines = [
            f"{len(self.paths)} paths, {sum(len(p.coefficients) for p in self.paths)} terms, "
            f"{self.multiply_adds()} multiply-adds, {read} numbers read and {written} written for each row"
        ]
        for kind, operands in (("in", self.inputs), ("out", self.outputs)):
            for n, o in enumerate(operands):
                shape = " x ".join(map(str, o.shape))
                lines.append(f"  {kind}{n} {o.name or '-'}: {shape}, {o.rows}")
        for path in self.paths:
            factors = " ".join(f"in{i}[{m}]" for i, m in zip(path.inputs, path.modes, strict=False))
            lines.append(f"  out{path.output}[{path.modes[-1]}] += {len(path.coefficients)} terms of {factors}")
        return "\n".join(lines)


def simplified(inputs: Iterable[Operand], outputs: Iterable[Operand], paths: Iterable[Path]) -> Polynomial:
    """The polynomial with canonical paths: equal ones merged, equal terms added, empty ones removed."""
    merged: dict[tuple[tuple[int, ...], int, tuple[str, ...]], list[Coefficients]] = {}
    for path in map(canonical, paths):
        merged.setdefault((path.inputs, path.output, path.modes), []).append(path.coefficients)
    kept = []
    for (sources, output, modes), parts in merged.items():
        coefficients = parts[0]
        if len(parts) > 1:
            terms, values = np.concatenate([p.terms for p in parts]), np.concatenate([p.values for p in parts])
            coefficients = Coefficients(terms, values)
        if len(coefficients):
            kept.append(Path(sources, output, modes, coefficients))
    return Polynomial(tuple(inputs), tuple(outputs), tuple(kept))
