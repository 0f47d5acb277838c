"""The commands from end to end, with small models."""

import contextlib
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from force_field import checkpoint
from force_field.calculator import ForceFieldCalculator
from force_field.cli import main
from force_field.errors import CheckpointError
from force_field.potential import load_model
from force_field.simulation.dynamics import set_temperature
from force_field.training import Trainer
from irreps_ops import checkpoint as irreps_checkpoint
from irreps_ops.bindings import tree_leaves

MakeFrames = Callable[..., list[Atoms]]

OPTIONS = ["--valid", "4", "--epochs", "3", "--minutes", "0", "--channels", "4", "--layers", "1"]


@pytest.fixture(scope="module")
def trained(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the training run of a small model."""
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", "--data", str(data_file), "--out", str(folder), *OPTIONS]) == 0
    return folder


def test_train_writes_checkpoint_and_plots(trained: Path) -> None:
    for name in ("learning-curve.png", "parity.png"):
        assert (trained / name).read_bytes()[:4] == b"\x89PNG"
    header = irreps_checkpoint.read_header(trained / checkpoint.NAME)["about"]
    assert header["model"]["channels"] == 4
    assert header["progress"]["epoch"] == 3


def test_evaluate_reports_errors_and_equivariance(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("C2H6O", "meV/Å", "8 training frames are left out", "equivariance error in float64"):
        assert part in text


def test_a_report_is_written_by_train_and_by_its_command(trained: Path, tmp_path: Path) -> None:
    for path in (trained / "report.html", tmp_path / "other.html"):
        if path.parent == tmp_path:
            assert main(["report", str(trained), "--frames", "3", "--out", str(path)]) == 0
        text = path.read_text()
        for part in ("C2H6O", "error of equivariance, float32", "learning_rate", "learning curve", "meV/atom"):
            assert part in text


def test_evaluate_and_md_refuse_unknown_elements(
    frames_of: MakeFrames, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chlorine.extxyz"
    ase.io.write(path, frames_of(["H2O", "CH3Cl"]), format="extxyz")
    assert main(["evaluate", str(trained), "--data", str(path)]) == 2
    assert "frame 1 has Cl, which the model was not trained on" in capsys.readouterr().err
    assert main(["md", str(trained), "--data", str(path), "--frame", "1"]) == 2
    assert "has Cl, which the model was not trained on" in capsys.readouterr().err


def test_checkpoints_of_earlier_versions_are_read_unless_their_functions_have_changed(
    trained: Path, tmp_path: Path
) -> None:
    content = irreps_checkpoint.load(trained / checkpoint.NAME)
    cases = [(4, "nequip", "none", True), (4, "nequip", "agnesi", False), (5, "nequip", "agnesi", True)]
    for version, network, transform, accepted in [*cases, (4, "mace", "none", False), (5, "mace", "none", False)]:
        about = {**content.header["about"], "force_field": version}
        about["model"] = {**about["model"], "network": network, "transform": transform}
        irreps_checkpoint.save(tmp_path / checkpoint.NAME, content.parameters, content.state, about=about)
        with contextlib.nullcontext() if accepted else pytest.raises(CheckpointError, match=f"version {version}"):
            load_model(tmp_path, "float32")


def test_md_conserves_energy(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.extxyz"
    words = ["--steps", "40", "--timestep", "0.2", "--atoms-per-part", "5", "--out", str(path)]
    assert main(["md", str(trained), *words]) == 0
    assert "energy drift" in capsys.readouterr().out
    frames = ase.io.read(path, ":")
    assert len(frames) == 5
    totals = [atoms.get_total_energy() for atoms in frames]
    assert np.ptp(totals) / len(frames[0]) < 1e-4


def test_missing_frames_and_devices_are_refused(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["md", str(trained), "--frame", "99"]) == 2
    assert "has 12 frames" in capsys.readouterr().err
    for words, expected in ((["--devices", "99"], "at most"), (["--atoms-per-part", "0"], "at least one atom")):
        for command in ("md", "relax", "evaluate"):
            assert main([command, str(trained), *words]) == 2
            assert f"force-field {command}: expected {expected}" in capsys.readouterr().err


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
    assert atoms.calc.evaluator.traces == 1
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
    frames_of: MakeFrames, trained: Path, data_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = data_file.read_text()
    try:
        ase.io.write(data_file, frames_of(["CH3CH2OH"] * 12, seed=1), format="extxyz")
        assert main(["train", "--resume", "--out", str(trained)]) == 2
        assert "trained_on" in capsys.readouterr().err
    finally:
        data_file.write_text(before)


def test_a_finished_run_can_be_extended(trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / checkpoint.NAME, tmp_path)
    assert main(["train", "--resume", "--out", str(tmp_path), "--epochs", "4"]) == 0
    assert checkpoint.load(tmp_path).header["progress"]["epoch"] == 4


def test_checkpoint_of_another_model_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = checkpoint.load(trained)
    header = {**saved.header, "model": {"architecture": "other", "width": 7}}
    checkpoint.save(tmp_path / checkpoint.NAME, saved.parameters, saved.state, header)
    assert main(["evaluate", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "architecture=other, width=7" in message
    assert "channels" in message


def test_parameters_of_another_model_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = checkpoint.load(trained)
    del saved.parameters["offsets"]
    checkpoint.save(tmp_path / checkpoint.NAME, saved.parameters, saved.state, saved.header)
    for command in (["evaluate", str(tmp_path)], ["train", "--resume", "--out", str(tmp_path), "--epochs", "4"]):
        assert main(command) == 2
        assert "another model: 'offsets' is missing" in capsys.readouterr().err


def test_a_run_that_ctrl_c_interrupts_resumes_as_if_uninterrupted(
    trained: Path, data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Trainer._advance

    def press_ctrl_c(trainer: Trainer, batch: object) -> tuple[float, float]:
        if trainer.progress.steps == 2:  # in the middle of the third step, the first of two in its epoch
            signal.raise_signal(signal.SIGINT)
        return advance(trainer, batch)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "_advance", press_ctrl_c)
        assert main(["train", "--data", str(data_file), "--out", str(tmp_path), *OPTIONS]) == 130
    output = capsys.readouterr()
    assert "--resume continues the run" in " ".join(output.out.split())
    assert output.err == ""
    assert checkpoint.load(tmp_path).header["progress"]["steps"] == 3
    assert main(["train", "--resume", "--out", str(tmp_path)]) == 0
    resumed, whole = checkpoint.load(tmp_path), checkpoint.load(trained)
    for tree, expected in ((resumed.parameters, whole.parameters), (resumed.state, whole.state)):
        for (name, array), (same_name, same) in zip(tree_leaves(tree), tree_leaves(expected), strict=True):
            assert name == same_name
            np.testing.assert_array_equal(array, same)
    columns = ("step", "loss", "energy_mae", "forces_mae")
    histories = [[[line[c] for c in columns] for line in x.header["progress"]["history"]] for x in (resumed, whole)]
    assert histories[0] == histories[1]
