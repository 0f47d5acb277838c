"""A visit of the batch, block by block: what is read, where it is kept, and where results go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from irreps_llvm.program import Integer, Part, Value
from irreps_ops.compute import Access, Operand

from ._chunks import CHUNKS_THAT_SCATTER, block_length, chunk_count, emit_grain, most_chunks
from ._group import Group, grouped
from ._group_code import GroupCode
from ._layout import Layout, Lanes, lanes_of, pack, packed_layout, stored_layout, unpack
from ._matmul import TILE_ROWS
from ._products import (
    LANE,
    SUMMED,
    LaneOutput,
    MatrixOutput,
    Operands,
    Product,
    ScalarOutput,
    VectorOutput,
    by_axis,
)

if TYPE_CHECKING:
    from ._generator import Generator

ROWS_OF_A_PART = 32  # rows of an output that are finished by one chunk


class LaneData(NamedTuple):
    """Data with lanes: a pointer for each element of the block, and the layout of an element."""

    pointer: Callable[[Integer], Value]
    layout: Layout


class LaneTarget(NamedTuple):
    """Where an output with lanes is summed.

    Attributes:
        pointer: for an element of the block, or for a run.
        layout: of an element.
        kind: ``"run"``, ``"element"`` or ``"chunk"``: what it is the sum over.
        once: whether each number is written once, so that nothing is added to what is there.
    """

    pointer: Callable[[Integer], Value]
    layout: Layout
    kind: str
    once: bool


class Vectors(NamedTuple):
    """The vectors h[b] of a block: scratch memory of shape (loops, elements and components, columns)."""

    pointer: Value
    layout: Layout
    columns: Lanes
    extent: int


class Block:
    """Emits one visit of the batch."""

    def __init__(self, generator: Generator, index: str | None, products: Sequence[Product]) -> None:
        self.generator, self.builder = generator, generator.builder
        self.polynomial = generator.polynomial
        self.index, self.products = index, products
        self.groups = grouped(products, generator.widest, threads=generator.registers.threads)
        self.widest = generator.widest
        self.most = most_chunks(self._partial_numbers(), threads=generator.registers.threads)
        self.length = block_length(
            self._scratch_numbers(), generator.itemsize, self.widest, threads=generator.registers.threads
        )
        if any(self._is_scattered(self.operand(p.output.target, output=True)) for p in products):
            self.most = min(self.most, CHUNKS_THAT_SCATTER)
        self.columns = -(-self.length // self.widest) * self.widest
        self._before: list[Callable[[], None]] = []
        self._each_block: list[Callable[[], None]] = []
        self._each_element: list[Callable[[Integer], None]] = []
        self._after_element: list[Callable[[Integer], None]] = []
        self._after_block: list[Callable[[], None]] = []
        self._new_run: list[Callable[[Value], None]] = []
        self._after_chunk: list[Callable[[], None]] = []

    # Sizes

    def operand(self, used: Operands, *, output: bool = False) -> Operand:
        """Return an input or an output."""
        return (self.polynomial.outputs if output else self.polynomial.inputs)[used.position]

    def _is_scattered(self, operand: Operand) -> bool:
        """Tell whether an output is written through another index than the one that elements are sorted by."""
        return operand.index is not None and operand.index != self.index

    def _lane_packed(self, operand: Operand, used: Operands) -> Layout:
        stored = stored_layout(operand, used.letters)
        return packed_layout(stored, lanes_of(stored.lanes, self.widest).padded)

    def _partial_numbers(self) -> int:
        """Count the numbers of partial sums that each chunk keeps."""
        count = 0
        for output in {p.output for p in self.products}:
            operand = self.operand(output.target, output=True)
            if operand.access is Access.BROADCAST:
                count += operand.size
            elif operand.index is not None:
                count += operand.size // 16  # they are never all needed
        return count

    def _scratch_numbers(self) -> int:
        """Estimate the numbers of scratch memory for each element of a block."""
        count = 8
        scalars = {x for g in self.groups for x in g.scalars}
        count += sum(self.operand(x).size for x in {Operands(x.position, ()) for x in scalars})
        count += max((len(g.slots) for g in self.groups), default=0)
        for used in {x for g in self.groups for x in g.lane_inputs}:
            if self.operand(used).access is Access.BATCHED:
                count += self._lane_packed(self.operand(used), used).size
        for output in {p.output for p in self.products}:
            operand = self.operand(output.target, output=True)
            if isinstance(output, ScalarOutput):
                count += operand.size * self.widest
            elif isinstance(output, (VectorOutput, LaneOutput)) and operand.access is Access.BATCHED:
                count += 2 * operand.size
        vectors = {m.vector for g in self.groups for pairs in g.matrix_products for m in pairs}
        vectors |= {p.output.vector for p in self.products if isinstance(p.output, MatrixOutput)}
        count += sum(2 * self.operand(v).size for v in vectors)
        products = [
            g.lanes.padded
            * (sum(self.components_of(pairs) for pairs in g.matrix_products) + sum(map(len, g.product_sums)))
            for g in self.groups
        ]
        return count + max(products, default=0)

    def components_of(self, pairs: Sequence) -> int:
        """Return the number of components of a sum of matrix products."""
        return self.operand(pairs[0].vector).components

    # Emission

    def emit(self) -> None:
        """Append the visit, and what comes before and after it."""
        builder, generator = self.builder, self.generator
        with builder.counting() as prologue:
            chunks = self._chunks()
        part: list[Part] = []
        with builder.part(part, f"visit sorted by {self.index}" if self.index else "visit", chunks, prologue) as chunk:
            self.chunk = chunk
            grain = emit_grain(builder, generator.batch, self.length, self.most)
            self.start = builder.mul(chunk, grain)
            stop = builder.min(builder.add(self.start, grain), generator.batch)
            self._declare()
            codes = [GroupCode(self, group) for group in self.groups]
            self._declare_rows()
            for emit in self._before:
                emit()
            with builder.loop(self.start, stop, self.length) as first:
                self.first = first
                self.count = builder.min(self.length, builder.sub(stop, first))
                with builder.stage("read a block"):
                    self._read()
                for code in codes:
                    code.emit()
                if self._after_element or self._after_block:
                    with builder.stage("write a block"):
                        for emit in self._after_block:
                            emit()
                        if self._after_element:
                            with builder.loop(0, self.count) as e:
                                for emit_element in self._after_element:
                                    emit_element(e)
            for emit in self._after_chunk:
                emit()
        generator.visit += part

    def _chunks(self) -> Integer:
        builder = self.builder
        grain = emit_grain(builder, self.generator.batch, self.length, self.most)
        return builder.div(builder.add(self.generator.batch, builder.sub(grain, 1)), grain)

    def _declare(self) -> None:
        """Make memory for the bookkeeping of a block."""
        builder, generator = self.builder, self.generator
        self.order = self.starts = None
        if self.index is not None:
            self.order, self.starts = generator.sorted_by(self.index)
            self.elements = builder.scratch(self.length, "int32")
            self.run_start = builder.scratch(self.length + 1, "int32")
            self.run_sum = builder.scratch(self.length, "int32")
            self.element_sum = builder.scratch(self.length, "int32")
            self.run_count = builder.scratch(1, "int32")
        self.row_of: dict[str, Value] = {}
        self._lane_data: dict[Operands, LaneData] = {}
        self._scalar_columns: dict[int, Value] = {}
        self._vectors: dict[Operands, Vectors] = {}
        self._lane_targets: dict[Operands, LaneTarget] = {}
        self._scalar_targets: dict[Operands, tuple[Value, int, Layout]] = {}
        self._vector_targets: dict[Operands, Vectors] = {}
        self._matrix_targets: dict[Operands, tuple[Value, Layout]] = {}

    def _declare_rows(self) -> None:
        for name in self.row_of:
            self.row_of[name] = self.builder.scratch(self.length, "int32")

    def element(self, e: Integer) -> Integer:
        """Return the position in the batch of an element of the block."""
        if self.order is None:
            return self.builder.add(self.first, e)
        return self.builder.load(self.elements, e)

    def row(self, index: str, e: Integer) -> Integer:
        """Return the row of an element of the block; the number of rows if it is out of range."""
        return self.builder.load(self.row_of[index], e)

    def _needs_row(self, index: str) -> None:
        self.row_of.setdefault(index, self.generator.batch)  # replaced by memory in _declare_rows

    def _read(self) -> None:
        """Append code that reads a block and finds its runs."""
        builder = self.builder
        for emit in self._each_block:
            emit()
        with builder.loop(0, self.count) as e:
            place = builder.add(self.first, e)
            element: Integer = place
            if self.order is not None:
                element = builder.load(self.order, place)
                builder.store(element, self.elements, e)
            for name, memory in self.row_of.items():
                builder.store(self.generator.row(name, element), memory, e)
        if self.index is not None and self._new_run:
            self._find_runs(self.index)
        if self._each_element:
            with builder.loop(0, self.count) as e:
                for emit_element in self._each_element:
                    emit_element(e)

    def _find_runs(self, index: str) -> None:
        builder, rows = self.builder, self.generator.rows[index]
        assert self.starts is not None  # there is an index
        before, runs = builder.variable(-1), builder.variable(0)
        last = builder.variable(0)
        with builder.loop(0, self.count) as e:
            row = self.row(index, e)
            with builder.when(builder.less(builder.get(before), row)):
                place = builder.add(self.first, e)
                start = builder.load(self.starts, row)
                # The first run of a chunk may continue the last one of the chunk before: a sum of its own.
                own = builder.add(builder.add(rows, 1), self.chunk)
                total = builder.select(builder.less(start, self.start), own, row)
                run = builder.get(runs)
                builder.store(e, self.run_start, run)
                builder.store(total, self.run_sum, run)
                is_new = builder.either(builder.equal(place, self.start), builder.equal(place, start))
                with builder.when(is_new):
                    for emit in self._new_run:
                        emit(total)
                builder.set(last, total)
                builder.set(runs, builder.add(run, 1))
                builder.set(before, row)
            builder.store(builder.get(last), self.element_sum, e)
        builder.store(self.count, self.run_start, builder.get(runs))
        builder.store(builder.get(runs), self.run_count)

    # Inputs

    def lane_data(self, used: Operands) -> LaneData:
        """Return an input with lanes."""
        if used not in self._lane_data:
            self._lane_data[used] = self._new_lane_data(used)
        return self._lane_data[used]

    def _new_lane_data(self, used: Operands) -> LaneData:
        builder, operand = self.builder, self.operand(used)
        stored = stored_layout(operand, used.letters)
        lanes = lanes_of(stored.lanes, self.widest)
        if operand.access is Access.BROADCAST:
            pointer, layout = self.generator.broadcast(used)
            return LaneData(lambda e: pointer, layout)
        if operand.index is not None:
            index = operand.index
            self._needs_row(index)
            rows, layout = self.generator.packed_rows(used)
            return LaneData(lambda e: builder.at(rows, builder.mul(self.row(index, e), layout.size)), layout)
        source = self.generator.inputs[used.position]
        if self.generator.is_direct(operand, stored, lanes.width):
            return LaneData(lambda e: builder.at(source, builder.mul(self.element(e), stored.size)), stored)
        packed = packed_layout(stored, lanes.padded)
        memory = builder.scratch(self.length * packed.size)

        def read(e: Integer) -> None:
            start = builder.at(source, builder.mul(self.element(e), stored.size))
            pack(builder, start, stored, builder.at(memory, builder.mul(e, packed.size)), packed, lanes.width)

        self._each_element.append(read)
        return LaneData(lambda e: builder.at(memory, builder.mul(e, packed.size)), packed)

    def scalar_columns(self, used: Operands) -> Value:
        """Return scratch memory of shape (numbers of an element, elements) with an input without lanes."""
        if used.position not in self._scalar_columns:
            self._scalar_columns[used.position] = self._new_columns(used)
        return self._scalar_columns[used.position]

    def scalar_layout(self, used: Operands) -> Layout:
        """Return the layout of the numbers of an input without lanes."""
        return stored_layout(self.operand(used), used.letters)

    def _new_columns(self, used: Operands) -> Value:
        builder, operand = self.builder, self.operand(used)
        memory = builder.scratch(operand.size * self.columns)
        source = self.generator.inputs[used.position]

        def copy(start: Value, e: Integer) -> None:
            if operand.size <= 16:
                for n in range(operand.size):
                    builder.store(builder.load(start, n), memory, builder.add(n * self.columns, e))
                return
            with builder.loop(0, operand.size) as n:
                builder.store(builder.load(start, n), memory, builder.add(builder.mul(n, self.columns), e))

        # Elements beyond the end of the block are computed with the others, so they must be numbers.
        self._before.append(lambda: builder.clear(memory, operand.size * self.columns))
        self._each_element.append(self._reader(operand, source, copy, memory))
        return memory

    def _reader(
        self, operand: Operand, source: Value, copy: Callable[[Value, Integer], None], memory: Value
    ) -> Callable[[Integer], None]:
        """Return code that copies an element; zeros if its row is out of range."""
        builder = self.builder
        if operand.access is Access.BROADCAST:
            return lambda e: copy(source, e)
        if operand.index is None:
            return lambda e: copy(builder.at(source, builder.mul(self.element(e), operand.size)), e)
        index = operand.index
        self._needs_row(index)
        zeros = self.generator.zeros(operand)

        def read(e: Integer) -> None:
            row = self.row(index, e)
            inside = builder.less(row, self.generator.rows[index])
            start = builder.at(source, builder.mul(builder.select(inside, row, 0), operand.size))
            copy(builder.select(inside, start, zeros), e)

        return read

    def vectors(self, used: Operands) -> Vectors:
        """Return the vectors h of a block."""
        if used not in self._vectors:
            operand = self.operand(used)
            found = self._new_vectors(operand, used)
            stored = stored_layout(operand, used.letters, SUMMED)
            builder, step = self.builder, stored.components * found.columns.padded

            def copy(start: Value, e: Integer) -> None:
                to = builder.at(found.pointer, builder.mul(e, step))
                pack(builder, start, stored, to, found.layout, found.columns.width)

            read = self._reader(operand, self.generator.inputs[used.position], copy, found.pointer)
            self._each_element.append(read)
            self._vectors[used] = found
        return self._vectors[used]

    def _new_vectors(self, operand: Operand, used: Operands) -> Vectors:
        stored = stored_layout(operand, used.letters, SUMMED)
        columns = lanes_of(stored.lanes, self.widest)
        rows = self.length * stored.components + TILE_ROWS
        packed = packed_layout(stored, columns.padded, loop=rows * columns.padded)
        count = rows * math.prod(extent for _, extent in stored.extents) * columns.padded
        return Vectors(self.builder.scratch(count + columns.padded), packed, columns, stored.lanes)

    # Outputs

    def written_once(self, target: Operands) -> bool:
        """Tell whether a single group writes an output, and writes each number once."""
        writing = [(g, t) for g in self.groups for t in g.lane_outputs if by_axis(t) == target]
        if len(writing) != 1:
            return False
        group, own = writing[0]
        return {str(n) for n in range(len(group.loops))} == set(own.letters) - {LANE}

    def lane_target(self, target: Operands) -> LaneTarget:
        """Return where an output with lanes is summed."""
        target = by_axis(target)
        if target not in self._lane_targets:
            self._lane_targets[target] = self._new_lane_target(target)
        return self._lane_targets[target]

    def _new_lane_target(self, target: Operands) -> LaneTarget:
        builder, generator, operand = self.builder, self.generator, self.operand(target, output=True)
        stored = stored_layout(operand, target.letters)
        lanes = lanes_of(stored.lanes, self.widest)
        packed = packed_layout(stored, lanes.padded)
        array = generator.outputs[target.position]
        if self._is_scattered(operand):
            place = self._scattered_sums(
                target, packed.size, lambda row, to: unpack(builder, row, packed, to, stored, lanes.width)
            )
            return LaneTarget(place, packed, "element", False)
        if operand.index is not None:
            sums = self._run_sums(
                target, packed.size, lambda row, to: unpack(builder, row, packed, to, stored, lanes.width)
            )
            return LaneTarget(lambda run: builder.at(sums, builder.mul(run, packed.size)), packed, "run", False)
        if operand.access is Access.BROADCAST:
            partial = self._partial(
                target.position, packed.size, lambda first: unpack(builder, first, packed, array, stored, lanes.width)
            )
            return LaneTarget(lambda _: partial, packed, "chunk", False)
        once = self.written_once(target)
        if once and generator.is_direct(operand, stored, lanes.width):

            def direct(e: Integer) -> Value:
                return builder.at(array, builder.mul(self.element(e), stored.size))

            return LaneTarget(direct, stored, "element", True)
        memory = builder.scratch(self.length * packed.size)
        if not once:
            self._each_block.append(lambda: builder.clear(memory, builder.mul(self.count, packed.size)))

        def write(e: Integer) -> None:
            to = builder.at(array, builder.mul(self.element(e), stored.size))
            unpack(builder, builder.at(memory, builder.mul(e, packed.size)), packed, to, stored, lanes.width)

        self._after_element.append(write)
        return LaneTarget(lambda e: builder.at(memory, builder.mul(e, packed.size)), packed, "element", once)

    def _run_sums(self, target: Operands, size: int, finish: Callable[[Value, Value], None]) -> Value:
        """Return work space for the sums of runs, and append code that adds up the parts of each row."""
        builder, generator, index = self.builder, self.generator, self.index
        assert index is not None  # the pass of an indexed output is sorted by its index
        rows, block, most = generator.rows_of(self.operand(target, output=True)), self.length, self.most

        def length(sizes: dict[str, int]) -> int:
            return (sizes[rows] + 1 + chunk_count(sizes["batch"], block, most)) * size

        sums = generator.workspace(f"sums of out{target.position}", length)
        self._new_run.append(lambda total: builder.clear(builder.at(sums, builder.mul(total, size)), size))
        self._needs_row(index)
        count, starts = generator.rows[index], self.starts
        assert starts is not None
        stored = self.operand(target, output=True).size
        with builder.counting() as prologue:
            parts = builder.ceil_div(count, ROWS_OF_A_PART)
        with builder.part(generator.finish, f"write out{target.position}", parts, prologue) as chunk:
            grain = emit_grain(builder, generator.batch, block, most)
            first = builder.mul(chunk, ROWS_OF_A_PART)
            total = builder.scratch(size)
            with builder.loop(first, builder.min(builder.add(first, ROWS_OF_A_PART), count)) as row:
                start, stop = builder.load(starts, row), builder.load(starts, builder.add(row, 1))
                to = builder.at(generator.outputs[target.position], builder.mul(row, stored))
                own = builder.at(sums, builder.mul(row, size))
                with builder.when(builder.equal(start, stop)):
                    builder.clear(total, size)
                    finish(total, to)
                with builder.when(builder.less(start, stop)):
                    begin = builder.add(builder.div(start, grain), 1)
                    end = builder.add(builder.div(builder.sub(stop, 1), grain), 1)
                    with builder.loop(begin, end) as part:
                        place = builder.add(builder.add(count, 1), part)
                        self._accumulate(own, builder.at(sums, builder.mul(place, size)), size)
                    finish(own, to)
        return sums

    def _scattered_sums(
        self, target: Operands, size: int, finish: Callable[[Value, Value], None]
    ) -> Callable[[Integer], Value]:
        """Return a pointer to the sum of this chunk for an element of the block; append code that adds up all chunks."""
        builder, generator, block, most = self.builder, self.generator, self.length, self.most
        operand = self.operand(target, output=True)
        index = operand.index
        assert index is not None  # see _is_scattered
        self._needs_row(index)
        rows, count = generator.rows_of(operand), generator.rows[index]

        def length(sizes: dict[str, int]) -> int:
            return max(chunk_count(sizes["batch"], block, most), 1) * (sizes[rows] + 1) * size

        sums = generator.workspace(f"sums of out{target.position}", length)
        each = builder.mul(builder.add(count, 1), size)
        own = builder.at(sums, builder.mul(self.chunk, each))
        self._before.append(lambda: builder.clear(own, each))
        with builder.counting() as prologue:
            parts = builder.ceil_div(count, ROWS_OF_A_PART)
        with builder.part(generator.finish, f"write out{target.position}", parts, prologue) as chunk:
            chunks = self._chunks()
            step = builder.mul(builder.add(count, 1), size)
            first, total = builder.mul(chunk, ROWS_OF_A_PART), builder.scratch(size)
            with builder.loop(first, builder.min(builder.add(first, ROWS_OF_A_PART), count)) as row:
                builder.clear(total, size)
                with builder.loop(0, chunks) as part:
                    place = builder.add(builder.mul(part, step), builder.mul(row, size))
                    self._accumulate(total, builder.at(sums, place), size)
                finish(total, builder.at(generator.outputs[target.position], builder.mul(row, operand.size)))
        return lambda e: builder.at(own, builder.mul(self.row(index, e), size))

    def _accumulate(self, total: Value, more: Value, size: int) -> None:
        builder = self.builder
        width = min(self.widest, size & -size)  # the largest power of two that divides the size
        with builder.loop(0, size, width) as n:
            found = builder.fadd(builder.load_vector(total, width, n), builder.load_vector(more, width, n))
            builder.store(found, total, n)

    def _partial(self, position: int, size: int, finish: Callable[[Value], None]) -> Value:
        """Return work space for the sums of this chunk, and append code that adds them up."""
        builder, generator, block, most = self.builder, self.generator, self.length, self.most

        def length(sizes: dict[str, int]) -> int:
            return max(chunk_count(sizes["batch"], block, most), 1) * size + TILE_ROWS * size

        partial = generator.workspace(f"sums of out{position}", length)
        own = builder.at(partial, builder.mul(self.chunk, size))
        self._before.append(lambda: builder.clear(own, size))
        generator.emit_add_up(f"out{position}", partial, size, self._chunks)
        with builder.part(generator.finish, f"write out{position}", 1):
            finish(partial)
        return own

    def scalar_target(self, target: Operands) -> tuple[Value, int, Layout]:
        """Return scratch memory of shape (elements, numbers, lanes), its stride of elements, and the layout."""
        target = by_axis(target)
        if target not in self._scalar_targets:
            self._scalar_targets[target] = self._new_scalar_target(target)
        return self._scalar_targets[target]

    def _new_scalar_target(self, target: Operands) -> tuple[Value, int, Layout]:
        builder, operand = self.builder, self.operand(target, output=True)
        stored, size = stored_layout(operand, target.letters), operand.size
        step = size * self.widest
        array = self.generator.outputs[target.position]

        def totals(start: Value, write: Callable[[Value, Integer], None]) -> None:
            with builder.loop(0, size) as n:
                vector = builder.load_vector(start, self.widest, builder.mul(n, self.widest))
                write(builder.total(vector), n)

        if operand.access is Access.BROADCAST:
            memory = builder.scratch(step)
            self._before.append(lambda: builder.clear(memory, step))

            def finish(first: Value) -> None:
                with builder.loop(0, size) as n:
                    builder.store(builder.load(first, n), array, n)

            partial = self._partial(target.position, size, finish)
            self._after_chunk.append(lambda: totals(memory, lambda value, n: builder.store(value, partial, n)))
            return memory, 0, stored
        memory = builder.scratch(self.length * step)
        self._each_block.append(lambda: builder.clear(memory, builder.mul(self.count, step)))
        if operand.index is None:

            def write(e: Integer) -> None:
                to = builder.at(array, builder.mul(self.element(e), size))
                start = builder.at(memory, builder.mul(e, step))
                totals(start, lambda value, n: builder.store(value, to, n))

        else:

            def copy(row: Value, to: Value) -> None:
                with builder.loop(0, size) as n:
                    builder.store(builder.load(row, n), to, n)

            if self._is_scattered(operand):
                place = self._scattered_sums(target, size, copy)
            else:
                sums = self._run_sums(target, size, copy)

                def place(e: Integer) -> Value:
                    return builder.at(sums, builder.mul(builder.load(self.element_sum, e), size))

            def write(e: Integer) -> None:
                to = place(e)
                start = builder.at(memory, builder.mul(e, step))
                totals(start, lambda value, n: builder.store(builder.fadd(builder.load(to, n), value), to, n))

        self._after_element.append(write)
        return memory, step, stored

    def vector_target(self, target: Operands) -> Vectors:
        """Return where an output h[b] of a block is summed."""
        target = by_axis(target)
        if target not in self._vector_targets:
            builder, operand = self.builder, self.operand(target, output=True)
            found = self._new_vectors(operand, target)
            stored = stored_layout(operand, target.letters, SUMMED)
            step = stored.components * found.columns.padded
            count = (self.length * stored.components + TILE_ROWS) * math.prod(n for _, n in stored.extents)
            self._each_block.append(lambda: builder.clear(found.pointer, count * found.columns.padded))
            array = self.generator.outputs[target.position]

            def write(e: Integer) -> None:
                start = builder.at(found.pointer, builder.mul(e, step))
                to = builder.at(array, builder.mul(self.element(e), stored.size))
                unpack(builder, start, found.layout, to, stored, found.columns.width)

            self._after_element.append(write)
            self._vector_targets[target] = found
        return self._vector_targets[target]

    def matrix_target(self, target: Operands) -> tuple[Value, Layout]:
        """Return where an output V[b, a] of this chunk is summed; each loop has some more rows than needed."""
        target = by_axis(target)
        if target not in self._matrix_targets:
            builder, operand = self.builder, self.operand(target, output=True)
            stored = stored_layout(operand, target.letters)
            lanes = lanes_of(stored.lanes, self.widest)
            extents = dict(stored.extents)
            rows = extents[SUMMED] + TILE_ROWS
            strides, stride = [(SUMMED, lanes.padded)], rows * lanes.padded
            for name, extent in stored.extents:
                if name != SUMMED:
                    strides.append((name, stride))
                    stride *= extent
            packed = Layout(1, lanes.padded, lanes.padded, 1, stored.extents, tuple(strides), stride)
            array = self.generator.outputs[target.position]
            partial = self._partial(
                target.position, stride, lambda first: unpack(builder, first, packed, array, stored, lanes.width)
            )
            self._matrix_targets[target] = partial, packed
        return self._matrix_targets[target]
