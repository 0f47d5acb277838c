"""Sparse polynomials over batch, channels and components, as data.

Every equivariant operation is a sum of *paths*

    out[b, c, k]  +=  value * in_1[b, c_1, i_1] * in_2[b, c_2, i_2] * ...

over the batch b (nodes, edges), channels c (multiplicities) and a short list of terms (i_1, i_2, ..., k; value), the
Clebsch-Gordan coefficients. *Subscripts* say which channels are shared, summed or kept, as in an Einstein sum:
``("u", "v", "uvw", "w")`` is a fully connected product with weights uvw. Each operand has an *access*: it is batched,
or broadcast to the whole batch, or accessed through an index (senders, receivers).

A polynomial is data. It can be differentiated, transposed, vmapped and pruned without running it, and each result is
a polynomial again. Executors run it.
"""

import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from irreps_core import cached, shown

from ._canonical import merged
from ._terms import Coefficients, Operand, Path

_CACHED = 1024
INDEX_BYTES = 4  # an index is int32 unless x64 is enabled; it is small beside the data


@dataclass(frozen=True)
class Polynomial:
    """A sparse polynomial: operands and paths. Immutable, in canonical form, equal and hashed by content.

    The constructor brings it into canonical form: paths that read the same operands into the same output with the same
    subscripts are merged; the factors of a product are ordered, so that equal monomials are one term; terms that cancel
    and paths over no channels are dropped. Operands stay, used or not, because arrays are passed by position;
    :meth:`reached` tells which outputs are not identically zero, :meth:`select` drops the others.

    Attributes:
        inputs: the operands that are read.
        outputs: the operands that are written.
        paths: the sums of products that are added to the outputs.

    Raises:
        ValueError: a path names an operand that does not exist, or does not fit its operands.

    Example:
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Operand, Path, Polynomial
        >>> x, norm2 = Operand(3, (8,), name="x"), Operand(1, (8,), name="norm2")
        >>> square = Path((0, 0), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> print(Polynomial((x,), (norm2,), (square,)).explain())
        1 path, 3 terms
        per batch element: 48 multiply-adds, 96 bytes read, 32 bytes written (float32)
          in0 x: 3 x 8, batched
          out0 norm2: 1 x 8, batched
          out0[a] += 3 terms of in0[a] in0[a]
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        """Check that operands and paths fit; bring the paths into canonical form."""
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
        """Return the inputs of a path and, last, its output."""
        return (*(self.inputs[i] for i in path.inputs), self.outputs[path.output])

    def extents(self, path: Path) -> dict[str, int]:
        """Return the number of channels that each letter of a path runs over."""
        found: dict[str, int] = {}
        for letters, operand in zip(path.subscripts, self.operands(path), strict=True):
            found.update(zip(letters, operand.channels, strict=True))
        return found

    def _check(self, path: Path) -> None:
        for what, position, there in (
            *(("input", i, self.inputs) for i in path.inputs),
            ("output", path.output, self.outputs),
        ):
            if not 0 <= position < len(there):
                raise ValueError(f"a path names {what} {position}; there are {len(there)}, counted from 0")
        extents: dict[str, int] = {}
        for slot, (letters, operand) in enumerate(zip(path.subscripts, self.operands(path), strict=True)):
            if len(letters) != len(operand.channels):
                raise ValueError(
                    f"subscripts {shown(letters)} do not name the channels {operand.channels} of operand ({operand}): "
                    f"expected {len(operand.channels)} letters"
                )
            for letter, extent in zip(letters, operand.channels, strict=True):
                if extents.setdefault(letter, extent) != extent:
                    raise ValueError(
                        f"subscript {letter!r} has {extents[letter]} channels, and {extent} in ({operand})"
                    )
            terms = path.coefficients.terms
            if len(terms) and terms[:, slot].max() >= operand.components:
                raise ValueError(
                    f"a term names component {terms[:, slot].max()} of operand ({operand}), "
                    f"which has {operand.components}, counted from 0"
                )

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Names of the indices, in the order of their first use."""
        return tuple(dict.fromkeys(o.index for o in (*self.inputs, *self.outputs) if o.index is not None))

    def reached(self) -> tuple[bool, ...]:
        """Tell for each output whether any path leads to it; the others are zero.

        Example:
            >>> from irreps_ops.compute import Operand, Polynomial
            >>> Polynomial((), (Operand(3, (8,)),), ()).reached()
            (False,)
        """
        written = {path.output for path in self.paths}
        return tuple(o in written for o in range(len(self.outputs)))

    def check_reached(self) -> "Polynomial":
        """Return the polynomial itself if a path leads to each output.

        Raises:
            ValueError: no path leads to some outputs; the message names them.
        """
        missed = [
            f"out{n} ({o})" for n, (o, yes) in enumerate(zip(self.outputs, self.reached(), strict=True)) if not yes
        ]
        if missed:
            raise ValueError(
                f"of {len(self.outputs)} outputs {len(missed)} cannot be reached from the inputs: {', '.join(missed)}"
            )
        return self

    # Algebra. Results are cached, because each trace of a program asks for them again.

    def derivative(self, active: Sequence[bool]) -> "Polynomial":
        """Return the directional derivative: the inputs followed by a tangent for each active one; the same outputs."""
        return _derivative(self, tuple(active))

    def transpose(self, linear: Sequence[bool]) -> "Polynomial":
        """Return the transpose in the inputs in which it is linear.

        Inputs: those that are not linear, then the old outputs; outputs: the linear inputs.
        """
        return _transpose(self, tuple(linear))

    def vmap(self, size: int, mapped: Sequence[bool]) -> "tuple[Polynomial, tuple[bool, ...]]":
        """Add a first channel axis of length `size` to the mapped inputs and to the outputs that depend on them.

        Returns:
            The polynomial, and for each output whether it has the new axis.
        """
        return _vmap(self, size, tuple(mapped))

    def select(self, used: Sequence[bool]) -> "tuple[Polynomial, tuple[bool, ...]]":
        """Keep only some outputs, and only the inputs that they need.

        Returns:
            The polynomial, and for each input whether it is still there.
        """
        return _select(self, tuple(used))

    def without(self, zero: Iterable[int]) -> "Polynomial":
        """Drop the paths that read any of these inputs, which are known to be zero; keep all operands."""
        gone = frozenset(zero)
        if not gone:
            return self
        return Polynomial(self.inputs, self.outputs, tuple(p for p in self.paths if not gone & set(p.inputs)))

    def identified(self, first: Sequence[int]) -> "Polynomial":
        """Read input ``first[i]``, an equal operand, in position of input i; keep all operands.

        Where two inputs are the same array, the products of their components commute. As one operand, a product of an
        array with itself needs about half the terms.
        """
        if tuple(first) == tuple(range(len(self.inputs))):
            return self
        paths = (Path(tuple(first[i] for i in p.inputs), p.output, p.subscripts, p.coefficients) for p in self.paths)
        return Polynomial(self.inputs, self.outputs, tuple(paths))

    def stored(self, inputs: Sequence[str | None], outputs: Sequence[str | None]) -> "Polynomial":
        """Set the storage dtypes of the operands; None means the dtype of the arithmetic."""

        def renewed(operands: tuple[Operand, ...], dtypes: Sequence[str | None]) -> tuple[Operand, ...]:
            return tuple(replace(o, dtype=dtype) for o, dtype in zip(operands, dtypes, strict=True))

        if [o.dtype for o in (*self.inputs, *self.outputs)] == [*inputs, *outputs]:
            return self
        return Polynomial(renewed(self.inputs, inputs), renewed(self.outputs, outputs), self.paths)

    # Counting and printing

    def multiply_adds(self) -> int:
        """Return the multiply-adds for one element of the batch, term by term: an upper bound for executors.

        A product of n factors and its coefficient counts n.
        """
        return sum(
            len(path.coefficients) * max(len(path.inputs), 1) * math.prod(self.extents(path).values())
            for path in self.paths
        )

    def sizes(self) -> tuple[int, int]:
        """Return the numbers read and written for one element of the batch; broadcast operands are counted once."""
        return sum(o.size for o in self.inputs), sum(o.size for o in self.outputs)

    def explain(self) -> str:
        """Describe operands and paths, with the number of terms, multiply-adds and bytes per element of the batch.

        Bytes are those of float32 where an operand has no dtype of its own, and 4 for each entry of an index.
        For the totals over the batch see :meth:`Contraction.explain`.
        """

        def stored(operands: Iterable[Operand]) -> int:
            return sum(o.size * np.dtype(o.dtype or np.float32).itemsize for o in operands)

        read, written = (stored(o for o in each if o.batch_axes) for each in (self.inputs, self.outputs))
        read += INDEX_BYTES * len(self.indices)
        broadcast = stored(o for o in (*self.inputs, *self.outputs) if not o.batch_axes)
        once = f"; {broadcast} bytes broadcast to the whole batch" if broadcast else ""
        costs = f"{self.multiply_adds()} multiply-adds, {read} bytes read, {written} bytes written (float32){once}"
        return self.described(f"per batch element: {costs}")

    def described(self, costs: str) -> str:
        """Describe operands and paths, a line for each, after a line with costs."""
        terms = sum(len(path.coefficients) for path in self.paths)
        lines = [f"{_plural(len(self.paths), 'path')}, {_plural(terms, 'term')}", costs]
        for kind, operands in (("in", self.inputs), ("out", self.outputs)):
            lines += [f"  {kind}{n} {operand}" for n, operand in enumerate(operands)]
        for path in self.paths:
            factors = " ".join(f"in{i}[{letters}]" for i, letters in zip(path.inputs, path.subscripts, strict=False))
            count = _plural(len(path.coefficients), "term")
            lines.append(f"  out{path.output}[{path.subscripts[-1]}] += {count} of {factors or 'nothing'}")
        missed = [f"out{n}" for n, yes in enumerate(self.reached()) if not yes]
        return "\n".join([*lines, *([f"  zero: {', '.join(missed)}"] if missed else [])])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


