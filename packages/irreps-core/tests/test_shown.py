"""Messages quote values of any kind and size in part."""

import itertools
from typing import Any

import numpy as np
import pytest

import irreps_core as ic
from irreps_core import shown


class Hostile:
    """An object whose repr raises."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error("x" * 10_000)


def deep(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def test_short_values_are_shown_whole_and_long_ones_in_part() -> None:
    assert shown("1o") == "'1o'"
    assert shown("a" * 198) == repr("a" * 198)
    for length in (20, 21, 200, 201):
        text = shown("a" * 50 + "b" * 500, length)
        assert length - 2 <= len(text) <= length
        assert text.startswith("'aaaa")
        assert text.endswith("bbb'")
        assert " ... " in text


@pytest.mark.parametrize(
    "value", [Hostile(e) for e in (ValueError, SystemExit, GeneratorExit, RecursionError, MemoryError)]
)
def test_values_without_a_repr_are_shown_by_their_type(value: Hostile) -> None:
    assert shown(value) == "<Hostile, which has no repr>"
    assert shown([value]) == "<list, which has no repr>"


def test_deep_and_huge_values() -> None:
    assert shown(deep(100_000)) == "<list, which has no repr>"
    assert shown(10**5000) == "<int, which has no repr>"
    assert len(shown(type("C" * 10_000, (), {"__repr__": lambda self: 1 / 0})())) < 250
    with pytest.raises(KeyboardInterrupt):
        shown(Hostile(KeyboardInterrupt))


HUGE = [
    "1o" * 1_000_000, "+" * 1_000_000, "9" * 5000 + "x0e", "9" * 5000 + "e", b"1o" * 1_000_000, deep(100_000), 10**5000,
    [deep(100_000)], [("q" * 1_000_000, "1o")], [(1, "q" * 1_000_000)], itertools.count(), itertools.repeat("q"),
    {"1o" * 1_000_000}, {"1o": 10**5000}, Hostile(SystemExit), [Hostile(ValueError)], np.zeros(1_000_000),
]  # fmt: skip
READERS = {
    "Irreps": ic.Irreps,
    "Irrep": ic.Irrep,
    "MulIrrep": ic.MulIrrep,
    "multiplicity": lambda value: ic.MulIrrep(value, "1o"),
    "irrep of a MulIrrep": lambda value: ic.MulIrrep(1, value),
    "parity": lambda value: ic.Irrep(1, value),
    "degree": lambda value: ic.Irrep(value, 1),
    "formula": lambda value: ic.parse_symmetry(value),
    "convention": lambda value: ic.change_of_basis("e3nn", value, 1) if isinstance(value, str) else ic.Irreps("q"),
    "normalization": lambda value: ic.harmonic_scale(1, value),
}


@pytest.mark.parametrize("name", READERS)
def test_whatever_is_refused_is_quoted_in_part(name: str) -> None:
    for value in HUGE:
        if (name, type(value)) in (("multiplicity", int), ("degree", int)):
            continue  # a valid one
        with pytest.raises((ValueError, TypeError)) as info:
            READERS[name](value)
        assert 10 < len(str(info.value)) < 1000


def test_a_text_is_not_a_pair() -> None:
    for text in ("1o", "16x1o", "", "ab"):
        with pytest.raises(ValueError, match=f"expected a multiplicity and an irrep, such as .*, got {text!r}"):
            ic.MulIrrep(text)
