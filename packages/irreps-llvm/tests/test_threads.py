"""Programs for thread blocks: their numbers, and that no thread reads what another one wrote since the last barrier.

Nothing here needs a GPU: the interpreter runs the programs, with the lanes that they have there, and this CPU runs the
LLVM IR of the kernels, with a thread for each thread of a block.
"""

import ctypes
import functools
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from irreps_llvm.generator import Registers, Workspace, generate
from irreps_llvm.generator._sizes import sizes_of
from irreps_llvm.machine._ptx_text import block_threads, ptx_text
from irreps_llvm.machine._threads import BlockMemory, ThreadProgram, for_threads
from irreps_llvm.program import Instruction, Loop, Part, Program, Stage, Statement, Value, When, chunks_of
from irreps_llvm.program._interpreter import _Run
from irreps_llvm.runtime import host_machine
from irreps_llvm.runtime._compiler import FOR_KERNELS, compile_ir, load_object
from irreps_llvm.runtime._machine import load_llvm
from irreps_ops.compute import Polynomial, evaluate
from irreps_ops.compute._contraction import Contraction
from irreps_ops.testing._executor_cases import ExecutorCase, convolution, executor_cases, fully_connected, powers

ALL = -1  # threads: every one
NOBODY = -2
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


class Race(AssertionError):
    """Two threads reach an element, one of them to write, and no barrier is between them."""


class Shadow:
    """What is known of each element of an array."""

    def __init__(self, size: int) -> None:
        self.writer = np.full(size, NOBODY)
        self.reader = np.full(size, NOBODY)  # ALL if there are several
        self.written, self.read = np.full(size, -1), np.full(size, -1)  # times: numbers of barriers
        # The last chunk of this phase that wrote and read.
        self.writing, self.reading = np.full(size, -1), np.full(size, -1)


class Emulator(_Run):
    """Runs a program for thread blocks, and watches which thread reaches which element."""

    def __init__(self, program: ThreadProgram, values: dict[Value, Any]) -> None:
        super().__init__(np.dtype(program.program.dtype).type, values)
        self.program, self.time, self.chunk = program, 0, 0
        self.alone: int | None = None  # the thread of a round of a loop whose rounds are apart
        self.shadows: dict[int, tuple[np.ndarray, Shadow]] = {}

    def run(self) -> None:
        for phase, threads in zip(self.program.program.phases, self.program.threads, strict=True):
            for _, shadow in self.shadows.values():
                shadow.writing[:] = shadow.reading[:] = -1
            for part, self.threads in zip(phase, threads, strict=True):
                self.block(part.prologue)
                for chunk in range(self.value(part.count)):
                    self.values[part.chunk] = chunk
                    self.time, self.chunk = self.time + 1, self.chunk + 1
                    self.block(part.body)

    def touch(self, pointer: Any, count: int, stride: int, threads: Any, write: bool) -> None:
        """Note that `threads`, one for each element or ALL for each, reach elements."""
        array, start = pointer
        if count <= 0:
            return
        _, shadow = self.shadows.setdefault(id(array), (array, Shadow(len(array))))
        where = slice(start, start + stride * (count - 1) + 1, stride)
        alone = self.threads == 1 or self.alone is not None
        threads = np.broadcast_to((self.alone or 0) if alone else threads, count)

        def others(of: np.ndarray, at: np.ndarray) -> Any:
            return (at[where] == self.time) & ((of[where] != threads) | (of[where] == ALL) & (not alone))

        wrong = others(shadow.writer, shadow.written) | (
            (shadow.writing[where] != self.chunk) & (shadow.writing[where] >= 0)
        )
        if write:
            wrong |= others(shadow.reader, shadow.read)
            wrong |= (shadow.reading[where] != self.chunk) & (shadow.reading[where] >= 0)
        if wrong.any():
            n = int(np.argmax(wrong))
            raise Race(
                f"thread {threads[n]} {'writes' if write else 'reads'} element {start + stride * n} at {self.time}; "
                f"written by {shadow.writer[where][n]} at {shadow.written[where][n]}, "
                f"read by {shadow.reader[where][n]} at {shadow.read[where][n]}"
            )
        if write:
            shadow.writer[where], shadow.written[where], shadow.writing[where] = threads, self.time, self.chunk
        else:
            again = (shadow.read[where] == self.time) & (shadow.reader[where] != threads)
            shadow.reader[where] = np.where(again, ALL, threads)
            shadow.read[where], shadow.reading[where] = self.time, self.chunk

    def block(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Loop) and statement.apart:
                assert self.alone is None
                for n, i in enumerate(range(self.value(statement.start), self.value(statement.stop), statement.step)):
                    self.values[statement.counter], self.alone = i, n % self.threads
                    super().block(statement.body)
                self.alone = None
            else:
                super().block([statement])

    def instruction(self, instruction: Instruction) -> None:
        arguments, result = [self.value(a) for a in instruction.arguments], instruction.result
        lanes = result.lanes if result is not None else 0
        assert self.alone is None or not lanes
        match instruction.operation:
            case "barrier":
                assert self.threads > 1
                assert self.alone is None
                self.time += 1
            case "load":
                self.touch(arguments[0], max(lanes, 1), 1, np.arange(lanes) if lanes else ALL, False)
            case "load_strided":
                count = min(arguments[2], lanes)
                self.touch(arguments[0], count, arguments[1], np.arange(count), False)
            case "store":
                lanes = np.size(arguments[0]) if np.ndim(arguments[0]) else 0
                self.touch(arguments[1], max(lanes, 1), 1, np.arange(lanes) if lanes else 0, True)
            case "store_strided":
                count = min(arguments[3], len(arguments[0]))
                self.touch(arguments[1], count, arguments[2], np.arange(count), True)
            case "clear":
                self.touch(arguments[0], arguments[1], 1, np.arange(max(arguments[1], 0)) % self.threads, True)
            case "total" if instruction.arguments[0].lanes > 32:
                self.time += 1  # the sum over warps has barriers of its own
        super().instruction(instruction)


