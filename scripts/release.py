"""Check the packages before a release, and build their wheels and source distributions.

    uv run python scripts/release.py check                   print a table of all packages; build nothing
    uv run python scripts/release.py build irreps-core       check strictly, then build into dist/
    uv run python scripts/release.py build --unreleased      build packages whose changelog has no date yet

`check` reads files only. It compares, for every package in packages/, the version in pyproject.toml with `__version__`
and with the newest entry of the changelog, and the ranges that it requires of its siblings with their versions.

`build` runs the same checks, and unless it is given `--unreleased` it refuses changelogs without a date and packages
with uncommitted changes. It builds each package twice, in isolation. It fails unless both builds have the same bytes
and their contents are complete: py.typed, LICENSE and the right version, and no tests in the wheel. It writes a bill of
materials beside them, see supply_chain.py.

Both commands print all problems, and exit with status 1 if there are any.
"""

import argparse
import ast
import datetime
import email
import filecmp
import itertools
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
UNRELEASED = "unreleased"
_HEADING = re.compile(r"## (?P<version>\S+) \((?P<date>[^)]*)\)")
_MUCH_LATER = Version("9999")


@dataclass(frozen=True)
class Package:
    """A distribution in packages/, as its pyproject.toml describes it.

    Attributes:
        folder: its folder.
        name: its name, normalized: `irreps-core`.
        version: its version.
        requirements: its dependencies, those of its extras included.
    """

    folder: Path
    name: str
    version: Version
    requirements: tuple[Requirement, ...]

    @property
    def module(self) -> str:
        """The name to import: `irreps_core`."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Entry:
    """An entry of a changelog: version, date (None: unreleased), and whether any text follows the heading."""

    version: Version
    date: datetime.date | None
    described: bool


def read_packages(root: Path) -> list[Package]:
    """Return the packages of a workspace, sorted by name.

    Raises:
        ValueError: the folder has no packages, or one of them lacks a name or a literal version.
    """
    packages = [_read_package(path) for path in sorted(root.glob("packages/*/pyproject.toml"))]
    if not packages:
        raise ValueError(f"expected packages/*/pyproject.toml in {root}, found none: run the script in its repository")
    return packages


def _read_package(path: Path) -> Package:
    project = tomllib.loads(path.read_text()).get("project", {})
    missing = [key for key in ("name", "version") if key not in project]
    if missing:
        raise ValueError(f"{path}: [project] lacks {' and '.join(missing)}; write them there, not under `dynamic`")
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    required = [*project.get("dependencies", []), *(text for texts in extras.values() for text in texts)]
    return Package(
        folder=path.parent,
        name=canonicalize_name(project["name"]),
        version=Version(project["version"]),
        requirements=tuple(Requirement(text) for text in required),
    )


def check_version(package: Package) -> list[str]:
    """Return what is wrong with `__version__` of a package's module."""
    path = package.folder / "src" / package.module / "__init__.py"
    if not path.exists():
        return [f"src/{package.module}/__init__.py is missing"]
    found = _module_version(path)
    if found is None:
        return [f'src/{package.module}/__init__.py lacks the line __version__ = "{package.version}"']
    if found != str(package.version):
        return [f"__version__ is {found}, but pyproject.toml says {package.version}"]
    return []


def _module_version(path: Path) -> str | None:
    """Return the string assigned to `__version__`, without importing the module."""
    for statement in ast.parse(path.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=str(version))):
                return version
    return None


def read_changelog(text: str) -> list[Entry]:
    """Return the entries of a changelog, newest first.

    Raises:
        ValueError: a heading of the second level is not of the form `## 0.1.0 (2026-01-31)` or `## 0.1.0 (unreleased)`.
    """
    entries = []
    _, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    for section in sections:
        heading, _, body = section.partition("\n")
        expected = f"{heading!r} should read '## VERSION (YYYY-MM-DD)' or '## VERSION ({UNRELEASED})'"
        match = _HEADING.fullmatch(heading.rstrip())
        if match is None:
            raise ValueError(expected)
        try:
            version = Version(match["version"])
            date = None if match["date"] == UNRELEASED else datetime.date.fromisoformat(match["date"])
        except ValueError as error:
            raise ValueError(f"{expected}: {error}") from None
        entries.append(Entry(version, date, described=bool(body.strip())))
    return entries


