"""Tutorials: pages whose code runs, with its outputs and figures. Each is also a notebook.

A tutorial is a Markdown page of this folder. A ``python`` block is a cell. The ``output`` block after it is what the
cell prints, then the value of its last expression; in an ``approximate`` block, numbers may differ by some per cent, as
they do between machines. Cells write figures to the current directory, and the page shows those of ``figures``.

    uv run python docs/tutorials/tutorials.py [NAME ...]     # run pages; write their outputs and figures

As a hook of MkDocs, this module makes a notebook of each page.
"""

import ast
import base64
import contextlib
import doctest
import io
import json
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

FOLDER = Path(__file__).parent
CELL = re.compile(r"^```python\n(.*?)^```\n(?:\n```(output|approximate)\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\A\n!\[[^\]]*\]\((figures/\S+)\)\n")
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
FIGURES = (".svg", ".png")
TOLERANCE = 0.4  # relative, of numbers in approximate outputs


class Cell(NamedTuple):
    """A cell of a page.

    Attributes:
        source: its code.
        kind: "output", "approximate", or None if the page shows no output.
        output: what the page shows.
        line: the number of lines before its code.
    """

    source: str
    kind: str | None
    output: str
    line: int


def pages() -> list[Path]:
    """Return the tutorials."""
    return sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


def cells(text: str) -> list[Cell]:
    """Return the cells of a page."""
    return [Cell(m[1], m[2], m[3] or "", text[: m.start(1)].count("\n")) for m in CELL.finditer(text)]


def run(path: Path) -> Iterator[tuple[Cell, str]]:
    """Run a page in the current directory; yield each cell with its output."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(path.read_text()):
        code = ast.parse("\n" * cell.line + cell.source, str(path))
        last = code.body.pop() if isinstance(code.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(path), "exec"), names)
            value = eval(compile(ast.Expression(last.value), str(path), "eval"), names) if last else None
            if value is not None:
                print(repr(value))
        yield cell, printed.getvalue()


def agrees(cell: Cell, output: str) -> bool:
    """Return whether a page shows the output of a cell."""
    if cell.kind != "approximate":
        flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
        return doctest.OutputChecker().check_output(cell.output, output, flags)
    shown, found = (NUMBER.findall(text) for text in (cell.output, output))
    same_words = NUMBER.sub("", cell.output).split() == NUMBER.sub("", output).split()
    return same_words and all(map(close, shown, found))


def close(shown: str, found: str) -> bool:
    """Return whether two numbers agree to the tolerance, or to a unit of the last digit."""
    a, b = float(shown), float(found)
    return abs(a - b) <= max(TOLERANCE * abs(a), 1.001 * 10.0 ** -len(shown.partition(".")[2].partition("e")[0]))


def updated(text: str, outputs: list[tuple[Cell, str]]) -> str:
    """Return the text of a page with the outputs of its cells."""
    found = iter(outputs)

    def block(match: re.Match[str]) -> str:
        cell, output = next(found)
        if cell.kind != "approximate" and agrees(cell, output):
            return match[0]
        shown = f"\n```{cell.kind or 'output'}\n{output.rstrip()}\n```\n" if output else ""
        return f"```python\n{match[1]}```\n{shown}"

    return CELL.sub(block, text)


def notebook(text: str, folder: Path, address: str) -> dict[str, Any]:
    """Return a page as a notebook, in the format of Jupyter.

    Args:
        text: the page.
        folder: that of the page, for its figures.
        address: that of the folder in the repository, for links.
    """

    def link(match: re.Match[str]) -> str:
        place, slashes, path = address.partition("://")
        return f"]({place}{slashes}{posixpath.normpath(posixpath.join(path, match[1]))})"

    found: list[dict[str, Any]] = []

    def add(kind: str, source: str, **more: Any) -> None:
        if source.strip():
            lines = source.strip("\n").splitlines(keepends=True)
            found.append({"cell_type": kind, "id": f"cell-{len(found)}", "metadata": {}, "source": lines, **more})

    end = 0
    for match in [*CELL.finditer(text), None]:
        between = text[end : match.start() if match else None]
        if found and (figure := FIGURE.match(between)):
            found[-1]["outputs"].append(picture(folder / figure[1]))
            between = between[figure.end() :]
        add("markdown", re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", link, between))
        if match:
            shown = [{"output_type": "stream", "name": "stdout", "text": (match[3] or "").splitlines(keepends=True)}]
            add("code", match[1], execution_count=None, outputs=shown if match[3] else [])
            end = match.end()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": found, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def picture(path: Path) -> dict[str, Any]:
    """Return a figure as the output of a cell."""
    if path.suffix == ".svg":
        data = {"image/svg+xml": path.read_text()}
    else:
        data = {"image/png": base64.b64encode(path.read_bytes()).decode()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def on_files(files: "Files", config: "MkDocsConfig") -> None:
    """Add the notebooks to the site."""
    from mkdocs.structure.files import File  # those who run the pages do not need MkDocs

    for path in pages():
        made = notebook(path.read_text(), FOLDER, f"{config.repo_url}/blob/main/docs/tutorials")
        files.append(File.generated(config, f"tutorials/{path.stem}.ipynb", content=json.dumps(made, indent=1)))


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Link the notebook of a page below its title, and mark the outputs."""
    folder, _, name = page.file.src_uri.rpartition("/")
    if folder != "tutorials" or name == "index.md":
        return markdown
    title, _, text = markdown.partition("\n")
    text = re.sub(r"^```(output|approximate)$", "``` { .text .output .no-copy }", text, flags=re.MULTILINE)
    return f"{title}\n\n[Download as a notebook]({Path(name).stem}.ipynb){{ download }}\n{text}"


def main(names: list[str]) -> None:
    """Run pages, and write what they show. With ``--check``, compare one page instead, in the current directory."""
    os.environ.update(SOURCE_DATE_EPOCH="0", MPLBACKEND="agg", JAX_PLATFORMS="cpu")  # figures have no date
    if names[:1] == ["--check"]:
        wrong = [cell.line for cell, output in run(FOLDER / f"{names[1]}.md") if not agrees(cell, output)]
        sys.exit(f"other outputs at the lines {wrong}" if wrong else 0)
    if len(names) != 1:
        for name in names or [path.stem for path in pages()]:
            subprocess.run([sys.executable, __file__, name], check=True)
        return
    from irreps_ops.checkpoint import write_file  # the build of the site, which imports this file, lacks it

    path = FOLDER / f"{names[0]}.md"
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        write_file(path, updated(path.read_text(), list(run(path))))
        for figure in (file for file in Path(place).iterdir() if file.suffix in FIGURES):
            write_file(FOLDER / "figures" / figure.name, figure.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
