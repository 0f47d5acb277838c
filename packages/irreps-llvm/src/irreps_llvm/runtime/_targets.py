"""FFI targets: kernels that XLA can call, by names that their content determines."""

import ctypes
import hashlib

from ._compiler import FOR_HANDLERS, FOR_KERNELS, LLVM_LOCK, Levels, assembly, compile_ir, load_object
from ._disk_cache import cached
from ._handler import HANDLER, handler, shared_handler
from ._interface import running_interface
from ._kernel import Kernel
from ._machine import Machine, host_machine, load_llvm

# Registration is permanent: XLA accepts no other code under the name, so this is not a cache that could be emptied.
_registered: dict[str, int] = {}
# The functions that do the work of handlers, by name: one for each processor.
_shared: dict[str, int] = {}


def content_name(text: str, machine: Machine, levels: Levels) -> str:
    """Return a name that differs for all that can change the object code of an LLVM module."""
    content = (load_llvm().llvm_version_info, levels, machine.triple, machine.cpu, machine.features, text)
    return f"irreps_llvm_{hashlib.sha256(repr(content).encode()).hexdigest()[:40]}"


def target_name(kernel: Kernel, machine: Machine | None = None) -> str:
    """Compile a kernel unless its code is at hand, register it with JAX, and return the name for ``jax.ffi.ffi_call``.

    The name is a hash of the IR, the handler, the version of LLVM, the processor and its features. Equal kernels are
    compiled once in a process, and once for all processes where the environment variable ``IRREPS_LLVM_CACHE_DIR``
    names a directory. The call must pass the arguments, results and attributes in the kernel's order, and
    ``vmap_method="sequential"`` if it is to be vmapped.

    Args:
        kernel: the kernel.
        machine: the processor to compile for, whose instructions this one must have. Default: the host.

    Raises:
        CompilationError: LLVM refuses the IR, or it calls a function that this process does not have. (A ValueError.)
        ValueError: the processor has another architecture or system.
    """
    host = host_machine()
    machine = host if machine is None else machine
    if machine.triple != host.triple:
        raise ValueError(
            f"expected a processor that code can run on here ({host.triple}), received {machine.triple}; "
            "`disassembly` shows the code for others"
        )
    shared, shared_ir = shared_handler(running_interface(), machine.triple)
    text = kernel.ir + handler(kernel, shared)
    name = content_name(text, machine, FOR_KERNELS)
    if name in _registered:
        return name
    with LLVM_LOCK:
        if shared not in _shared:
            _shared[shared] = _address(shared_ir, shared, machine, FOR_HANDLERS)
            load_llvm().add_symbol(shared, _shared[shared])
        if name not in _registered:
            address = _address(text, HANDLER, machine, FOR_KERNELS)
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
    machine = host_machine() if machine is None else machine
    shared, _ = shared_handler(running_interface(), machine.triple)
    return assembly(kernel.ir + handler(kernel, shared), [HANDLER], machine, FOR_KERNELS)


def _address(text: str, function: str, machine: Machine, levels: Levels) -> int:
    """Return the address of a function of an LLVM module."""
    name = content_name(text, machine, levels)
    code = cached(f"{name}.o", lambda: compile_ir(text, [function], machine, levels))
    return load_object(code, [function], machine)[0]


def _register(name: str, address: int) -> None:
    # The other chapters do not need JAX.
    import jax

    handler = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform="cpu")