@cached(_CACHED)
def _derivative(polynomial: Polynomial, active: tuple[bool, ...]) -> Polynomial:
    tangents = [i for i, yes in enumerate(active) if yes]
    position = {i: len(polynomial.inputs) + n for n, i in enumerate(tangents)}
    paths = []
    for path in polynomial.paths:
        for slot, i in enumerate(path.inputs):
            if active[i]:
                inputs = (*path.inputs[:slot], position[i], *path.inputs[slot + 1 :])
                paths.append(Path(inputs, path.output, path.subscripts, path.coefficients))
    inputs = (*polynomial.inputs, *(polynomial.inputs[i] for i in tangents))
    return Polynomial(inputs, polynomial.outputs, tuple(paths))


@cached(_CACHED)
def _transpose(polynomial: Polynomial, linear: tuple[bool, ...]) -> Polynomial:
    kept = [i for i, yes in enumerate(linear) if not yes]
    turned = [i for i, yes in enumerate(linear) if yes]
    position = {i: n for n, i in enumerate(kept)}
    paths = []
    for path in polynomial.paths:
        slots = [s for s, i in enumerate(path.inputs) if linear[i]]
        if len(slots) != 1:
            raise ValueError(f"a path reads {len(slots)} of the inputs {turned}: it is not linear in them")
        rest = [s for s in range(len(path.inputs)) if s != slots[0]]
        inputs = (*(position[path.inputs[s]] for s in rest), len(kept) + path.output)
        subscripts = (*(path.subscripts[s] for s in rest), path.subscripts[-1], path.subscripts[slots[0]])
        terms = path.coefficients.terms[:, [*rest, -1, slots[0]]]
        output = turned.index(path.inputs[slots[0]])
        paths.append(Path(inputs, output, subscripts, Coefficients(terms, path.coefficients.values)))
    inputs = (*(polynomial.inputs[i] for i in kept), *polynomial.outputs)
    return Polynomial(inputs, tuple(polynomial.inputs[i] for i in turned), tuple(paths))


