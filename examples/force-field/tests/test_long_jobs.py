"""Long jobs: a place that cannot be written to is noticed at once, and a job that is told to stop saves first."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import pytest

from force_field import checkpoint
from force_field import train as training_command
from force_field.cli import main
from force_field.simulation import commands as simulation_commands
from force_field.simulation import dynamics
from force_field.training import Report, Trainer, logs
from irreps_ops import checkpoint as irreps_checkpoint

SMALL = ["--channels", "2", "--layers", "1", "--lmax", "0", "--valid", "4"]


def full(limit: int, patch: pytest.MonkeyPatch) -> None:
    """A disk without space for more than `limit` bytes in a file."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_size > limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    patch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    "kind", ["below a file", "full", "too full for the checkpoint", "plot is a folder", "in /proc"]
)
def test_a_bad_place_is_noticed_before_training(
    kind: str, data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(Trainer, "_advance", lambda *_: pytest.fail("training has started"))
    if kind == "below a file":
        out.touch()
        out = out / "run"
    elif kind == "in /proc":
        out = Path("/proc/run")
    elif kind == "plot is a folder":
        (out / "parity.png").mkdir(parents=True)
    else:
        monkeypatch.setattr(training_command.outputs, "PROBE", 16)
        full(0 if kind == "full" else 16, monkeypatch)
    assert main(["train", "--data", str(data_file), "--out", str(out), *SMALL]) == 2
    message = capsys.readouterr().err
    assert message.startswith("force-field train: ")
    assert message.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "run"]


