"""Run the conformance tests under pytest: ``python -m irreps_ops.testing --binding NAME [pytest options]``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run pytest on the conformance tests.

    Args:
        arguments: options of the tests, see :mod:`irreps_ops.testing.conformance`, and of pytest.

    Returns:
        The exit code of pytest; 1 if pytest is not installed.
    """
    try:
        import pytest  # an optional dependency
    except ImportError:
        print("python -m irreps_ops.testing needs pytest: pip install pytest", file=sys.stderr)
        return 1
    words = ["-p", "irreps_ops.testing.options", "--pyargs", "irreps_ops.testing.conformance", *arguments]
    return int(pytest.main(words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
