"""A test for each executor that is asked for; see the package's documentation."""

import pytest

from irreps_ops.testing._layers import check_executor


def test_kernel(kernel: str) -> None:
    """All that `check_executor` checks."""
    try:
        check_executor(kernel)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
