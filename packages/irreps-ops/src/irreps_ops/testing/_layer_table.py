"""The conformance table: a row for each case, a column for each framework, and the faults below."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ._layer_cases import LayerCase
from ._layer_checks import Alone, Check, Subject, binding_checks, layer_checks

ALONE = "alone"


class Cell(NamedTuple):
    """The result of a case in a framework, or alone: the number of passed checks, and the faults."""

    case: str
    where: str
    passed: int
    wrong: tuple[str, ...] = ()


def cell(subject: Subject, where: str, only: str = "") -> Cell:
    """Run the checks of a layer without a framework (`where` is "alone") or in a framework."""
    checks = layer_checks() if where == ALONE else binding_checks()
    found = [(check.name, _reason(check, subject)) for check in checks if only in check.name]
    wrong = tuple(f"{name}: {reason}" for name, reason in found if reason)
    return Cell(subject.case.name, where, len(found) - len(wrong), wrong)


def cells(cases: Iterable[LayerCase], bindings: Mapping[str, Any], alone: bool, only: str = "") -> Iterator[Cell]:
    """Yield a cell for each case and framework, and one without a framework if `alone`."""
    for case in cases:
        layer = Subject(case, Alone())
        if alone:
            yield cell(layer, ALONE, only)
        for name, binding in bindings.items():
            yield cell(Subject(case, binding, layer), name, only)


def table(found: Iterable[Cell]) -> str:
    """Return the table as text, for people to read."""
    found = list(found)
    columns = list(dict.fromkeys(c.where for c in found))
    rows = list(dict.fromkeys(c.case for c in found))
    texts = {(c.case, c.where): "FAILED" if c.wrong else f"{c.passed} passed" for c in found}
    lines = [["", *columns], *[[row, *(texts.get((row, column), "") for column in columns)] for row in rows]]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns) + 1)]
    told = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    told += [f"FAILED  {c.case}, {c.where}: {reason}" for c in found for reason in c.wrong]
    return "\n".join(told)


def _reason(check: Check, subject: Subject) -> str | None:
    try:
        return check.run(subject.prepared())
    except Exception as error:  # any error in a layer or binding becomes a line of the table
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {' '.join(lines)}"[:400]
