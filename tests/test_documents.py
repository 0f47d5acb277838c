"""Documents hold: their Python examples run, their links within the repository lead somewhere, drawings are current.

The examples of a file are one doctest, in order, in one namespace.
"""

import doctest
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WITH_EXAMPLES = (
    "README.md",
    "docs/**/*.md",
    "packages/*/README.md",
    "examples/*/README.md",
    "packages/*/src/*/guide.md",
)
OTHERS = ("CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "packages/*/CHANGELOG.md")
# Scripts with a function `picture` that returns the SVG beside them.
DRAWINGS = sorted(path for path in ROOT.glob("docs/figures/*.py") if path.with_suffix(".svg").exists())


def documents(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def examples_of(text: str) -> str:
    """The Python blocks in their lines, everything else blank."""
    lines, inside = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        lines.append("" if fence or not inside else line)
        inside = line.startswith(("```python", "```pycon")) if fence else inside
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "path",
    [path for path in documents(*WITH_EXAMPLES) if path.parent.name != "tutorials"],  # see test_tutorials.py
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_examples_run(path: Path) -> None:
    if path.parent.parent.name == "examples":
        pytest.importorskip(path.parent.name.replace("-", "_"), reason="this example is not installed")
    test = doctest.DocTestParser().get_doctest(examples_of(path.read_text()), {}, path.name, str(path), 0)
    if not test.examples:
        pytest.skip("no Python examples with >>>")
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("path", documents(*WITH_EXAMPLES, *OTHERS), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_exist(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_files_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("## Where to find things")[2].partition("\n## ")[0]
    folders = {"core": "packages/irreps-core/src/irreps_core", "ops": "packages/irreps-ops/src/irreps_ops"}
    rows = [row.split(" | ")[1] for row in text.splitlines() if ".py`" in row]
    named = [ROOT / folders.get(row.split()[0], "") / path for row in rows for path in re.findall(r"`(\S+\.py)`", row)]
    assert len(named) > 20
    assert [str(path) for path in named if not path.exists()] == []


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_drawing_is_current(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(path.parent))
    picture = runpy.run_path(str(path))["picture"]
    assert path.with_suffix(".svg").read_text() == picture(), f"run python {path.relative_to(ROOT)}"


def test_every_figure_is_small_and_on_a_page() -> None:
    pages = "".join(path.read_text() for path in documents("docs/**/*.md"))
    figures = [path for path in (ROOT / "docs/figures").iterdir() if path.suffix in (".svg", ".png")]
    assert [path.name for path in figures if f"figures/{path.name})" not in pages] == []
    assert {path.name: path.stat().st_size for path in figures if path.stat().st_size > 150_000} == {}


@pytest.mark.parametrize("path", documents("packages/*/src/*/guide.md"), ids=lambda path: path.parent.name)
def test_guide_is_short_and_printed(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(path.read_text().splitlines()) < 300
    monkeypatch.setattr(sys, "argv", [path.parent.name, "guide"])
    monkeypatch.delitem(sys.modules, f"{path.parent.name}.__main__", raising=False)  # other tests import it
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_module(path.parent.name, run_name="__main__")
    assert capsys.readouterr().out == path.read_text()


def test_broken_links_of_the_site_are_found(tmp_path: Path) -> None:
    broken_links = runpy.run_path(str(ROOT / "docs/reference/links.py"))["broken_links"]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text('<h2 id=here></h2><a href="../#top">up</a><a href="https://x.org/">out</a>')
    good = '<p id="top"></p><a href="a/#here">1</a><a href=#top>2</a><img alt="" src="a/index.html">'
    (tmp_path / "index.html").write_text(good)
    assert list(broken_links(tmp_path)) == []
    (tmp_path / "index.html").write_text(
        good + '<a href="b/">1</a><a class="x" href="a/#there">2</a><script src="https://x.org/x.js"></script>'
    )
    assert len(list(broken_links(tmp_path))) == 3
