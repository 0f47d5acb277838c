"""FFI targets: kernels that XLA can call, by names that their content determines."""

import ctypes
import hashlib
import threading

from . import _compiler
from ._compiler import assembly, compile_kernel, load_object
from ._handler import handler_ir
from ._interface import Interface, running_interface
from ._kernel import Kernel
from ._machine import Machine, host_machine, load_llvm

# Registration is permanent: XLA accepts no other code under the name, so this is not a cache that could be emptied.
_registered: dict[str, int] = {}
_lock = threading.Lock()


def content_name(kernel: Kernel, machine: Machine, interface: Interface) -> str:
    """Return a name that differs for all that can change the object code or its handler."""
    llvm = load_llvm()
    content = (
        llvm.llvm_version_info,
        (_compiler.SPEED, _compiler.CODE_GENERATION),
        (machine.triple, machine.cpu, machine.features),
        handler_ir(kernel, interface, machine.triple),
        kernel.ir,
    )
    return f"irreps_llvm_{hashlib.sha256(repr(content).encode()).hexdigest()[:40]}"


def target_name(kernel: Kernel, machine: Machine | None = None) -> str:
    """Compile a kernel unless its code is at hand, register it with JAX, and return the name for ``jax.ffi.ffi_call``.

    The name is a hash of the IR, the handler, the version of LLVM, the processor and its features. Equal kernels are
    compiled once in a process. The call must pass the arguments, results and attributes in the kernel's order, and
    ``vmap_method="sequential"`` if it is to be vmapped.

    Args:
        kernel: the kernel.
        machine: the processor to compile for, which must be able to run here. Default: the host.

    Raises:
        CompilationError: LLVM refuses the IR. (A ValueError.)
    """
    interface = running_interface()
    machine = host_machine() if machine is None else machine
    name = content_name(kernel, machine, interface)
    if name in _registered:
        return name
    with _compiler.LLVM_LOCK:
        if name not in _registered:
            address = load_object(compile_kernel(kernel, machine, interface), machine)
            _register(name, address)
            _registered[name] = address
    return name


def disassembly(kernel: Kernel, machine: Machine | None = None) -> str:
    """Return the assembly code that a kernel becomes, for inspection.

    Args:
        kernel: the kernel.
        machine: the processor to compile for. Default: the host.

    Raises:
        CompilationError: LLVM refuses the IR. (A ValueError.)
    """
    return assembly(kernel, host_machine() if machine is None else machine, running_interface())


def _register(name: str, address: int) -> None:
    # The other chapters do not need JAX.
    import jax

    handler = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform="cpu")
