"""A test for each executor that is asked for; see the package's documentation."""

import pytest

from irreps_ops.testing import check_kernels


def test_kernel(kernel: str) -> None:
    """All that `check_kernels` checks."""
    try:
        check_kernels(kernel)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
