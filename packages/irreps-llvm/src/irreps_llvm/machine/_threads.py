"""Loop programs for thread blocks: where scratch memory is, and where the threads of a block wait for each other.

A chunk is the work of a thread block. All its threads run the same statements on the same scalars; lane n of a vector
belongs to thread n. The first thread alone writes scalars; where the rounds of a loop are apart, each thread has rounds
of its own. So a thread may read what another one wrote. Between the two there has to be a *barrier*, which all threads
reach before any of them goes on. :func:`for_threads` puts barriers where the accesses to an array can conflict, and
moves large scratch memory to work space.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from irreps_llvm.program import (
    Buffer,
    Element,
    Instruction,
    Loop,
    Part,
    Program,
    Stage,
    Statement,
    Value,
    When,
    chunks_of,
)

_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "int32": 4}
# Bytes of scratch memory of a block that are shared memory, of the 48 KiB that every kernel may have. A fourth of a
# processor's, so that several blocks run at once. Chosen by reasoning; nothing has been measured.
_SHARED_BYTES = 24 << 10
_ROUNDED_TO = 32  # numbers; memory of a block starts at whole cache lines
_WARP = 32


class BlockMemory(NamedTuple):
    """Work space with the scratch memory of each chunk of a part.

    Attributes:
        name: for printing.
        element: of its memory.
        length: number of elements, given the sizes that the program is called with.
    """

    name: str
    element: Element
    length: Callable[[Mapping[str, int]], int]


@dataclass(frozen=True)
class ThreadProgram:
    """A program for thread blocks.

    Attributes:
        program: with barriers; its last results are `memory`.
        memory: work space beside that of the original program.
        threads: how many threads of a block take part, for each part of each phase.
        slices: pointers to the memory of a block.
    """

    program: Program
    memory: tuple[BlockMemory, ...]
    threads: tuple[tuple[int, ...], ...]
    slices: frozenset[Value]


def for_threads(program: Program, shared_bytes: int = _SHARED_BYTES) -> ThreadProgram:
    """Return a program for thread blocks.

    Args:
        program: a program without shuffles.
        shared_bytes: bytes of scratch memory of a block that are shared memory.

    Raises:
        ValueError: the integers of a block alone need more memory than that.
    """
    results, memory, phases, threads, slices = list(program.results), [], [], [], []
    for phase in program.phases:
        parts: list[Part] = []
        for part in phase:
            # A part without vectors is the work of one thread, unless it clears memory or has rounds that are apart.
            body = part.body if _threads(part) == 1 else _Barriers(program, part).inserted()
            part, block = _placed(program, part, body, shared_bytes)
            if block is not None:
                buffer, start, size = block
                slices.append(start)
                results.append(buffer)
                length = _length(program, part, size)
                memory.append(BlockMemory(buffer.name, buffer.element, length))
            parts.append(part)
        phases.append(parts)
        threads.append(tuple(_threads(part) for part in parts))
    changed = Program(program.dtype, program.arguments, results, program.sizes, phases)
    return ThreadProgram(changed, tuple(memory), tuple(threads), frozenset(slices))


def _length(program: Program, part: Part, size: int) -> Callable[[Mapping[str, int]], int]:
    return lambda sizes: max(chunks_of(program, part, sizes), 1) * size


def instructions(statements: Iterable[Statement]) -> Iterable[Instruction]:
    """Yield all instructions, those of loops, conditions and stages included."""
    for statement in statements:
        if isinstance(statement, Instruction):
            yield statement
        else:
            yield from instructions(statement.body)


def _threads(part: Part) -> int:
    lanes = [
        value.lanes for i in instructions(part.body) for value in (i.result, *i.arguments) if isinstance(value, Value)
    ]
    return max(_WARP, *lanes) if any(lanes) or _shared_out(part.body) else 1


def _shared_out(statements: Iterable[Statement]) -> bool:
    """Tell whether several threads can do the work, though there are no vectors."""
    return any(
        statement.operation == "clear"
        if isinstance(statement, Instruction)
        else (isinstance(statement, Loop) and statement.apart) or _shared_out(statement.body)
        for statement in statements
    )


# Memory


def _placed(
    program: Program, part: Part, body: list[Statement], shared_bytes: int
) -> tuple[Part, tuple[Buffer, Value, int] | None]:
    """Move the scratch memory that does not fit to a slice of a new buffer; return that, the slice, and its size."""
    found = [(i.result, int(i.arguments[0])) for i in instructions(body) if i.operation == "scratch" and i.result]

    def bytes_of(value: Value, count: int) -> int:
        return -(-count * _BYTES[program.dtype if value.element == "float" else value.element] // 16) * 16

    left, moved, size = shared_bytes, {}, 0
    for value, count in sorted(found, key=lambda pair: (pair[0].element == "float", bytes_of(*pair))):
        if bytes_of(value, count) <= left:
            left -= bytes_of(value, count)
        elif value.element != "float":
            raise ValueError(f"the integers of a block need more than {shared_bytes} bytes of memory")
        else:
            moved[value] = size
            size += -(-count // _ROUNDED_TO) * _ROUNDED_TO
    if not moved:
        return Part(part.label, part.prologue, part.count, part.chunk, body), None
    number = max(value.number for value in (*(v for v, _ in found), part.chunk)) + 1_000_000
    buffer = Buffer(f"memory of {part.label}", "float", Value(number, "pointer"))
    start, slice_ = Value(number + 1, "integer"), Value(number + 2, "pointer")

    def changed(statements: Iterable[Statement]) -> list[Statement]:
        result: list[Statement] = []
        for statement in statements:
            match statement:
                case Instruction("scratch", value, _) if value in moved:
                    result.append(Instruction("at", value, (slice_, moved[value])))
                case Instruction():
                    result.append(statement)
                case _:
                    result.append(_with_body(statement, changed(statement.body)))
        return result

    own: list[Statement] = [
        Instruction("mul", start, (part.chunk, size)),
        Instruction("at", slice_, (buffer.pointer, start)),
    ]
    return Part(part.label, part.prologue, part.count, part.chunk, own + changed(body)), (buffer, slice_, size)


def _with_body(statement: Loop | When | Stage, body: list[Statement]) -> Statement:
    match statement:
        case Loop(counter, start, stop, step, _, apart):
            return Loop(counter, start, stop, step, body, apart)
        case When(condition, _):
            return When(condition, body)
        case Stage(label, _):
            return Stage(label, body)


# Barriers

# A set of integers: (m, r) are those that are r modulo m; m = 0 is r alone.
_Residue: TypeAlias = tuple[int, int]
_ANY: _Residue = (1, 0)


def _residue(modulus: int, value: int) -> _Residue:
    return (modulus, value % modulus if modulus else value)


class _Access(NamedTuple):
    """How an instruction reaches an array.

    Attributes:
        write: whether it writes.
        form: ``"scalar"``, ``"clear"``, ``"strided"``, or ``"lanes"``.
        width: lanes, if element n of the array surely belongs to lane n modulo `width`; else 0.
    """

    write: bool
    form: str
    width: int = 0


def _conflict(a: _Access, b: _Access) -> bool:
    """Tell whether different threads may reach the same element, one of them to write, in an order that matters."""
    if not (a.write or b.write):
        return False
    if a.form != b.form:
        return True
    if a.form == "lanes":
        return a.width != b.width or not a.width
    # One thread writes scalars; clearing twice is the same; strided writes go to elements of their own.
    return not (a.write and b.write)


# For each array the accesses since the last barrier.
_Pending: TypeAlias = dict[Value, frozenset[_Access]]


def _union(a: _Pending, b: _Pending) -> _Pending:
    return {base: a.get(base, frozenset()) | b.get(base, frozenset()) for base in {**a, **b}}


class _Barriers:
    """Inserts barriers in a part."""

    def __init__(self, program: Program, part: Part) -> None:
        self.part = part
        # Of each pointer the arrays that it may point to, and its position in them.
        self.bases: dict[Value, frozenset[Value]] = {}
        self.residues: dict[Value, _Residue] = {}
        self.apart: set[Instruction] = set()  # of rounds that are apart
        for buffer in (*program.arguments, *program.results):
            self.bases[buffer.pointer], self.residues[buffer.pointer] = frozenset([buffer.pointer]), (0, 0)
        self._know(part.prologue)
        self._know(part.body)

    def inserted(self) -> list[Statement]:
        """Return the body with barriers."""
        return self._block(self.part.body, {})[0]

    def _of(self, value: object) -> _Residue:
        return self.residues.get(value, _ANY) if isinstance(value, Value) else (0, int(value))  # type: ignore[call-overload]

    def _know(self, statements: Iterable[Statement]) -> None:
        """Find arrays and positions of pointers, and residues of integers."""
        for statement in statements:
            match statement:
                case Instruction():
                    if statement.result is not None and statement.result.kind in ("integer", "pointer"):
                        self._define(statement.operation, statement.result, statement.arguments)
                case Loop(counter, start, _, step, body, apart):
                    if apart:
                        self.apart |= set(instructions(body))
                    modulus, rest = self._of(start)
                    self.residues[counter] = _residue(math.gcd(modulus, step), rest)
                    self._know(body)
                case When() | Stage():
                    self._know(statement.body)

    def _define(self, operation: str, result: Value, arguments: tuple) -> None:
        residue = _ANY
        if operation in ("add", "sub", "at", "mul"):
            (m, r), (n, s) = self._of(arguments[0]), self._of(arguments[1])
            if operation == "mul":
                residue = _residue(math.gcd(m * n, m * s, n * r), r * s)
            else:
                residue = _residue(math.gcd(m, n), r - s if operation == "sub" else r + s)
        elif operation in ("min", "max", "select"):
            (m, r), (n, s) = self._of(arguments[-2]), self._of(arguments[-1])
            residue = _residue(math.gcd(m, n, r - s), r)
        if result.kind == "pointer":
            if operation == "scratch":
                self.bases[result], residue = frozenset([result]), (0, 0)
            else:
                pointers = [a for a in arguments if isinstance(a, Value) and a.kind == "pointer"]
                self.bases[result] = frozenset[Value]().union(*(self.bases[p] for p in pointers))
        self.residues[result] = residue

    def _accesses(self, instruction: Instruction) -> list[tuple[Value, _Access]]:
        arguments = instruction.arguments
        if instruction in self.apart:
            # Any thread; no element is written twice, and a round reads what it has written itself.
            operations = {"load": (0, False), "store": (1, True), "clear": (0, True)}
            if instruction.operation not in operations:
                return []
            position, write = operations[instruction.operation]
            return [(arguments[position], _Access(write, "strided"))]
        match instruction.operation:
            case "load":
                return [(arguments[0], self._access(False, arguments[0], _lanes(instruction)))]
            case "store":
                lanes = arguments[0].lanes if isinstance(arguments[0], Value) else 0
                return [(arguments[1], self._access(True, arguments[1], lanes))]
            case "load_strided":
                return [(arguments[0], self._strided(False, arguments[0], arguments[1], _lanes(instruction)))]
            case "store_strided":
                return [(arguments[1], self._strided(True, arguments[1], arguments[2], arguments[0].lanes))]
            case "clear":
                return [(arguments[0], _Access(True, "clear"))]
        return []

    def _access(self, write: bool, pointer: Value, lanes: int) -> _Access:
        if not lanes:
            return _Access(write, "scalar")
        modulus, rest = self.residues[pointer]
        return _Access(write, "lanes", lanes if modulus % lanes == 0 and rest % lanes == 0 else 0)

    def _strided(self, write: bool, pointer: Value, stride: int, lanes: int) -> _Access:
        consecutive = self._access(write, pointer, lanes)
        return consecutive if stride == 1 and consecutive.width else _Access(write, "strided")

    def _summary(self, statement: Statement) -> _Pending:
        found: dict[Value, set[_Access]] = {}
        for instruction in instructions([statement]):
            for pointer, access in self._accesses(instruction):
                for base in self.bases[pointer]:
                    found.setdefault(base, set()).add(access)
        return {base: frozenset(accesses) for base, accesses in found.items()}

    def _block(self, statements: Iterable[Statement], pending: _Pending) -> tuple[list[Statement], _Pending]:
        """Return statements with barriers, and the accesses since the last one."""
        result: list[Statement] = []
        for statement in statements:
            summary = self._summary(statement)
            if any(_conflict(a, b) for base, own in summary.items() for a in pending.get(base, ()) for b in own):
                # Before the whole statement, that is not in each round of a loop.
                result.append(Instruction("barrier", None, ()))
                pending = {}
            match statement:
                case Instruction():
                    result.append(statement)
                    pending = _union(pending, summary)
                case Stage():
                    body, pending = self._block(statement.body, pending)
                    result.append(_with_body(statement, body))
                case When():
                    body, after = self._block(statement.body, pending)
                    result.append(_with_body(statement, body))
                    pending = _union(pending, after)
                case Loop() if statement.apart:
                    result.append(statement)
                    pending = _union(pending, summary)
                case Loop():
                    # What a round leaves pending meets the next one.
                    while True:
                        body, after = self._block(statement.body, pending)
                        both = _union(pending, after)
                        if both == pending:
                            break
                        pending = both
                    result.append(_with_body(statement, body))
        return result, pending


def _lanes(instruction: Instruction) -> int:
    """Return the number of lanes of what an instruction reads."""
    return 0 if instruction.result is None else instruction.result.lanes
