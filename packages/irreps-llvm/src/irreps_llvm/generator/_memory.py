"""The memory of a program: its arrays, and its work space, with copies of inputs in other layouts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from irreps_llvm.program import Builder, Element, Integer, Part, Value
from irreps_ops.compute import Access, Operand, Polynomial, View, Views

from ._layout import Layout, copy_element, element_of, lanes_of, packed_layout, stored_layout
from ._products import LANE, Operands

Sizes = Mapping[str, int]

ROWS_OF_A_PART = 32  # rows of an array that are packed or unpacked by one chunk
_SUMMED_AT_ONCE = 2048  # numbers whose partial sums are added up by one chunk


class Workspace(NamedTuple):
    """An array that a program works in.

    Attributes:
        name: for printing.
        element: of its memory.
        length: number of elements, given the sizes.
    """

    name: str
    element: Element
    length: Callable[[Sizes], int]


@dataclass(frozen=True)
class Registers:
    """What the generator knows of a machine.

    Attributes:
        bytes: width of the vector registers.
        count: their number.
        threads: whether the lanes of a vector are threads of a GPU, so that no lane can be moved to another one.
    """

    bytes: int
    count: int
    threads: bool = False


def size_name(position: int) -> str:
    """Return the name of the size that gives the number of rows of an index."""
    return f"rows{position}"


class Memory:
    """The arrays of a program, and the parts that prepare and finish them.

    Args:
        polynomial: the polynomial.
        views: where its operands lie in the arrays.
        dtype: of the arithmetic.
        registers: of the machine.

    Attributes:
        inputs: for each input a pointer to its array.
        indices: pointers to the indices, by name.
        outputs: for each output a pointer to its array.
        workspaces: the arrays to work in.
        sorted: indices that the caller sorts by.
        batch: size of the batch.
        rows: number of rows of the operands of each index.
        prepare: parts that run before the batch is visited.
        visit: parts that visit it.
        add_up: parts that add up the sums of chunks.
        finish: parts that write outputs.
    """

    def __init__(self, polynomial: Polynomial, views: Views, dtype: str, registers: Registers) -> None:
        self.polynomial, self.views, self.dtype, self.registers = polynomial, views, dtype, registers
        self.itemsize = 4 if dtype == "float32" else 8
        self.widest = registers.bytes // self.itemsize
        self.builder = Builder(dtype, threads=registers.threads)
        read: dict[int, Element] = {
            v.array: element_of(o, dtype) for v, o in zip(views.inputs, polynomial.inputs, strict=True)
        }
        self._arrays = [self.builder.argument(f"in{n}", read[n]).pointer for n in sorted(read)]
        self.indices = {name: self.builder.argument(name, "int32").pointer for name in polynomial.indices}
        written: dict[int, Element] = {
            v.array: element_of(o, dtype) for v, o in zip(views.outputs, polynomial.outputs, strict=True)
        }
        self._written = [self.builder.result(f"out{n}", written[n]).pointer for n in sorted(written)]
        self.inputs, self.outputs = views.of_operands(self._arrays), views.of_outputs(self._written)
        self.workspaces: list[Workspace] = []
        self.sorted: list[str] = []
        self.batch = self.builder.size("batch")
        self.rows = {name: self.builder.size(size_name(n)) for n, name in enumerate(polynomial.indices)}
        self.prepare: list[Part] = []
        self.visit: list[Part] = []
        self.add_up: list[Part] = []
        self.finish: list[Part] = []
        self._packed: dict[tuple, Value] = {}

    def workspace(self, name: str, length: Callable[[Sizes], int], element: Element = "float") -> Value:
        """Return a new array to work in."""
        self.workspaces.append(Workspace(name, element, length))
        return self.builder.result(name, element).pointer

    def view(self, used: Operands, *, output: bool = False) -> View:
        """Return where an operand lies in its array."""
        return (self.views.outputs if output else self.views.inputs)[used.position]

    def stored(self, used: Operands, lane: str = LANE, *, output: bool = False) -> Layout:
        """Return the layout of an operand in its array; see :func:`stored_layout`."""
        operand = (self.polynomial.outputs if output else self.polynomial.inputs)[used.position]
        return stored_layout(operand, used.letters, lane, self.view(used, output=output))

    def zeros(self, used: Operands) -> Value:
        """Return an element of zeros, of the dtype and size of the array of an input."""
        element, size = element_of(self.polynomial.inputs[used.position], self.dtype), self.stored(used).size
        key = ("zeros", element, size)
        if key not in self._packed:
            self._packed[key] = self.workspace("zeros", lambda sizes: size, element)
            with self.builder.part(self.prepare, "zeros", 1):
                self.builder.clear(self._packed[key], size)
        return self._packed[key]

    def clear_rest(self) -> None:
        """Append parts that clear what no path writes of the output arrays."""
        builder = self.builder
        for array, pointer in enumerate(self._written):
            views = [
                (v, o, yes)
                for v, o, yes in zip(
                    self.views.outputs, self.polynomial.outputs, self.polynomial.reached(), strict=True
                )
                if v.array == array
            ]
            view, operand, _ = views[0]
            covered = sorted(pair for v, o, yes in views if yes for pair in v.ranges(o))
            rest, place = [], 0
            for start, stop in (*covered, (view.width, view.width)):
                if start > place:
                    rest.append((place, start))
                place = max(place, stop)
            if not rest:
                continue
            size = math.prod(view.of_array(operand))
            rows: Integer = 1
            if operand.access is Access.BATCHED:
                rows = self.batch
            elif operand.index is not None:
                rows = self.rows[operand.index]
            with builder.counting() as prologue:
                lines = builder.mul(rows, size // max(view.width, 1))
                parts = builder.ceil_div(lines, ROWS_OF_A_PART)
            with builder.part(self.finish, f"clear the rest of out{array}", parts, prologue) as chunk:
                first = builder.mul(chunk, ROWS_OF_A_PART)
                end = builder.min(builder.add(first, ROWS_OF_A_PART), builder.mul(rows, size // max(view.width, 1)))
                with builder.loop(first, end) as line:
                    for start, stop in rest:
                        builder.clear(
                            builder.at(pointer, builder.add(builder.mul(line, view.width), start)), stop - start
                        )

    def rows_of(self, operand: Operand) -> str:
        """Return the name of the size that counts the rows of an indexed operand."""
        return size_name(self.polynomial.indices.index(operand.index or ""))

    def is_direct(self, operand: Operand, stored: Layout, width: int) -> bool:
        """Tell whether vectors of an operand can be read from, or written to, its array."""
        same = element_of(operand, self.dtype) == "float"
        return same and stored.lane == 1 and stored.lanes % width == 0 and not stored.parts

    def packed_rows(self, used: Operands) -> tuple[Value, Layout]:
        """Return the packed rows of an indexed input, and after them a row of zeros."""
        operand, stored = self.polynomial.inputs[used.position], self.stored(used)
        lanes = lanes_of(stored.lanes, self.widest)
        packed = packed_layout(stored, lanes.padded)
        key = ("rows", used)
        if key not in self._packed:
            rows = self.rows[operand.index or ""]
            count = self.rows_of(operand)
            pointer = self.workspace(f"packed in{used.position}", lambda sizes: (sizes[count] + 1) * packed.size)
            self._packed[key] = pointer
            builder = self.builder
            with builder.counting() as prologue:
                parts = builder.ceil_div(builder.add(rows, 1), ROWS_OF_A_PART)
            with builder.part(self.prepare, f"pack in{used.position}", parts, prologue) as chunk:
                start = builder.mul(chunk, ROWS_OF_A_PART)
                stop = builder.min(builder.add(start, ROWS_OF_A_PART), rows)
                with builder.loop(start, stop) as row:
                    source = builder.at(self.inputs[used.position], builder.mul(row, stored.size))
                    target = builder.at(pointer, builder.mul(row, packed.size))
                    copy_element(builder, source, stored, target, packed, lanes.width)
                with builder.when(builder.equal(stop, rows)):
                    builder.clear(builder.at(pointer, builder.mul(rows, packed.size)), packed.size)
        return self._packed[key], packed

    def broadcast(self, used: Operands, lane: str = LANE) -> tuple[Value, Layout]:
        """Return a broadcast input whose lanes, along the axis of this name, are contiguous and padded."""
        operand, stored = self.polynomial.inputs[used.position], self.stored(used, lane)
        lanes = lanes_of(stored.lanes, self.widest)
        if self.is_direct(operand, stored, lanes.width):
            return self.inputs[used.position], stored
        packed, name = packed_layout(stored, lanes.padded), ("broadcast", used, lane)
        if name not in self._packed:
            self._packed[name] = self.workspace(f"packed in{used.position}", lambda sizes: packed.size)
            with self.builder.part(self.prepare, f"pack in{used.position}", 1):
                source = self.inputs[used.position]
                copy_element(self.builder, source, stored, self._packed[name], packed, lanes.width)
        return self._packed[name], packed

    def sorted_by(self, index: str) -> tuple[Value, Value]:
        """Return the elements of the batch sorted by an index, and where each row starts.

        Entries out of range come last, as a row of their own. Counting keeps the order of elements with the same row.
        """
        key = ("sorted", index)
        if key not in self._packed and self.registers.threads:
            self.sorted.append(index)  # by the caller: it would be the work of a single thread
            for name, what in ((key, "order by"), (("starts", index), "starts of")):
                self._packed[name] = self.builder.argument(f"{what} {index}", "int32").pointer
        if key not in self._packed:
            builder, rows = self.builder, self.rows[index]
            count = size_name(self.polynomial.indices.index(index))
            order = self.workspace(f"order by {index}", lambda sizes: sizes["batch"] + 1, "int32")
            starts = self.workspace(f"starts of {index}", lambda sizes: sizes[count] + 2, "int32")
            cursor = self.workspace(f"cursor of {index}", lambda sizes: sizes[count] + 2, "int32")
            self._packed[key], self._packed["starts", index] = order, starts
            with builder.part(self.prepare, f"sort by {index}", 1):
                builder.clear(starts, builder.add(rows, 2))
                with builder.loop(0, self.batch) as e:
                    to = builder.at(starts, builder.add(self.row(index, e), 1))
                    builder.store(builder.add(builder.load(to), 1), to)
                with builder.loop(0, builder.add(rows, 1)) as row:
                    before = builder.load(starts, row)
                    builder.store(before, cursor, row)
                    to = builder.at(starts, builder.add(row, 1))
                    builder.store(builder.add(before, builder.load(to)), to)
                with builder.loop(0, self.batch) as e:
                    to = builder.at(cursor, self.row(index, e))
                    place = builder.load(to)
                    builder.store(e, order, place)
                    builder.store(builder.add(place, 1), to)
        return self._packed[key], self._packed["starts", index]

    def row(self, index: str, element: Integer) -> Integer:
        """Return the row of an element of the batch; the number of rows if it is out of range."""
        builder, rows = self.builder, self.rows[index]
        found = builder.load(self.indices[index], element)
        inside = builder.both(builder.less(-1, found), builder.less(found, rows))
        return builder.select(inside, found, rows)

    def emit_add_up(self, label: str, partial: Value, size: int, chunks: Callable[[], Integer]) -> None:
        """Append a part that adds up the partial sums of all chunks, in order, into those of the first."""
        builder, width = self.builder, self.widest
        with builder.part(self.add_up, f"add up {label}", -(-size // _SUMMED_AT_ONCE)) as chunk:
            count = chunks()
            start = builder.mul(chunk, _SUMMED_AT_ONCE)
            stop = builder.min(builder.add(start, _SUMMED_AT_ONCE), size)
            if self.registers.threads:
                with builder.loop(start, stop, width) as n:
                    total = builder.variable(builder.zero(width))
                    with builder.loop(0, count) as c:
                        at = builder.at(partial, builder.add(builder.mul(c, size), n))
                        found = builder.load_strided(at, width, 1, builder.sub(stop, n))
                        builder.set(total, builder.fadd(builder.get(total), found))
                    builder.store_strided(builder.get(total), builder.at(partial, n), 1, builder.sub(stop, n))
                return
            whole = builder.add(start, builder.mul(builder.div(builder.sub(stop, start), width), width))
            for lanes, first, last in ((width, start, whole), (0, whole, stop)):
                with builder.loop(first, last, max(lanes, 1)) as n:
                    total = builder.variable(builder.zero(lanes))
                    with builder.loop(0, count) as c:
                        at = builder.at(partial, builder.add(builder.mul(c, size), n))
                        found = builder.load_vector(at, lanes) if lanes else builder.load(at)
                        builder.set(total, builder.fadd(builder.get(total), found))
                    builder.store(builder.get(total), partial, n)
