"""The order of the chapters: imports run one way, between chapters and between files.

`CHAPTERS` states the order of each package, lowest first. A file imports from its own chapter and from those before it
in the list. This holds at the top of a file, inside a function and under ``TYPE_CHECKING`` alike.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

CHAPTERS = {
    "irreps_core": [
        "_inputs", "rotations", "coupling", "representations", "harmonics", "irreps", "irrep", "arrays", "perm",
        "tensors", "testing", "plugins",
    ],
    "irreps_ops": [
        "_inputs", "compute", "scope", "harmonics", "pointwise", "signals", "products", "graphs", "fields", "layers",
        "bindings", "checkpoint", "testing", "plots",
    ],
    "irreps_llvm": ["runtime", "program", "machine", "generator", "_gpu_executor", "_executor"],
}  # fmt: skip
# The faces of the packages, which re-export public names, and their command lines: above all chapters.
FACES = {"__init__", "__main__"}
SOURCES = {
    package: ROOT / "packages" / package.replace("_", "-") / "src" / package
    for package in ("irreps_core", "irreps_ops", "irreps_haiku", "irreps_flax", "irreps_compat", "irreps_llvm")
}
# The one import that closes a cycle: Irrep and Irreps belong together, each makes the other.
ALLOWED_BACKWARDS = {("irreps_core.irreps._irrep", "irreps_core.irreps._irreps")}


class Import(NamedTuple):
    """An import of one module by another, with the line and whether it stands inside a function."""

    module: str
    imported: str
    line: int
    inside: bool


def modules(package: str) -> dict[str, Path]:
    """The modules of a package by name; ``p.__init__`` for a package itself."""
    folder = SOURCES[package]
    return {".".join([package, *path.relative_to(folder).with_suffix("").parts]): path for path in folder.rglob("*.py")}


def imports_of(module: str, path: Path, known: set[str]) -> Iterator[Import]:
    """The imports of a file that name modules of its own package."""
    package = module.split(".")[0]
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found = [
                f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}", known) else base for alias in node.names
            ]
        for name in found:
            if name.split(".")[0] == package:
                target = name if name in known else f"{name}.__init__"
                yield Import(module, target, node.lineno, id(node) in inside)


def is_module(name: str, known: set[str]) -> bool:
    return name in known or f"{name}.__init__" in known


def all_imports(package: str) -> list[Import]:
    found = modules(package)
    return [each for module, path in found.items() for each in imports_of(module, path, set(found))]


def chapter(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("package", CHAPTERS)
def test_every_file_is_in_a_chapter(package: str) -> None:
    assert {chapter(module) for module in modules(package)} - FACES == set(CHAPTERS[package])


@pytest.mark.parametrize("package", CHAPTERS)
def test_imports_run_one_way_between_chapters(package: str) -> None:
    place = {name: n for n, name in enumerate(CHAPTERS[package])}

    def allowed(found: Import) -> bool:
        importer, imported = chapter(found.module), chapter(found.imported)
        return importer in FACES or importer == imported or (imported in place and place[imported] < place[importer])

    upward = [found for found in all_imports(package) if not allowed(found)]
    assert not upward, "\n".join(f"{f.module}, line {f.line}, imports {f.imported}" for f in upward)


def cycles(package: str) -> list[set[str]]:
    """The strongly connected components of more than one file, by Tarjan's algorithm; packages' faces left out."""
    graph: dict[str, set[str]] = {module: set() for module in modules(package)}
    for found in all_imports(package):
        if (found.module, found.imported) in ALLOWED_BACKWARDS:
            continue
        if not found.imported.endswith("__init__") and found.imported in graph:
            graph[found.module].add(found.imported)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[set[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in graph[module]:
            if imported not in index:
                visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            component = set()
            while not component or module not in component:
                component.add(stack.pop())
            components.append(component)

    for module in graph:
        if module not in index:
            visit(module)
    return [component for component in components if len(component) > 1]


@pytest.mark.parametrize("package", SOURCES)
def test_no_files_import_each_other(package: str) -> None:
    assert cycles(package) == []


@pytest.mark.parametrize("package", SOURCES)
def test_an_import_inside_a_function_has_its_reason_beside_it(package: str) -> None:
    """It spares somebody JAX, a framework or an optional dependency, and a comment says so."""
    paths = modules(package)
    missing = []
    for found in all_imports(package):
        lines = paths[found.module].read_text().splitlines()
        beside = lines[max(found.line - 2, 0) : found.line]
        if found.inside and not any("#" in line for line in beside):
            missing.append(f"{found.module}, line {found.line}")
    assert not missing, missing


@pytest.mark.parametrize("package", SOURCES)
def test_folders_and_files_stay_small(package: str) -> None:
    """At most 20 files in a folder, 500 lines in a file."""
    paths = list(modules(package).values())
    folders = {path.parent: len(list(path.parent.glob("*.py"))) for path in paths}
    assert {str(folder): count for folder, count in folders.items() if count > 20} == {}
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > 500} == {}


def test_the_reader_of_imports_sees_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text(
        "from . import _a\nfrom ._b import x\nimport p.c._d\n"
        "def f():\n    from p.c import _d as d  # optional\nif TYPE_CHECKING:\n    from p import c\n"
    )
    known = {"p.e._a", "p.e._b", "p.c._d", "p.c.__init__", "p.e.file", "p.__init__"}
    found = [(each.imported, each.inside) for each in imports_of("p.e.file", file, known)]
    assert sorted(found) == sorted(
        [("p.e._a", False), ("p.e._b", False), ("p.c._d", False), ("p.c._d", True), ("p.c.__init__", False)]
    )
