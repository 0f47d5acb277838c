"""Which tests the conformance kit has, and its table."""

from pathlib import Path
from typing import Any

import jax
import pytest

from irreps_core import plugins
from irreps_ops.bindings._registry import BINDINGS, binding, layer
from irreps_ops.testing._layer_table import ALONE, Cell, table
from irreps_ops.testing._layers import layer_cases, layers_with_cases

_OPTIONS = ("binding", "layer", "kernel")  # of the command line, see _irreps_pytest.py


def pytest_configure(config: pytest.Config) -> None:
    """Bit for bit means in float64. A plugin that cannot be loaded is one message, and not one for each test."""
    jax.config.update("jax_enable_x64", True)
    try:
        for name in _wanted(config, "binding"):
            binding(name)
        for name in _wanted(config, "layer"):
            layer(name)
    except plugins.PluginLoadError as error:
        raise pytest.UsageError(str(error)) from error


def _wanted(config: pytest.Config, name: str) -> list[str]:
    return config.getoption(f"--{name}", default=[]) or []  # not known where pytest came here by itself


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Executors are checked where they are asked for, and layers where not executors alone are."""
    bindings, layers, kernels = (_wanted(config, name) for name in _OPTIONS)
    unwanted = {"test_kernels.py": not kernels, "test_layers.py": bool(kernels and not bindings and not layers)}
    return unwanted.get(collection_path.name) or None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each case in each framework, and for each executor."""
    bindings, layers, kernels = (_wanted(metafunc.config, name) for name in _OPTIONS)
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", kernels)
        return
    columns = bindings or [s.plugin.name for s in plugins.available(BINDINGS) if s.state == "ready"]
    if layers or not bindings:
        columns = [ALONE, *columns]
    names = layers or layers_with_cases()
    rows = [(name, place, case.name) for name in names for place, case in enumerate(layer_cases(name))]
    metafunc.parametrize(
        ("name", "place", "where"),
        [pytest.param(name, place, where, id=f"{title}-{where}") for name, place, title in rows for where in columns],
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table."""
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
