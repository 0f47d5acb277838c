"""Public names: what ``help()`` lists, where each object says that it lives, and what pickle finds again.

`docs/reference/public_names.py` reads the names from the sources, for this file and for the reference of the site. The
build of the site fails if its inventory lacks one of them.
"""

import importlib
import inspect
import pickle
import pydoc
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "reference"))
import public_names as sources

FACES = ("irreps_core", "irreps_ops", "irreps_ops.compute", "irreps_ops.bindings", "irreps_ops.testing")
WITH_ALL = [module for module in sources.MODULES if sources.literal_all(module) is not None]


def objects(module: str) -> dict[str, Any]:
    """The classes and functions of a public module, by name."""
    loaded = importlib.import_module(module)
    found = {name: getattr(loaded, name) for name in sources.public_names(module)}
    return {name: value for name, value in found.items() if inspect.isclass(value) or inspect.isroutine(value)}


def test_the_names_are_read_from_every_public_module() -> None:
    assert set(FACES) <= set(WITH_ALL)
    assert {"Irreps", "clebsch_gordan"} <= set(sources.public_names("irreps_core"))
    assert sources.home("irreps_ops", "Irreps") == "irreps_core.Irreps"
    assert sources.home("irreps_ops", "use_executor") == "irreps_ops.compute.use_executor"
    assert "Linear" in sources.public_names("irreps_flax.nnx")


# Chapters of irreps_llvm have an ``__all__`` for each other; the other two are files of pytest.
INTERNAL = ("irreps_llvm.", "irreps_ops.testing.options", "irreps_ops.testing.conformance.")


def test_the_reference_lists_every_public_name() -> None:
    """A module without underscores in its path is in the list, or offers nothing that the list lacks."""
    known = set(sources.homes())
    missing = []
    for package, folder in sources.SOURCES.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            module = ".".join(parts[: -(parts[-1] == "__init__") or None])
            if "._" not in module and not module.startswith(INTERNAL) and module not in sources.MODULES:
                found = {f"{module}.{name}": sources.origin(module, name) for name in sources.public_names(module)}
                missing += [name for name, o in found.items() if o and o.name and (o.module, o.name) not in known]
    assert missing == []


@pytest.mark.parametrize("module", WITH_ALL)
def test_every_name_of_all_exists_once(module: str) -> None:
    names = sources.literal_all(module)
    loaded = importlib.import_module(module)
    assert names == loaded.__all__
    assert len(set(loaded.__all__)) == len(loaded.__all__)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", WITH_ALL)
def test_help_lists_every_function_and_class_with_its_summary(module: str) -> None:
    text = pydoc.render_doc(importlib.import_module(module), renderer=pydoc.plaintext)
    everything = objects(module)
    assert [name for name in everything if not re.search(rf"^    (class )?{name}\b", text, re.MULTILINE)] == []
    lines = {line.strip(" |") for line in text.splitlines()}
    summaries = {name: (inspect.getdoc(value) or "").partition("\n")[0] for name, value in everything.items()}
    assert {name: summary for name, summary in summaries.items() if not summary or summary not in lines} == {}


@pytest.mark.parametrize("module", sources.MODULES)
def test_objects_name_their_public_home(module: str) -> None:
    everything = objects(module)
    renamed = {name for name, value in everything.items() if value.__qualname__ != name}  # second names of functions
    told = {name: f"{value.__module__}.{value.__qualname__}" for name, value in everything.items()}
    wrong = {name: home for name, home in told.items() if home != sources.home(module, name)}
    assert {name: home for name, home in wrong.items() if name not in renamed} == {}
    assert len(renamed) <= 1


@pytest.mark.parametrize("module", sources.MODULES)
def test_pickle_finds_every_object_again(module: str) -> None:
    everything = objects(module)
    assert [name for name, value in everything.items() if pickle.loads(pickle.dumps(value)) is not value] == []
