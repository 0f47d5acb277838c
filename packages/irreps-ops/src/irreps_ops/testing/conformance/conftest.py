"""Selection of the conformance tests by the options of the command line, and the table of their results."""

from pathlib import Path
from typing import Any

import jax
import pytest

from irreps_core import plugins
from irreps_ops.bindings._registry import BINDINGS, binding, layer
from irreps_ops.testing._layer_cases import WrongCases, layer_cases, layers_with_cases
from irreps_ops.testing._layer_table import ALONE, Cell, table
from irreps_ops.testing.options import OPTIONS


def pytest_configure(config: pytest.Config) -> None:
    """Enable float64, in which numbers are compared bit for bit; report a plugin that cannot be loaded only once."""
    jax.config.update("jax_enable_x64", True)
    try:
        for name in _wanted(config, "binding"):
            binding(name)
        for name in _wanted(config, "layer"):
            layer(name)
    except plugins.PluginLoadError as error:
        raise pytest.UsageError(str(error)) from error


def _wanted(config: pytest.Config, name: str) -> list[str]:
    """Return the names that an option gives; none where pytest runs without the plugin `irreps_ops.testing.options`."""
    return config.getoption(f"--{name}", default=[]) or []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the tests of executors unless one is named, and those of layers if only executors are."""
    bindings, layers, executors = (_wanted(config, name) for name in OPTIONS)
    unwanted = {"test_executors.py": not executors, "test_layers.py": bool(executors and not bindings and not layers)}
    return unwanted.get(collection_path.name) or None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Generate a test for each case in each framework, and for each executor."""
    bindings, layers, executors = (_wanted(metafunc.config, name) for name in OPTIONS)
    if "executor" in metafunc.fixturenames:
        metafunc.parametrize("executor", executors)
        return
    columns = bindings or [s.plugin.name for s in plugins.available(BINDINGS) if s.state == "ready"]
    if layers or not bindings:
        columns = [ALONE, *columns]
    names = layers or layers_with_cases()
    rows = [row for name in names for row in _rows(name)]
    metafunc.parametrize(
        ("name", "place", "where"),
        [pytest.param(name, place, where, id=f"{title}-{where}") for name, place, title in rows for where in columns],
    )


def _rows(name: str) -> list[tuple[str, int, str]]:
    """Return name, place and title of each case of a layer; of one whose cases are wrong a test that says so."""
    try:
        return [(name, place, case.name) for place, case in enumerate(layer_cases(name))]
    except WrongCases:
        return [(name, 0, f"{name}, wrong cases")]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of results."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    found = [
        (number, Cell(value[0], value[1], value[2], tuple(value[3])))
        for report in reports
        for key, (number, value) in getattr(report, "user_properties", ())
        if key == "conformance"
    ]
    if found:
        terminalreporter.section("conformance")
        terminalreporter.write_line(table(each for _, each in sorted(found)))