def memory(of: Iterable[Workspace | BlockMemory], sizes: dict[str, int], dtype: str) -> list[np.ndarray]:
    """Work space, filled with what must not be read."""
    result = []
    for each in of:
        integers = each.element == "int32"
        filling = np.iinfo(np.int32).min if integers else np.nan
        result.append(np.full(each.length(sizes), filling, np.int32 if integers else jnp.dtype(dtype)))
    return result


def vjp(polynomial: Polynomial, active: Sequence[bool]) -> Polynomial:
    """The polynomial of the gradients with respect to some inputs, given those inputs and cotangents of the outputs."""
    derivative = polynomial.derivative(tuple(active))
    tangents = len(derivative.inputs) - len(polynomial.inputs)
    return derivative.transpose((False,) * len(polynomial.inputs) + (True,) * tangents)


def with_gradients(case: ExecutorCase) -> list[ExecutorCase]:
    """A case, its first gradients, and the gradients of those."""
    first = vjp(case.polynomial, [True] * len(case.polynomial.inputs))
    second = vjp(first, [True] * len(first.inputs))
    return [
        case,
        replace(case, name=f"gradients: {case.name}", polynomial=first),
        replace(case, name=f"second gradients: {case.name}", polynomial=second),
    ]


def longer(case: ExecutorCase, batch: int = 75) -> ExecutorCase:
    """A case with a batch of several blocks and chunks."""
    indices = {name: np.resize(numbers, batch).tolist() for name, numbers in case.indices.items()}
    return replace(case, name=f"long: {case.name}", batch=batch, indices=indices)


class Prepared(NamedTuple):
    contraction: Contraction
    program: ThreadProgram
    work: list[Workspace | BlockMemory]
    arguments: list[np.ndarray]