def test_a_disk_that_fills_up_ends_training_in_one_line(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def advance(trainer: Trainer, batch: object) -> tuple[float, float]:
        trainer.progress.steps += 1
        full(0, monkeypatch)
        return 1.0, 1.0

    monkeypatch.setattr(Trainer, "_advance", advance)
    monkeypatch.setattr(training_command.Run, "_validate", lambda *_: {"energy_mae": 1.0, "forces_mae": 1.0})
    words = ["train", "--data", str(data_file), "--out", str(tmp_path), "--save-every", "1e-9", *SMALL]
    assert main(words) == 2
    message = capsys.readouterr().err
    assert message == f"force-field train: {os.strerror(errno.ENOSPC)}: {tmp_path / checkpoint.NAME}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.NAME, logs.NAME]
    assert checkpoint.load_run(tmp_path).header["progress"]["steps"] == 0  # of before training


# A program whose steps take no compilation.
PROGRAM = """
import sys, time
from force_field import cli, train
from force_field.training import Trainer

def advance(trainer, batch):
    time.sleep(0.05)
    trainer.progress.steps += 1
    return 1.0, 1.0

Trainer._advance = advance
train.Run._validate = lambda *_: {"energy_mae": 1.0, "forces_mae": 1.0}
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_process_that_gets_sigterm_saves(data_file: Path, tmp_path: Path) -> None:
    path = tmp_path / checkpoint.NAME
    words = ["train", "--data", str(data_file), "--out", str(tmp_path), "--minutes", "9", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while not path.exists():  # the first is written before training
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert (process.returncode, err) == (143, "")
    assert "--resume continues the run" in " ".join(out.split())
    assert irreps_checkpoint.read_header(path)["about"]["progress"]["steps"] >= 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_dynamics_that_is_stopped_keeps_its_trajectory(
    number: int, code: int, data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "steps", lambda self: iter(()))
        patch.setattr(training_command.Run, "finish", lambda *_: None)
        assert main(["train", "--data", str(data_file), "--out", str(tmp_path), *SMALL]) == 0
    snapshot = dynamics._snapshot

    def stop_at_the_third(atoms: object) -> object:
        frames.append(snapshot(atoms))
        if len(frames) == 3:
            signal.raise_signal(number)
        return frames[-1]

    frames: list[object] = []
    monkeypatch.setattr(dynamics, "_snapshot", stop_at_the_third)
    assert main(["md", str(tmp_path), "--steps", "500"]) == code
    assert len(ase.io.read(tmp_path / "trajectory.extxyz", ":")) == 3


def test_dynamics_checks_its_place_first(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "steps", lambda self: iter(()))
        patch.setattr(training_command.Run, "finish", lambda *_: None)
        assert main(["train", "--data", str(data_file), "--out", str(tmp_path), *SMALL]) == 0
    monkeypatch.setattr(simulation_commands, "simulate", lambda *_, **__: pytest.fail("dynamics has started"))
    for out in ("/dev/full", str(data_file / "out.extxyz"), str(tmp_path)):
        assert main(["md", str(tmp_path), "--out", out]) == 2
        assert capsys.readouterr().err.startswith("force-field md: ")


def test_a_run_whose_output_nobody_reads_saves(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def advance(trainer: Trainer, batch: object) -> tuple[float, float]:
        trainer.progress.steps += 1
        return 1.0, 1.0

    def closed(*_: object) -> str:
        raise SystemExit(1)  # as rich does after a broken pipe

    monkeypatch.setattr(Trainer, "_advance", advance)
    monkeypatch.setattr(training_command.Run, "_line", closed)
    monkeypatch.setattr(training_command.Run, "_validate", lambda *_: {"energy_mae": 1.0, "forces_mae": 1.0})
    with pytest.raises(SystemExit):
        main(["train", "--data", str(data_file), "--out", str(tmp_path), *SMALL])
    assert checkpoint.load_run(tmp_path).header["progress"]["steps"] == 1


def test_a_diverged_run_keeps_its_last_good_checkpoint(
    data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", str(data_file), "--out", str(tmp_path), "--learning-rate", "1e38", *SMALL]
    assert main(words) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    steps = checkpoint.load_run(tmp_path).header["progress"]["steps"]  # load_run refuses numbers that are not finite
    assert steps >= 1
    assert f"at step {steps + 1}, in the batch of {data_file}, frame " in message
    assert f"{tmp_path / checkpoint.NAME} keeps the state before it" in message
    lines = [json.loads(line) for line in (tmp_path / logs.NAME).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 1))


def test_a_log_for_tensorboard_needs_its_package(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    words = ["train", "--data", str(data_file), "--out", str(tmp_path / "run"), "--tensorboard", *SMALL]
    assert main(words) == 2
    assert "pip install 'force-field[tensorboard]'" in capsys.readouterr().err


def test_the_log_for_tensorboard_has_the_errors(tmp_path: Path) -> None:
    found = {"energy_mae": 1.0, "forces_mae": 2.0}
    with logs.Log(tmp_path, 0, logs.tensorboard_writer()) as log:
        log.write(1, 0.5, Report(0.1, 3.0, 4.0, 0.01, found))
    (path,) = (tmp_path / logs.TENSORBOARD).iterdir()
    content = path.read_bytes()
    for name in (b"loss", b"forces_rmse", b"learning_rate", b"validation/forces_mae"):
        assert name in content


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")])
def test_a_batch_that_exceeds_the_memory_ends_in_one_line(
    error: Exception,
    data_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def advance(trainer: Trainer, batch: object) -> tuple[float, float]:
        raise error

    monkeypatch.setattr(Trainer, "_advance", advance)
    assert main(["train", "--data", str(data_file), "--out", str(tmp_path), *SMALL]) == 2
    message = capsys.readouterr().err
    assert "the memory does not suffice: use a smaller --batch-size" in message
    assert message.count("\n") == 1


def test_a_full_disk_is_named_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with logs.Log(tmp_path, 0) as log:
        log.file.close()
        log.file = (tmp_path / "full").open("w")
        log.write(1, 0.5, Report(0.1, 3.0, 4.0, 0.01, None))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
            log.flush()
    assert caught.value.filename == str(tmp_path / "full")
