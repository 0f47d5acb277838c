"""Bad input leads to exit code 2 and a message with location and remedy, without a traceback."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from force_field import checkpoint, train
from force_field.cli import main
from force_field.training import Trainer
from irreps_ops import checkpoint as irreps_checkpoint

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5
O 0.0 0.0 0.1 0.0 0.0 0.2
H 0.0 0.8 -0.5 0.0 0.1 -0.1
H 0.0 -0.8 -0.5 0.0 -0.1 -0.1
"""
BOX = 'Lattice="9 0 0 0 9 0 0 0 9"'
NO_FORCES = "1\nProperties=species:S:1:pos:R:3 energy=1.0\nH 0 0 0\n"
NO_ENERGY = "1\nProperties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0 0 0 0\n"


def drop_last(text: str) -> str:
    """A frame without the last column."""
    head, lines = text.split("\n")[:2], text.split("\n")[2:-1]
    return "\n".join([*head, *(line.rsplit(" ", 1)[0] for line in lines), ""])


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
    "atomic number 200": (
        WATER.replace("species:S:1", "Z:I:1").replace("O ", "8 ").replace("H 0.0 0.8", "200 0.0 0.8").replace("H", "1"),
        ["frame 0", "atom 1 is of number 200", "not a chemical element"],
    ),
    "truncated": (WATER * 2 + WATER[:-40], ["frame 2 (line 11)", "truncated", "3 atoms"]),
    "truncated after count": (WATER + "3\n", ["frame 1", "truncated"]),
    "truncated line": (WATER + WATER[:-12], ["frame 1 (line 6)", "malformed"]),
    "no number of atoms": (WATER + "three\n\n", ["frame 1 (line 6)", "number of atoms", "'three'"]),
    "zero atoms": (WATER + "0\n\n", ["frame 1", "at least one atom"]),
    "energy in words": (WATER.replace("energy=-1.5", "energy=abc"), ["frame 0", "energy", "'abc'"]),
    "energy of two numbers": (
        WATER.replace("=-1.5", '="-1.5 -1.6"'),
        ["frame 0", "energy has shape (2,), expected ()"],
    ),
    "energy of one number in a list": (WATER.replace("=-1.5", '="_JSON [-1.5]"'), ["frame 0", "energy has shape (1,)"]),
    "energy as truth": (WATER.replace("=-1.5", "=T"), ["frame 0", "energy is not a number: True"]),
    "energy without a value": (WATER.replace("=-1.5", ""), ["frame 0", "energy is not a number: True"]),
    "energy as a dict": (WATER.replace("=-1.5", '="_JSON {}"'), ["frame 0", "energy is not a number"]),
    "plane forces": (drop_last(WATER.replace("forces:R:3", "forces:R:2")), ["frame 0", "forces:R:3", "forces:R:2"]),
    "forces in words": (WATER.replace("forces:R:3", "forces:S:3"), ["frame 0", "got forces:S:3"]),
    "forces as truth": (WATER.replace("forces:R:3", "forces:L:3"), ["frame 0", "got forces:L:3"]),
    "plane positions": (drop_last(WATER.replace("pos:R:3", "pos:R:2")), ["frame 0", "pos:R:3", "got pos:R:2"]),
    "no positions": (WATER.replace("pos:R:3", "momenta:R:3"), ["frame 0", "columns of species and pos"]),
    "no species": (WATER.replace("species:S:1", "label:S:1"), ["frame 0", "columns of species and pos"]),
    "columns left over": (WATER.replace(":forces:R:3", ""), ["frame 0", "atom 0 has 7 columns, but Properties has 4"]),
    "huge columns": (WATER.replace("forces:R:3", "forces:R:999999999"), ["frame 0", "expected one Properties"]),
    "one column twice": (WATER.replace("forces", "pos"), ["frame 0", "expected one Properties"]),
    "two Properties": (WATER.replace(" energy", " Properties=species:S:1:pos:R:3 energy"), ["expected one Properties"]),
    "short lattice": (WATER.replace("energy", 'Lattice="1 2 3" energy'), ["frame 0", "malformed"]),
    "infinite lattice": (WATER.replace("energy", 'Lattice="9 0 0 0 inf 0 0 0 9" energy'), ["frame 0", "not finite"]),
    "thin cell": (WATER.replace("energy", 'Lattice="9 0 0 8.99 .01 0 0 0 9" energy'), ["frame 0", "Å thick"]),
    "far away": (WATER.replace("0.8 -0.5", "1e300 -0.5"), ["frame 0", "within 1e+06 Å"]),
    "negative number of atoms": (WATER + "-1\n\n", ["frame 1", "number of atoms"]),
    "periodic, no cell": (WATER.replace("energy", 'pbc="T T T" energy'), ["frame 0", "no cell"]),
    "periodic along a zero vector": (
        WATER.replace("energy", 'Lattice="9 0 0 0 9 0 0 0 0" energy'),
        ["frame 0", "periodic but has no cell"],
    ),
    "flat cell": (WATER.replace("energy", 'Lattice="9 0 0 9 0 0 0 0 9" energy'), ["frame 0", "0 Å thick"]),
    "stress of nan": (WATER.replace("energy", f'{BOX} stress="nan 0 0 0 1 0 0 0 1" energy'), ["stress", "not finite"]),
    "stress of six": (WATER.replace("energy", f'{BOX} stress="1 2 3 4 5 6" energy'), ["frame 0", "malformed"]),
    "stress of a molecule": (WATER.replace("energy", 'stress="1 0 0 0 1 0 0 0 1" energy'), ["stress but no volume"]),
    "virial of a molecule": (WATER.replace("energy", 'virial="1 0 0 0 1 0 0 0 1" energy'), ["virial but no volume"]),
    "virial of six": (WATER.replace("energy", f'{BOX} virial="1 2 3 4 5 6" energy'), ["frame 0", "malformed"]),
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
        (_other_version, ["version 7", "expected version 6"]),
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


