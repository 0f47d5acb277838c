"""The outputs of a block: where they are summed, and the code that finishes them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from irreps_llvm.program import Integer, Value
from irreps_ops.compute import Access

from ._block import Block
from ._chunks import chunk_count, emit_grain
from ._group import Group
from ._inputs import Vectors, new_vectors
from ._layout import (
    Layout,
    copy_element,
    each_number,
    element_of,
    is_in_vectors,
    lanes_of,
    packed_layout,
    stored_layout,
)
from ._matmul import TILE_ROWS
from ._memory import ROWS_OF_A_PART
from ._products import LANE, SUMMED, Operands, by_axis


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


class Outputs:
    """The outputs of a block."""

    def __init__(self, block: Block, groups: Sequence[Group]) -> None:
        self.block, self.groups, self.memory, self.builder = block, groups, block.memory, block.builder
        self._lane_targets: dict[Operands, LaneTarget] = {}
        self._scalar_targets: dict[Operands, tuple[Value, int, Layout]] = {}
        self._vector_targets: dict[Operands, Vectors] = {}
        self._matrix_targets: dict[Operands, tuple[Value, Layout]] = {}

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
        builder, generator, operand = self.builder, self.memory, self.block.operand(target, output=True)
        stored = self.memory.stored(target, output=True)
        lanes = lanes_of(stored.lanes, self.block.widest)
        packed = packed_layout(stored, lanes.padded)
        array = generator.outputs[target.position]
        if operand.index is not None and self.block.is_scattered(operand):
            place = self._scattered_sums(
                target,
                operand.index,
                packed.size,
                lambda row, to: copy_element(builder, row, packed, to, stored, lanes.width),
            )
            return LaneTarget(place, packed, "element", False)
        if operand.index is not None and self._is_summed_in_place(target, stored, lanes.width):
            return LaneTarget(self._sums_in_place(target, operand.index), stored, "run", False)
        if operand.index is not None:
            sums = self._run_sums(
                target,
                operand.index,
                packed.size,
                lambda row, to: copy_element(builder, row, packed, to, stored, lanes.width),
            )
            return LaneTarget(lambda run: builder.at(sums, builder.mul(run, packed.size)), packed, "run", False)
        if operand.access is Access.BROADCAST:
            partial = self._partial(
                target.position,
                packed.size,
                lambda first: copy_element(builder, first, packed, array, stored, lanes.width),
            )
            return LaneTarget(lambda _: partial, packed, "chunk", False)
        once = self.written_once(target)
        if once and self._is_in_place(target, stored, lanes.width):

            def direct(e: Integer) -> Value:
                return builder.at(array, builder.mul(self.block.element(e), stored.size))

            return LaneTarget(direct, stored, "element", True)
        memory = builder.scratch(self.block.length * packed.size)
        if not once:
            self.block.each_block.append(lambda: builder.clear(memory, builder.mul(self.block.count, packed.size)))

        def write(e: Integer) -> None:
            to = builder.at(array, builder.mul(self.block.element(e), stored.size))
            copy_element(builder, builder.at(memory, builder.mul(e, packed.size)), packed, to, stored, lanes.width)

        self.block.after_element.append(write)
        return LaneTarget(lambda e: builder.at(memory, builder.mul(e, packed.size)), packed, "element", once)

    def _is_in_place(self, target: Operands, stored: Layout, width: int) -> bool:
        """Tell whether vectors of an output can be written to its array."""
        if self.memory.registers.threads:
            return self.memory.is_direct(self.block.operand(target, output=True), stored, width)
        same = element_of(self.block.operand(target, output=True), self.memory.dtype) == "float"
        return same and is_in_vectors(stored) and stored.lanes % width == 0

    def _is_summed_in_place(self, target: Operands, stored: Layout, width: int) -> bool:
        """Tell whether the sums of runs can be added to the rows of the output itself."""
        view = self.memory.view(target, output=True)
        contiguous = view.axes == 0 and len(view.parts) == 1 and not self.memory.registers.threads
        return contiguous and self._is_in_place(target, stored, width)

    def _sums_in_place(self, target: Operands, index: str) -> Callable[[Integer], Value]:
        """Return a pointer to the sum of a run; append code that adds up rows which several chunks contribute to."""
        builder, memory, block = self.builder, self.memory, self.block
        operand, stored = block.operand(target, output=True), memory.stored(target, output=True)
        size, rows, array = operand.size, memory.rows[index], memory.outputs[target.position]
        length, most = block.length, block.most

        def numbers(sizes: Mapping[str, int]) -> int:
            return (1 + chunk_count(sizes["batch"], length, most)) * size

        # For what is out of range, and for the first run of each chunk, which may continue that of the chunk before.
        others = memory.workspace(f"sums of out{target.position}", numbers)

        def sum_of(total: Integer) -> Value:
            inside = builder.less(total, rows)
            row = builder.at(
                array, builder.add(builder.mul(builder.select(inside, total, 0), stored.size), stored.start)
            )
            other = builder.at(others, builder.mul(builder.select(inside, 0, builder.sub(total, rows)), size))
            return builder.select(inside, row, other)

        block.new_run.append(lambda total: builder.clear(sum_of(total), size))

        def finish(row: Value, begin: Integer, end: Integer) -> None:
            own = builder.at(array, builder.add(builder.mul(row, stored.size), stored.start))
            with builder.when(builder.equal(begin, 0)):
                builder.clear(own, size)
            with builder.loop(begin, end) as part:
                self._accumulate(own, builder.at(others, builder.mul(builder.add(part, 1), size)), size)

        self._finish_rows(target, index, finish)
        # The layout contains the start, so the pointer does not.
        return lambda total: builder.at(sum_of(total), -stored.start)

    def _run_sums(self, target: Operands, index: str, size: int, write: Callable[[Value, Value], None]) -> Value:
        """Return work space for the sums of runs, and append code that adds up and writes those of each row."""
        builder, memory = self.builder, self.memory
        rows, block, most = memory.rows_of(self.block.operand(target, output=True)), self.block.length, self.block.most
        count, stored = memory.rows[index], memory.stored(target, output=True).size

        def length(sizes: Mapping[str, int]) -> int:
            return (sizes[rows] + 1 + chunk_count(sizes["batch"], block, most)) * size

        sums = memory.workspace(f"sums of out{target.position}", length)
        self.block.new_run.append(lambda total: builder.clear(builder.at(sums, builder.mul(total, size)), size))

        def finish(row: Value, begin: Integer, end: Integer) -> None:
            own = builder.at(sums, builder.mul(row, size))
            with builder.when(builder.equal(begin, 0)):
                builder.clear(own, size)
            with builder.loop(begin, end) as part:
                place = builder.add(builder.add(count, 1), part)
                self._accumulate(own, builder.at(sums, builder.mul(place, size)), size)
            write(own, builder.at(memory.outputs[target.position], builder.mul(row, stored)))

        self._finish_rows(target, index, finish)
        return sums

    def _finish_rows(self, target: Operands, index: str, finish: Callable[[Value, Integer, Integer], None]) -> None:
        """Append code for each row of an output: `finish` gets the row and the range of chunks that continue its sum.

        The range of a row that no element has starts at 0.
        """
        builder, memory, block = self.builder, self.memory, self.block
        block.needs_row(index)
        count, length, most = memory.rows[index], block.length, block.most
        with builder.counting() as prologue:
            parts = builder.ceil_div(count, ROWS_OF_A_PART)
        with builder.part(memory.finish, f"write out{target.position}", parts, prologue) as chunk:
            grain = emit_grain(builder, memory.batch, length, most)
            first = builder.mul(chunk, ROWS_OF_A_PART)
            with builder.loop(first, builder.min(builder.add(first, ROWS_OF_A_PART), count)) as row:
                start, stop = builder.load(block.starts, row), builder.load(block.starts, builder.add(row, 1))
                some = builder.less(start, stop)
                begin = builder.add(builder.div(start, grain), 1)
                end = builder.add(builder.div(builder.sub(stop, 1), grain), 1)
                finish(row, builder.select(some, begin, 0), builder.select(some, end, 0))

    def _scattered_sums(
        self, target: Operands, index: str, size: int, finish: Callable[[Value, Value], None]
    ) -> Callable[[Integer], Value]:
        """Return a pointer to the sum of this chunk for an element; append code that adds up all chunks."""
        builder, generator, block, most = self.builder, self.memory, self.block.length, self.block.most
        operand, stored = self.block.operand(target, output=True), self.memory.stored(target, output=True).size
        self.block.needs_row(index)
        rows, count = generator.rows_of(operand), generator.rows[index]

        def length(sizes: Mapping[str, int]) -> int:
            return max(chunk_count(sizes["batch"], block, most), 1) * (sizes[rows] + 1) * size

        sums = generator.workspace(f"sums of out{target.position}", length)
        each = builder.mul(builder.add(count, 1), size)
        own = builder.at(sums, builder.mul(self.block.chunk, each))
        self.block.before.append(lambda: builder.clear(own, each))
        with builder.counting() as prologue:
            parts = builder.ceil_div(count, ROWS_OF_A_PART)
        with builder.part(generator.finish, f"write out{target.position}", parts, prologue) as chunk:
            chunks = self.block.chunks()
            step = builder.mul(builder.add(count, 1), size)
            first, total = builder.mul(chunk, ROWS_OF_A_PART), builder.scratch(size)
            with builder.loop(first, builder.min(builder.add(first, ROWS_OF_A_PART), count)) as row:
                builder.clear(total, size)
                with builder.loop(0, chunks) as part:
                    place = builder.add(builder.mul(part, step), builder.mul(row, size))
                    self._accumulate(total, builder.at(sums, place), size)
                finish(total, builder.at(generator.outputs[target.position], builder.mul(row, stored)))
        return lambda e: builder.at(own, builder.mul(self.block.row(index, e), size))

    def _place_of_element(
        self, target: Operands, index: str, size: int, finish: Callable[[Value, Value], None]
    ) -> Callable[[Integer], Value]:
        """Return a pointer to the sum that an element of the block belongs to."""
        builder = self.builder
        if self.block.is_scattered(self.block.operand(target, output=True)):
            return self._scattered_sums(target, index, size, finish)
        sums = self._run_sums(target, index, size, finish)
        return lambda e: builder.at(sums, builder.mul(builder.load(self.block.element_sum, e), size))

    def _accumulate(self, total: Value, more: Value, size: int) -> None:
        builder = self.builder
        width = min(self.block.widest, size & -size)  # the largest power of two that divides the size
        with builder.loop(0, size, width) as n:
            found = builder.fadd(builder.load_vector(total, width, n), builder.load_vector(more, width, n))
            builder.store(found, total, n)

    def _partial(self, position: int, size: int, finish: Callable[[Value], None]) -> Value:
        """Return work space for the sums of this chunk, and append code that adds them up."""
        builder, generator, block, most = self.builder, self.memory, self.block.length, self.block.most

        def length(sizes: Mapping[str, int]) -> int:
            return max(chunk_count(sizes["batch"], block, most), 1) * size + TILE_ROWS * size

        partial = generator.workspace(f"sums of out{position}", length)
        own = builder.at(partial, builder.mul(self.block.chunk, size))
        self.block.before.append(lambda: builder.clear(own, size))
        generator.emit_add_up(f"out{position}", partial, size, self.block.chunks)
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
        builder, operand = self.builder, self.block.operand(target, output=True)
        numbers, size = stored_layout(operand, target.letters), operand.size
        view, stored = self.memory.view(target, output=True), self.memory.stored(target, output=True)
        step = size * self.block.widest
        array = self.memory.outputs[target.position]

        def total(start: Value, n: Integer) -> Value:
            """Return number n, the sum over the lanes."""
            return builder.total(builder.load_vector(start, self.block.widest, builder.mul(n, self.block.widest)))

        def copy(row: Value, to: Value) -> None:
            each_number(
                builder, operand, view, lambda n, place: builder.store(builder.load(row, n), to, place), apart=True
            )

        if operand.access is Access.BROADCAST:
            memory = builder.scratch(step)
            self.block.before.append(lambda: builder.clear(memory, step))
            partial = self._partial(target.position, size, lambda first: copy(first, array))

            def add_up() -> None:
                with builder.loop(0, size) as n:
                    builder.store(total(memory, n), partial, n)

            self.block.after_chunk.append(add_up)
            return memory, 0, numbers
        memory = builder.scratch(self.block.length * step)
        self.block.each_block.append(lambda: builder.clear(memory, builder.mul(self.block.count, step)))
        if operand.index is None:

            def write(e: Integer) -> None:
                to = builder.at(array, builder.mul(self.block.element(e), stored.size))
                start = builder.at(memory, builder.mul(e, step))
                each_number(builder, operand, view, lambda n, place: builder.store(total(start, n), to, place))

        else:
            place = self._place_of_element(target, operand.index, size, copy)

            def write(e: Integer) -> None:
                to = place(e)
                start = builder.at(memory, builder.mul(e, step))
                with builder.loop(0, size) as n:
                    builder.store(builder.fadd(builder.load(to, n), total(start, n)), to, n)

        self.block.after_element.append(write)
        return memory, step, numbers

    def vector_target(self, target: Operands) -> Vectors:
        """Return where an output h[b] of a block is summed."""
        target = by_axis(target)
        if target not in self._vector_targets:
            builder = self.builder
            found = new_vectors(self.block, target, output=True)
            stored = self.memory.stored(target, SUMMED, output=True)
            step = stored.components * found.columns.padded
            count = (self.block.length * stored.components + TILE_ROWS) * math.prod(n for _, n in stored.extents)
            self.block.each_block.append(lambda: builder.clear(found.pointer, count * found.columns.padded))
            array = self.memory.outputs[target.position]

            def write(e: Integer) -> None:
                start = builder.at(found.pointer, builder.mul(e, step))
                to = builder.at(array, builder.mul(self.block.element(e), stored.size))
                copy_element(builder, start, found.layout, to, stored, found.columns.width)

            self.block.after_element.append(write)
            self._vector_targets[target] = found
        return self._vector_targets[target]

    def matrix_target(self, target: Operands) -> tuple[Value, Layout]:
        """Return where an output V[b, a] of this chunk is summed; each loop has some more rows than needed."""
        target = by_axis(target)
        if target not in self._matrix_targets:
            builder = self.builder
            stored = self.memory.stored(target, output=True)
            lanes = lanes_of(stored.lanes, self.block.widest)
            extents = dict(stored.extents)
            rows = extents[SUMMED] + TILE_ROWS
            strides, stride = [(SUMMED, lanes.padded)], rows * lanes.padded
            for name, extent in stored.extents:
                if name != SUMMED:
                    strides.append((name, stride))
                    stride *= extent
            packed = Layout(1, lanes.padded, lanes.padded, 1, stored.extents, tuple(strides), stride)
            array = self.memory.outputs[target.position]
            partial = self._partial(
                target.position, stride, lambda first: copy_element(builder, first, packed, array, stored, lanes.width)
            )
            self._matrix_targets[target] = partial, packed
        return self._matrix_targets[target]
