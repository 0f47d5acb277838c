"""LLVM IR from a loop program, for NVIDIA GPUs; see :mod:`irreps_llvm.machine._threads`.

Each phase becomes a kernel. Its parameters are those of the program: the pointers of the arguments and results, then
the sizes in alphabetical order, each of 8 bytes. Each block computes one chunk.
"""

from collections.abc import Callable, Iterable, Sequence

from irreps_llvm.program import Loop, Part, Stage, Statement, Value

from ._llvm_text import FunctionText, ModuleText, used_values
from ._threads import ThreadProgram, instructions

_GLOBAL, _SHARED = 1, 3
_WARP = 32
# Stages become functions in parts with more instructions, which LLVM and the driver compile faster then.
_MOST_INSTRUCTIONS = 3000
# Parameters of a function that surely fit in registers; a stage that needs more is not made a function.
_MOST_PARAMETERS = 24
_INTRINSICS = """declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()"""


def ptx_text(program: ThreadProgram) -> str:
    """Return a module with a kernel ``phase{n}`` for each phase.

    Raises:
        ValueError: the program moves numbers from lane to lane.
    """
    return _PtxModule(program).text()


def block_threads(program: ThreadProgram) -> tuple[int, ...]:
    """Return for each phase how many threads a block has."""
    return tuple(max(threads) for threads in program.threads)


class _PtxModule(ModuleText):
    def __init__(self, program: ThreadProgram) -> None:
        super().__init__(program.program, 0)
        self.attributes = "nounwind convergent"
        self.threads = program.threads
        # Of each pointer the address space, and whether nothing writes to where it points.
        self.spaces: dict[Value, tuple[int, bool]] = {}
        for buffers, constant in ((self.program.arguments, True), (self.program.results, False)):
            self.spaces |= {buffer.pointer: (_GLOBAL, constant) for buffer in buffers}
        self.slices = program.slices
        self.given = list(self.slots)
        self.annotations: list[str] = []

    def type_of(self, value: Value) -> str:
        match value.kind:
            case "float":
                return self.real
            case "pointer":
                return f"ptr addrspace({self.spaces[value][0]})"
        return super().type_of(value)

    def text(self) -> str:
        for n, phase in enumerate(self.program.phases):
            size = 0
            for m, part in enumerate(phase):
                self._find_spaces(part.body)
                count = _ThreadFunction(self, f"part{n}_{m}_count", "i64", self.given, 1, n)
                count.block(part.prologue)
                count.line(f"ret i64 {count.operand(part.count)}")
                self.functions.append(self._inlined(count.text(self._parameters(count))))
                given = [part.chunk, *self.given]
                body = _ThreadFunction(self, f"part{n}_{m}", "void", given, self.threads[n][m], n)
                body.whole = sum(1 for _ in instructions(part.body)) <= _MOST_INSTRUCTIONS
                body.block(part.body)
                body.line("ret void")
                parameters = f"i64 {body.operand(part.chunk)}, {self._parameters(body)}"
                self.functions.append(self._inlined(body.text(parameters)))
                size = max(size, body.shared)
            if size:
                self.declared.add(f"@shared{n} = internal addrspace(3) global [{size} x i8] undef, align 16")
            self._kernel(n, phase)
        numbers = [f"!{n + 1}" for n in range(len(self.annotations))]
        metadata = ["!0 = !{}", f"!nvvm.annotations = !{{{', '.join(numbers)}}}"]
        metadata += [f"{number} = {text}" for number, text in zip(numbers, self.annotations, strict=True)]
        return "\n".join([_INTRINSICS, *sorted(self.declared), *self.functions, *metadata])

    def _find_spaces(self, statements: Iterable[Statement]) -> None:
        for instruction in instructions(statements):
            result = instruction.result
            if result is None or result.kind != "pointer":
                continue
            if instruction.operation == "scratch":
                self.spaces[result] = (_SHARED, False)
                continue
            of = {self.spaces[a] for a in instruction.arguments if isinstance(a, Value) and a.kind == "pointer"}
            if len({space for space, _ in of}) != 1:
                raise ValueError("a pointer may point to work space and to scratch memory")
            self.spaces[result] = (next(iter(of))[0], all(constant for _, constant in of))

    def _inlined(self, function: str) -> str:
        return function.replace(self.attributes, f"alwaysinline {self.attributes}", 1)

    def _parameters(self, function: FunctionText) -> str:
        return ", ".join(f"{self.type_of(v)} {function.operand(v)}" for v in self.given)

    def _kernel(self, n: int, phase: Sequence[Part]) -> None:
        """Let the blocks of all parts follow one another."""
        parameters = ", ".join(
            f"{self.type_of(v)}{' noalias' if v.kind == 'pointer' else ''} %g{m}" for m, v in enumerate(self.given)
        )
        given = ", ".join(f"{self.type_of(v)} %g{m}" for m, v in enumerate(self.given))
        widest = max(self.threads[n])
        lines = [
            f"define ptx_kernel void @phase{n}({parameters}) {self.attributes} {{",
            "  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()",
            "  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()",
            "  %chunk = zext i32 %block to i64",
        ]
        # One part after another, not one inside of another: a GPU follows 16 nested branches without memory.
        before = "%chunk"
        for m, threads in enumerate(self.threads[n]):
            lines += [
                f"  %c{m} = call i64 @part{n}_{m}_count({given})",
                f"  %i{m} = icmp ult i64 {before}, %c{m}",
                f"  %w{m} = icmp ult i32 %thread, {threads}",
                f"  %y{m} = and i1 %i{m}, %w{m}",
                f"  br i1 %y{m}, label %yes{m}, label %no{m}",
                f"yes{m}:",
                f"  call void @part{n}_{m}(i64 {before}, {given})",
                f"  br label %no{m}",
                f"no{m}:",
                f"  %b{m} = sub i64 {before}, %c{m}",  # negative, and so no number of a chunk, once it was found
            ]
            before = f"%b{m}"
        lines.append("  ret void")
        self.functions.append("\n".join([*lines, "}"]))
        # At least one block at a time: without it, NVIDIA's assembler aims at several and runs out of registers.
        for name, value in (("maxntidx", widest), ("minctasm", 1)):
            self.annotations.append(f'!{{ptr @phase{n}, !"{name}", i32 {value}}}')


