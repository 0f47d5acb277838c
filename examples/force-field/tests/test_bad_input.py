"""Bad input leads to exit code 2 and a message with location and remedy, without a traceback."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from force_field import checkpoint
from force_field.cli import main
from irreps_ops import checkpoint as irreps_checkpoint

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5
O 0.0 0.0 0.1 0.0 0.0 0.2
H 0.0 0.8 -0.5 0.0 0.1 -0.1
H 0.0 -0.8 -0.5 0.0 -0.1 -0.1
"""
NO_FORCES = "1\nProperties=species:S:1:pos:R:3 energy=1.0\nH 0 0 0\n"
NO_ENERGY = "1\nProperties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0 0 0 0\n"

CASES: dict[str, tuple[str, list[str]]] = {
    "empty": ("", ["is empty"]),
    "blank": ("\n\n", ["is empty"]),
    "no forces": (WATER + NO_FORCES, ["frame 1 (line 6)", "no forces", "forces:R:3"]),
    "no energy": (WATER + NO_ENERGY, ["frame 1 (line 6)", "no energy", "energy="]),
    "nan force": (WATER + WATER.replace("0.2\n", "nan\n"), ["frame 1", "forces", "not finite"]),
    "nan position": (WATER + WATER.replace("0.8 -0.5 0.0", "nan -0.5 0.0"), ["frame 1", "positions", "not finite"]),
    "infinite energy": (WATER + WATER.replace("=-1.5", "=inf"), ["frame 1", "energy", "not finite"]),
    "no element": (WATER + WATER.replace("O 0.0", "Qq 0.0"), ["frame 1", "'Qq'", "not a chemical element"]),
    "dummy atom": (WATER + WATER.replace("O 0.0", "X 0.0"), ["frame 1", "'X'", "not a chemical element"]),
    "truncated": (WATER * 2 + WATER[:-40], ["frame 2 (line 11)", "truncated", "3 atoms"]),
    "truncated after count": (WATER + "3\n", ["frame 1", "truncated"]),
    "truncated line": (WATER + WATER[:-12], ["frame 1 (line 6)", "malformed"]),
    "no number of atoms": (WATER + "three\n\n", ["frame 1 (line 6)", "number of atoms", "'three'"]),
    "zero atoms": (WATER + "0\n\n", ["frame 1", "at least one atom"]),
    "energy in words": (WATER.replace("energy=-1.5", "energy=abc"), ["frame 0", "energy", "'abc'"]),
    "periodic, no cell": (WATER.replace("energy", 'pbc="T T T" energy'), ["frame 0", "no cell"]),
    "coincident atoms": (WATER.replace("-0.8 -0.5", "0.8 -0.5") * 4, ["frame 0", "0.000 Å apart"]),
    "too few frames": (WATER, ["out of 1", "--train"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_data_is_located(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = CASES[name]
    path = tmp_path / "bad.extxyz"
    path.write_text(text)
    assert main(["train", "--data", str(path), "--out", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("force-field train: ")
    assert "Traceback" not in message
    for part in expected:
        assert part in message


def test_unreadable_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "binary.xyz"
    binary.write_bytes(bytes(range(128, 256)))
    for path, expected in [
        (tmp_path / "none.xyz", "does not exist"),
        (binary, "not a text file"),
        (tmp_path, "cannot be read"),
    ]:
        assert main(["train", "--data", str(path), "--out", str(tmp_path / "run")]) == 2
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--train", "1200"], "out of 1100"),
        (["train", "--valid", "0"], "at least 1"),
        (["train", "--minutes", "0"], "--epochs or --minutes"),
        (["train", "--channels", "0"], "channels"),
        (["train", "--resume"], "does not exist"),
        (["evaluate", "nothing"], "does not exist"),
        (["md", "nothing"], "does not exist"),
    ],
)
def test_bad_options_are_named(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_malformed_numbers_are_refused_by_the_parser(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--train", value])
    assert caught.value.code == 2
    assert "positive int" in capsys.readouterr().err


def _text(path: Path) -> None:
    path.write_text("not a checkpoint")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _safetensors_without_header(path: Path) -> None:
    save_file({"a": np.zeros(3)}, path)


def _damaged(path: Path) -> None:
    checkpoint.save(path, {"a": np.zeros(3)}, {}, {})
    path.write_bytes(path.read_bytes()[:-1])


def _other_program(path: Path) -> None:
    irreps_checkpoint.save(path, {"a": np.zeros(3)}, about={"program": "other"})


def _other_version(path: Path) -> None:
    irreps_checkpoint.save(path, {"a": np.zeros(3)}, about={"force_field": 7})


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_text, ["not a checkpoint"]),
        (_empty, ["not a checkpoint"]),
        (_safetensors_without_header, ["not a checkpoint"]),
        (_damaged, ["is damaged"]),
        (_other_program, ["not a checkpoint", "['program']"]),
        (_other_version, ["version 7", "expected version 2"]),
    ],
)
def test_bad_checkpoints_are_refused(
    make: Callable[[Path], None], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / checkpoint.NAME
    make(path)
    for command in ("evaluate", "md"):
        assert main([command, str(path)]) == 2
        message = capsys.readouterr().err
        assert all(part in message for part in expected)
        assert "Traceback" not in message
