"""Operands that are parts of larger arrays.

Data of several irreps is one array. Each item is an operand of a polynomial, so an operand may be a *view*: a part of
the last axis of an array that it shares with others. An executor that reads and writes views
(:class:`ViewsExecutor`) needs no copies of the parts. For all others arrays are split before, and joined after.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from irreps_core import cached
from irreps_ops._inputs._operands import split_last_axis

from ._contraction import Contraction
from ._polynomial import Polynomial
from ._terms import Operand


class Part(NamedTuple):
    """An input of :func:`evaluate` that is a part of an array.

    Attributes:
        array: of shape ([batch,] *axes, width), where `axes` are the first axes of the operand, often none.
        parts: ranges of the components, as pairs (number of components, start of the range in the last axis). Several
            ranges are only for an operand with its components last; each is laid out as (*channels, components). The
            array of such an operand has no further axes.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Operand, Part, Path, Polynomial, evaluate
        >>> double = Path((0,), 0, ("", ""), Coefficients.from_dense(2 * np.eye(2)))
        >>> polynomial = Polynomial((Operand(2),), (Operand(2),), (double,))
        >>> evaluate(polynomial, [Part(jnp.arange(10.0).reshape(2, 5), ((2, 3),))])[0].tolist()
        [[6.0, 8.0], [16.0, 18.0]]
    """

    array: Any
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class View:
    """Which part of which array an operand is.

    Attributes:
        array: position of the array.
        parts: see :class:`Part`.
        axes: how many axes of the operand come before the last axis of the array.
        width: length of the last axis of the array.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Operand, Path, Polynomial, View, evaluate
        >>> double = Path((0,), 0, ("", ""), Coefficients.from_dense(2 * np.eye(2)))
        >>> polynomial = Polynomial((Operand(2),), (Operand(2),), (double,))
        >>> view = View(array=0, parts=((2, 3),), axes=0, width=5)
        >>> evaluate(polynomial, [jnp.ones((1, 2))], joined=(view,))[0].tolist()
        [[0.0, 0.0, 0.0, 2.0, 2.0]]
    """

    array: int
    parts: tuple[tuple[int, int], ...]
    axes: int
    width: int

    @classmethod
    def whole(cls, position: int, operand: Operand) -> "View":
        """Return the view of an operand that is an array of its own."""
        return cls(position, ((operand.components, 0),), len(operand.shape) - 1, operand.shape[-1])

    def of_array(self, operand: Operand) -> tuple[int, ...]:
        """Return the shape of the array, without the batch axis."""
        return (*operand.shape[: self.axes], self.width)

    def ranges(self, operand: Operand) -> list[tuple[int, int]]:
        """Return start and stop of each part in the last axis of the array."""
        if len(self.parts) == 1:
            start = self.parts[0][1]
            return [(start, start + math.prod(operand.shape[self.axes :]))]
        return [(start, start + n * math.prod(operand.channels)) for n, start in self.parts]

    def is_whole(self, operand: Operand) -> bool:
        """Tell whether the operand is all of the array."""
        return self.ranges(operand) == [(0, self.width)]

    def check(self, name: str, operand: Operand) -> None:
        """Check that the parts fit.

        Raises:
            ValueError: they do not.
        """
        several = len(self.parts) != 1
        if several and not (operand.components_last and self.axes == 0):
            raise ValueError(f"{name} can have several parts only with its components last, got {self.parts}")
        if operand.components_last and self.axes and not self.is_whole(operand):
            raise ValueError(
                f"the array of {name}, whose components are last, must have shape ([batch,] width), "
                f"got {self.axes} axes more"
            )
        if sum(n for n, _ in self.parts) != operand.components:
            raise ValueError(f"the parts of {name} must have {operand.components} components, got {self.parts}")
        ranges = self.ranges(operand)
        if any(start < 0 or stop > self.width for start, stop in ranges):
            raise ValueError(f"the parts of {name} must be within an axis of length {self.width}, got {ranges}")


@dataclass(frozen=True)
class Views:
    """Where the operands of a polynomial lie in the arrays that are passed. Views of one array do not overlap.

    Attributes:
        inputs: for each input.
        outputs: for each output. What no view of an output array covers is zero.

    Example:
        >>> from irreps_ops.compute import View, Views
        >>> both = tuple(View(array=0, parts=((1, start),), axes=0, width=2) for start in (0, 1))
        >>> Views(inputs=both, outputs=(View(array=0, parts=((1, 0),), axes=0, width=1),)).inputs[1].parts
        ((1, 1),)
    """

    inputs: tuple[View, ...]
    outputs: tuple[View, ...]

    @classmethod
    def of_whole_arrays(cls, polynomial: Polynomial) -> "Views":
        """Return the views of operands that are arrays of their own."""
        return _of_whole_arrays(polynomial)

    @property
    def num_inputs(self) -> int:
        """Number of input arrays."""
        return 1 + max((v.array for v in self.inputs), default=-1)

    @property
    def num_outputs(self) -> int:
        """Number of output arrays."""
        return 1 + max((v.array for v in self.outputs), default=-1)

    def of_operands(self, arrays: Sequence[Any]) -> list[Any]:
        """Return for each input what is given for its array."""
        return [arrays[view.array] for view in self.inputs]

    def of_outputs(self, arrays: Sequence[Any]) -> list[Any]:
        """Return for each output what is given for its array."""
        return [arrays[view.array] for view in self.outputs]

    def output_types(self, contraction: Contraction) -> list[jax.ShapeDtypeStruct]:
        """Return shape and dtype of each output array."""
        found: dict[int, jax.ShapeDtypeStruct] = {}
        for view, operand in zip(self.outputs, contraction.polynomial.outputs, strict=True):
            rows = contraction.shape(operand)[: operand.batch_axes]
            shape = (*rows, *view.of_array(operand))
            found[view.array] = jax.ShapeDtypeStruct(shape, contraction.dtype_of(operand))
        return [found[n] for n in range(self.num_outputs)]

    def derivative(self, active: Sequence[bool]) -> "Views":
        """Return the views of a derivative, whose last inputs are tangents of the active arrays."""
        tangents = _numbered(active, self.num_inputs)
        more = (replace(v, array=tangents[v.array]) for v in self.inputs if active[v.array])
        return Views((*self.inputs, *more), self.outputs)

    def transpose(self, linear: Sequence[bool]) -> "Views":
        """Return the views of a transpose: the arrays that are not linear and the old outputs are its inputs."""
        kept, turned = _numbered([not yes for yes in linear]), _numbered(linear)
        given = (replace(v, array=kept[v.array]) for v in self.inputs if not linear[v.array])
        cotangents = (replace(v, array=v.array + len(kept)) for v in self.outputs)
        return Views(
            (*given, *cotangents),
            tuple(replace(v, array=turned[v.array]) for v in self.inputs if linear[v.array]),
        )

    def select(self, inputs: Sequence[bool], outputs: Sequence[bool]) -> "tuple[Views, list[bool], list[bool]]":
        """Keep only some operands, and the arrays that they are in.

        Returns:
            The views; and which input arrays and output arrays are still there.
        """
        found, kept = [], []
        for views, flags, count in (
            (self.inputs, inputs, self.num_inputs),
            (self.outputs, outputs, self.num_outputs),
        ):
            some = [v for v, yes in zip(views, flags, strict=True) if yes]
            there = {v.array for v in some}
            kept.append([n in there for n in range(count)])
            numbers = _numbered(kept[-1])
            found.append(tuple(replace(v, array=numbers[v.array]) for v in some))
        return Views(*found), *kept

    def read(
        self, polynomial: Polynomial, arrays: Sequence[jax.Array], more: Sequence[int] | None = None
    ) -> list[jax.Array]:
        """Return the array of each input.

        Args:
            polynomial: the polynomial.
            arrays: the arrays.
            more: how many additional first axes each array has, and then the arrays of its operands (default: none).
        """
        pieces: dict[tuple[int, int, int], jax.Array] = {}
        by_array: dict[int, list[tuple[int, int]]] = {}
        for view, operand in zip(self.inputs, polynomial.inputs, strict=True):
            # An empty range has no piece and must not split another range.
            by_array.setdefault(view.array, []).extend((a, b) for a, b in view.ranges(operand) if a < b)
        for n, ranges in by_array.items():
            cuts = sorted({0, arrays[n].shape[-1], *(end for pair in ranges for end in pair)})
            lengths = [stop - start for start, stop in itertools.pairwise(cuts)]
            found = split_last_axis(arrays[n], lengths) if len(lengths) > 1 else [arrays[n]]
            for (start, stop), piece in zip(itertools.pairwise(cuts), found, strict=False):
                pieces[n, start, stop] = piece
        result = []
        for view, operand in zip(self.inputs, polynomial.inputs, strict=True):
            array, parts = arrays[view.array], []
            rows = array.shape[: operand.batch_axes + (0 if more is None else more[view.array])]
            for (components, _), (start, stop) in zip(view.parts, view.ranges(operand), strict=True):
                shape = operand.shape if len(view.parts) == 1 else (*operand.channels, components)
                piece = pieces[view.array, start, stop] if start < stop else array[..., :0]
                parts.append(piece.reshape((*rows, *shape)))
            result.append(parts[0] if len(parts) == 1 else jnp.concatenate(parts, -1))
        return result

    def write(
        self, contraction: Contraction, values: Sequence[jax.Array], more: tuple[int, ...] = ()
    ) -> list[jax.Array]:
        """Return the output arrays, from the array of each output.

        Args:
            contraction: the contraction.
            values: the array of each output.
            more: lengths of additional first axes that all of them have.
        """
        found: dict[int, list[tuple[int, int, jax.Array]]] = {}
        for view, operand, value in zip(self.outputs, contraction.polynomial.outputs, values, strict=True):
            lead = value.shape[: len(more) + operand.batch_axes + view.axes]
            parts = [value] if len(view.parts) == 1 else split_last_axis(value, [n for n, _ in view.parts])
            for part, (start, stop) in zip(parts, view.ranges(operand), strict=True):
                found.setdefault(view.array, []).append((start, stop, part.reshape((*lead, stop - start))))
        arrays = []
        for n, kind in enumerate(self.output_types(contraction)):
            pieces, place = [], 0
            for start, stop, piece in sorted(found[n], key=lambda entry: entry[:2]):
                if start > place:
                    pieces.append(jnp.zeros((*more, *kind.shape[:-1], start - place), kind.dtype))
                pieces.append(piece)
                place = stop
            if place < kind.shape[-1]:
                pieces.append(jnp.zeros((*more, *kind.shape[:-1], kind.shape[-1] - place), kind.dtype))
            arrays.append(pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces, -1))
        return arrays


def _numbered(flags: Sequence[bool], start: int = 0) -> dict[int, int]:
    """Number the positions of the flags that are set."""
    return {position: start + n for n, position in enumerate(p for p, yes in enumerate(flags) if yes)}


@cached(maxsize=1024)
def _of_whole_arrays(polynomial: Polynomial) -> Views:
    inputs, outputs = (tuple(map(View.whole, range(len(o)), o)) for o in (polynomial.inputs, polynomial.outputs))
    return Views(inputs, outputs)
