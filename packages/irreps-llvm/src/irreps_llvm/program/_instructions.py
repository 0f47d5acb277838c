"""The instructions of a loop program: values, statements, and a builder that appends them.

A program works on scalars and on *vectors*, one number for each of some lanes. A lane is a channel, or an element of
the batch where an operand has no channels. On a CPU a vector is a register; on a GPU each lane is a thread, and all
threads hold the same scalars. Memory is reached through pointers; the type of the elements that a pointer
points to decides how they are read: narrow floats are widened to the dtype of the arithmetic, int32 to integers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["integer", "boolean", "pointer", "float"]
# The elements of memory. "float" stands for the dtype of the arithmetic.
Element: TypeAlias = Literal["float", "float32", "float64", "bfloat16", "int32"]


# Values and instructions are not frozen: a large program has a hundred thousand, and frozen ones take longer to make.
@dataclass(eq=False, slots=True)
class Value:
    """The result of an instruction.

    Attributes:
        number: distinguishes it from the other values of the program.
        kind: its type.
        lanes: number of lanes of a vector of floats; 0 for a scalar.
        element: what a pointer points to.
    """

    number: int
    kind: Kind
    lanes: int = 0
    element: Element = "float"


Integer: TypeAlias = Value | int
Float: TypeAlias = Value | float


@dataclass(eq=False, slots=True)
class Instruction:
    """One operation.

    Attributes:
        operation: its name, see :class:`Builder`.
        result: the value that it defines, or None.
        arguments: values and constants.
    """

    operation: str
    result: Value | None
    arguments: tuple


@dataclass(frozen=True, eq=False, slots=True)
class Loop:
    """Run the body for each counter from start to stop in steps; not at all if start >= stop.

    Where it is `apart`, the body has no vectors and each round writes memory of its own, so that on a GPU each round
    is the work of one thread.
    """

    counter: Value
    start: Integer
    stop: Integer
    step: int
    body: "list[Statement]"
    apart: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class When:
    """Run the body if a condition holds."""

    condition: Value
    body: "list[Statement]"


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """A part of a program that has a name and becomes a function of its own, so that the functions stay small."""

    label: str
    body: "list[Statement]"


Statement: TypeAlias = Instruction | Loop | When | Stage


@dataclass(frozen=True, eq=False, slots=True)
class Buffer:
    """An array that a program is called with, or that it returns or works in.

    Attributes:
        name: for printing.
        element: of its memory.
        pointer: to its first element.
    """

    name: str
    element: Element
    pointer: Value


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Independent chunks of work, which may run in any order and at the same time.

    Attributes:
        label: what is done.
        prologue: statements that compute the number of chunks.
        count: the number of chunks.
        chunk: the chunk that the body works on.
        body: the statements.
    """

    label: str
    prologue: list[Statement]
    count: Integer
    chunk: Value
    body: list[Statement]


@dataclass(eq=False)
class Program:
    """A sequence of phases; all chunks of a phase are done before the next one begins.

    Attributes:
        dtype: ``"float32"`` or ``"float64"``, of the arithmetic.
        arguments: the arrays that it reads.
        results: the arrays that it writes, work space included.
        sizes: integers that it is called with, by name.
        phases: each a list of parts that run at the same time.
    """

    dtype: str
    arguments: list[Buffer] = field(default_factory=list)
    results: list[Buffer] = field(default_factory=list)
    sizes: dict[str, Value] = field(default_factory=dict)
    phases: list[list[Part]] = field(default_factory=list)


