"""The command line: tables on stdout; bad input on stderr with exit code 2, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from irreps_core import Irreps, __version__
from irreps_core.__main__ import main


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irreps_core", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "128x0e + 64x1o + 2e + 0o"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["irreps", "128x0e", "64x1o", "1x2e", "1x0o", "total"]
    assert lines[1].split() == ["128x0e", "scalar", "128", "128", "x", "1", "=", "128", "0:128", "512", "B"]
    assert lines[2].split() == ["64x1o", "vector", "64", "64", "x", "3", "=", "192", "128:320", "768", "B"]
    assert lines[3].split() == ["1x2e", "degree", "2,", "even", "1", "1", "x", "5", "=", "5", "320:325", "20", "B"]
    assert lines[5].split() == ["total", "194", "326", "0:326", "1.273", "KiB"]


def test_product(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["product", "8x0e+4x1o", "2x1o"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "8x0e+4x1o x 2x1o: 120 components"
    rows = [line.split() for line in out.splitlines()[2:]]
    assert rows[:-1] == [
        ["0e", "8", "8", "1o", "x", "1o"],
        ["1o", "16", "48", "0e", "x", "1o"],
        ["1e", "8", "24", "1o", "x", "1o"],
        ["2e", "8", "40", "1o", "x", "1o"],
    ]
    assert rows[-1] == ["total", "40", "120"]


def test_product_counts_every_component(capsys: pytest.CaptureFixture[str]) -> None:
    left, right = Irreps("3x0e + 2x1o + 2o + 3e"), Irreps("1e + 2x2o + 0o")
    main(["product", str(left), str(right)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert sum(int(row[2]) for row in rows[:-1]) == int(rows[-1][2]) == left.dim * right.dim


@pytest.mark.parametrize(
    "words",
    [
        ("show", "1x"),
        ("show", "-1x0e"),
        ("show", ""),
        ("product", "1o", "1.5e"),
        ("product", "1o"),
        ("no-such-command",),
        (),
    ],
)
def test_bad_input(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    if len(words) > 1 and words != ("product", "1o"):
        assert repr(words[-1]) in done.stderr


def exit_code(words: list[str]) -> object:
    try:
        return main(words)
    except SystemExit as refused:
        return refused.code


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1x1000000e", "1x1000000e"),
        ("+".join(f"{l}e+{l}o" for l in range(500)), "+".join(f"{l}e" for l in range(500))),
        ("1o+" * 30_000 + "1o", "2e"),
        (f"{'9' * 3000}x1o", f"{'9' * 3000}x2e"),
        (f"1x{'9' * 3000}e", "1e"),
        (f"1x{'9' * 3000}e", f"1x{'9' * 3000}e"),
    ],
)
def test_long_irreps_take_bounded_time_and_output(left: str, right: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["product", left, right], ["show", left]):
        code = exit_code(words)
        assert code in (0, 2)
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert len(found.out) < 10_000_000
        assert len(found.err) < 20_000


def test_repeated_items_are_counted_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    main(["product", "1o+2x1o+1o", "0e+0e"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["1o", "8", "24", "1o", "x", "0e"], ["total", "8", "24"]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("words", [("show", "1o"), ("product", "1o", "1o"), ("plugins",), ("--help",)])
def test_output_that_cannot_be_written(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "irreps_core", *words]
    environment = {**os.environ, "IRREPS_DISABLE_PLUGINS": "all"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m irreps_core: cannot write the output: ")
    assert done.stderr.count("\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    assert done.returncode == 1 or words == ("--help",)
    assert done.stderr == ""


def test_long_words_are_quoted_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show", "1o", "q" * 100_000], ["q" * 100_000], ["show", "q" * 100_000]):
        assert exit_code(words) == 2
        assert len(capsys.readouterr().err) < 2000


def test_help_and_version() -> None:
    assert run("--version").stdout.strip() == f"irreps-core {__version__}"
    done = run("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("show", "product", "plugins"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two distributions, one of which fails to import."""
    for name, code in (("good_one", "binding = 1"), ("broken_one", "raise RuntimeError('not today')")):
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-0.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
        (info / "entry_points.txt").write_text(f"[irreps.testgroup]\n{name} = {name}:binding\n")
    return tmp_path


def test_plugins(folder: Path) -> None:
    done = run("plugins", PYTHONPATH=str(folder), IRREPS_DISABLE_PLUGINS="")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert lines["name"].split() == ["group", "name", "distribution", "version", "state"]
    assert lines["good_one"].split() == ["irreps.testgroup", "good_one", "good-one", "0.3", "ready"]
    assert lines["broken_one"].endswith("failed: RuntimeError('not today')")


def test_plugins_switched_off(folder: Path) -> None:
    done = run("plugins", PYTHONPATH=str(folder), IRREPS_DISABLE_PLUGINS="all")
    lines = [line for line in done.stdout.splitlines() if "testgroup" in line]
    assert len(lines) == 2
    assert all(line.endswith("disabled: IRREPS_DISABLE_PLUGINS=all") for line in lines)


def test_no_plugins(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from irreps_core import plugins

    monkeypatch.setattr(plugins, "available", tuple)
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out == "no plugins are installed\n"
