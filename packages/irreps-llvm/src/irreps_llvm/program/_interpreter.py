"""Run loop programs with NumPy, instruction by instruction: slow and obvious, for tests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ._instructions import Instruction, Loop, Part, Program, Stage, Statement, Value, When

_DTYPES: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "int32": np.int32,
    "float32": np.float32,
    "float64": np.float64,
}


def interpret(
    program: Program, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], sizes: Mapping[str, int]
) -> None:
    """Run a program.

    Reading or writing outside of an array raises an IndexError, unlike in machine code.

    Args:
        program: the program.
        arguments: arrays of one axis, in order.
        results: arrays of one axis, in order; they are overwritten.
        sizes: the integers that the program is called with.
    """
    values: dict[Value, Any] = {program.sizes[name]: int(sizes[name]) for name in program.sizes}
    for buffer, array in zip((*program.arguments, *program.results), (*arguments, *results), strict=True):
        values[buffer.pointer] = (array, 0)
    run = _Run(np.dtype(program.dtype).type, values)
    for phase in program.phases:
        for part in phase:
            run.block(part.prologue)
            for chunk in range(run.value(part.count)):
                run.values[part.chunk] = chunk
                run.block(part.body)


def chunks_of(program: Program, part: Part, sizes: Mapping[str, int]) -> int:
    """Return the number of chunks of a part, given the sizes that the program is called with."""
    run = _Run(np.dtype(program.dtype).type, {program.sizes[name]: int(sizes[name]) for name in program.sizes})
    run.block(part.prologue)
    return run.value(part.count)


class _Run:
    def __init__(self, real: Any, values: dict[Value, Any]) -> None:
        self.real, self.values = real, values
        self.operations: dict[str, Callable[..., Any]] = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "mul": lambda a, b: a * b,
            "div": lambda a, b: a // b,
            "min": min,
            "max": max,
            "less": lambda a, b: a < b,
            "equal": lambda a, b: a == b,
            "and": lambda a, b: a and b,
            "or": lambda a, b: a or b,
            "select": lambda condition, a, b: a if condition else b,
            "at": lambda pointer, index: (pointer[0], pointer[1] + index),
            "fmul": lambda a, b: a * b,
            "fadd": lambda a, b: a + b,
            "fma": self.fma,
            "total": lambda v: v.sum(dtype=v.dtype),
            "shuffle": lambda a, b, lanes: np.concatenate([a, b])[list(lanes)],
        }

    def value(self, argument: Any) -> Any:
        return self.values[argument] if isinstance(argument, Value) else argument

    def block(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            match statement:
                case Instruction():
                    self.instruction(statement)
                case Loop(counter, start, stop, step, body):
                    for i in range(self.value(start), self.value(stop), step):
                        self.values[counter] = i
                        self.block(body)
                case When(condition, body):
                    if self.values[condition]:
                        self.block(body)
                case Stage(_, body):
                    self.block(body)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        wide = np.float64 if self.real is np.float32 else np.longdouble
        return (np.asarray(a, wide) * b + c).astype(self.real)[()]

    def span(self, pointer: tuple[np.ndarray, int], lanes: int) -> tuple[np.ndarray, slice]:
        array, start = pointer
        if start < 0 or start + max(lanes, 1) > len(array):
            raise IndexError(f"elements {start} to {start + max(lanes, 1) - 1} of an array of {len(array)}")
        return array, slice(start, start + max(lanes, 1))

    def strided(self, pointer: tuple[np.ndarray, int], stride: int, count: int) -> tuple[np.ndarray, slice]:
        array, whole = self.span(pointer, stride * (count - 1) + 1)
        return array, slice(whole.start, whole.stop, stride)

    def instruction(self, instruction: Instruction) -> None:
        arguments = [self.value(a) for a in instruction.arguments]
        result, operation = instruction.result, instruction.operation
        if result is None:
            self.effect(operation, instruction.arguments, arguments)
            return
        match operation:
            case "scratch":
                dtype = self.real if result.element == "float" else _DTYPES[result.element]
                filling = np.iinfo(np.int32).min if dtype is np.int32 else np.nan  # never to be read
                found: Any = (np.full(arguments[0], filling, dtype), 0)
            case "load":
                array, where = self.span(arguments[0], result.lanes)
                read = array[where] if result.kind == "integer" else array[where].astype(self.real)
                found = read if result.lanes else int(read[0]) if result.kind == "integer" else read[0]
            case "load_strided":
                (array, start), stride, count = arguments
                found = np.zeros(result.lanes, self.real)
                array, where = self.strided((array, start), stride, min(count, result.lanes))
                found[: min(count, result.lanes)] = array[where].astype(self.real)
            case "constant":
                found = self.real(arguments[0]) if not result.lanes else np.full(result.lanes, arguments[0], self.real)
            case "splat":
                found = np.full(result.lanes, arguments[0], self.real)
            case "variable" | "get":
                found = arguments[0]
            case _:
                found = self.operations[operation](*arguments)
        self.values[result] = found

    def effect(self, operation: str, names: Sequence[Any], arguments: Sequence[Any]) -> None:
        match operation:
            case "store":
                value, pointer = arguments
                array, where = self.span(pointer, np.size(value) if np.ndim(value) else 0)
                array[where] = value
            case "store_strided":
                value, pointer, stride, count = arguments
                array, where = self.strided(pointer, stride, min(count, len(value)))
                array[where] = value[: min(count, len(value))]
            case "barrier":
                pass  # lanes run in step here
            case "clear":
                pointer, count = arguments
                if count:
                    array, where = self.span(pointer, count)
                    array[where] = 0
            case "set":
                self.values[names[0]] = arguments[1]
            case _:
                raise ValueError(f"unknown operation {operation}")
