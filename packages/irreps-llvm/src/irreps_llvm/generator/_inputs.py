"""The inputs of a block: where they are read, after they were copied where that is needed."""

import math
from collections.abc import Callable
from typing import NamedTuple

from irreps_llvm.program import Integer, Value
from irreps_ops.compute import Access

from ._block import Block
from ._layout import Lanes, Layout, copy_element, each_number, lanes_of, packed_layout, stored_layout
from ._matmul import TILE_ROWS
from ._products import SUMMED, Operands


class LaneData(NamedTuple):
    """Data with lanes: a pointer for each element of the block, and the layout of an element."""

    pointer: Callable[[Integer], Value]
    layout: Layout


class Vectors(NamedTuple):
    """The vectors h[b] of a block: scratch memory of shape (loops, elements and components, columns)."""

    pointer: Value
    layout: Layout
    columns: Lanes
    extent: int


def new_vectors(block: Block, used: Operands, *, output: bool = False) -> Vectors:
    """Make memory for the vectors h of a block."""
    stored = block.memory.stored(used, SUMMED, output=output)
    columns = lanes_of(stored.lanes, block.widest)
    rows = block.length * stored.components + TILE_ROWS
    packed = packed_layout(stored, columns.padded, loop=rows * columns.padded)
    count = rows * math.prod(extent for _, extent in stored.extents) * columns.padded
    return Vectors(block.builder.scratch(count + columns.padded), packed, columns, stored.lanes)


class Inputs:
    """The inputs of a block."""

    def __init__(self, block: Block) -> None:
        self.block, self.memory, self.builder = block, block.memory, block.builder
        self._lane_data: dict[Operands, LaneData] = {}
        self._scalar_columns: dict[int, Value] = {}
        self._vectors: dict[Operands, Vectors] = {}

    def lane_data(self, used: Operands) -> LaneData:
        """Return an input with lanes."""
        if used not in self._lane_data:
            self._lane_data[used] = self._new_lane_data(used)
        return self._lane_data[used]

    def _new_lane_data(self, used: Operands) -> LaneData:
        builder, operand = self.builder, self.block.operand(used)
        stored = self.memory.stored(used)
        lanes = lanes_of(stored.lanes, self.block.widest)
        if operand.access is Access.BROADCAST:
            pointer, layout = self.memory.broadcast(used)
            return LaneData(lambda e: pointer, layout)
        if operand.index is not None:
            index = operand.index
            self.block.needs_row(index)
            rows, layout = self.memory.packed_rows(used)
            return LaneData(lambda e: builder.at(rows, builder.mul(self.block.row(index, e), layout.size)), layout)
        source = self.memory.inputs[used.position]
        if self.memory.is_direct(operand, stored, lanes.width):
            return LaneData(lambda e: builder.at(source, builder.mul(self.block.element(e), stored.size)), stored)
        packed = packed_layout(stored, lanes.padded)
        memory = builder.scratch(self.block.length * packed.size)

        def read(e: Integer) -> None:
            start = builder.at(source, builder.mul(self.block.element(e), stored.size))
            copy_element(builder, start, stored, builder.at(memory, builder.mul(e, packed.size)), packed, lanes.width)

        self.block.each_element.append(read)
        return LaneData(lambda e: builder.at(memory, builder.mul(e, packed.size)), packed)

    def scalar_columns(self, used: Operands) -> Value:
        """Return scratch memory of shape (numbers of an element, elements) with an input without lanes."""
        if used.position not in self._scalar_columns:
            self._scalar_columns[used.position] = self._new_columns(used)
        return self._scalar_columns[used.position]

    def scalar_layout(self, used: Operands) -> Layout:
        """Return the layout of the numbers of an input without lanes, in its columns."""
        return stored_layout(self.block.operand(used), used.letters)

    def _new_columns(self, used: Operands) -> Value:
        builder, operand = self.builder, self.block.operand(used)
        memory = builder.scratch(operand.size * self.block.columns)
        source = self.memory.inputs[used.position]

        def copy(start: Value, e: Integer) -> None:
            def copy_number(n: Integer, place: Integer) -> None:
                to = builder.add(builder.mul(n, self.block.columns), e)
                builder.store(builder.load(start, place), memory, to)

            each_number(builder, operand, self.memory.view(used), copy_number)

        # Elements beyond the end of the block are computed with the others, so they must be numbers.
        self.block.before.append(lambda: builder.clear(memory, operand.size * self.block.columns))
        apart = self.memory.registers.threads
        readers = self.block.each_element_apart if apart else self.block.each_element
        readers.append(self._reader(used, source, copy))
        return memory

    def _reader(
        self, used: Operands, source: Value, copy: Callable[[Value, Integer], None]
    ) -> Callable[[Integer], None]:
        """Return code that copies an element; zeros if its row is out of range."""
        builder, operand, size = self.builder, self.block.operand(used), self.memory.stored(used).size
        if operand.access is Access.BROADCAST:
            return lambda e: copy(source, e)
        if operand.index is None:
            return lambda e: copy(builder.at(source, builder.mul(self.block.element(e), size)), e)
        index = operand.index
        self.block.needs_row(index)
        zeros = self.memory.zeros(used)

        def read(e: Integer) -> None:
            row = self.block.row(index, e)
            inside = builder.less(row, self.memory.rows[index])
            start = builder.at(source, builder.mul(builder.select(inside, row, 0), size))
            copy(builder.select(inside, start, zeros), e)

        return read

    def vectors(self, used: Operands) -> Vectors:
        """Return the vectors h of a block."""
        if used not in self._vectors:
            found = new_vectors(self.block, used)
            stored = self.memory.stored(used, SUMMED)
            builder, step = self.builder, stored.components * found.columns.padded

            def copy(start: Value, e: Integer) -> None:
                to = builder.at(found.pointer, builder.mul(e, step))
                copy_element(builder, start, stored, to, found.layout, found.columns.width)

            read = self._reader(used, self.memory.inputs[used.position], copy)
            self.block.each_element.append(read)
            self._vectors[used] = found
        return self._vectors[used]
