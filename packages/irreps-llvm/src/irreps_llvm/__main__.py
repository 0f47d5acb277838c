"""The command line: ``python -m irreps_llvm guide`` prints the guide to this package."""

import sys

from irreps_core.__main__ import print_guide

from . import __version__

if __name__ == "__main__":
    sys.exit(print_guide("irreps_llvm", __version__))