class Builder:
    """Appends instructions. Arithmetic of constant integers is done at once.

    Args:
        dtype: ``"float32"`` or ``"float64"``, of the arithmetic.
        threads: whether each lane is a thread, which rules out ``shuffle``.
    """

    def __init__(self, dtype: str, *, threads: bool = False) -> None:
        self.program = Program(dtype)
        self.threads = threads
        self._count = 0
        self._block: list[Statement] = []

    # Values

    def new(self, kind: Kind, lanes: int = 0, element: Element = "float") -> Value:
        """Return a new value."""
        self._count += 1
        return Value(self._count, kind, lanes, element)

    def _do(self, operation: str, kind: Kind, *arguments: object, lanes: int = 0, element: Element = "float") -> Value:
        result = self.new(kind, lanes, element)
        self._block.append(Instruction(operation, result, arguments))
        return result

    def _effect(self, operation: str, *arguments: object) -> None:
        self._block.append(Instruction(operation, None, arguments))

    # Structure

    def argument(self, name: str, element: Element) -> Buffer:
        """Declare an array that is read."""
        buffer = Buffer(name, element, self.new("pointer", element=element))
        self.program.arguments.append(buffer)
        return buffer

    def result(self, name: str, element: Element) -> Buffer:
        """Declare an array that is written."""
        buffer = Buffer(name, element, self.new("pointer", element=element))
        self.program.results.append(buffer)
        return buffer

    def size(self, name: str) -> Value:
        """Return an integer that the program is called with."""
        if name not in self.program.sizes:
            self.program.sizes[name] = self.new("integer")
        return self.program.sizes[name]

    @contextmanager
    def _into(self, block: list[Statement]) -> Iterator[None]:
        outer, self._block = self._block, block
        try:
            yield
        finally:
            self._block = outer

    @contextmanager
    def loop(self, start: Integer, stop: Integer, step: int = 1, *, apart: bool = False) -> Iterator[Value]:
        """Append a loop; the body is appended inside. See :class:`Loop`."""
        counter, body = self.new("integer"), []
        self._block.append(Loop(counter, start, stop, step, body, apart))
        with self._into(body):
            yield counter

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Append a condition; the body is appended inside."""
        body: list[Statement] = []
        self._block.append(When(condition, body))
        with self._into(body):
            yield

    @contextmanager
    def stage(self, label: str) -> Iterator[None]:
        """Append a named part. Variables made outside of it cannot be used in it."""
        body: list[Statement] = []
        self._block.append(Stage(label, body))
        with self._into(body):
            yield

    @contextmanager
    def counting(self) -> Iterator[list[Statement]]:
        """Append to a block of its own, for the prologue of a part."""
        block: list[Statement] = []
        with self._into(block):
            yield block

    @contextmanager
    def part(
        self, phase: list[Part], label: str, count: Integer, prologue: list[Statement] | None = None
    ) -> Iterator[Value]:
        """Append a part to a phase; the body is appended inside."""
        chunk, body = self.new("integer"), []
        phase.append(Part(label, prologue or [], count, chunk, body))
        with self._into(body):
            yield chunk

    # Integers

    def add(self, a: Integer, b: Integer) -> Integer:
        """A + b."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if isinstance(a, int) else a
        return self._do("add", "integer", a, b)

    def sub(self, a: Integer, b: Integer) -> Integer:
        """A - b."""
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if isinstance(b, int) and b == 0 else self._do("sub", "integer", a, b)

    def mul(self, a: Integer, b: Integer) -> Integer:
        """A * b."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for one, other in ((a, b), (b, a)):
            if isinstance(one, int) and one in (0, 1):
                return other if one else 0
        return self._do("mul", "integer", a, b)

    def div(self, a: Integer, b: Integer) -> Integer:
        """A // b, of integers that are not negative."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if isinstance(b, int) and b == 1 else self._do("div", "integer", a, b)

    def ceil_div(self, a: Integer, b: int) -> Integer:
        """A / b, rounded up."""
        return self.div(self.add(a, b - 1), b)

    def min(self, a: Integer, b: Integer) -> Integer:
        """Return the smaller one."""
        return min(a, b) if isinstance(a, int) and isinstance(b, int) else self._do("min", "integer", a, b)

    def max(self, a: Integer, b: Integer) -> Integer:
        """Return the larger one."""
        return max(a, b) if isinstance(a, int) and isinstance(b, int) else self._do("max", "integer", a, b)

    def less(self, a: Integer, b: Integer) -> Value:
        """A < b."""
        return self._do("less", "boolean", a, b)

    def equal(self, a: Integer, b: Integer) -> Value:
        """A == b."""
        return self._do("equal", "boolean", a, b)

    def both(self, a: Value, b: Value) -> Value:
        """A and b."""
        return self._do("and", "boolean", a, b)

    def either(self, a: Value, b: Value) -> Value:
        """A or b."""
        return self._do("or", "boolean", a, b)

    def select(self, condition: Value, a: Integer, b: Integer) -> Value:
        """Return `a` if the condition holds, else `b`: both integers or both pointers."""
        sample = a if isinstance(a, Value) else b
        kind = sample.kind if isinstance(sample, Value) else "integer"
        element = sample.element if isinstance(sample, Value) else "float"
        return self._do("select", kind, condition, a, b, element=element)

    # Memory

    def scratch(self, count: int, element: Element = "float") -> Value:
        """Return memory for `count` elements, which belongs to the chunk and is not initialized."""
        return self._do("scratch", "pointer", count, element=element)

    def pointer(self) -> Value:
        """Return a pointer to floats, whose memory :meth:`scratch_at` makes before it is used."""
        return self.new("pointer")

    def scratch_at(self, pointer: Value, count: int) -> None:
        """Make memory as :meth:`scratch` does, for a pointer that exists already."""
        self._block.append(Instruction("scratch", pointer, (count,)))

    def at(self, pointer: Value, index: Integer) -> Value:
        """Return a pointer to another element, `index` elements further."""
        if isinstance(index, int) and index == 0:
            return pointer
        return self._do("at", "pointer", pointer, index, element=pointer.element)

    def load(self, pointer: Value, index: Integer = 0) -> Value:
        """Read an element."""
        kind: Kind = "integer" if pointer.element == "int32" else "float"
        return self._do("load", kind, self.at(pointer, index))

    def load_vector(self, pointer: Value, lanes: int, index: Integer = 0) -> Value:
        """Read `lanes` consecutive elements."""
        return self._do("load", "float", self.at(pointer, index), lanes=lanes)

    def store(self, value: Integer | Float, pointer: Value, index: Integer = 0) -> None:
        """Write an element, or a vector to consecutive elements."""
        self._effect("store", value, self.at(pointer, index))

    def load_strided(self, pointer: Value, lanes: int, stride: int, count: Integer) -> Value:
        """Read the first `count` >= 1 of `lanes` elements that lie `stride` apart; the other lanes are zero."""
        return self._do("load_strided", "float", pointer, stride, count, lanes=lanes)

    def store_strided(self, value: Value, pointer: Value, stride: int, count: Integer) -> None:
        """Write the first `count` lanes of a vector to elements that lie `stride` apart."""
        self._effect("store_strided", value, pointer, stride, count)

    def clear(self, pointer: Value, count: Integer) -> None:
        """Set `count` elements to zero."""
        self._effect("clear", pointer, count)

    # Floats

    def zero(self, lanes: int = 0) -> Value:
        """Return zero."""
        return self._do("constant", "float", 0.0, lanes=lanes)

    def constant(self, value: float, lanes: int = 0) -> Value:
        """Return a constant, in each lane."""
        return self._do("constant", "float", float(value), lanes=lanes)

    def splat(self, value: Value, lanes: int) -> Value:
        """Return a vector with the same number in each lane."""
        return self._do("splat", "float", value, lanes=lanes)

    def fmul(self, a: Value, b: Value) -> Value:
        """A * b."""
        return self._do("fmul", "float", a, b, lanes=a.lanes)

    def fadd(self, a: Value, b: Value) -> Value:
        """A + b."""
        return self._do("fadd", "float", a, b, lanes=a.lanes)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """A * b + c, rounded once."""
        return self._do("fma", "float", a, b, c, lanes=a.lanes)

    def total(self, vector: Value) -> Value:
        """Return the sum over the lanes."""
        return self._do("total", "float", vector)

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Return a vector of chosen lanes of `a`, and of `b`, whose lanes are counted on."""
        return self._do("shuffle", "float", a, b, tuple(lanes), lanes=len(lanes))

    # Variables

    def variable(self, value: Value | int) -> Value:
        """Return a variable with an initial value, of the same type."""
        kind, lanes = (value.kind, value.lanes) if isinstance(value, Value) else ("integer", 0)
        return self._do("variable", kind, value, lanes=lanes)

    def get(self, variable: Value) -> Value:
        """Return the present value of a variable."""
        return self._do("get", variable.kind, variable, lanes=variable.lanes)

    def set(self, variable: Value, value: Value | int) -> None:
        """Change the value of a variable."""
        self._effect("set", variable, value)
