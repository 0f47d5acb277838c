"""Compiles LLVM IR, and runs it as part of JAX programs.

:class:`Kernel` states the contract; :func:`target_name` makes a kernel callable by ``jax.ffi.ffi_call`` on CPUs.
:class:`DeviceKernel` and :func:`device_target_name` are for NVIDIA GPUs, where :func:`verdict` says whether a kernel
has proven itself.
"""

from ._available import unavailable
from ._compiler import CompilationError
from ._driver import Driver, DriverError, driver
from ._kernel import DeviceKernel, Kernel
from ._machine import Machine, host_machine
from ._proof import verdict
from ._targets import device_code, device_target_name, disassembly, target_name

__all__ = [
    "CompilationError",
    "DeviceKernel",
    "Driver",
    "DriverError",
    "Kernel",
    "Machine",
    "device_code",
    "device_target_name",
    "disassembly",
    "driver",
    "host_machine",
    "target_name",
    "unavailable",
    "verdict",
]
