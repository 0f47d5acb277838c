"""Components that are written as channels.

A linear map treats all components of an irrep alike, so in its polynomial they are a channel axis. The generator is
better at components: those of a block are rows of one matrix product. So a short first or last channel axis of
operands without components becomes their component axis; in memory nothing changes.
"""

from dataclasses import replace

import numpy as np

from irreps_core import cached
from irreps_ops.compute import Coefficients, Operand, Path, Polynomial, View, Views

_LONGEST = 16

# An operand: whether it is an output, and its position.
_Place = tuple[bool, int]


@cached(maxsize=256)
def folded(polynomial: Polynomial) -> Polynomial:
    """Return an equal polynomial on the same arrays, in which short channel axes that only loop are components."""
    letters = [_loop(polynomial, path) for path in polynomial.paths]
    axes: dict[_Place, set[int | None]] = {}
    for path, letter in zip(polynomial.paths, letters, strict=True):
        for place, subscripts in _places(path):
            axes.setdefault(place, set()).add(_axis(_operand(polynomial, place), subscripts, letter))
    while True:
        # An axis is folded in all paths that use the operand, or in none.
        chosen = {place: next(iter(found)) if len(found) == 1 else None for place, found in axes.items()}
        wrong = [
            n
            for n, (path, letter) in enumerate(zip(polynomial.paths, letters, strict=True))
            if letter and any(letter in subscripts and chosen[place] is None for place, subscripts in _places(path))
        ]
        if not wrong:
            break
        for n in wrong:
            letters[n] = ""
            for place, _ in _places(polynomial.paths[n]):
                axes[place].add(None)
    if not any(letters):
        return polynomial
    paths = [_folded_path(polynomial, p, letter) for p, letter in zip(polynomial.paths, letters, strict=True)]
    return Polynomial(
        tuple(_folded_operand(o, chosen.get((False, n))) for n, o in enumerate(polynomial.inputs)),
        tuple(_folded_operand(o, chosen.get((True, n))) for n, o in enumerate(polynomial.outputs)),
        tuple(paths),
    )


def _places(path: Path) -> list[tuple[_Place, str]]:
    places = [*((False, n) for n in path.inputs), (True, path.output)]
    return list(zip(places, path.subscripts, strict=True))


def _operand(polynomial: Polynomial, place: _Place) -> Operand:
    output, position = place
    return (polynomial.outputs if output else polynomial.inputs)[position]


def _loop(polynomial: Polynomial, path: Path) -> str:
    """Return the letter of a short axis of a path beside a matrix product; empty if there is none."""
    extents = polynomial.extents(path)
    operands = list(zip(polynomial.operands(path), path.subscripts, strict=True))
    for letter, extent in extents.items():
        having = [(o, subscripts) for o, subscripts in operands if letter in subscripts]
        others = [subscripts for o, subscripts in operands if letter not in subscripts]
        if (
            1 < extent <= _LONGEST
            and len(having) == 2
            and all(o.components == 1 and _axis(o, s, letter) is not None for o, s in having)
            and any(len(subscripts) == 2 for subscripts in others)
            and all(len(set(s)) >= 2 for _, s in having)
        ):
            return letter
    return ""


def _axis(operand: Operand, subscripts: str, letter: str) -> int | None:
    """Return the axis of a letter if it is the first or the last; None if the operand does not have it there."""
    if not letter or letter not in subscripts:
        return None
    axis = subscripts.index(letter)
    return axis if axis in (0, len(subscripts) - 1) and operand.components == 1 else None


def _folded_operand(operand: Operand, axis: int | None) -> Operand:
    if axis is None:
        return operand
    channels = (*operand.channels[:axis], *operand.channels[axis + 1 :])
    return replace(operand, components=operand.channels[axis], channels=channels, components_last=axis > 0)


def _folded_path(polynomial: Polynomial, path: Path, letter: str) -> Path:
    if not letter:
        return path
    extent = polynomial.extents(path)[letter]
    having = [letter in subscripts for subscripts in path.subscripts]
    terms, values = path.coefficients.terms, path.coefficients.values
    counted = np.repeat(np.arange(extent), len(terms))[:, None]
    repeated = np.where(np.array(having), counted, np.tile(terms, (extent, 1)))
    return replace(
        path,
        subscripts=tuple(s.replace(letter, "") for s in path.subscripts),
        coefficients=Coefficients(repeated, np.tile(values, extent)),
    )


def folded_views(polynomial: Polynomial, views: Views) -> Views:
    """Return where the operands of the folded polynomial lie."""
    new = folded(polynomial)

    def same_place(view: View, old: Operand, operand: Operand) -> View:
        if operand == old:
            return view
        if view.is_whole(old):
            return View.whole(view.array, operand)
        # The old component axis, of length 1, is the first one, or the view has no axes.
        return replace(view, parts=((operand.components, view.parts[0][1]),), axes=max(view.axes - 1, 0))

    return Views(
        tuple(map(same_place, views.inputs, polynomial.inputs, new.inputs)),
        tuple(map(same_place, views.outputs, polynomial.outputs, new.outputs)),
    )
