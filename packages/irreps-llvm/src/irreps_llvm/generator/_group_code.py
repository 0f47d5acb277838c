"""The code of a group in a block."""

from collections.abc import Sequence
from typing import Any

from irreps_llvm.program import Integer, Value

from ._block import Block
from ._group import Group, Terms
from ._inputs import Inputs
from ._lane_code import Coefficient, Load, Multiply, Sum
from ._layout import Layout, store_components
from ._matmul import TILE_ROWS, Matrix, matrix_product
from ._outputs import LaneTarget, Outputs
from ._products import SUMMED, MatrixOutput, MatrixProduct, Operands, VectorOutput, by_axis

_LIVE = 8  # vector registers that are left for other things than sums


class GroupCode:
    """Declares what a group needs, and emits its code."""

    def __init__(self, block: Block, inputs: Inputs, outputs: Outputs, group: Group) -> None:
        self.block, self.inputs, self.outputs = block, inputs, outputs
        self.group, self.builder = group, block.builder
        lanes = group.lanes
        self.width = lanes.width
        self.counters: dict[str, Integer] = {}  # of the loops; set inside of them
        self._taken = 0
        self.columns = {used: self.inputs.scalar_columns(used) for used in group.scalars}
        self.slots = self._memory(len(group.slots) * block.columns)
        self.sources = {used: self.inputs.lane_data(used) for used in group.lane_inputs}
        self.weights: dict[tuple[MatrixProduct, ...], tuple[Value, int]] = {}
        for pairs in group.matrix_products:
            components = block.operand(pairs[0].vector).components
            rows = block.length * components + TILE_ROWS
            self.weights[pairs] = self._memory(rows * lanes.padded), components
            for pair in pairs:
                self.inputs.vectors(pair.vector)
        self.matrices = {
            pair.matrix: block.memory.broadcast(pair.matrix) for pairs in group.matrix_products for pair in pairs
        }
        self.targets = {target: self.outputs.lane_target(target) for target in group.lane_outputs}
        self.scalar_targets = {target: self.outputs.scalar_target(target) for target in group.scalar_outputs}
        self.sums: list[tuple[Value, int]] = []
        for n in range(len(group.product_sums)):
            output = next(o for o, number in group.matrix_outputs if number == n)
            components = self._components(output)
            rows = block.length * components + TILE_ROWS
            self.sums.append((self._memory(rows * lanes.padded), components))
        for output, _ in group.matrix_outputs:
            if isinstance(output, VectorOutput):
                self.outputs.vector_target(output.target)
                block.memory.broadcast(output.matrix, SUMMED)
            else:
                self.outputs.matrix_target(output.target)
                self.inputs.vectors(output.vector)

    def _memory(self, count: int) -> Value:
        """Return memory for numbers that no other group needs."""
        self._taken += 1
        return self.block.shared(self._taken - 1, count)

    def _components(self, output: VectorOutput | MatrixOutput) -> int:
        if isinstance(output, VectorOutput):
            return self.block.operand(output.target, output=True).components
        return self.block.operand(output.vector).components

    def _counters(self, used: Operands) -> dict[str, Integer]:
        """Return the present counters of the loops, by the names that they have in the layout of an output."""
        counters: dict[str, Integer] = {SUMMED: 0}
        for axis, letter in zip(by_axis(used).letters, used.letters, strict=True):
            if letter in self.counters:
                counters[axis] = self.counters[letter]
        return counters

    def _offset(self, layout: Layout, used: Operands) -> Integer:
        """Return the position of an output for the present counters of the loops."""
        return layout.offset(self.builder, self._counters(used))

    def emit(self) -> None:
        """Append the code, inside of the loops of the group."""

        def nested(rest: list[int], counters: dict[str, Integer]) -> None:
            if not rest:
                self.counters = counters
                self._emit()
                return
            with self.builder.loop(0, rest[0]) as counter:
                nested(rest[1:], {**counters, str(len(counters)): counter})

        nested(list(self.group.loops), {})

    def _emit(self) -> None:
        builder, group = self.builder, self.group
        label = (
            " and ".join(sorted({self.block.operand(u).name or f"in{u.position}" for u in group.lane_inputs})) or "-"
        )
        if group.slots:
            with builder.stage(f"coefficients of {label}"):
                self._emit_slots()
        for pairs in self.weights:
            with builder.stage(f"matrix products for {label}"):
                self._emit_matrix_product(pairs)
        with builder.stage(f"products of {label}"):
            if group.scalar_outputs:
                self._emit_element_by_element()
            else:
                self._emit_run_by_run()
        if group.matrix_outputs:
            with builder.stage(f"matrix products of {label}"):
                for output, number in group.matrix_outputs:
                    self._emit_matrix_output(output, number)

    # 1. Numbers for each element

    def _emit_slots(self) -> None:
        builder, block = self.builder, self.block
        offsets: dict[Operands, Integer] = {}
        width = block.widest
        with builder.loop(0, block.count, width) as e:
            columns: dict[tuple[Operands, int], Value] = {}

            def column(used: Operands, component: int) -> Value:
                if (used, component) not in columns:
                    layout = self.inputs.scalar_layout(used)
                    if used not in offsets:
                        offsets[used] = layout.offset(builder, self.counters)
                    number = builder.add(offsets[used], component * layout.component)
                    place = builder.add(builder.mul(number, block.columns), e)
                    columns[used, component] = builder.load_vector(self.columns[used], width, place)
                return columns[used, component]

            for slot, number in self.group.slots.items():
                total = builder.zero(width)
                for position, (factors, value) in enumerate(slot):
                    product = column(*factors[0])
                    for factor in factors[1:]:
                        product = builder.fmul(product, column(*factor))
                    constant = builder.constant(value, width)
                    total = builder.fma(product, constant, total) if position else builder.fmul(product, constant)
                builder.store(total, self.slots, builder.add(number * block.columns, e))

    # 2. Matrix products h V

    def _emit_matrix_product(self, pairs: tuple[MatrixProduct, ...]) -> None:
        builder, block = self.builder, self.block
        factors = []
        for pair in pairs:
            h = self.inputs.vectors(pair.vector)
            pointer, layout = self.matrices[pair.matrix]
            left = builder.at(h.pointer, h.layout.offset(builder, self.counters))
            # The axis that is summed over is a loop of the layout; its counter is zero here.
            right = builder.at(pointer, layout.offset(builder, {**self.counters, SUMMED: 0}))
            row = dict(layout.strides)[SUMMED]
            factors.append((Matrix(left, h.columns.padded, 1), Matrix(right, row, 1), h.extent))
        memory, components = self.weights[pairs]
        matrix_product(
            builder,
            factors,
            builder.mul(block.count, components),
            Matrix(memory, self.group.lanes.padded, 1),
            self.group.lanes,
            block.memory.registers.count,
        )

    # 3. Products over lanes

    def _vectors_at_once(self, sums: int) -> int:
        """Return how many vectors are computed together, so that all sums stay in registers."""
        registers, count = self.block.memory.registers.count, self.group.lanes.vectors
        for n in (4, 2):
            if count % n == 0 and sums * n + _LIVE <= registers:
                return n
        return 1

    def _emit_run_by_run(self) -> None:
        builder, group, block = self.builder, self.group, self.block
        kept = {t: k for t, k in group.lane_outputs.items() if self.targets[t].kind != "element"}
        by_run = any(self.targets[t].kind == "run" for t in kept)
        vectors = self._vectors_at_once(sum(len(components) for components in kept.values()))
        if by_run:
            runs = builder.load(block.run_count)
            with builder.loop(0, runs) as run:
                total = builder.load(block.run_sum, run)
                start = builder.load(block.run_start, run)
                stop = builder.load(block.run_start, builder.add(run, 1))
                self._emit_run(kept, vectors, total, start, stop)
        else:
            self._emit_run(kept, vectors, 0, 0, block.count)

    def _emit_run(
        self, kept: dict[Operands, dict[int, Terms]], vectors: int, total: Integer, start: Integer, stop: Integer
    ) -> None:
        builder, width = self.builder, self.width
        with builder.loop(0, self.group.lanes.padded, vectors * width) as lane:
            sums: dict[tuple[Operands, int, int], Value] = {}
            places: dict[Operands, Value] = {}
            for target, components in kept.items():
                data = self.targets[target]
                places[target] = data.pointer(total)
                for k in components:
                    for v in range(vectors):
                        sums[target, k, v] = builder.variable(builder.zero(width))
            with builder.loop(start, stop) as e:
                self._emit_lanes(e, lane, vectors, sums)
            for target, components in kept.items():
                layout, loops = self.targets[target].layout, self._counters(target)
                for v in range(vectors):
                    found = [
                        builder.get(sums[target, k, v]) if k in components else builder.zero(width)
                        for k in range(layout.components)
                    ]
                    first = builder.add(lane, v * width)
                    store_components(builder, found, places[target], layout, loops, first, add=True)

    def _emit_element_by_element(self) -> None:
        builder, group, block, width = self.builder, self.group, self.block, self.width
        vectors = self._vectors_at_once(len(group.pairs))
        with builder.loop(0, block.count) as e:
            zero = builder.zero(width)
            pairs = [builder.variable(zero) for _ in group.pairs]
            with builder.loop(0, group.lanes.padded, vectors * width) as lane:
                self._emit_lanes(e, lane, vectors, {}, pairs)
            found = [builder.get(pair) for pair in pairs]
            coefficient = _Coefficients(self, e)
            for target, components in group.scalar_outputs.items():
                memory, step, layout = self.scalar_targets[target]
                start = builder.add(builder.mul(e, step), builder.mul(self._offset(layout, target), block.widest))
                for k, terms in components.items():
                    at = builder.at(memory, builder.add(start, k * layout.component * block.widest))
                    value = builder.load_vector(at, width)
                    for c, number in terms:
                        value = builder.fma(coefficient(c), found[number], value)
                    builder.store(value, at)

    def _emit_lanes(
        self,
        e: Integer,
        lane: Integer,
        vectors: int,
        sums: dict[tuple[Operands, int, int], Value],
        pairs: list[Value] | None = None,
    ) -> None:
        """Append the straight-line code for an element and some vectors of lanes."""
        builder, group = self.builder, self.group
        coefficients = _Coefficients(self, e)
        pointers: dict[Any, tuple[Value, int]] = {}
        lane_codes = [_Lanes(self, coefficients, pointers, e, lane, v) for v in range(vectors)]
        for target, components in group.lane_outputs.items():
            data = self.targets[target]
            if data.kind == "element" or pairs is not None:
                self._store(e, lane, target, data, components, lane_codes)
                continue
            for k, terms in components.items():
                for v, code in enumerate(lane_codes):
                    variable = sums[target, k, v]
                    builder.set(variable, code.sum(terms, builder.get(variable)))
        for (memory, components), of_sum in zip(self.sums, group.product_sums, strict=True):
            start = builder.at(memory, builder.add(builder.mul(e, components * group.lanes.padded), lane))
            for i in range(components):
                for v, code in enumerate(lane_codes):
                    value = code.sum(of_sum[i], None) if i in of_sum else builder.zero(self.width)
                    builder.store(value, start, i * group.lanes.padded + v * self.width)
        if pairs is not None:
            for pair, number in group.pairs.items():
                for code in lane_codes:
                    builder.set(pairs[number], code.multiply_add(pair, builder.get(pairs[number])))

    def _store(
        self,
        e: Integer,
        lane: Integer,
        target: Operands,
        data: LaneTarget,
        components: dict[int, Terms],
        codes: "list[_Lanes]",
    ) -> None:
        """Append code that writes an output, or adds to it."""
        builder = self.builder
        place = builder.load(self.block.element_sum, e) if data.kind == "run" else e
        if data.layout.lane != 1 or data.layout.parts:
            for v, code in enumerate(codes):
                found = [
                    code.sum(components[k], None) if k in components else builder.zero(self.width)
                    for k in range(data.layout.components)
                ]
                first = builder.add(lane, v * self.width)
                loops = self._counters(target)
                store_components(builder, found, data.pointer(place), data.layout, loops, first, add=not data.once)
            return
        to = builder.at(data.pointer(place), builder.add(self._offset(data.layout, target), lane))
        for k in range(data.layout.components) if data.once else components:
            for v, code in enumerate(codes):
                at = builder.at(to, k * data.layout.component + v * self.width)
                before = None if data.once else builder.load_vector(at, self.width)
                value = code.sum(components[k], before) if k in components else builder.zero(self.width)
                builder.store(value, at)

    # 4. Matrix products of what was computed over lanes

    def _emit_matrix_output(self, output: VectorOutput | MatrixOutput, number: int) -> None:
        builder, block, lanes = self.builder, self.block, self.group.lanes
        memory, components = self.sums[number]
        rows = builder.mul(block.count, components)
        registers = block.memory.registers.count
        if isinstance(output, VectorOutput):
            target = self.outputs.vector_target(output.target)
            pointer, layout = block.memory.broadcast(output.matrix, SUMMED)
            right = builder.at(pointer, layout.offset(builder, {**self.counters, "*": 0}))
            to = builder.at(target.pointer, self._offset(target.layout, output.target))
            factors = [
                (Matrix(memory, lanes.padded, 1), Matrix(right, dict(layout.strides)["*"], 1), self.group.extent)
            ]
            result = Matrix(to, target.columns.padded, 1)
            matrix_product(builder, factors, rows, result, target.columns, registers, add=True)
            return
        h = self.inputs.vectors(output.vector)
        partial, layout = self.outputs.matrix_target(output.target)
        left = builder.at(h.pointer, h.layout.offset(builder, self.counters))
        to = builder.at(partial, self._offset(layout, output.target))
        factors = [(Matrix(left, 1, h.columns.padded), Matrix(memory, lanes.padded, 1), rows)]
        matrix_product(builder, factors, h.extent, Matrix(to, lanes.padded, 1), lanes, registers, add=True)


