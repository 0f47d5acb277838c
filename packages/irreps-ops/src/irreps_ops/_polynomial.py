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

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from irreps_core._caches import cached

from . import _explain
from ._path import EACH as EACH
from ._path import SHARED as SHARED
from ._path import Coefficients as Coefficients
from ._path import Operand as Operand
from ._path import Path as Path
from ._path import merged

_CACHED = 1024


@dataclass(frozen=True)
class Polynomial:
    """A sparse polynomial: operands and paths. Immutable, simplified, equal and hashed by content.

    It is simplified when it is made: paths that read the same operands into the same output with the same modes
    become one; the factors of a product are put in order, so that equal monomials are one term; terms that cancel,
    and paths over no channels, are left out. Operands stay, used or not, because arrays are given by their places;
    :meth:`reached` says which outputs are not identically zero, :meth:`select` leaves out the others.

    Attributes:
        inputs: the operands that are read.
        outputs: the operands that are written.
        paths: what is added to the outputs.

    Raises:
        ValueError: a path names an operand that there is not, or does not fit its operands.

    Example:
        >>> import numpy as np
        >>> from irreps_ops import Coefficients, Operand, Path, Polynomial
        >>> x, norm2 = Operand(3, (8,), name="x"), Operand(1, (8,), name="norm2")
        >>> square = Path((0, 0), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> print(Polynomial((x,), (norm2,), (square,)).explain())
        1 path, 3 terms
        each row: 48 multiply-adds, 96 bytes read, 32 bytes written (float32)
          in0 x: 3 x 8, each row
          out0 norm2: 1 x 8, each row
          out0[a] += 3 terms of in0[a] in0[a]
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        """Check that operands and paths fit; simplify."""
        for path in self.paths:
            self._check(path)
        kept = (path for path in self.paths if 0 not in self.extents(path).values())
        for name, value in (("inputs", self.inputs), ("outputs", self.outputs), ("paths", merged(kept))):
            object.__setattr__(self, name, tuple(value))

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
        for what, place, there in (
            *(("input", i, self.inputs) for i in path.inputs),
            ("output", path.output, self.outputs),
        ):
            if not 0 <= place < len(there):
                raise ValueError(f"a path names {what} {place}; there are {len(there)}, counted from 0")
        extents: dict[str, int] = {}
        for slot, (modes, operand) in enumerate(zip(path.modes, self.operands(path), strict=True)):
            if len(modes) != len(operand.channels):
                raise ValueError(
                    f"modes {modes!r} do not name the channels {operand.channels} of operand ({operand}): "
                    f"expected {len(operand.channels)} letters"
                )
            for letter, extent in zip(modes, operand.channels, strict=True):
                if extents.setdefault(letter, extent) != extent:
                    raise ValueError(f"mode {letter!r} has {extents[letter]} channels, and {extent} in ({operand})")
            terms = path.coefficients.terms
            if len(terms) and terms[:, slot].max() >= operand.components:
                raise ValueError(
                    f"a term names component {terms[:, slot].max()} of operand ({operand}), "
                    f"which has {operand.components}, counted from 0"
                )

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Names of the indices that rows are looked up in, in the order of their first use."""
        return tuple(dict.fromkeys(o.rows for o in (*self.inputs, *self.outputs) if o.indexed))

    def reached(self) -> tuple[bool, ...]:
        """For each output whether any path leads to it; the others are zero.

        Example:
            >>> from irreps_ops import Operand, Polynomial
            >>> Polynomial((), (Operand(3, (8,)),), ()).reached()
            (False,)
        """
        written = {path.output for path in self.paths}
        return tuple(o in written for o in range(len(self.outputs)))

    def check_reached(self) -> "Polynomial":
        """The polynomial itself, if a path leads to each output.

        Raises:
            ValueError: there are outputs that no path leads to; names them.
        """
        missed = [
            f"out{n} ({o})" for n, (o, yes) in enumerate(zip(self.outputs, self.reached(), strict=True)) if not yes
        ]
        if missed:
            raise ValueError(
                f"of {len(self.outputs)} outputs {len(missed)} cannot be reached from the inputs: {', '.join(missed)}"
            )
        return self

    # Algebra: each result is a polynomial again. It is remembered, because each trace of a program asks for it again.

    def derivative(self, active: Sequence[bool]) -> "Polynomial":
        """The directional derivative: the inputs followed by a tangent for each active one; the same outputs."""
        return _derivative(self, tuple(active))

    def transpose(self, linear: Sequence[bool]) -> "Polynomial":
        """The transpose in the inputs in which it is linear.

        Inputs: those that are not linear, then the old outputs; outputs: the linear inputs.
        """
        return _transpose(self, tuple(linear))

    def batch(self, size: int, batched: Sequence[bool]) -> "tuple[Polynomial, tuple[bool, ...]]":
        """A first channel axis of length `size` for the batched inputs and what depends on them.

        Returns:
            The polynomial, and for each output whether it has the new axis.
        """
        return _batch(self, size, tuple(batched))

    def select(self, used: Sequence[bool]) -> "tuple[Polynomial, tuple[bool, ...]]":
        """Only some of the outputs, and only the inputs that these need.

        Returns:
            The polynomial, and for each input whether it is still there.
        """
        return _select(self, tuple(used))

    def without(self, zero: Iterable[int]) -> "Polynomial":
        """The same operands, but without the paths that read any of these inputs: they are known to be zero."""
        gone = frozenset(zero)
        if not gone:
            return self
        return Polynomial(self.inputs, self.outputs, tuple(p for p in self.paths if not gone & set(p.inputs)))

    def identified(self, first: Sequence[int]) -> "Polynomial":
        """The same operands, but what input i was read for is now read from input ``first[i]``, an equal operand.

        Two factors that are the same array are one operand: the products of their components commute, so that a
        product of something with itself needs about half the terms.
        """
        if tuple(first) == tuple(range(len(self.inputs))):
            return self
        paths = (Path(tuple(first[i] for i in p.inputs), p.output, p.modes, p.coefficients) for p in self.paths)
        return Polynomial(self.inputs, self.outputs, tuple(paths))

    def stored(self, inputs: Sequence[str | None], outputs: Sequence[str | None]) -> "Polynomial":
        """With the dtypes that operands are stored as; None: as that of the arithmetic."""

        def renewed(operands: tuple[Operand, ...], dtypes: Sequence[str | None]) -> tuple[Operand, ...]:
            return tuple(replace(o, dtype=dtype) for o, dtype in zip(operands, dtypes, strict=True))

        if [o.dtype for o in (*self.inputs, *self.outputs)] == [*inputs, *outputs]:
            return self
        return Polynomial(renewed(self.inputs, inputs), renewed(self.outputs, outputs), self.paths)

    # Counting and printing

    def multiply_adds(self) -> int:
        """Multiply-adds for one row, term by term: an upper bound on what an executor has to do."""
        return _explain.multiply_adds(self)

    def numbers(self) -> tuple[int, int]:
        """Numbers read and written for one row; what is shared by all rows is counted once, with the first."""
        return sum(o.size for o in self.inputs), sum(o.size for o in self.outputs)

    def explain(self) -> str:
        """What reads what, with how many terms, multiply-adds and bytes: a table for people.

        Bytes are those of float32 where an operand names no dtype of its own, and 4 for each number of an index.
        For the totals over all rows see :meth:`Task.explain`.
        """
        return _explain.polynomial(self)