def check_changelog(package: Package, *, dated: bool) -> list[str]:
    """Return what is wrong with the changelog of a package; an entry without a date is wrong only if `dated`."""
    path = package.folder / "CHANGELOG.md"
    if not path.exists():
        return ["CHANGELOG.md is missing"]
    try:
        entries = read_changelog(path.read_text())
    except ValueError as error:
        return [f"CHANGELOG.md: {error}"]
    if not entries or entries[0].version != package.version:
        newest = entries[0].version if entries else "missing"
        return [f"the newest entry of CHANGELOG.md is {newest}, expected {package.version}"]
    problems = []
    if not entries[0].described:
        problems.append(f"CHANGELOG.md says nothing about {package.version}")
    if dated and entries[0].date is None:
        problems.append(f"CHANGELOG.md has no date for {package.version}: replace ({UNRELEASED}) by the day of release")
    for newer, older in itertools.pairwise(entries):
        if newer.version <= older.version:
            problems.append(f"CHANGELOG.md lists {newer.version} above {older.version}: put newer versions first")
        if older.date is None or (newer.date is not None and newer.date < older.date):
            problems.append(f"CHANGELOG.md: {older.version} needs a date that is not after that of {newer.version}")
    return problems


def check_siblings(package: Package, packages: Iterable[Package]) -> list[str]:
    """Return which ranges of siblings do not admit the siblings' versions, or have no upper bound."""
    versions = {sibling.name: sibling.version for sibling in packages}
    problems = []
    for requirement in package.requirements:
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"requires {requirement}, which excludes the present version {version}")
        elif requirement.specifier.contains(_MUCH_LATER):
            problems.append(f"requires {requirement}: give an upper bound, because later versions may differ")
    return problems


def check_package(package: Package, packages: Iterable[Package], *, dated: bool) -> list[str]:
    """Return everything that is wrong with a package's files."""
    return [*check_version(package), *check_changelog(package, dated=dated), *check_siblings(package, packages)]


