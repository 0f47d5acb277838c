"""From LLVM IR to object code, and from object code to addresses in this process.

All calls of LLVM are under one lock, which a fork waits for.
"""

import contextlib
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

from ._locks import fork_safe_lock
from ._machine import Machine, load_llvm

# Optimization levels of the passes over the IR and of the code generator. The handler's few instructions are not worth
# the time.
Levels: TypeAlias = tuple[int, int]
FOR_KERNELS: Levels = (0, 2)
FOR_HANDLERS: Levels = (0, 0)
# Without passes over the IR, NVIDIA's assembler runs out of registers.
FOR_DEVICES: Levels = (1, 2)

LLVM_LOCK = fork_safe_lock()


class CompilationError(ValueError):
    """LLVM refuses the IR of a kernel. A fault of whoever generated it."""


def compile_ir(text: str, exported: Collection[str], machine: Machine, levels: Levels) -> bytes:
    """Return the object code of an LLVM module.

    Args:
        text: LLVM IR, without target triple and data layout.
        exported: the functions to keep; all others may be inlined.
        machine: the processor.
        levels: how much to optimize.

    Raises:
        CompilationError: the IR is malformed.
    """
    with _optimized(text, exported, machine, levels) as (target, module):
        return target.emit_object(module)


def assembly(text: str, exported: Collection[str], machine: Machine, levels: Levels) -> str:
    """Return the assembly code of an LLVM module; see :func:`compile_ir`."""
    with _optimized(text, exported, machine, levels) as (target, module):
        return target.emit_assembly(module)


def load_object(code: bytes, names: Sequence[str], machine: Machine) -> list[int]:
    """Load object code into this process for ever; return the addresses of the functions of some names.

    Raises:
        CompilationError: it calls a function that this process does not have.
    """
    llvm = load_llvm()
    with LLVM_LOCK:
        target = _target(machine, 0)  # nothing is compiled
        empty = llvm.parse_assembly("")
        empty.triple = target.triple
        empty.data_layout = str(target.target_data)
        engine = llvm.create_mcjit_compiler(empty, target)
        missing = [name for name in undefined_symbols(code) if llvm.address_of_symbol(name) is None]
        if missing:  # LLVM would end the process
            raise CompilationError(f"the IR of a kernel calls functions that this process lacks: {', '.join(missing)}")
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        addresses = [engine.get_function_address(name) for name in names]
        engine.detach()  # never freed: executables call the code until the process ends
        return addresses


def undefined_symbols(code: bytes) -> list[str]:
    """Return the names that object code expects the process to define; nothing for formats other than ELF."""
    if not code.startswith(b"\x7fELF"):
        return []
    start, size, number = struct.unpack_from("<Q", code, 40)[0], *struct.unpack_from("<HH", code, 58)
    # Of each section: kind, offset, length, and the number of a related section.
    sections = [struct.unpack_from("<4xI16xQQI", code, start + size * n) for n in range(number)]
    names = []
    for kind, offset, length, link in sections:
        if kind == 2:  # the table of symbols, whose names are in the related section
            for at in range(offset, offset + length, 24):
                name, home = struct.unpack_from("<I2xH", code, at)
                if name and home == 0:
                    begin = sections[link][1] + name
                    names.append(code[begin : code.index(b"\0", begin)].decode())
    return names


def _target(machine: Machine, level: int) -> Any:
    target, jit = load_llvm().Target.from_triple(machine.triple), not machine.triple.startswith("nvptx")
    model = "jitdefault" if jit else "default"
    return target.create_target_machine(cpu=machine.cpu, features=machine.features, opt=level, codemodel=model, jit=jit)


@contextlib.contextmanager
def _optimized(text: str, exported: Collection[str], machine: Machine, levels: Levels) -> Iterator[tuple[Any, Any]]:
    """Give LLVM's target machine and the optimized module."""
    llvm = load_llvm()
    with LLVM_LOCK:
        target = _target(machine, levels[1])
        try:
            module = llvm.parse_assembly(text)
            module.verify()
        except RuntimeError as error:
            raise CompilationError(f"LLVM refuses the IR of a kernel: {error}") from error
        module.triple = target.triple
        module.data_layout = str(target.target_data)
        for function in module.functions:
            if not function.is_declaration and function.name not in exported:
                function.linkage = "internal"
        options = llvm.create_pipeline_tuning_options(speed_level=levels[0])
        # The generator writes vectors and unrolled loops itself.
        options.slp_vectorization = options.loop_vectorization = options.loop_unrolling = False
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
        yield target, module