CHANGES: dict[str, Callable[[dict, dict, dict], object]] = {
    "no model": lambda header, weights, state: header.pop("model"),
    "a model of text": lambda header, weights, state: header["model"].update(channels="many"),
    "an endless model": lambda header, weights, state: header["model"].update(layers=10**9),
    "an unknown setting": lambda header, weights, state: header["model"].update(width=1),
    "elements of text": lambda header, weights, state: header["model"].update(elements=["O", "H"]),
    "no energies": lambda header, weights, state: header["scaling"].update(reference_energies=[]),
    "an infinite scale": lambda header, weights, state: header["scaling"].update(energy_scale=float("inf")),
    "data of numbers": lambda header, weights, state: header["data"].update(source=[1]),
    "lists of configurations": lambda header, weights, state: header["data"].update(trained_on=[[]]),
    "a history of text": lambda header, weights, state: header["progress"].update(history=["good"]),
    "negative progress": lambda header, weights, state: header["progress"].update(steps=-1),
    "an unknown dtype": lambda header, weights, state: header["training"].update(dtype="float8"),
    "weights that are not finite": lambda header, weights, state: weights.update(offsets=weights["offsets"] * np.nan),
    "weights of integers": lambda header, weights, state: weights.update(offsets=weights["offsets"].astype(np.int8)),
    "state that is not finite": lambda header, weights, state: state["params"].update(
        offsets=state["params"]["offsets"] * np.inf
    ),
    "state of bool": lambda header, weights, state: state["params"].update(
        offsets=state["params"]["offsets"].astype(bool)
    ),
}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped before its first step."""
    folder = tmp_path_factory.mktemp("untrained")
    (folder / "water.extxyz").write_text(WATER * 12)
    options = ["--channels", "2", "--layers", "1", "--lmax", "0", "--valid", "4", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "steps", lambda self: iter(()))
        patch.setattr(train.Run, "finish", lambda *_: None)
        assert main(["train", "--data", str(folder / "water.extxyz"), *options]) == 0
    return folder


@pytest.mark.parametrize("name", CHANGES)
def test_malformed_content_of_a_checkpoint_is_refused(
    name: str, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = checkpoint.load(untrained)
    CHANGES[name](saved.header, saved.parameters, saved.state)
    checkpoint.save(tmp_path / checkpoint.NAME, saved.parameters, saved.state, saved.header)
    assert main(["train", "--resume", "--out", str(tmp_path), "--epochs", "1", "--minutes", "0"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("force-field train: ")
    assert message.count("\n") == 1
    assert len(message) < 2000