class _Coefficients:
    """Coefficients of an element, as vectors; each is read once."""

    def __init__(self, code: GroupCode, e: Integer) -> None:
        self.code, self.e = code, e
        self.known: dict[Coefficient, Value] = {}

    def __call__(self, coefficient: Coefficient) -> Value:
        if coefficient not in self.known:
            code, builder = self.code, self.code.builder
            if isinstance(coefficient, tuple):
                place = builder.add(coefficient[1] * code.block.columns, self.e)
                value = builder.splat(builder.load(code.slots, place), code.width)
            else:
                value = builder.constant(coefficient, code.width)
            self.known[coefficient] = value
        return self.known[coefficient]


class _Lanes:
    """The straight-line code for one vector of lanes."""

    def __init__(
        self,
        code: GroupCode,
        coefficients: _Coefficients,
        pointers: dict[Any, tuple[Value, int]],
        e: Integer,
        lane: Integer,
        vector: int,
    ) -> None:
        self.code, self.coefficients, self.pointers = code, coefficients, pointers
        self.e, self.lane, self.vector = e, lane, vector
        self.values: dict[int, Value] = {}

    def _load(self, source: Any, component: int) -> Value:
        code, builder = self.code, self.code.builder
        if source not in self.pointers:
            if isinstance(source, Operands):
                data = code.sources[source]
                start = builder.add(data.layout.offset(builder, code.counters), self.lane)
                self.pointers[source] = builder.at(data.pointer(self.e), start), data.layout.component
            else:
                memory, components = code.weights[source]
                padded = code.group.lanes.padded
                start = builder.add(builder.mul(self.e, components * padded), self.lane)
                self.pointers[source] = builder.at(memory, start), padded
        pointer, stride = self.pointers[source]
        return builder.load_vector(pointer, code.width, component * stride + self.vector * code.width)

    def value(self, number: int) -> Value:
        """Return the value of a node."""
        if number not in self.values:
            match self.code.group.graph.nodes[number]:
                case Load(source, component):
                    found = self._load(source, component)
                case Multiply(a, b):
                    found = self.code.builder.fmul(self.value(a), self.value(b))
                case Sum(terms):
                    found = self.sum(terms, None)
            self.values[number] = found
        return self.values[number]

    def _coefficient(self, coefficient: Coefficient) -> Value:
        if isinstance(coefficient, tuple) and coefficient[0] == "node":
            return self.value(coefficient[1])
        return self.coefficients(coefficient)

    def sum(self, terms: Sequence[tuple[Coefficient, int | None]], total: Value | None) -> Value:
        """Return a sum of nodes with coefficients, added to `total`."""
        builder = self.code.builder
        for coefficient, node in terms:
            if node is None:
                value = self._coefficient(coefficient)
                total = value if total is None else builder.fadd(total, value)
            elif total is not None:
                total = builder.fma(self._coefficient(coefficient), self.value(node), total)
            elif coefficient == 1.0:
                total = self.value(node)
            else:
                total = builder.fmul(self._coefficient(coefficient), self.value(node))
        return builder.zero(self.code.width) if total is None else total

    def multiply_add(self, pair: tuple[int, int | None], total: Value) -> Value:
        """Return `total` plus the product of two nodes."""
        a, b = pair
        builder = self.code.builder
        return builder.fadd(total, self.value(a)) if b is None else builder.fma(self.value(a), self.value(b), total)
