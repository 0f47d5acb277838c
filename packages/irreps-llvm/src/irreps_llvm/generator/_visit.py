"""One visit of the batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from irreps_core import cached
from irreps_ops.compute import Access, Operand, Polynomial

from ._block import Block
from ._chunks import CHUNKS_THAT_SCATTER, block_length, emit_chunk_count, fits, most_chunks
from ._folding import folded
from ._group import Group, grouped
from ._group_code import GroupCode
from ._inputs import Inputs
from ._layout import Layout, lanes_of, packed_layout, stored_layout
from ._memory import Memory, Registers
from ._outputs import Outputs
from ._products import LaneOutput, MatrixOutput, Operands, Product, ScalarOutput, VectorOutput, products

# `conv`, forces: a batch that need not be sorted is sorted if its elements read rows of this many numbers.
_LARGE_ROW = 512


@dataclass(frozen=True)
class Visit:
    """What one visit of the batch computes.

    Attributes:
        index: the index that the batch is sorted by; None if it is not.
        groups: the products, by what is computed together.
        length: the number of elements in a block.
        most: the number of chunks at most.
    """

    index: str | None
    groups: tuple[Group, ...]
    length: int
    most: int


@cached(maxsize=64)
def visits(polynomial: Polynomial, itemsize: int, registers: Registers, scatter: bool) -> tuple[Visit, ...]:
    """Plan the visits of the batch; see :func:`generate`.

    Raises:
        ValueError: an element of the batch needs too much memory.
    """
    polynomial = folded(polynomial)
    return tuple(
        _visit(polynomial, itemsize, registers, *each) for each in _passes(polynomial, scatter, registers.threads)
    )


def _passes(polynomial: Polynomial, scatter: bool, threads: bool) -> list[tuple[str | None, list[Product]]]:
    """Assign each product to a visit of the batch, and sort each visit by an index, or none."""
    found: dict[str | None, list[Product]] = {}
    for product in products(polynomial):
        target = polynomial.outputs[product.output.target.position]
        found.setdefault(target.index, []).append(product)
    unsorted = found.pop(None, [])
    operands = (*polynomial.inputs, *polynomial.outputs)
    size = {name: sum(o.size for o in operands if o.index == name) for name in polynomial.indices}
    largest = max(size, key=lambda name: size[name], default=None)
    if not found:
        # Sorted, elements of the same row follow each other: its data stay in the cache.
        is_sorted = largest is not None and size[largest] >= _LARGE_ROW and not threads
        return [(largest if is_sorted else None, unsorted)] if unsorted else []
    if scatter:
        # One visit for all, sorted by the index with the most data: it is read and summed run by run.
        return [(largest, [p for of_index in found.values() for p in of_index] + unsorted)]
    # Any order suits the products without an indexed output: they share most with the larger visit.
    found[max(found, key=lambda name: len(found[name]))] += unsorted
    return list(found.items())


def _visit(
    polynomial: Polynomial, itemsize: int, registers: Registers, index: str | None, computed: Sequence[Product]
) -> Visit:
    widest, threads = registers.bytes // itemsize, registers.threads
    groups = tuple(grouped(computed, widest, threads=threads))
    numbers = _Numbers(polynomial, computed, groups, widest)
    length = block_length(numbers.scratch(), itemsize, widest, threads=threads)
    most = most_chunks(numbers.partial(), threads=threads)
    written = {polynomial.outputs[p.output.target.position].index for p in computed}
    if written - {None, index}:
        most = min(most, CHUNKS_THAT_SCATTER)
    return Visit(index, groups, length, most)


def visit_batch(memory: Memory, visit: Visit) -> None:
    """Append the code of a visit of the batch."""
    builder = memory.builder
    index, groups, length, most = visit.index, visit.groups, visit.length, visit.most
    with builder.counting() as prologue:
        chunks = emit_chunk_count(builder, memory.batch, length, most)
    with builder.part(memory.visit, f"visit sorted by {index}" if index else "visit", chunks, prologue) as chunk:
        block = Block(memory, index, length, most, chunk)
        inputs, outputs = Inputs(block), Outputs(block, groups)
        codes = [GroupCode(block, inputs, outputs, group) for group in groups]
        block.make_shared()
        for emit in block.before:
            emit()
        with builder.loop(block.start, block.stop, length) as first:
            block.first, block.count = first, builder.min(length, builder.sub(block.stop, first))
            with builder.stage("read a block"):
                block.read()
            for code in codes:
                code.emit()
            block.write()
        for emit in block.after_chunk:
            emit()


class _Numbers:
    """Counts the numbers that a visit keeps in memory."""

    def __init__(
        self, polynomial: Polynomial, products: Sequence[Product], groups: Sequence[Group], widest: int
    ) -> None:
        self.polynomial, self.products, self.groups, self.widest = polynomial, products, groups, widest

    def _operand(self, used: Operands, *, output: bool = False) -> Operand:
        return (self.polynomial.outputs if output else self.polynomial.inputs)[used.position]

    def _lane_packed(self, operand: Operand, used: Operands) -> Layout:
        stored = stored_layout(operand, used.letters)
        return packed_layout(stored, lanes_of(stored.lanes, self.widest).padded)

    def partial(self) -> int:
        """Count the numbers of partial sums that each chunk keeps."""
        count = 0
        for output in {p.output for p in self.products}:
            operand = self._operand(output.target, output=True)
            if operand.access is Access.BROADCAST:
                count += operand.size
            elif operand.index is not None:
                count += operand.size // 16  # they are never all needed
        return count

    def scratch(self) -> int:
        """Estimate the numbers of scratch memory for each element of a block."""
        count = 8
        scalars = {x for g in self.groups for x in g.scalars}
        count += sum(self._operand(x).size for x in {Operands(x.position, ()) for x in scalars})
        count += max((len(g.slots) for g in self.groups), default=0)
        for used in {x for g in self.groups for x in g.lane_inputs}:
            if self._operand(used).access is Access.BATCHED:
                count += self._lane_packed(self._operand(used), used).size
        for output in {p.output for p in self.products}:
            operand = self._operand(output.target, output=True)
            if isinstance(output, ScalarOutput):
                count += operand.size * self.widest
            elif isinstance(output, (VectorOutput, LaneOutput)) and operand.access is Access.BATCHED:
                count += 2 * operand.size
        vectors = {m.vector for g in self.groups for pairs in g.matrix_products for m in pairs}
        vectors |= {p.output.vector for p in self.products if isinstance(p.output, MatrixOutput)}
        count += sum(2 * self._operand(v).size for v in vectors)
        products = [
            g.lanes.padded
            * (
                sum(self._operand(pairs[0].vector).components for pairs in g.matrix_products)
                + sum(map(len, g.product_sums))
            )
            for g in self.groups
        ]
        return count + max(products, default=0)


def needs_little_memory(polynomial: Polynomial, itemsize: int, registers: Registers) -> bool:
    """Tell, by a bound that is fast to compute, that an element of the batch needs less memory than there is."""
    widest = registers.bytes // itemsize
    numbers = 8
    for operand in (*polynomial.inputs, *polynomial.outputs):
        numbers += operand.size * (4 if operand.channels else widest)
    for path in polynomial.paths:
        operands = polynomial.operands(path)
        longest = max(polynomial.extents(path).values(), default=1)
        numbers += len(path.coefficients) + 2 * (longest + widest) * max(o.components for o in operands)
    return fits(numbers, itemsize)
