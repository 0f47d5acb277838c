"""The modules that importing a package loads, and the rules that hold for all of its source."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("packages", "examples/irreps-*") for path in ROOT.glob(f"{folder}/**/src/**/*.py"))
PACKAGES = ("irreps_core", "irreps_ops", "irreps_haiku", "irreps_flax", "irreps_compat", "irreps_llvm")

FRAMEWORKS = {"haiku", "flax", "equinox", "torch"}
FORBIDDEN = {
    "irreps_core": {"jax", "scipy", "sympy", "hypothesis", "pytest", *FRAMEWORKS},
    "irreps_core.plugins": {"jax", *FRAMEWORKS},
    "irreps_core.testing": {"jax", "hypothesis", "pytest", *FRAMEWORKS},
    "irreps_ops": {"irreps_haiku", "irreps_flax", *FRAMEWORKS},
    "irreps_haiku": {"irreps_flax", "equinox"},  # dm-haiku itself imports flax where there is one
    "irreps_flax": {"jax", "haiku", "irreps_haiku"},
    "irreps_flax.nnx": {"haiku", "irreps_haiku"},
    "irreps_flax.linen": {"haiku", "irreps_haiku"},
    "irreps_compat.e3nn_jax": {"irreps_haiku", "irreps_flax", "irreps_equinox", *FRAMEWORKS},
    "irreps_compat.e3nn": {"irreps_haiku", "irreps_flax", "irreps_equinox", *FRAMEWORKS},
    "irreps_llvm": {"llvmlite", "irreps_haiku", "irreps_flax", "irreps_equinox", *FRAMEWORKS},
    "irreps_llvm.runtime": {"llvmlite", *FRAMEWORKS},
}


def modules_after(program: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running a program."""
    report = "import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{report}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_an_import_brings_no_more_than_it_needs(name):
    assert not modules_after(f"import {name}") & FORBIDDEN[name]


@pytest.mark.parametrize(
    ("absent", "name", "package"),
    [("flax", "haiku", "irreps_haiku"), ("haiku", "nnx", "irreps_flax.nnx"), ("haiku", "linen", "irreps_flax.linen")],
)
def test_a_binding_works_where_the_other_framework_is_not(absent, name, package):
    program = f"""
import sys
sys.modules[{absent!r}] = None  # what Python finds where a package is not installed
import irreps_ops as irr, {package}
assert irr.bindings.binding({name!r}) is {package}.binding
assert {package}.Linear.layer_class is irr.Linear
del sys.modules[{absent!r}]
"""
    assert absent not in modules_after(program)


def test_asking_for_one_binding_imports_no_other():
    assert "irreps_flax" not in modules_after(
        "import irreps_ops as irr; irr.bindings.layers(); irr.bindings.binding('haiku')"
    )
    assert "haiku" not in modules_after("import irreps_ops as irr; irr.bindings.layers(); irr.bindings.binding('nnx')")


def broken_rules(path: Path) -> list[str]:
    """The rules that a file breaks: only public JAX, no assert for users, nothing left to do."""
    text = path.read_text()
    # One file holds everything that a primitive needs of JAX.
    allowed = ["jax.interpreters"] if path.name == "_jax_compat.py" else []
    words = ["jax._src", "jax.interpreters", "jaxlib", "TODO", "FIXME", "XXX", "NotImplementedError"]
    found = [word for word in words if word in text and word not in allowed]
    asserts = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assert)]
    return [*found, *(f"assert in line {line}: raise ValueError with a message instead" for line in asserts)]


def test_the_source_keeps_its_rules():
    broken = {str(path.relative_to(ROOT)): broken_rules(path) for path in SOURCES}
    assert {path: rules for path, rules in broken.items() if rules} == {}


def test_bindings_are_small():
    for path in [path for path in SOURCES if re.search("irreps-(haiku|flax|equinox)/", str(path))]:
        lines = path.read_text().splitlines()
        assert len(lines) <= 250
        # No mathematics: they reach JAX for types and dtypes alone.
        uses = {line.strip() for line in lines if "jnp." in line and not line.strip().startswith(">>>")}
        assert all("jnp.float32" in line for line in uses), uses


def public_names(package: str) -> Iterator[tuple[str, Any]]:
    """Public names of a package and of its public modules, if they are the family's own."""
    module = importlib.import_module(package)
    modules = [module]
    for info in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if not info.name.startswith("_"):
            modules.append(importlib.import_module(f"{package}.{info.name}"))
    for each in modules:
        for name in dir(each):
            value = getattr(each, name)
            home = getattr(value, "__module__", None) or ""
            if not name.startswith("_") and home.startswith("irreps_"):
                yield f"{each.__name__}.{name}", value


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Public functions of a class and its constructor, where written by hand."""
    for name, member in vars(cls).items():
        function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
        ours = inspect.isfunction(function) and Path(function.__code__.co_filename).is_relative_to(ROOT)
        if ours and (not name.startswith("_") or name == "__init__"):
            yield name, function


def missing_annotations(function: Any) -> list[str]:
    signature = inspect.signature(function)
    names = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is inspect.Parameter.empty and name not in ("self", "cls")
    ]
    return names + (["return"] if signature.return_annotation is inspect.Signature.empty else [])


NAMES = {name: value for package in PACKAGES for name, value in public_names(package)}


def test_the_names_are_found():
    assert {"irreps_core.Irreps", "irreps_ops.tensor_product", "irreps_flax.nnx.Linear"} <= set(NAMES)
    assert len(NAMES) > 80


def faults(name: str, value: Any) -> list[str]:
    """The public names and parameters without a docstring or an annotation."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return []  # a type alias, or an object of a class that is checked itself
    found = [] if inspect.getdoc(value) else [f"{name} has no docstring"]
    if inspect.isroutine(value):
        missing = missing_annotations(inspect.unwrap(value))
        return found + ([f"{name} lacks annotations of {missing}"] if missing else [])
    if value.__module__.startswith(("irreps_haiku", "irreps_flax")) and hasattr(value, "layer_class"):
        return found  # made from the layer, whose own signature is checked
    for method, function in methods(value):
        missing = missing_annotations(function)
        found += [f"{name}.{method} lacks annotations of {missing}"] if missing else []
        found += [] if method == "__init__" or inspect.getdoc(function) else [f"{name}.{method} has no docstring"]
    return found


def test_every_public_name_is_documented_and_annotated():
    assert [fault for name, value in sorted(NAMES.items()) for fault in faults(name, value)] == []
