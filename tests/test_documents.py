"""The Python examples of the documents run: each file is one doctest, in order, in one namespace."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md")
    for path in ROOT.glob(pattern)
)


def examples_of(text: str) -> str:
    """The Python blocks in their lines, everything else blank."""
    lines, inside = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        lines.append("" if fence or not inside else line)
        inside = line.startswith(("```python", "```pycon")) if fence else inside
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
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


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_exist(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []
