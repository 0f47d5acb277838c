"""Checks before a release: small trees with one fault each are refused, and this repository passes."""

import io
import os
import runpy
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent


release = SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "release.py")))

BASE_PROJECT = '[project]\nname = "demo-base"\nversion = "0.2.1"\ndependencies = ["numpy>=2.0"]\n'
TOP_PROJECT = """[project]
name = "demo-top"
version = "0.3.0"
dependencies = ["demo-base>=0.2,<0.3"]
[project.optional-dependencies]
fast = ["demo_base[jax]>=0.2.1,<0.3"]
"""
CHANGELOG = "# Changelog\n\n## 0.2.1 (2026-02-28)\n\n* A fix.\n\n## 0.2.0 (2026-02-28)\n\n* More.\n"
FILES = {
    "demo-base/pyproject.toml": BASE_PROJECT,
    "demo-base/src/demo_base/__init__.py": '__version__ = "0.2.1"\n',
    "demo-base/CHANGELOG.md": CHANGELOG,
    "demo-top/pyproject.toml": TOP_PROJECT,
    "demo-top/src/demo_top/__init__.py": '"""On top."""\n__version__ = "0.3.0"\n',
    "demo-top/CHANGELOG.md": "# Changelog\n\n## 0.3.0 (unreleased)\n\nFirst release.\n",
    "no-package/notes.md": "a folder without pyproject.toml",
}


def tree(root: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """Write FILES with some changed or left out (None)."""
    for name, text in {**FILES, **(changes or {})}.items():
        if text is not None:
            path = root / "packages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


def problems_of(root: Path, *, dated: bool = False) -> list[str]:
    packages = release.read_packages(root)
    return [problem for package in packages for problem in release.check_package(package, packages, dated=dated)]


def test_packages_are_discovered(tmp_path: Path) -> None:
    packages = release.read_packages(tree(tmp_path))
    assert [(p.name, p.module, str(p.version)) for p in packages] == [
        ("demo-base", "demo_base", "0.2.1"),
        ("demo-top", "demo_top", "0.3.0"),
    ]


def test_consistent_tree_passes_and_lacks_only_a_date_for_release(tmp_path: Path) -> None:
    tree(tmp_path)
    assert problems_of(tmp_path) == []
    (problem,) = problems_of(tmp_path, dated=True)
    assert "no date for 0.3.0" in problem


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "demo-base/src/demo_base/__init__.py",
            "0.2.1",
            "0.2.0",
            "__version__ is 0.2.0, but pyproject.toml says 0.2.1",
        ),
        ("demo-base/src/demo_base/__init__.py", "__version__", "VERSION", 'lacks the line __version__ = "0.2.1"'),
        ("demo-base/src/demo_base/__init__.py", "", None, "__init__.py is missing"),
        ("demo-base/CHANGELOG.md", "", None, "CHANGELOG.md is missing"),
        ("demo-base/CHANGELOG.md", "## 0.2.1", "## 0.2.2", "newest entry of CHANGELOG.md is 0.2.2, expected 0.2.1"),
        ("demo-base/CHANGELOG.md", "## ", "### ", "newest entry of CHANGELOG.md is missing, expected 0.2.1"),
        ("demo-base/CHANGELOG.md", " (2026-02-28)", "", "should read '## VERSION (YYYY-MM-DD)'"),
        ("demo-base/CHANGELOG.md", "2026-02-28", "2026-02-31", "2026-02-31"),
        ("demo-base/CHANGELOG.md", "2026-02-28", "28 February", "28 February"),
        ("demo-base/CHANGELOG.md", "* A fix.\n", "", "says nothing about 0.2.1"),
        ("demo-base/CHANGELOG.md", "0.2.0 (", "0.2.3 (", "lists 0.2.1 above 0.2.3"),
        ("demo-base/CHANGELOG.md", "0.2.0 (2026-02-28)", "0.2.0 (2026-03-01)", "0.2.0 needs a date"),
        ("demo-base/CHANGELOG.md", "0.2.0 (2026-02-28)", "0.2.0 (unreleased)", "0.2.0 needs a date"),
        ("demo-top/pyproject.toml", "<0.3", "<0.2.1", "which excludes the present version 0.2.1"),
        ("demo-top/pyproject.toml", "demo_base[jax]>=0.2.1,<0.3", "demo_base==0.2.0", "which excludes"),
        ("demo-top/pyproject.toml", ">=0.2,<0.3", ">=0.2", "give an upper bound"),
    ],
)
def test_fault_is_found(tmp_path: Path, file: str, old: str, new: str | None, message: str) -> None:
    assert old in FILES[file]
    tree(tmp_path, {file: None if new is None else FILES[file].replace(old, new)})
    problems = problems_of(tmp_path)
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize("missing", ["name", "version"])
def test_project_without_literal_name_or_version_is_refused(tmp_path: Path, missing: str) -> None:
    lines = [line for line in BASE_PROJECT.splitlines() if not line.startswith(missing)]
    tree(tmp_path, {"demo-base/pyproject.toml": "\n".join(lines)})
    with pytest.raises(ValueError, match=rf"lacks {missing}"):
        release.read_packages(tmp_path)


def test_folder_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        release.read_packages(tmp_path)


def test_check_prints_a_table_and_fails_with_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["check"], tree(tmp_path)) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [
        ["demo-base", "0.2.1", "2026-02-28", "-", "0"],
        ["demo-top", "0.3.0", "unreleased", "demo-base<0.3,>=0.2;", "demo_base[jax]<0.3,>=0.2.1", "0"],
    ]
    tree(tmp_path, {"demo-base/CHANGELOG.md": "# Changelog\n"})
    assert release.main(["check"], tmp_path) == 1
    assert "demo-base: the newest entry of CHANGELOG.md is missing" in capsys.readouterr().out
    assert release.main(["check", "demo-top"], tmp_path) == 0
    assert "demo-base<0.3,>=0.2" in capsys.readouterr().out


def test_unknown_package_is_refused_with_those_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["check", "demo-tap"], tree(tmp_path)) == 1
    assert "unknown packages demo-tap: choose from demo-base, demo-top" in capsys.readouterr().err


WHEEL = {
    "demo_base/__init__.py": "",
    "demo_base/py.typed": "",
    "demo_base/testing/__init__.py": "",  # for users, not our tests
    "demo_base-0.2.1.dist-info/METADATA": "Metadata-Version: 2.4\nName: demo-base\nVersion: 0.2.1\n",
    "demo_base-0.2.1.dist-info/licenses/LICENSE": "",
}
SDIST = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    ".gitignore",
    "src/demo_base/__init__.py",
    "tests/t.py",
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"demo_base/py.typed": None}, "lacks demo_base/py.typed"),
        ({"demo_base-0.2.1.dist-info/licenses/LICENSE": None}, "lacks the LICENSE"),
        ({"demo_base/tests/test_a.py": ""}, "contains demo_base/tests/test_a.py"),
        ({"tests/test_a.py": ""}, "contains tests/test_a.py"),
        ({"demo_base/__pycache__/a.pyc": ""}, "contains demo_base/__pycache__/a.pyc"),
        ({"demo_base-0.2.1.dist-info/METADATA": "Version: 0.2.0\n"}, "says version ['0.2.0'], expected 0.2.1"),
    ],
)
def test_contents_of_a_wheel(tmp_path: Path, change: Mapping[str, str | None], message: str | None) -> None:
    package = release.read_packages(tree(tmp_path))[0]
    wheel = tmp_path / "demo_base-0.2.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**WHEEL, **change}.items():
            if text is not None:
                archive.writestr(name, text)
    problems = release.check_wheel(wheel, package)
    assert problems == [] if message is None else len(problems) == 1 and message in problems[0], problems


@pytest.mark.parametrize("missing", [None, "LICENSE", "CHANGELOG.md", "src/demo_base/__init__.py"])
def test_contents_of_a_source_distribution(tmp_path: Path, missing: str | None) -> None:
    package = release.read_packages(tree(tmp_path))[0]
    sdist = tmp_path / "demo_base-0.2.1.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name in SDIST:
            if name != missing:
                archive.addfile(tarfile.TarInfo(f"demo_base-0.2.1/{name}"), io.BytesIO())
    expected = [] if missing is None else [f"{sdist.name} lacks {missing}"]
    assert release.check_sdist(sdist, package) == expected


def test_builds_are_compared_by_name_and_bytes(tmp_path: Path) -> None:
    for folder, files in (("first", {"a": "1", "b": "2", "c": "3"}), ("second", {"a": "1", "b": "x", "d": "3"})):
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            path = tmp_path / folder / name
            path.write_text(text)
            os.utime(path, (0, 0))  # equal times and sizes do not make files equal
    problems = release.different_files(tmp_path / "first", tmp_path / "second")
    assert problems == [f"two builds differ in {name}" for name in "bcd"]
    assert release.different_files(tmp_path / "first", tmp_path / "first") == []


def test_this_repository_passes() -> None:
    assert problems_of(ROOT) == []
