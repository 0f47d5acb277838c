"""Options of ``pytest --pyargs irreps_ops.conformance``, and of no other run of pytest.

pytest loads this module whatever it runs (it reads the options of packages' conftest.py too late), so it is by itself
and imports nothing of irreps_ops.
"""

import sys
from typing import Any

OPTIONS = {"binding": "a framework", "layer": "a layer", "kernel": "an executor of the compute core"}


def pytest_addoption(parser: Any) -> None:
    """Names of what to check."""
    if any("irreps_ops.conformance" in word for word in sys.argv):
        group = parser.getgroup("irreps")
        for name, what in OPTIONS.items():
            group.addoption(f"--{name}", action="append", default=[], metavar="NAME", help=f"check {what}")
