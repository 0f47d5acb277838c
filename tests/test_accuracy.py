"""The page on accuracy is complete, and its figures hold here, each within a factor of what it was elsewhere."""

import functools
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/accuracy.md").read_text()


@functools.cache
def accuracy() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "benchmarks/accuracy.py")))


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:2] == "| "]


def figure(cell: str) -> float:
    return 0.0 if cell == "–" else float(cell)


def test_every_operation_and_degree_is_on_the_page() -> None:
    found = accuracy()
    assert PAGE.startswith(found.HEAD)
    names = {(row[0], *row[1:2]) if re.fullmatch(r"\d+", row[1]) else (row[0],) for row in rows()}
    assert {(f"`{name}`",) for name in found._table_of_tests().OPERATIONS} <= names
    assert {(f"`{name}`", str(l)) for name in found.by_degree() for l in found.DEGREES} <= names


@pytest.mark.parametrize("name", ["linear", "sus"])
def test_the_figures_hold(name: str) -> None:
    assert jax.config.jax_enable_x64
    (found,) = accuracy().operation_rows([name])
    (expected,) = [row for row in rows() if row[0] == f"`{name}`" and len(row) == len(found)]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert (a == "–") == (b == "–")
        assert figure(a) <= 4 * figure(b) + 2, (found, expected)


def test_the_mathematics_hold() -> None:
    expected = {row[0]: figure(row[2]) for row in rows() if len(row) == 3 and row[0] not in ("what", "---")}
    found = {what: error for what, _, error in accuracy().mathematics()}
    assert found.keys() == expected.keys()
    for what, error in found.items():
        assert error <= 4 * expected[what] + 2, what
