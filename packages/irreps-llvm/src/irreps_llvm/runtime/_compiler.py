"""From LLVM IR to object code, and from object code to addresses in this process.

All calls of LLVM are under one lock, which a fork waits for: a child never inherits a half-finished compilation.
"""

import contextlib
import os
import struct
import threading
from collections.abc import Iterator
from typing import Any

from ._handler import HANDLER, handler_ir
from ._interface import Interface
from ._kernel import Kernel
from ._machine import Machine, load_llvm

# Optimization levels of the passes over the IR (speed) and of the code generator.
SPEED, CODE_GENERATION = 2, 3

LLVM_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(
        before=LLVM_LOCK.acquire, after_in_parent=LLVM_LOCK.release, after_in_child=LLVM_LOCK.release
    )

# Engines own the code that XLA calls; it must outlive every executable, those of the interpreter's shutdown included.
_engines: list[Any] = []


class CompilationError(ValueError):
    """LLVM refuses the IR of a kernel. A fault of whoever generated it."""


def compile_kernel(kernel: Kernel, machine: Machine, interface: Interface) -> bytes:
    """Return the object code of a kernel and its handler.

    Raises:
        CompilationError: the IR is malformed or lacks a function.
    """
    with _optimized(kernel, machine, interface) as (target, module):
        return target.emit_object(module)


def assembly(kernel: Kernel, machine: Machine, interface: Interface) -> str:
    """Return the assembly code of a kernel and its handler.

    Raises:
        CompilationError: the IR is malformed or lacks a function.
    """
    with _optimized(kernel, machine, interface) as (target, module):
        return target.emit_assembly(module)


def load_object(code: bytes, machine: Machine) -> int:
    """Load the object code of a kernel into this process for ever; return the address of its handler.

    Raises:
        CompilationError: it calls a function that this process does not have.
    """
    llvm = load_llvm()
    with LLVM_LOCK:
        target = _target(machine)
        empty = llvm.parse_assembly("")
        empty.triple = target.triple
        empty.data_layout = str(target.target_data)
        engine = llvm.create_mcjit_compiler(empty, target)
        missing = [name for name in undefined_symbols(code) if llvm.address_of_symbol(name) is None]
        if missing:  # LLVM would end the process
            raise CompilationError(f"the IR of a kernel calls functions that this process lacks: {', '.join(missing)}")
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _engines.append(engine)
        return engine.get_function_address(HANDLER)


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


def _target(machine: Machine) -> Any:
    target = load_llvm().Target.from_triple(machine.triple)
    return target.create_target_machine(
        cpu=machine.cpu, features=machine.features, opt=CODE_GENERATION, codemodel="jitdefault", jit=True
    )


@contextlib.contextmanager
def _optimized(kernel: Kernel, machine: Machine, interface: Interface) -> Iterator[tuple[Any, Any]]:
    """Give LLVM's target machine, and the optimized module of a kernel and its handler."""
    llvm = load_llvm()
    with LLVM_LOCK:
        target = _target(machine)
        module = _parsed(kernel.ir)
        for n in range(kernel.phases):
            for name in (f"chunks{n}", f"phase{n}"):
                try:
                    defined = not module.get_function(name).is_declaration
                except NameError:
                    defined = False
                if not defined:
                    raise CompilationError(f"the IR of a kernel of {kernel.phases} phases lacks the function {name!r}")
        module.link_in(_parsed(handler_ir(kernel, interface, machine.triple)))
        module.triple = target.triple
        module.data_layout = str(target.target_data)
        for function in module.functions:
            if not function.is_declaration and function.name != HANDLER:
                function.linkage = "internal"
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=SPEED)
        # The generator writes vectors and unrolled loops itself.
        options.slp_vectorization = options.loop_vectorization = options.loop_unrolling = False
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
        yield target, module


def _parsed(text: str) -> Any:
    try:
        return load_llvm().parse_assembly(text)
    except RuntimeError as error:
        raise CompilationError(f"LLVM refuses the IR of a kernel: {error}") from error
