"""``help(irreps_core)`` lists every public name with its summary."""

import ast
import doctest
import importlib
import inspect
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import irreps_core

pytest.importorskip("jax")  # without it, vmap does not exist


@pytest.fixture(scope="module")
def page() -> str:
    return pydoc.render_doc(irreps_core, renderer=pydoc.plaintext)


def test_every_public_name_is_listed_with_its_summary(page: str) -> None:
    for name in irreps_core.__all__:
        value = getattr(irreps_core, name)
        if inspect.isclass(value):
            heading = rf"^    class {name}\("
        elif inspect.isroutine(value):
            heading = rf"^    {name}\("
        elif inspect.ismodule(value):
            heading = rf"^    {name}\b"
        else:
            heading = rf"^    {name} = "
        assert re.search(heading, page, re.MULTILINE), f"{name} is not listed"
        if inspect.isclass(value) or inspect.isroutine(value):
            summary = (inspect.getdoc(value) or "").splitlines()[0]
            assert summary in page, f"{name} is listed without its summary"


def test_public_names_say_where_they_live() -> None:
    for name in irreps_core.__all__:
        value = getattr(irreps_core, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__ == "irreps_core", name


def test_the_names_are_sorted_and_complete() -> None:
    assert irreps_core.__all__ == sorted(irreps_core.__all__)
    assert dir(irreps_core) == irreps_core.__all__
    with pytest.raises(AttributeError, match="no attribute 'Ireps'"):
        _ = irreps_core.Ireps


def modules() -> Iterator[tuple[str, Path]]:
    """Names and files of all modules of the package."""
    folder = Path(irreps_core.__file__).parent
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join(["irreps_core", *(part for part in parts if part != "__init__")]), path


def test_every_example_in_a_docstring_runs_as_a_doctest() -> None:
    """Functions and methods that belong to another module are examples of that module."""
    for lazy in irreps_core.__all__:
        getattr(irreps_core, lazy)
    finder, written, found = doctest.DocTestFinder(), set(), set()
    for name, path in modules():
        module = importlib.import_module(name)
        for lazy in getattr(module, "__all__", []):
            getattr(module, lazy)
        found |= {inspect.cleandoc(test.docstring) for test in finder.find(module)}
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docstrings = (
            ast.get_docstring(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, documented)
        )
        written |= {text for text in docstrings if text is not None and ">>>" in text}
    assert len(written) > 150
    assert written - found == set()