@cached(_CACHED)
def _vmap(polynomial: Polynomial, size: int, mapped: tuple[bool, ...]) -> tuple[Polynomial, tuple[bool, ...]]:
    depends = [False] * len(polynomial.outputs)
    for path in polynomial.paths:
        depends[path.output] |= any(mapped[i] for i in path.inputs)
    paths = []
    for path in polynomial.paths:
        used = set("".join(path.subscripts))
        new = next(letter for letter in string.ascii_letters if letter not in used)
        flags = [*(mapped[i] for i in path.inputs), depends[path.output]]
        subscripts = tuple(new + s if yes else s for s, yes in zip(path.subscripts, flags, strict=True))
        paths.append(Path(path.inputs, path.output, subscripts, path.coefficients))

    def widened(operands: tuple[Operand, ...], flags: Sequence[bool]) -> tuple[Operand, ...]:
        return tuple(
            replace(o, channels=(size, *o.channels)) if yes else o for o, yes in zip(operands, flags, strict=True)
        )

    wide = Polynomial(widened(polynomial.inputs, mapped), widened(polynomial.outputs, depends), tuple(paths))
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
        tuple(Path(tuple(new_in[i] for i in p.inputs), new_out[p.output], p.subscripts, p.coefficients) for p in paths),
    )
    return small, keeps
