"""Several devices, of one process or of two, train as one device does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from force_field import train
from force_field.checkpoint import load
from force_field.cli import main
from force_field.training import logs

PROGRAM = Path(__file__).with_name("several_devices.py")
# Each program is compiled to run a few times.
ENVIRONMENT = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


@pytest.mark.slow
def test_eight_devices_give_the_curve_of_one() -> None:
    env = {**ENVIRONMENT, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    done = subprocess.run([sys.executable, str(PROGRAM), "1", "0"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    one, eight = json.loads(done.stdout.splitlines()[-1])
    assert len(one) == 17
    assert one[0] != one[-3]
    np.testing.assert_allclose(eight, one, rtol=1e-9)


def curve(folder: Path) -> np.ndarray:
    lines = [json.loads(line) for line in (folder / logs.NAME).read_text().splitlines()]
    return np.array([[line[name] for name in ("step", "loss", "forces_rmse")] for line in lines])


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one_until_one_is_stopped(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    settings, folder = tmp_path / "settings.toml", tmp_path / "two"
    settings.write_text('[training]\nschedule = "constant"\nvalidations = 1\n')
    words = ["train", "--data", str(data_file), "--valid", "4", "--config", str(settings), "--dtype", "float64"]
    words += ["--channels", "2", "--layers", "1", "--lmax", "0"]
    several = ["--processes", "2", "--coordinator", coordinator, "--devices", "0", "--save-every", "0.001"]
    command = [sys.executable, "-m", "force_field.cli", *words, *several, "--epochs", "100000", "--out", str(folder)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, "--process", number], env=ENVIRONMENT, **pipes) for number in "01"]
    log = folder / logs.NAME
    try:
        while all(process.poll() is None for process in processes):
            if log.exists() and log.read_text().count("\n") >= 8:
                processes[1].send_signal(signal.SIGTERM)
                break
            time.sleep(0.1)
        results = [process.communicate(timeout=600) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [143, 143], results
    assert "Interrupted: saved" in results[0][0]
    assert "Interrupted" not in results[1][0]
    found = curve(folder)
    assert load(folder).header["progress"]["steps"] == len(found)
    monkeypatch.setattr(train.Run, "finish", lambda *_: None)
    assert main([*words, "--epochs", "4", "--out", str(tmp_path / "one")]) == 0
    np.testing.assert_allclose(found[:8], curve(tmp_path / "one"), rtol=1e-8)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--devices", "99"], "expected at most"),
        (["--processes", "2", "--process", "2"], "--process below --processes"),
    ],
)
def test_too_many_devices_or_processes_are_refused(
    words: list[str], expected: str, data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(data_file), "--out", str(tmp_path / "run"), *words]) == 2
    assert expected in capsys.readouterr().err
