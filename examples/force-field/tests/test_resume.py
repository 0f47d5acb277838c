"""A run that is killed at any moment, and resumed, ends as if nothing had happened; a folder has one run at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from force_field import lock
from force_field.cli import main


def test_killed_runs_end_bitwise_equal() -> None:
    script = Path(__file__).with_name("kill_and_resume.py")
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # as in conftest.py
    done = subprocess.run([sys.executable, str(script), "1"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 runs end bitwise equal" in done.stdout


def test_a_folder_in_use_is_refused(data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(tmp_path / lock.NAME):
        assert main(["train", "--data", str(data_file), "--out", str(tmp_path)]) == 2
        assert f"{tmp_path} is in use by another training run" in capsys.readouterr().err


def test_refused_input_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.extxyz").write_text("1\n\nH 0 0\n")
    assert main(["train", "--data", str(tmp_path / "bad.extxyz"), "--out", str(tmp_path / "runs" / "a")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad.extxyz"]


# Loading JAX or ASE fails, so the command must end before.
WITHOUT_JAX = "import sys; sys.modules['jax'] = sys.modules['ase'] = None; from force_field.cli import main; "


@pytest.mark.parametrize(
    "words",
    [
        "train --data none.xyz",
        "train --config none.toml",
        "train --out none --resume",
        "evaluate none",
        "md none",
        "use nequix --checkpoint none.nqx",
        "--help",
    ],
)
def test_a_missing_file_is_reported_before_jax_is_loaded(words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_JAX} sys.exit(main({words.split()}))"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == (0 if words == "--help" else 2), done.stderr
    assert words == "--help" or "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
