"""Conformance of each executor that the options name; see the documentation of the package."""

import pytest

from irreps_ops.testing._executors import check_executor


def test_executor(executor: str) -> None:
    """The executor passes `check_executor`."""
    try:
        check_executor(executor)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
