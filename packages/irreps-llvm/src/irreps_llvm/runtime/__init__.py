"""Compiles LLVM IR, and runs it as part of JAX programs on CPUs.

:class:`Kernel` states the contract; :func:`target_name` makes a kernel callable by ``jax.ffi.ffi_call``.
"""

from ._available import unavailable
from ._compiler import CompilationError
from ._kernel import Kernel
from ._machine import Machine, host_machine
from ._targets import disassembly, target_name

__all__ = ["CompilationError", "Kernel", "Machine", "disassembly", "host_machine", "target_name", "unavailable"]