def simplified(inputs: Iterable[Operand], outputs: Iterable[Operand], paths: Iterable[Path]) -> Polynomial:
    """A polynomial from any iterables. (Polynomials are simplified whenever they are made.)"""
    return Polynomial(tuple(inputs), tuple(outputs), tuple(paths))


@cached(_CACHED)
def _derivative(polynomial: Polynomial, active: tuple[bool, ...]) -> Polynomial:
    tangents = [i for i, yes in enumerate(active) if yes]
    place = {i: len(polynomial.inputs) + n for n, i in enumerate(tangents)}
    paths = []
    for path in polynomial.paths:
        for slot, i in enumerate(path.inputs):
            if active[i]:
                inputs = (*path.inputs[:slot], place[i], *path.inputs[slot + 1 :])
                paths.append(Path(inputs, path.output, path.modes, path.coefficients))
    inputs = (*polynomial.inputs, *(polynomial.inputs[i] for i in tangents))
    return Polynomial(inputs, polynomial.outputs, tuple(paths))


@cached(_CACHED)
def _transpose(polynomial: Polynomial, linear: tuple[bool, ...]) -> Polynomial:
    kept = [i for i, yes in enumerate(linear) if not yes]
    turned = [i for i, yes in enumerate(linear) if yes]
    place = {i: n for n, i in enumerate(kept)}
    paths = []
    for path in polynomial.paths:
        slots = [s for s, i in enumerate(path.inputs) if linear[i]]
        if len(slots) != 1:
            raise ValueError(f"a path reads {len(slots)} of the inputs {turned}: it is not linear in them")
        rest = [s for s in range(len(path.inputs)) if s != slots[0]]
        inputs = (*(place[path.inputs[s]] for s in rest), len(kept) + path.output)
        modes = (*(path.modes[s] for s in rest), path.modes[-1], path.modes[slots[0]])
        terms = path.coefficients.terms[:, [*rest, -1, slots[0]]]
        output = turned.index(path.inputs[slots[0]])
        paths.append(Path(inputs, output, modes, Coefficients(terms, path.coefficients.values)))
    inputs = (*(polynomial.inputs[i] for i in kept), *polynomial.outputs)
    return Polynomial(inputs, tuple(polynomial.inputs[i] for i in turned), tuple(paths))