class _ThreadFunction(FunctionText):
    """Text of a function for one thread of a block."""

    module: _PtxModule

    def __init__(
        self, module: _PtxModule, name: str, returned: str, given: Sequence[Value], threads: int, phase: int
    ) -> None:
        super().__init__(module, name, returned, given)
        self.threads, self.phase = threads, phase
        self.shared = 0  # bytes
        self.whole = False  # whether stages are part of it
        self.apart = False  # whether this thread is alone, in a round of a loop
        self.widths: set[int] = set()
        # Scratch memory in work space: the pointer to that of the block, and the position in it.
        self.places: dict[Value, tuple[Value, int]] = {}
        self.entry += [
            "  %thread32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()",
            "  %thread = zext i32 %thread32 to i64",
        ]

    def stage(self, stage: Stage) -> None:
        """Call a function, with the places of memory in that of the block as numbers, which need no registers here."""
        values = used_values(stage.body)
        bases = list(dict.fromkeys(self.places[v][0] for v in values if v in self.places))
        values = [*bases, *(v for v in values if v not in bases)]
        if self.whole or len(values) > _MOST_PARAMETERS:
            self.block(stage.body)
            return
        function = self.nested(values)
        parameters, arguments = [], []
        for value in values:
            if value not in self.places:
                parameters.append(f"{self.module.type_of(value)} {function.operand(value)}")
                arguments.append(f"{self.module.type_of(value)} {self.operand(value)}")
                continue
            base, place = self.places[value]
            name = function.named(value)
            parameters.append(f"i64 {name}.place")
            arguments.append(f"i64 {place}")
            kind = self.module.memory(value.element)
            function.entry.append(f"  {name} = getelementptr {kind}, {function.pointer(base)}, i64 {name}.place")
        function.block(stage.body)
        self.call(function, parameters, arguments)

    def operand(self, value: object) -> str:
        if isinstance(value, Value) and value in self.places:
            base, place = self.places[value]
            return self.temporary(
                f"getelementptr {self.module.memory(value.element)}, {self.pointer(base)}, i64 {place}"
            )
        return super().operand(value)

    def do_at(self, result: Value, pointer: Value, index: object) -> None:
        if pointer in self.module.slices and isinstance(index, int):
            self.places[result] = pointer, index
        else:
            super().do_at(result, pointer, index)

    def loop(self, loop: Loop) -> None:
        if not loop.apart or self.threads == 1:
            super().loop(loop)
            return
        own, start = self.temporary(f"mul nsw i64 %thread, {loop.step}"), Value(-1, "integer")
        self.define(start, f"add nsw i64 {self.operand(loop.start)}, {own}")
        self.apart = True
        super().loop(Loop(loop.counter, start, loop.stop, loop.step * self.threads, loop.body))
        self.apart = False

    def nested(self, given: Sequence[Value]) -> FunctionText:
        return _ThreadFunction(self.module, "", "void", given, self.threads, self.phase)

    def lanes(self, value: object) -> int:
        return 0

    def lane(self, width: int) -> str:
        """Return the lane of this thread in a vector. Threads beyond the vector compute what others do, for nobody."""
        if width == self.threads:
            return "%thread"
        if width not in self.widths:
            self.widths.add(width)
            self.entry.append(f"  %lane{width} = and i64 %thread, {width - 1}")
        return f"%lane{width}"

    def guarded(self, conditions: Sequence[str], emit: Callable[[], None]) -> None:
        """Append code for the threads for which all conditions hold."""
        if not conditions:
            emit()
            return
        condition = conditions[0]
        for other in conditions[1:]:
            condition = self.temporary(f"and i1 {condition}, {other}")
        inside, after = self.new_label("own"), self.new_label("joined")
        self.line(f"br i1 {condition}, label %{inside}, label %{after}")
        self.begin(inside)
        emit()
        self.line(f"br label %{after}")
        self.begin(after)

    def owners(self, lanes: int) -> list[str]:
        """Return the condition under which this thread holds a lane of a vector, or writes a scalar."""
        if self.apart or max(lanes, 1) == self.threads:
            return []
        return [self.temporary(f"icmp ult i64 %thread, {max(lanes, 1)}")]

    def moved(self, pointer: Value, offset: str) -> Value:
        """Return a pointer to another element."""
        found = Value(-1, "pointer", element=pointer.element)
        self.module.spaces[found] = self.module.spaces[pointer]
        kind = self.module.memory(pointer.element)
        self.define(found, f"getelementptr {kind}, {self.pointer(pointer)}, i64 {offset}")
        return found

    def loaded(self, pointer: Value) -> str:
        return ", !invariant.load !0" if self.module.spaces[pointer][1] else ""

    def do_scratch(self, result: Value, count: int) -> None:
        place = f"i8, ptr addrspace(3) @shared{self.phase}, i64 {self.shared}"
        self.names[result] = f"getelementptr ({place})"
        self.shared += -(-count * self.module.bytes(result.element) // 16) * 16

    def do_load(self, result: Value, pointer: Value) -> None:
        super().do_load(result, self.moved(pointer, self.lane(result.lanes)) if result.lanes else pointer)

    def do_load_strided(self, result: Value, pointer: Value, stride: int, count: Value | int) -> None:
        lane = self.lane(result.lanes)
        place = lane if stride == 1 else self.temporary(f"mul nsw i64 {lane}, {stride}")
        if isinstance(count, int) and count >= result.lanes:
            super().do_load(result, self.moved(pointer, place))
            return
        inside = self.temporary(f"icmp slt i64 {lane}, {self.operand(count)}")
        read = Value(-1, "float")
        place = self.temporary(f"select i1 {inside}, i64 {place}, i64 0")
        super().do_load(read, self.moved(pointer, place))
        kind = self.module.real
        self.define(result, f"select i1 {inside}, {kind} {self.operand(read)}, {kind} {self.literal(0.0, 0)}")

    def do_store(self, _: None, value: object, pointer: Value) -> None:
        lanes = value.lanes if isinstance(value, Value) else 0

        def store() -> None:
            super(_ThreadFunction, self).do_store(None, value, self.moved(pointer, "%thread") if lanes else pointer)

        self.guarded(self.owners(lanes), store)

    def do_store_strided(self, _: None, value: Value, pointer: Value, stride: int, count: Value | int) -> None:
        conditions = self.owners(value.lanes)
        if not isinstance(count, int) or count < value.lanes:
            conditions.append(self.temporary(f"icmp slt i64 %thread, {self.operand(count)}"))

        def store() -> None:
            place = self.temporary(f"mul nsw i64 %thread, {stride}")
            super(_ThreadFunction, self).do_store(None, value, self.moved(pointer, place))

        self.guarded(conditions, store)

    def do_clear(self, _: None, pointer: Value, count: object) -> None:
        """Let each thread clear every so manieth element, or all if it is alone."""
        first, step = ("0", 1) if self.apart else ("%thread", self.threads)
        kind, align = self.module.memory(pointer.element), self.module.bytes(pointer.element)
        before = self.label
        head, body, after = self.new_label("head"), self.new_label("body"), self.new_label("after")
        to, stop = self.pointer(pointer), self.operand(count)
        self.line(f"br label %{head}")
        self.begin(head)
        self.temporaries += 2
        at, following = f"%t{self.temporaries - 1}", f"%t{self.temporaries}"
        self.line(f"{at} = phi i64 [ {first}, %{before} ], [ {following}, %{body} ]")
        more = self.temporary(f"icmp slt i64 {at}, {stop}")
        self.line(f"br i1 {more}, label %{body}, label %{after}")
        self.begin(body)
        place = self.temporary(f"getelementptr {kind}, {to}, i64 {at}")
        self.line(f"store {kind} zeroinitializer, {self.module.type_of(pointer)} {place}, align {align}")
        self.line(f"{following} = add nsw i64 {at}, {step}")
        self.line(f"br label %{head}")
        self.begin(after)

    def do_splat(self, result: Value, value: Value) -> None:
        self.names[result] = self.operand(value)

    def do_shuffle(self, result: Value, a: Value, b: Value, lanes: tuple[int, ...]) -> None:
        raise ValueError("expected a program without shuffles, generate it with Registers(..., threads=True)")

    def do_barrier(self, _: None) -> None:
        self.declare("void @llvm.nvvm.barrier(i32, i32)")
        self.line(f"call void @llvm.nvvm.barrier(i32 0, i32 {self.threads})")

    def do_total(self, result: Value, vector: Value) -> None:
        """Add pairs of lanes in a warp, then the warps in order, always in the same way."""
        real, lanes = self.module.real, vector.lanes
        total, step = self.operand(vector), min(lanes, _WARP) // 2
        while step:
            other = self._exchanged(total, step)
            total = self.temporary(f"fadd {real} {total}, {other}")
            step //= 2
        if lanes == self.threads == _WARP:
            self.names[result] = total
            return
        warps = max(lanes // _WARP, 1)
        self.module.declared.add(f"@totals = internal addrspace(3) global [{1024 // _WARP} x double] undef, align 16")
        conditions = self.owners(lanes)
        within = self.temporary(f"and i64 %thread, {_WARP - 1}")
        conditions.append(self.temporary(f"icmp eq i64 {within}, 0"))

        def place(warp: str) -> str:
            pointer = self.temporary(f"getelementptr {real}, ptr addrspace(3) @totals, i64 {warp}")
            return f"ptr addrspace(3) {pointer}, align {self.module.bytes('float')}"

        def store() -> None:
            self.line(f"store {real} {total}, {place(self.temporary(f'lshr i64 %thread, {_WARP.bit_length() - 1}'))}")

        self.guarded(conditions, store)
        self.do_barrier(None)
        found = self.temporary(f"load {real}, {place('0')}")
        for warp in range(1, warps):
            more = self.temporary(f"load {real}, {place(str(warp))}")
            found = self.temporary(f"fadd {real} {found}, {more}")
        self.names[result] = found
        self.do_barrier(None)  # before the next total is written there

    def _exchanged(self, value: str, step: int) -> str:
        """Return the number of the lane whose position in the warp differs in one bit."""
        ends = f"i32 {step}, i32 {_WARP - 1}"
        if self.module.real == "float":
            self.declare("float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)")
            return self.temporary(f"call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float {value}, {ends})")
        self.declare("i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)")
        halves = self.temporary(f"bitcast double {value} to <2 x i32>")
        for n in range(2):
            half = self.temporary(f"extractelement <2 x i32> {halves}, i64 {n}")
            other = self.temporary(f"call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 {half}, {ends})")
            halves = self.temporary(f"insertelement <2 x i32> {halves}, i32 {other}, i64 {n}")
        return self.temporary(f"bitcast <2 x i32> {halves} to double")


__all__ = ["block_threads", "ptx_text"]
