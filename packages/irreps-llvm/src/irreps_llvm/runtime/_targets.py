"""FFI targets: kernels that XLA can call, by names that their content determines."""

import ctypes
import hashlib

from ._compiler import FOR_DEVICES, FOR_HANDLERS, FOR_KERNELS, LLVM_LOCK, Levels, assembly, compile_ir, load_object
from ._disk_cache import cached
from ._driver import Driver
from ._handler import HANDLER, handler, shared_handler
from ._interface import running_interface
from ._kernel import DeviceKernel, Kernel
from ._launch import BIND, launcher, shared_launcher
from ._machine import Machine, host_machine, load_llvm

# Every NVIDIA GPU of compute capability 8.0 or newer runs this; the driver compiles it for the one at hand.
DEVICE = Machine("nvptx64-nvidia-cuda", "sm_80", "", 0, 0)

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

    The name is a hash of the IR, the handler, the version of LLVM, the processor, its features, and how much LLVM
    optimizes: little if JAX's option ``jax_disable_most_optimizations`` is set. Equal kernels are compiled once in a
    process, and once for all processes where the environment variable ``IRREPS_LLVM_CACHE_DIR`` names a directory.
    The call must pass the arguments, results and attributes in the kernel's order, and ``vmap_method="sequential"``
    if it is to be vmapped.

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
    levels = _levels()
    name = content_name(text, machine, levels)
    if name in _registered:
        return name
    with LLVM_LOCK:
        if shared not in _shared:
            (_shared[shared],) = _addresses(shared_ir, [shared], machine, FOR_HANDLERS)
            load_llvm().add_symbol(shared, _shared[shared])
        if name not in _registered:
            (address,) = _addresses(text, [HANDLER], machine, levels)
            _register(name, address, "cpu")
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


def device_target_name(kernel: DeviceKernel, driver: Driver) -> str:
    """Compile and load a kernel for GPUs, register it with JAX, and return the name for ``jax.ffi.ffi_call``.

    See :func:`target_name`. XLA's executables know this name alone. The code behind it, and the driver's handles,
    belong to this process.

    Args:
        kernel: the kernel.
        driver: what loads and launches it.

    Raises:
        CompilationError: LLVM refuses the IR. (A ValueError.)
        DriverError: the driver refuses the kernel. (A ValueError.)
    """
    host = host_machine()
    shared, shared_ir = shared_launcher(running_interface(), driver.symbol)
    of_device = content_name(kernel.ir, DEVICE, FOR_DEVICES)
    text = f"; {of_device}\n{launcher(kernel, shared)}"
    name = content_name(text, host, FOR_HANDLERS)
    if name in _registered:
        return name
    with LLVM_LOCK:
        if shared not in _shared:
            load_llvm().add_symbol(driver.symbol, driver.launch)
            (_shared[shared],) = _addresses(shared_ir, [shared], host, FOR_HANDLERS)
            load_llvm().add_symbol(shared, _shared[shared])
        if name not in _registered:
            handles = driver.load(device_code(kernel), [f"phase{n}" for n in range(len(kernel.threads))])
            address, bind = _addresses(text, [HANDLER, BIND], host, FOR_HANDLERS)
            for n, handle in enumerate(handles):
                ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(bind)(n, handle)
            _register(name, address, "CUDA")
            _registered[name] = address
    return name


def device_code(kernel: DeviceKernel) -> str:
    """Return the PTX of a kernel.

    Raises:
        CompilationError: LLVM refuses the IR. (A ValueError.)
    """
    names = [f"phase{n}" for n in range(len(kernel.threads))]
    file = f"{content_name(kernel.ir, DEVICE, FOR_DEVICES)}.ptx"
    return cached(file, lambda: assembly(kernel.ir, names, DEVICE, FOR_DEVICES).encode()).decode()


def _addresses(text: str, functions: list[str], machine: Machine, levels: Levels) -> list[int]:
    """Return the addresses of functions of an LLVM module."""
    name = content_name(text, machine, levels)
    code = cached(f"{name}.o", lambda: compile_ir(text, functions, machine, levels))
    return load_object(code, functions, machine)


def _levels() -> Levels:
    """Return how much to optimize kernels."""
    # The other chapters do not need JAX.
    import jax

    return FOR_HANDLERS if jax.config.read("jax_disable_most_optimizations") else FOR_KERNELS


def _register(name: str, address: int, platform: str) -> None:
    # The other chapters do not need JAX.
    import jax

    handler = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform=platform)
