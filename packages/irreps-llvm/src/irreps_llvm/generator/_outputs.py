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
from ._layout import Layout, copy_element, lanes_of, packed_layout, stored_layout
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
        stored = stored_layout(operand, target.letters)
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
        if once and generator.is_direct(operand, stored, lanes.width):

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

    def _run_sums(self, target: Operands, index: str, size: int, finish: Callable[[Value, Value], None]) -> Value:
        """Return work space for the sums of runs, and append code that adds up the parts of each row."""
        builder, generator = self.builder, self.memory
        rows, block, most = (
            generator.rows_of(self.block.operand(target, output=True)),
            self.block.length,
            self.block.most,
        )

        def length(sizes: Mapping[str, int]) -> int:
            return (sizes[rows] + 1 + chunk_count(sizes["batch"], block, most)) * size

        sums = generator.workspace(f"sums of out{target.position}", length)
        self.block.new_run.append(lambda total: builder.clear(builder.at(sums, builder.mul(total, size)), size))
        self.block.needs_row(index)
        count, starts = generator.rows[index], self.block.starts
        stored = self.block.operand(target, output=True).size
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
        self, target: Operands, index: str, size: int, finish: Callable[[Value, Value], None]
    ) -> Callable[[Integer], Value]:
        """Return a pointer to the sum of this chunk for an element; append code that adds up all chunks."""
        builder, generator, block, most = self.builder, self.memory, self.block.length, self.block.most
        operand = self.block.operand(target, output=True)
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
                finish(total, builder.at(generator.outputs[target.position], builder.mul(row, operand.size)))
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
        stored, size = stored_layout(operand, target.letters), operand.size
        step = size * self.block.widest
        array = self.memory.outputs[target.position]

        def totals(start: Value, write: Callable[[Value, Integer], None]) -> None:
            with builder.loop(0, size) as n:
                vector = builder.load_vector(start, self.block.widest, builder.mul(n, self.block.widest))
                write(builder.total(vector), n)

        if operand.access is Access.BROADCAST:
            memory = builder.scratch(step)
            self.block.before.append(lambda: builder.clear(memory, step))

            def finish(first: Value) -> None:
                with builder.loop(0, size, apart=True) as n:
                    builder.store(builder.load(first, n), array, n)

            partial = self._partial(target.position, size, finish)
            self.block.after_chunk.append(lambda: totals(memory, lambda value, n: builder.store(value, partial, n)))
            return memory, 0, stored
        memory = builder.scratch(self.block.length * step)
        self.block.each_block.append(lambda: builder.clear(memory, builder.mul(self.block.count, step)))
        if operand.index is None:

            def write(e: Integer) -> None:
                to = builder.at(array, builder.mul(self.block.element(e), size))
                start = builder.at(memory, builder.mul(e, step))
                totals(start, lambda value, n: builder.store(value, to, n))

        else:

            def copy(row: Value, to: Value) -> None:
                with builder.loop(0, size, apart=True) as n:
                    builder.store(builder.load(row, n), to, n)

            place = self._place_of_element(target, operand.index, size, copy)

            def write(e: Integer) -> None:
                to = place(e)
                start = builder.at(memory, builder.mul(e, step))
                totals(start, lambda value, n: builder.store(builder.fadd(builder.load(to, n), value), to, n))

        self.block.after_element.append(write)
        return memory, step, stored

    def vector_target(self, target: Operands) -> Vectors:
        """Return where an output h[b] of a block is summed."""
        target = by_axis(target)
        if target not in self._vector_targets:
            builder, operand = self.builder, self.block.operand(target, output=True)
            found = new_vectors(self.block, operand, target)
            stored = stored_layout(operand, target.letters, SUMMED)
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
            builder, operand = self.builder, self.block.operand(target, output=True)
            stored = stored_layout(operand, target.letters)
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
