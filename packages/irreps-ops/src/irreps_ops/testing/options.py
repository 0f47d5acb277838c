"""Command-line options of the conformance tests, as a pytest plugin: ``pytest -p irreps_ops.testing.options``.

The plugin is not an entry point: pytest loads it only where somebody asks for it.
"""

import pytest

OPTIONS = {"binding": "a framework", "layer": "a layer", "executor": "an executor"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--binding``, ``--layer`` and ``--executor``, each of which may be repeated."""
    group = parser.getgroup("irreps", "conformance of layers, bindings and executors")
    for name, description in OPTIONS.items():
        group.addoption(f"--{name}", action="append", default=[], metavar="NAME", help=f"test {description}")