@cached(_CACHED)
def _batch(polynomial: Polynomial, size: int, batched: tuple[bool, ...]) -> tuple[Polynomial, tuple[bool, ...]]:
    depends = [False] * len(polynomial.outputs)
    for path in polynomial.paths:
        depends[path.output] |= any(batched[i] for i in path.inputs)
    paths = []
    for path in polynomial.paths:
        used = {letter for modes in path.modes for letter in modes}
        new = next(letter for letter in string.ascii_letters if letter not in used)
        flags = [*(batched[i] for i in path.inputs), depends[path.output]]
        modes = tuple(new + m if yes else m for m, yes in zip(path.modes, flags, strict=True))
        paths.append(Path(path.inputs, path.output, modes, path.coefficients))

    def widened(operands: tuple[Operand, ...], flags: Sequence[bool]) -> tuple[Operand, ...]:
        return tuple(
            replace(o, channels=(size, *o.channels)) if yes else o for o, yes in zip(operands, flags, strict=True)
        )

    wide = Polynomial(widened(polynomial.inputs, batched), widened(polynomial.outputs, depends), tuple(paths))
    return wide, tuple(depends)


@cached(_CACHED)
def _select(polynomial: Polynomial, used: tuple[bool, ...]) -> tuple[Polynomial, tuple[bool, ...]]:
    paths = [path for path in polynomial.paths if used[path.output]]
    needed = {i for path in paths for i in path.inputs}
    keeps = tuple(i in needed for i in range(len(polynomial.inputs)))
    new_in = {i: n for n, i in enumerate(sorted(needed))}
    new_out = {o: n for n, o in enumerate(o for o, yes in enumerate(used) if yes)}
    small = Polynomial(
        tuple(o for o, yes in zip(polynomial.inputs, keeps, strict=True) if yes),
        tuple(o for o, yes in zip(polynomial.outputs, used, strict=True) if yes),
        tuple(Path(tuple(new_in[i] for i in p.inputs), new_out[p.output], p.modes, p.coefficients) for p in paths),
    )
    return small, keeps
