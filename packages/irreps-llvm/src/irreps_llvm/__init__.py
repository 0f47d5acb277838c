"""Machine code for the compute core of irreps_ops: the executor ``llvm``."""

from ._executor import EXECUTOR

__all__ = ["EXECUTOR"]

__version__ = "0.1.0"
