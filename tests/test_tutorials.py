"""Tutorials hold: code runs as that of a user, outputs and figures are those of the page; each makes a notebook."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import matplotlib
import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).parent.parent / "docs/tutorials"
TUTORIALS = runpy.run_path(str(FOLDER / "tutorials.py"))
PAGES: list[Path] = TUTORIALS["pages"]()


@pytest.fixture
def as_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of JAX that a user has, an empty folder, and figures that open no window."""
    monkeypatch.chdir(tmp_path)
    strict = {name: getattr(jax.config, name) for name in ("jax_enable_x64", "jax_numpy_rank_promotion")}
    jax.config.update("jax_enable_x64", False)
    jax.config.update("jax_numpy_rank_promotion", "allow")
    matplotlib.use("agg")
    yield
    plt.close("all")
    for name, value in strict.items():
        jax.config.update(name, value)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("as_a_user")
def test_tutorial(path: Path) -> None:
    for name in re.findall(r'metadata.distribution\("(\w+)"\)', path.read_text()):
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed: uv sync --group pretrained")
    if "jax_num_cpu_devices" in path.read_text():  # can be set only before JAX starts
        environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # as in conftest.py
        command = [sys.executable, str(FOLDER / "tutorials.py"), "--check", path.stem]
        subprocess.run(command, check=True, env=environment)
        return
    for cell, output in TUTORIALS["run"](path):
        assert TUTORIALS["agrees"](cell, output), f"line {cell.line}:\n{cell.output}\nexpected, got\n{output}"
    shown = set(re.findall(r"\]\(figures/([^)]+)\)", path.read_text()))
    assert shown == {file.name for file in Path.cwd().iterdir() if file.suffix in TUTORIALS["FIGURES"]}


def test_figures_are_shown() -> None:
    text = "".join(path.read_text() for path in PAGES)
    assert [file.name for file in (FOLDER / "figures").iterdir() if f"figures/{file.name}" not in text] == []


PAGE = """# Two

See [graphs](../graphs.md#edges) and [JAX](https://docs.jax.dev).

```python
x = 2
print(x)
x + 1
```

```output
2
3
```

![A figure](figures/two.svg)

The end.

```python
y = x / 3
```

```python
y
```

```approximate
0.7
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/two.svg").write_text("<svg/>")
    (tmp_path / "two.md").write_text(PAGE)
    return tmp_path / "two.md"


def test_run_agrees_and_updates(page: Path) -> None:
    found: list[Any] = list(TUTORIALS["run"](page))
    assert [output for _, output in found] == ["2\n3\n", "", "0.6666666666666666\n"]
    assert all(TUTORIALS["agrees"](*one) for one in found)
    assert TUTORIALS["updated"](PAGE, found) == PAGE.replace("0.7", "0.6666666666666666")
    page.write_text(PAGE.replace("x = 2", "x = 5"))
    found = list(TUTORIALS["run"](page))
    assert [TUTORIALS["agrees"](*one) for one in found] == [False, True, False]
    assert "```output\n5\n6\n```" in TUTORIALS["updated"](page.read_text(), found)


def test_notebook(page: Path) -> None:
    made = json.loads(json.dumps(TUTORIALS["notebook"](PAGE, page.parent, "https://host/docs/tutorials")))
    assert (made["nbformat"], [cell["cell_type"] for cell in made["cells"]]) == (4, ["markdown", "code"] * 2 + ["code"])
    first, code, rest, silent, last = made["cells"]
    assert "https://host/docs/graphs.md#edges" in "".join(first["source"])
    assert "".join(code["source"]) == "x = 2\nprint(x)\nx + 1"
    assert "".join(code["outputs"][0]["text"]) == "2\n3\n"
    assert code["outputs"][1]["data"] == {"image/svg+xml": "<svg/>"}
    assert ("".join(rest["source"]), silent["outputs"], last["outputs"][0]["text"]) == ("The end.", [], ["0.7\n"])
