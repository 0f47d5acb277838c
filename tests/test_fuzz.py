"""Some inputs of each target of `fuzz.py`, and its judgement."""

import runpy
from pathlib import Path
from typing import Any

import pytest

FUZZ: dict[str, Any] = runpy.run_path(str(Path(__file__).parent / "fuzz.py"))


@pytest.mark.parametrize("name", FUZZ["TARGETS"])
def test_inputs_are_accepted_or_refused_in_one_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRREPS_DISABLE_PLUGINS", "all")
    report = FUZZ["fuzz"](name, 250)
    faults = [fault for kind, fault in report.faults.items() if not kind.startswith("slow")]
    assert not faults, "\n".join(faults)
    assert len(report.outcomes) > 1  # neither all accepted nor all refused


def refuse(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda text: refuse(f"malformed: {text!r}"), None),
        (lambda text: None, None),
        (lambda text: refuse("malformed"), "does not quote"),
        (lambda text: refuse(repr(text) * 1000), "many characters"),
        (lambda text: int(text), "does not raise"),
        (lambda text: {}[text], "KeyError"),
        (lambda text: exec("raise SystemExit"), "SystemExit"),
    ],
)
def test_it_finds_faults(read: Any, kind: str | None) -> None:
    _, fault = FUZZ["_outcome"](FUZZ["Target"](lambda rng: "q", read), "q")
    assert (fault is None) if kind is None else kind in fault
