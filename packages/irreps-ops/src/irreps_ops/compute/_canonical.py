"""The canonical form of paths, so that equal polynomials are equal values."""

import itertools
import string
from collections.abc import Iterable, Sequence

import numpy as np

from ._terms import Coefficients, Path


def canonical(path: Path) -> Path:
    """Return the same path with ascending inputs, letters renamed by first use, and symmetrised terms.

    Where one operand occurs several times with the same subscripts, the order of its components has no meaning. It is
    made ascending, so that equal monomials are one term.
    """
    values = path.coefficients.values.tolist()
    found = [_ordered(path, order) for order in _orders(path)]
    if len(found) > 1:
        found = [min(found, key=lambda one: (one[1], sorted(zip(one[2].tolist(), values, strict=True))))]
    inputs, subscripts, terms = found[0]
    if (inputs, subscripts) == (path.inputs, path.subscripts) and np.array_equal(terms, path.coefficients.terms):
        return path
    return Path(inputs, path.output, subscripts, Coefficients(terms, path.coefficients.values))


def _ordered(path: Path, order: Sequence[int]) -> tuple[tuple[int, ...], tuple[str, ...], np.ndarray]:
    """Return inputs, subscripts and terms with the factors in `order`, equal factors ascending in each term."""
    inputs = tuple(path.inputs[s] for s in order)
    subscripts = _renamed([*(path.subscripts[s] for s in order), path.subscripts[-1]])
    terms = path.coefficients.terms[:, [*order, -1]]
    start = 0
    while start < len(inputs):
        stop = start + 1
        while stop < len(inputs) and (inputs[stop], subscripts[stop]) == (inputs[start], subscripts[start]):
            stop += 1
        if stop - start > 1:
            terms = terms.copy()
            terms[:, start:stop] = np.sort(terms[:, start:stop], axis=1)
        start = stop
    return inputs, subscripts, terms


def _orders(path: Path) -> list[tuple[int, ...]]:
    """Return the candidate orders of the factors: inputs ascend, and those of equal subscripts stay together.

    Usually there is one. Where an operand occurs with different subscripts, their order decides which letters they get,
    so all possibilities must be compared.
    """
    groups: dict[int, dict[str, list[int]]] = {}
    for slot in sorted(range(len(path.inputs)), key=lambda s: path.inputs[s]):
        groups.setdefault(path.inputs[slot], {}).setdefault(path.subscripts[slot], []).append(slot)
    choices = []
    for alike in groups.values():
        orders = itertools.permutations(alike.values()) if len(alike) < 5 else [tuple(alike.values())]
        choices.append([list(itertools.chain(*order)) for order in orders])
    return [tuple(itertools.chain(*order)) for order in itertools.product(*choices)]


def _renamed(subscripts: Sequence[str]) -> tuple[str, ...]:
    """Replace the letters by a, b, c, ... in the order of their first use."""
    letters = dict.fromkeys("".join(subscripts))
    rename = str.maketrans(dict(zip(letters, string.ascii_letters, strict=False)))
    return tuple(m.translate(rename) for m in subscripts)


def merged(paths: Iterable[Path]) -> list[Path]:
    """Return canonical paths; merge those of equal operands and subscripts, and drop those without terms."""
    found: dict[tuple[tuple[int, ...], int, tuple[str, ...]], list[Coefficients]] = {}
    for path in map(canonical, paths):
        found.setdefault((path.inputs, path.output, path.subscripts), []).append(path.coefficients)
    kept = []
    for (inputs, output, subscripts), parts in found.items():
        coefficients = parts[0]
        if len(parts) > 1:
            terms, values = np.concatenate([p.terms for p in parts]), np.concatenate([p.values for p in parts])
            coefficients = Coefficients(terms, values)
        if len(coefficients):
            kept.append(Path(inputs, output, subscripts, coefficients))
    return kept
