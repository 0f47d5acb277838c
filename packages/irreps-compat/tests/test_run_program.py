"""``python -m irreps_compat PROGRAM`` runs a program with e3nn_jax and its submodules resolved to irreps_compat."""

import subprocess
import sys
from pathlib import Path

import pytest

from irreps_compat.__main__ import main

PROGRAM = """
import sys
import e3nn_jax as e3nn
import e3nn_jax.experimental.transformer
import helper
import irreps_compat.e3nn_jax as compat
from e3nn_jax import legacy, utils
from e3nn_jax._src.spherical_harmonics import legendre
from e3nn_jax._src.su2 import su2_clebsch_gordan
from e3nn_jax.legacy import FunctionalTensorProduct

assert e3nn is compat is sys.modules["e3nn_jax"]
assert e3nn.experimental.transformer is sys.modules["irreps_compat.e3nn_jax.experimental.transformer"]
assert (e3nn.__name__, e3nn.__spec__.name) == ("irreps_compat.e3nn_jax",) * 2
assert (legacy, utils, legendre) == (compat.legacy, compat.utils, compat.legendre)
assert FunctionalTensorProduct is compat.FunctionalTensorProduct
try:
    import e3nn_jax.nonsense
except ModuleNotFoundError as error:
    assert error.name == "e3nn_jax.nonsense"
else:
    raise AssertionError
print(__name__, sys.argv, helper.__file__)
sys.exit(7)
"""


@pytest.mark.parametrize("as_module", [False, True])
def test_a_program_runs_unedited(tmp_path: Path, as_module: bool):
    folder = tmp_path / "programs"
    folder.mkdir()
    program, helper = folder / "program.py", folder / "helper.py"
    program.write_text(PROGRAM)
    helper.write_text("")
    command = ["-m", "program"] if as_module else ["programs/program.py"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "irreps_compat", *command, "--steps", "-m"],
        cwd=folder if as_module else tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    own_name = str(program) if as_module else "programs/program.py"
    assert done.stdout.strip() == f"__main__ {[own_name, '--steps', '-m']} {helper}"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "no program is given\nusage: "),
        (["-m"], 2, "no program is given\nusage: "),
        (["-x", "program.py"], 2, "unknown option -x\nusage: "),
        (["missing.py", "--steps"], 2, "the program 'missing.py' does not exist"),
        (["."], 2, "the folder '.' has no file __main__.py"),
        (["-m", "missing.module"], 1, "no module named missing.module"),
        (["-m", "irreps_compat.missing"], 1, "no module named irreps_compat.missing"),
        (["-m", "irreps_compat.e3nn"], 1, "no module named irreps_compat.e3nn.__main__"),
    ],
)
def test_refuses_what_is_no_program(arguments, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("irreps_compat.__main__.redirect_e3nn_jax", lambda: None)
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == status
    assert capsys.readouterr().err.startswith(f"python -m irreps_compat: {message}")


def test_help(capsys):
    main(["--help"])
    assert capsys.readouterr().out.startswith("usage: python -m irreps_compat PROGRAM")
