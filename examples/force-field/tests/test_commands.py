"""The commands from end to end, on small models."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from force_field.calculator import ForceFieldCalculator
from force_field.cli import main
from force_field.dynamics import set_temperature
from force_field.potential import load_model

MakeFrames = Callable[..., list[Atoms]]

SMALL = ["--channels", "4", "--layers", "2", "--lmax", "1"]


@pytest.fixture(scope="module")
def trained(frames_of: MakeFrames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained, tiny model."""
    folder = tmp_path_factory.mktemp("trained")
    ase.io.write(folder / "data.extxyz", frames_of(["CH3CH2OH"] * 12), format="extxyz")
    arguments = ["--data", str(folder / "data.extxyz"), "--valid", "4", "--epochs", "3", "--out", str(folder)]
    assert main(["train", *arguments, *SMALL]) == 0
    return folder


def test_train_leaves_its_results(trained: Path) -> None:
    for name in ("learning-curve.png", "parity.png"):
        assert (trained / name).read_bytes()[:4] == b"\x89PNG"
    with np.load(trained / "checkpoint.npz", allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
    assert header["model"]["channels"] == 4
    assert header["progress"]["epoch"] == 3


def test_evaluate(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("C2H6O", "meV/Å", "8 trained on are left out", "equivariance error in float64"):
        assert part in text


def test_evaluate_and_md_refuse_unknown_elements(
    frames_of: MakeFrames, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trained / "chlorine.extxyz"
    ase.io.write(path, frames_of(["H2O", "CH3Cl"]), format="extxyz")
    assert main(["evaluate", str(trained), "--data", str(path)]) == 2
    assert "frame 1 has Cl, which the model was not trained on" in capsys.readouterr().err
    assert main(["md", str(trained), "--data", str(path), "--frame", "1"]) == 2
    assert "has Cl, which the model was not trained on" in capsys.readouterr().err


def test_md_conserves_energy(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trained / "out.extxyz"
    assert main(["md", str(trained), "--steps", "40", "--timestep", "0.2", "--out", str(path)]) == 0
    assert "energy drift" in capsys.readouterr().out
    frames = ase.io.read(path, ":")
    assert len(frames) == 5
    totals = [atoms.get_total_energy() for atoms in frames]
    assert np.ptp(totals) / len(frames[0]) < 1e-4


def test_md_refuses_a_frame_that_is_not_there(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["md", str(trained), "--frame", "99"]) == 2
    assert "has 12 frames" in capsys.readouterr().err


def test_calculator_compiles_once_and_adds_reference_energies(frames_of: MakeFrames, trained: Path) -> None:
    model, _ = load_model(trained, "float64")
    (atoms,) = frames_of(["CH3CH2OH"])
    true = atoms.get_potential_energy()
    atoms.calc = ForceFieldCalculator(model)
    set_temperature(atoms, 300.0, 0)
    for _ in range(5):
        atoms.positions += 0.01
        energy = atoms.get_potential_energy()
        atoms.get_forces()
    assert atoms.calc.predictor.traces == 1
    assert abs(energy - true) < 1.0
    np.testing.assert_allclose(atoms.get_temperature(), 300.0)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(atoms.get_angular_momentum(), 0, atol=1e-10)


def test_resume_refuses_another_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", "--out", str(trained), "--channels", "8"]) == 2
    message = capsys.readouterr().err
    assert "channels=4" in message
    assert "channels=8" in message
    assert "differ in channels" in message
    assert main(["train", "--resume", "--out", str(trained), "--data", "ethanol"]) == 2
    assert "ethanol" in capsys.readouterr().err


def test_resume_refuses_changed_data(
    frames_of: MakeFrames, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = trained / "data.extxyz"
    before = source.read_text()
    try:
        ase.io.write(source, frames_of(["CH3CH2OH"] * 12, seed=1), format="extxyz")
        assert main(["train", "--resume", "--out", str(trained)]) == 2
        assert "trained_on" in capsys.readouterr().err
    finally:
        source.write_text(before)


def test_a_finished_run_can_be_extended(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", "--out", str(trained), "--epochs", "4"]) == 0
    with np.load(trained / "checkpoint.npz", allow_pickle=False) as file:
        assert json.loads(file["header"].tobytes())["progress"]["epoch"] == 4


def test_checkpoint_of_another_model_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(trained / "checkpoint.npz") as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes())
    header["model"] = {"architecture": "other", "width": 7}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    assert main(["evaluate", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "architecture=other, width=7" in message
    assert "channels" in message


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_saves_a_checkpoint_that_resumes(data_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "force_field.cli", "train", "--out", str(folder), "--epochs", "100000"]
    command += ["--minutes", "0", "--data", str(data_file), "--valid", "2", *SMALL]
    errors = tmp_path / "errors.txt"  # a file: nobody reads a pipe while we wait for the first line
    with errors.open("w") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    assert process.stdout is not None
    assert "configurations to train on" in process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    err = errors.read_text()
    assert process.returncode == 130, err
    assert "--resume goes on" in " ".join(out.split())
    assert "Traceback" not in err
    with np.load(folder / "checkpoint.npz") as file:
        progress = json.loads(file["header"].tobytes())["progress"]
    assert progress["steps"] >= 1
    end = str(progress["epoch"] + 1)
    assert main(["train", "--resume", "--out", str(folder), "--epochs", end]) == 0