def table(selected: Sequence[Package], packages: Sequence[Package], problems: dict[str, list[str]]) -> str:
    """Return a table with one row per selected package, and the problems under it."""
    rows = [("package", "version", "changelog", "siblings", "problems")]
    names = {package.name for package in packages}
    for package in selected:
        siblings = sorted(str(r) for r in package.requirements if canonicalize_name(r.name) in names)
        rows.append(
            (
                package.name,
                str(package.version),
                _release_date(package),
                "; ".join(siblings) or "-",
                str(len(problems[package.name])),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{name}: {problem}" for name, found in problems.items() for problem in found]
    return "\n".join(lines)


def _release_date(package: Package) -> str:
    """Return the date of the present version in the changelog, for the table."""
    try:
        entries = read_changelog((package.folder / "CHANGELOG.md").read_text())
    except (OSError, ValueError):
        return "?"
    dates = {entry.version: entry.date for entry in entries}
    return str(dates[package.version] or UNRELEASED) if package.version in dates else "?"


def uncommitted(package: Package) -> list[str]:
    """Return a problem if git knows of changes in a package that are not committed."""
    command = ["git", "status", "--porcelain", "--", "."]
    done = subprocess.run(command, cwd=package.folder, capture_output=True, text=True, check=True)
    paths = [line[3:] for line in done.stdout.splitlines()]
    return [f"uncommitted changes ({len(paths)}), such as {paths[0]}: commit them first"] if paths else []


def check_wheel(wheel: Path, package: Package) -> list[str]:
    """Return what is wrong with the contents of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = [archive.read(name) for name in names if name.endswith(".dist-info/METADATA")]
    problems = _unwanted(wheel, names, "tests")
    if f"{package.module}/py.typed" not in names:
        problems.append(f"{wheel.name} lacks {package.module}/py.typed")
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append(f"{wheel.name} lacks the LICENSE")
    stated = [email.message_from_bytes(text)["Version"] for text in metadata]
    if stated != [str(package.version)]:
        problems.append(f"the metadata of {wheel.name} says version {stated}, expected {package.version}")
    return problems


def check_sdist(sdist: Path, package: Package) -> list[str]:
    """Return what is wrong with the contents of a source distribution."""
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    inside = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in names}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", f"src/{package.module}/__init__.py"}
    return [*_unwanted(sdist, names), *(f"{sdist.name} lacks {name}" for name in sorted(wanted - inside))]


def _unwanted(file: Path, names: Iterable[str], *parts: str) -> list[str]:
    """Return the names that have one of the given parts, or belong to a cache."""
    bad = {*parts, "__pycache__", ".git", ".venv"}
    return [f"{file.name} contains {name}" for name in names if bad & set(PurePosixPath(name).parts)]


def different_files(first: Path, second: Path) -> list[str]:
    """Return which files of two folders differ in name or in bytes."""
    names = {path.name for folder in (first, second) for path in folder.iterdir()}
    _, different, absent = filecmp.cmpfiles(first, second, sorted(names), shallow=False)
    return [f"two builds differ in {name}" for name in sorted([*different, *absent])]


def build(package: Package, root: Path, out: Path) -> list[str]:
    """Build a package twice in isolation; copy the files to `out` if nothing is wrong, or return the problems."""
    with tempfile.TemporaryDirectory() as scratch:
        first, second = Path(scratch, "first"), Path(scratch, "second")
        for folder in (first, second):
            # `uv run` names itself in UV, which need not be on the path.
            command = [
                os.environ.get("UV", "uv"),
                "build",
                "--quiet",
                "--package",
                package.name,
                "--out-dir",
                str(folder),
            ]
            if subprocess.run(command, cwd=root, check=False).returncode:
                return [f"`{' '.join(command)}` failed"]
        problems = different_files(first, second)
        wheels, sdists = sorted(first.glob("*.whl")), sorted(first.glob("*.tar.gz"))
        if len(wheels) != 1 or len(sdists) != 1:
            found = [path.name for path in (*wheels, *sdists)]
            return [*problems, f"expected one wheel and one source distribution, found {found}"]
        problems += [*check_wheel(wheels[0], package), *check_sdist(sdists[0], package)]
        if not problems:
            # Both import JAX, which checking does not need.
            from supply_chain import write_bill_of_materials

            from irreps_ops.checkpoint import write_file

            out.mkdir(parents=True, exist_ok=True)
            for file in (*wheels, *sdists):
                write_file(out / file.name, file.read_bytes())
            write_bill_of_materials(package.name, str(package.version), out, [*wheels, *sdists])
    return problems


def _selected(packages: Sequence[Package], names: Sequence[str]) -> list[Package]:
    known = {package.name: package for package in packages}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"unknown packages {', '.join(unknown)}: choose from {', '.join(known)}")
    return [known[name] for name in names] if names else list(packages)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="release.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (("check", "read files only"), ("build", "check, then build twice and compare")):
        command = commands.add_parser(name, help=summary)
        command.add_argument("packages", nargs="*", metavar="PACKAGE", help="default: all packages")
    command = commands.choices["build"]
    command.add_argument("--out-dir", type=Path, default=root / "dist", help="default: dist/ in the repository")
    command.add_argument(
        "--unreleased", action="store_true", help="allow changelogs without a date, uncommitted changes"
    )
    options = parser.parse_args(arguments)

    strict = options.command == "build" and not options.unreleased
    try:
        packages = read_packages(root)
        selected = _selected(packages, options.packages)
    except ValueError as error:
        print(f"release.py: {error}", file=sys.stderr)
        return 1
    problems = {package.name: check_package(package, packages, dated=strict) for package in selected}
    if strict:
        for package in selected:
            problems[package.name] += uncommitted(package)
    print(table(selected, packages, problems))
    if options.command == "build" and not any(problems.values()):
        for package in selected:
            problems[package.name] = build(package, root, options.out_dir)
            for problem in problems[package.name] or [f"built into {options.out_dir}"]:
                print(f"{package.name}: {problem}")
    return int(any(problems.values()))


if __name__ == "__main__":
    sys.exit(main())
