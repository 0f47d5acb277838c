"""A block of the batch: which elements it has, their rows, and its runs."""

from collections.abc import Callable

from irreps_llvm.program import Integer, Value
from irreps_ops.compute import Operand

from ._chunks import emit_chunk_count, emit_grain
from ._memory import Memory
from ._products import Operands


class Block:
    """The block that is being computed, in the part that visits the batch.

    Inputs and outputs append functions to its lists, which emit code at the right places.

    Args:
        memory: the memory of the program.
        index: the index that the elements are sorted by, or None.
        length: the number of elements in a block.
        most: the number of chunks at most.
        chunk: the chunk that the code works on.

    Attributes:
        columns: `length`, rounded up to whole vectors.
        start: first place of the chunk.
        stop: end of the chunk.
        first: first place of the block; set inside of the loop over blocks.
        count: the number of elements of the block; set there, too.
        before: emit code before the first block of a chunk.
        each_block: ... at the beginning of each block.
        new_run: ... where a run begins, given its sum.
        each_element: ... for each element, before it is computed.
        each_element_apart: ... the same, in a loop whose rounds are apart; for GPUs.
        after_element: ... and afterwards.
        after_chunk: emit code after the last block of a chunk.
    """

    def __init__(self, memory: Memory, index: str | None, length: int, most: int, chunk: Value) -> None:
        self.memory, self.builder = memory, memory.builder
        self.polynomial, self.widest = memory.polynomial, memory.widest
        self.index, self.length, self.most, self.chunk = index, length, most, chunk
        self.columns = -(-length // self.widest) * self.widest
        grain = emit_grain(self.builder, memory.batch, length, most)
        self.start = self.builder.mul(chunk, grain)
        self.stop = self.builder.min(self.builder.add(self.start, grain), memory.batch)
        self.first: Integer = self.start
        self.count: Integer = length
        self.before: list[Callable[[], None]] = []
        self.each_block: list[Callable[[], None]] = []
        self.new_run: list[Callable[[Value], None]] = []
        self.each_element: list[Callable[[Integer], None]] = []
        self.each_element_apart: list[Callable[[Integer], None]] = []
        self.after_element: list[Callable[[Integer], None]] = []
        self.after_chunk: list[Callable[[], None]] = []
        self.row_of: dict[str, Value] = {}
        self._shared: list[Value] = []
        self._shared_counts: list[int] = []
        if index is not None:
            builder = self.builder
            self.order, self.starts = memory.sorted_by(index)
            self.elements = builder.scratch(length, "int32")
            self.run_start = builder.scratch(length + 1, "int32")
            self.run_sum = builder.scratch(length, "int32")
            self.element_sum = builder.scratch(length, "int32")
            self.run_count = builder.scratch(1, "int32")

    def shared(self, position: int, count: int) -> Value:
        """Return scratch memory that groups use in turn; all that ask for the same position get the same memory."""
        if position == len(self._shared):
            self._shared.append(self.builder.pointer())
            self._shared_counts.append(0)
        self._shared_counts[position] = max(self._shared_counts[position], count)
        return self._shared[position]

    def make_shared(self) -> None:
        """Append the code that makes the memory that groups share, once all have asked for it."""
        for pointer, count in zip(self._shared, self._shared_counts, strict=True):
            self.builder.scratch_at(pointer, count)

    def operand(self, used: Operands, *, output: bool = False) -> Operand:
        """Return an input or an output."""
        return (self.polynomial.outputs if output else self.polynomial.inputs)[used.position]

    def element(self, e: Integer) -> Integer:
        """Return the position in the batch of an element of the block."""
        if self.index is None:
            return self.builder.add(self.first, e)
        return self.builder.load(self.elements, e)

    def row(self, index: str, e: Integer) -> Integer:
        """Return the row of an element of the block; the number of rows if it is out of range."""
        return self.builder.load(self.row_of[index], e)

    def needs_row(self, index: str) -> None:
        """Let the rows of an index be known for each element of a block."""
        if index not in self.row_of:
            self.row_of[index] = self.builder.scratch(self.length, "int32")

    def read(self) -> None:
        """Append code that reads a block and finds its runs."""
        builder = self.builder
        for emit in self.each_block:
            emit()
        with builder.loop(0, self.count, apart=True) as e:
            place = builder.add(self.first, e)
            element: Integer = place
            if self.index is not None:
                element = builder.load(self.order, place)
                builder.store(element, self.elements, e)
            for name, memory in self.row_of.items():
                builder.store(self.memory.row(name, element), memory, e)
        if self.index is not None and self.new_run:
            self._find_runs(self.index)
        if self.each_element_apart:
            with builder.loop(0, self.count, apart=True) as e:
                for emit_element in self.each_element_apart:
                    emit_element(e)
        if self.each_element:
            with builder.loop(0, self.count) as e:
                for emit_element in self.each_element:
                    emit_element(e)

    def _find_runs(self, index: str) -> None:
        builder, rows = self.builder, self.memory.rows[index]
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
                    for emit in self.new_run:
                        emit(total)
                builder.set(last, total)
                builder.set(runs, builder.add(run, 1))
                builder.set(before, row)
            builder.store(builder.get(last), self.element_sum, e)
        builder.store(self.count, self.run_start, builder.get(runs))
        builder.store(builder.get(runs), self.run_count)

    def write(self) -> None:
        """Append code that writes what was computed for a block."""
        if self.after_element:
            with self.builder.stage("write a block"), self.builder.loop(0, self.count) as e:
                for emit in self.after_element:
                    emit(e)

    def chunks(self) -> Integer:
        """Append code that computes the number of chunks."""
        return emit_chunk_count(self.builder, self.memory.batch, self.length, self.most)

    def is_scattered(self, operand: Operand) -> bool:
        """Tell whether an output is written through another index than the one that elements are sorted by."""
        return operand.index is not None and operand.index != self.index