def prepared(case: ExecutorCase, dtype: str, lanes: int, shared: int) -> Prepared:
    contraction = Contraction(case.polynomial, case.batch, tuple(case.sizes.items()), dtype)
    registers = Registers(lanes * np.dtype(dtype).itemsize, 200, threads=True)
    generated = generate(case.polynomial, dtype, registers)
    program = for_threads(generated.program, shared)
    indices = {name: np.array(case.indices[name], np.int32) for name in case.polynomial.indices}
    arguments = [*(np.array(x) for x in case.inputs(dtype)), *indices.values()]
    for name in generated.sorted:
        row = np.where((indices[name] >= 0) & (indices[name] < case.size), indices[name], case.size)
        counts = np.bincount(row, minlength=case.size + 1)
        arguments += [np.argsort(row, kind="stable").astype(np.int32), np.append(0, np.cumsum(counts)).astype(np.int32)]
    return Prepared(contraction, program, [*generated.workspaces, *program.memory], arguments)


def emulated(prepared: Prepared) -> list[np.ndarray]:
    """Run a program; raise an error if threads are in each other's way."""
    program, sizes = prepared.program, sizes_of(prepared.contraction)
    outputs = [np.full(o.shape, np.nan, o.dtype) for o in prepared.contraction.output_types()]
    work = memory(prepared.work, sizes, program.program.dtype)
    arrays = [*(a.ravel() for a in prepared.arguments), *(o.reshape(-1) for o in outputs), *work]
    values: dict[Value, Any] = {program.program.sizes[name]: sizes[name] for name in program.program.sizes}
    buffers = [*program.program.arguments, *program.program.results]
    values |= {b.pointer: (a, 0) for b, a in zip(buffers, arrays, strict=True)}
    Emulator(program, values).run()
    return outputs


