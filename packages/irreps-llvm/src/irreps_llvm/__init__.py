"""Machine code for the compute core of irreps_ops: the executor ``llvm``."""

from irreps_core import set_module

from ._executor import EXECUTOR, LlvmExecutor
from .runtime import unavailable

__all__ = ["EXECUTOR", "LlvmExecutor", "unavailable"]

set_module(__name__, [LlvmExecutor, unavailable])

__version__ = "0.1.0"