CASES = [
    *executor_cases(),
    *with_gradients(longer(convolution()))[1:],
    *with_gradients(fully_connected())[1:],
    *with_gradients(powers())[1:],
    longer(convolution(last=True)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numbers_are_those_of_the_reference_and_threads_do_not_race(case: ExecutorCase) -> None:
    # Little shared memory, so that some of it moves to work space.
    dtype = "float32"
    found = emulated(prepared(case, dtype, lanes=64, shared=4096))
    wanted = evaluate(case.polynomial, case.inputs(dtype), executor="reference", **case.arguments())
    for ours, reference, reached in zip(found, wanted, case.polynomial.reached(), strict=True):
        largest = np.abs(np.asarray(reference)).max(initial=1e-30)
        if reached and ours.size:
            assert np.abs(ours - np.asarray(reference)).max() <= TOLERANCE[dtype] * largest


def without_barriers(statements: Iterable[Statement]) -> list[Statement]:
    result: list[Statement] = []
    for statement in statements:
        match statement:
            case Instruction("barrier"):
                continue
            case Instruction():
                result.append(statement)
            case Loop(counter, start, stop, step, body):
                result.append(Loop(counter, start, stop, step, without_barriers(body), statement.apart))
            case When(condition, body):
                result.append(When(condition, without_barriers(body)))
            case Stage(label, body):
                result.append(Stage(label, without_barriers(body)))
    return result


def test_the_emulator_sees_missing_barriers() -> None:
    ready = prepared(longer(convolution()), "float32", lanes=64, shared=4096)
    program = ready.program.program
    phases = [
        [Part(p.label, p.prologue, p.count, p.chunk, without_barriers(p.body)) for p in phase]
        for phase in program.phases
    ]
    bare = Program(program.dtype, program.arguments, program.results, program.sizes, phases)
    with pytest.raises(Race):
        emulated(ready._replace(program=replace(ready.program, program=bare)))


class Device:
    """Runs the kernels of an LLVM module for a GPU on this CPU: a thread of this process for each thread of a block."""

    def __init__(self) -> None:
        self.here, self.block = threading.local(), 0
        self.exchanged: dict[int, Any] = {}
        self.functions = {
            "llvm.nvvm.read.ptx.sreg.tid.x": ctypes.CFUNCTYPE(ctypes.c_int32)(lambda: self.here.thread),
            "llvm.nvvm.read.ptx.sreg.ctaid.x": ctypes.CFUNCTYPE(ctypes.c_int32)(lambda: self.block),
            "llvm.nvvm.barrier": ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int32)(self.barrier),
            "llvm.nvvm.shfl.sync.bfly.f32": self.shuffle(ctypes.c_float),
            "llvm.nvvm.shfl.sync.bfly.i32": self.shuffle(ctypes.c_int32),
        }
        for name, function in self.functions.items():
            load_llvm().add_symbol(self.symbol(name), ctypes.cast(function, ctypes.c_void_p).value)

    @staticmethod
    def symbol(name: str) -> str:
        return "device_" + name.removeprefix("llvm.nvvm.").replace(".", "_")

    def barrier(self, _: int, threads: int) -> None:
        assert threads == self.barriers[threads].parties
        self.barriers[threads].wait()

    def shuffle(self, kind: Any) -> Any:
        def exchange(mask: int, value: Any, step: int, clamp: int) -> Any:
            assert (mask, clamp) == (-1, 31)
            warp = self.warps[self.here.thread // 32]
            self.exchanged[self.here.thread] = value
            warp.wait()
            found = self.exchanged[self.here.thread ^ step]
            warp.wait()
            return found

        return ctypes.CFUNCTYPE(kind, ctypes.c_int32, kind, ctypes.c_int32, ctypes.c_int32)(exchange)

    def compiled(self, text: str, phases: int) -> list[int]:
        """Return the addresses of the kernels of a module."""
        text = re.sub(r" addrspace\(\d\)", "", text).replace("ptx_kernel ", "")
        text = "\n".join(line for line in text.splitlines() if not line.startswith("!nvvm"))
        text = re.sub(r"^!\d+ = !\{ptr.*$", "", text, flags=re.MULTILINE)
        for name in self.functions:
            text = text.replace(f"@{name}(", f"@{self.symbol(name)}(")
        names = [f"phase{n}" for n in range(phases)]
        code = compile_ir(text, names, host_machine(), FOR_KERNELS)
        return load_object(code, names, host_machine())

    def launch(self, address: int, blocks: int, threads: int, parameters: list[int]) -> None:
        """Run a kernel, block after block."""
        kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(parameters))(address)
        # Parts with fewer threads have barriers of their own.
        self.barriers = {n: threading.Barrier(n) for n in (32, 64, 128) if n <= threads}
        self.warps = [threading.Barrier(32) for _ in range(threads // 32)]
        together = threading.Barrier(threads)

        def work(thread: int) -> None:
            self.here.thread = thread
            for block in range(blocks):
                self.block = block
                together.wait()
                kernel(*parameters)
                together.wait()

        running = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()


@functools.cache
def device() -> Device:
    return Device()


def run(case: ExecutorCase, dtype: str, lanes: int) -> list[np.ndarray]:
    contraction, program, work, arguments = prepared(case, dtype, lanes, shared=4096)
    sizes = sizes_of(contraction)
    outputs = [np.full(o.shape, np.nan, o.dtype) for o in contraction.output_types()]
    arrays = [*arguments, *outputs, *memory(work, sizes, dtype)]
    parameters = [a.ctypes.data for a in arrays] + [sizes[name] for name in sorted(program.program.sizes)]
    phases = program.program.phases
    kernels = device().compiled(ptx_text(program), len(phases))
    for address, phase, threads in zip(kernels, phases, block_threads(program), strict=True):
        blocks = sum(chunks_of(program.program, part, sizes) for part in phase)
        device().launch(address, blocks, threads, parameters)
    return outputs


@pytest.mark.parametrize(
    ("case", "dtype", "lanes"),
    [
        (convolution(), "float32", 64),
        (with_gradients(convolution(last=True))[1], "float32", 64),
        (with_gradients(fully_connected(3))[1], "float64", 32),
        (with_gradients(powers())[1], "float32", 32),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_ir_of_the_kernels_computes_what_the_reference_does(case: ExecutorCase, dtype: str, lanes: int) -> None:
    found = run(case, dtype, lanes)
    wanted = evaluate(case.polynomial, case.inputs(dtype), executor="reference", **case.arguments())
    for ours, reference in zip(found, wanted, strict=True):
        largest = np.abs(np.asarray(reference)).max(initial=1e-30)
        assert np.abs(ours - np.asarray(reference)).max() <= TOLERANCE[dtype] * largest
