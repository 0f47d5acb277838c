"""LLVM IR from a loop program, for CPUs.

Each part of a program becomes a function, and so does each stage in it; LLVM compiles many small functions faster than
a large one. A function gets what it needs through ``%frame``, see :class:`irreps_llvm.runtime.Kernel`.
"""

import struct
from collections.abc import Iterable, Sequence

from irreps_llvm.program import Element, Instruction, Loop, Part, Program, Stage, Statement, Value, When

_MEMORY = {"float32": "float", "float64": "double", "bfloat16": "i16", "int32": "i32"}
_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "int32": 4}
_INTEGERS = {"add": "add nsw", "sub": "sub nsw", "mul": "mul nsw", "div": "udiv"}
_CALLS = {"min": "llvm.smin.i64", "max": "llvm.smax.i64"}


def llvm_text(program: Program, vector_bytes: int) -> str:
    """Return a module with the functions ``chunks{n}`` and ``phase{n}`` of each phase.

    Args:
        program: the program.
        vector_bytes: width of the vector registers.
    """
    return _Module(program, vector_bytes).text()


class _Module:
    def __init__(self, program: Program, vector_bytes: int) -> None:
        self.program = program
        self.real = "float" if program.dtype == "float32" else "double"
        bits = 8 * vector_bytes
        self.attributes = f'nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
        self.functions: list[str] = []
        self.declared: set[str] = set()
        slots = [b.pointer for b in (*program.arguments, *program.results)]
        slots += [program.sizes[name] for name in sorted(program.sizes)]
        self.slots = {value: n for n, value in enumerate(slots)}

    def text(self) -> str:
        for n, phase in enumerate(self.program.phases):
            for m, part in enumerate(phase):
                self._part(f"part{n}_{m}", part)
            self._phase(n, phase)
        return "\n".join([*sorted(self.declared), *self.functions])

    def memory(self, element: Element) -> str:
        """Return the LLVM type of an element in memory."""
        return self.real if element == "float" else _MEMORY[element]

    def bytes(self, element: Element) -> int:
        return _BYTES[self.program.dtype if element == "float" else element]

    def type_of(self, value: Value) -> str:
        match value.kind:
            case "integer":
                return "i64"
            case "boolean":
                return "i1"
            case "pointer":
                return "ptr"
        return f"<{value.lanes} x {self.real}>" if value.lanes else self.real

    def _part(self, name: str, part: Part) -> None:
        count = _Function(self, f"{name}_count", "i64", [])
        count.block(part.prologue)
        count.line(f"ret i64 {count.operand(part.count)}")
        self.functions.append(count.text("ptr %frame"))
        body = _Function(self, name, "void", [part.chunk])
        body.block(part.body)
        body.line("ret void")
        self.functions.append(body.text(f"i64 {body.operand(part.chunk)}, ptr %frame"))

    def _phase(self, n: int, phase: Sequence[Part]) -> None:
        """Let the chunks of all parts follow one another."""
        lines = [f"define i64 @chunks{n}(ptr %frame) {{"]
        total = "0"
        for m in range(len(phase)):
            lines += [f"  %c{m} = call i64 @part{n}_{m}_count(ptr %frame)", f"  %t{m} = add i64 {total}, %c{m}"]
            total = f"%t{m}"
        lines += [f"  ret i64 {total}", "}", f"define void @phase{n}(i64 %chunk, ptr %frame) {{"]
        before = "%chunk"
        for m in range(len(phase)):
            if m < len(phase) - 1:
                lines += [
                    f"  %c{m} = call i64 @part{n}_{m}_count(ptr %frame)",
                    f"  %i{m} = icmp slt i64 {before}, %c{m}",
                    f"  br i1 %i{m}, label %yes{m}, label %no{m}",
                    f"yes{m}:",
                ]
            lines += [f"  call void @part{n}_{m}(i64 {before}, ptr %frame)", "  ret void"]
            if m < len(phase) - 1:
                lines += [f"no{m}:", f"  %b{m} = sub i64 {before}, %c{m}"]
                before = f"%b{m}"
        self.functions.append("\n".join([*lines, "}"]))


def used_values(statements: Iterable[Statement]) -> list[Value]:
    """Return the values that statements use but do not define, in the order of their first use."""
    used: dict[Value, None] = {}
    defined: set[Value] = set()

    def visit(block: Iterable[Statement]) -> None:
        for statement in block:
            match statement:
                case Instruction():
                    for argument in statement.arguments:
                        if isinstance(argument, Value):
                            used[argument] = None
                    if statement.result is not None:
                        defined.add(statement.result)
                case Loop():
                    for bound in (statement.start, statement.stop):
                        if isinstance(bound, Value):
                            used[bound] = None
                    defined.add(statement.counter)
                    visit(statement.body)
                case When():
                    used[statement.condition] = None
                    visit(statement.body)
                case Stage():
                    visit(statement.body)

    visit(statements)
    return [value for value in used if value not in defined]


class _Function:
    """Text of one function."""

    def __init__(self, module: _Module, name: str, returned: str, given: Sequence[Value]) -> None:
        self.module, self.name, self.returned = module, name, returned
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.label = "start"
        self.labels = 0
        self.temporaries = 0
        self.known = set(given)

    def text(self, parameters: str) -> str:
        head = f"define {'void' if self.returned == 'void' else self.returned} @{self.name}({parameters})"
        return "\n".join(
            [
                f"{head} {self.module.attributes} {{",
                "entry:",
                *self.entry,
                "  br label %start",
                "start:",
                *self.lines,
                "}",
            ]
        )

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def operand(self, value: object) -> str:
        """Return the name of a value or the text of an integer constant."""
        if not isinstance(value, Value):
            return str(value)
        slot = self.module.slots.get(value)
        if slot is not None and value not in self.known:
            self.known.add(value)
            kind = self.module.type_of(value)
            self.entry.append(f"  %s{value.number} = getelementptr i64, ptr %frame, i64 {slot}")
            self.entry.append(f"  %v{value.number} = load {kind}, ptr %s{value.number}, align 8")
        return f"%v{value.number}"

    def temporary(self, text: str) -> str:
        self.temporaries += 1
        name = f"%t{self.temporaries}"
        self.lines.append(f"  {name} = {text}")
        return name

    def new_label(self, name: str) -> str:
        self.labels += 1
        return f"{name}{self.labels}"

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def block(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            match statement:
                case Instruction():
                    self.instruction(statement)
                case Loop():
                    self.loop(statement)
                case When():
                    inside, after = self.new_label("then"), self.new_label("after")
                    self.line(f"br i1 {self.operand(statement.condition)}, label %{inside}, label %{after}")
                    self.begin(inside)
                    self.block(statement.body)
                    self.line(f"br label %{after}")
                    self.begin(after)
                case Stage():
                    self.stage(statement)

    def loop(self, loop: Loop) -> None:
        head, body, after = self.new_label("head"), self.new_label("body"), self.new_label("after")
        counter, start, stop = (self.operand(v) for v in (loop.counter, loop.start, loop.stop))
        before = self.label
        self.line(f"br label %{head}")
        self.begin(head)
        phi = len(self.lines)
        self.line("")
        more = self.temporary(f"icmp slt i64 {counter}, {stop}")
        self.line(f"br i1 {more}, label %{body}, label %{after}")
        self.begin(body)
        self.block(loop.body)
        following = self.temporary(f"add nsw i64 {counter}, {loop.step}")
        self.lines[phi] = f"  {counter} = phi i64 [ {start}, %{before} ], [ {following}, %{self.label} ]"
        self.line(f"br label %{head}")
        self.begin(after)

    def stage(self, stage: Stage) -> None:
        values = used_values(stage.body)
        passed = [value for value in values if value not in self.module.slots]
        number = len(self.module.functions)
        function = _Function(self.module, f"stage{number}", "void", passed)
        self.module.functions.append("")  # keeps the number
        function.block(stage.body)
        function.line("ret void")
        parameters = [f"{self.module.type_of(v)} %v{v.number}" for v in passed]
        self.module.functions[number] = (
            function.text(", ".join([*parameters, "ptr %frame"]))
            .replace("define void", "define internal void", 1)
            .replace(self.module.attributes, "noinline " + self.module.attributes, 1)
        )
        arguments = [f"{self.module.type_of(v)} {self.operand(v)}" for v in passed]
        self.line(f"call void @{function.name}({', '.join([*arguments, 'ptr %frame'])})")

    def literal(self, value: float, lanes: int) -> str:
        """Return a constant, exactly rounded."""
        if self.module.real == "float":
            value = struct.unpack("f", struct.pack("f", value))[0]
        number = f"0x{struct.pack('>d', value).hex().upper()}"
        if not lanes:
            return number
        if value == 0 and not number.startswith("0x8"):
            return "zeroinitializer"
        return "<" + ", ".join([f"{self.module.real} {number}"] * lanes) + ">"

    def declare(self, text: str) -> None:
        self.module.declared.add(f"declare {text}")

    def suffix(self, lanes: int) -> str:
        return (f"v{lanes}" if lanes else "") + ("f32" if self.module.real == "float" else "f64")

    def instruction(self, instruction: Instruction) -> None:
        operation, arguments, result = instruction.operation, instruction.arguments, instruction.result
        method = getattr(self, f"do_{operation}", None)
        if method is not None:
            method(result, *arguments)
            return
        a, b = (self.operand(v) for v in arguments)
        if operation in _INTEGERS:
            text = f"{_INTEGERS[operation]} i64 {a}, {b}"
        elif operation in _CALLS:
            self.declare(f"i64 @{_CALLS[operation]}(i64, i64)")
            text = f"call i64 @{_CALLS[operation]}(i64 {a}, i64 {b})"
        elif operation in ("less", "equal"):
            text = f"icmp {'slt' if operation == 'less' else 'eq'} i64 {a}, {b}"
        elif operation in ("and", "or"):
            text = f"{operation} i1 {a}, {b}"
        else:
            text = f"{operation} {self.module.type_of(result)} {a}, {b}"  # fmul, fadd
        self.define(result, text)

    def define(self, result: Value, text: str) -> None:
        self.lines.append(f"  %v{result.number} = {text}")

    def do_select(self, result: Value, condition: Value, a: Value, b: Value) -> None:
        kind = self.module.type_of(result)
        self.define(result, f"select i1 {self.operand(condition)}, {kind} {self.operand(a)}, {kind} {self.operand(b)}")

    def do_scratch(self, result: Value, count: int) -> None:
        self.entry.append(f"  %v{result.number} = alloca [{count} x {self.module.memory(result.element)}], align 64")

    def do_at(self, result: Value, pointer: Value, index: object) -> None:
        kind = self.module.memory(pointer.element)
        self.define(result, f"getelementptr {kind}, ptr {self.operand(pointer)}, i64 {self.operand(index)}")

    def do_load(self, result: Value, pointer: Value) -> None:
        element, lanes = pointer.element, result.lanes
        memory, align = self.module.memory(element), self.module.bytes(element)
        loaded = f"load {_vector(memory, lanes)}, ptr {self.operand(pointer)}, align {align}"
        if element == "int32":
            self.define(result, f"sext i32 {self.temporary(loaded)} to i64")
        elif element == "bfloat16":
            wide = self.temporary(f"zext {_vector('i16', lanes)} {self.temporary(loaded)} to {_vector('i32', lanes)}")
            shifted = self.temporary(f"shl {_vector('i32', lanes)} {wide}, {_filled('i32', 16, lanes)}")
            text = f"bitcast {_vector('i32', lanes)} {shifted} to {_vector('float', lanes)}"
            if self.module.real == "double":
                text = f"fpext {_vector('float', lanes)} {self.temporary(text)} to {_vector('double', lanes)}"
            self.define(result, text)
        elif memory == self.module.real:
            self.define(result, loaded)
        else:
            change = "fpext" if memory == "float" else "fptrunc"
            value = self.temporary(loaded)
            self.define(result, f"{change} {_vector(memory, lanes)} {value} to {_vector(self.module.real, lanes)}")

    def do_store(self, _: None, value: object, pointer: Value) -> None:
        element = pointer.element
        memory, align = self.module.memory(element), self.module.bytes(element)
        lanes = value.lanes if isinstance(value, Value) else 0
        name = self.operand(value)
        if element == "int32":
            name = name if not isinstance(value, Value) else self.temporary(f"trunc i64 {name} to i32")
        elif memory != self.module.real:
            if self.module.real == "double":
                name = self.temporary(f"fptrunc {_vector('double', lanes)} {name} to {_vector('float', lanes)}")
            if element == "bfloat16":
                name = self._rounded_to_bfloat16(name, lanes)
            elif memory == "double":
                name = self.temporary(f"fpext {_vector('float', lanes)} {name} to {_vector('double', lanes)}")
        self.line(f"store {_vector(memory, lanes)} {name}, ptr {self.operand(pointer)}, align {align}")

    def _rounded_to_bfloat16(self, name: str, lanes: int) -> str:
        """Round to nearest, ties to even; NaN stays NaN. In integers, because not every CPU has an instruction."""
        real, wide, narrow = (_vector(t, lanes) for t in ("float", "i32", "i16"))
        bits = self.temporary(f"bitcast {real} {name} to {wide}")
        last = self.temporary(f"lshr {wide} {bits}, {_filled('i32', 16, lanes)}")
        odd = self.temporary(f"and {wide} {last}, {_filled('i32', 1, lanes)}")
        half = self.temporary(f"add {wide} {odd}, {_filled('i32', 0x7FFF, lanes)}")
        rounded = self.temporary(
            f"lshr {wide} {self.temporary(f'add {wide} {bits}, {half}')}, {_filled('i32', 16, lanes)}"
        )
        nan = self.temporary(f"fcmp uno {real} {name}, {name}")
        quiet = self.temporary(f"or {wide} {last}, {_filled('i32', 0x40, lanes)}")
        flags = _vector("i1", lanes)
        chosen = self.temporary(f"select {flags} {nan}, {wide} {quiet}, {wide} {rounded}")
        return self.temporary(f"trunc {wide} {chosen} to {narrow}")

    def do_clear(self, _: None, pointer: Value, count: object) -> None:
        self.declare("void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        size = self.module.bytes(pointer.element)
        length = (
            str(count * size) if isinstance(count, int) else self.temporary(f"mul i64 {self.operand(count)}, {size}")
        )
        self.line(f"call void @llvm.memset.p0.i64(ptr {self.operand(pointer)}, i8 0, i64 {length}, i1 false)")

    def do_constant(self, result: Value, value: float) -> None:
        kind = self.module.type_of(result)
        # A value needs a name; LLVM folds it away.
        self.define(result, f"bitcast {kind} {self.literal(value, result.lanes)} to {kind}")

    def do_splat(self, result: Value, value: Value) -> None:
        real, lanes = self.module.real, result.lanes
        first = self.temporary(f"insertelement <{lanes} x {real}> poison, {real} {self.operand(value)}, i64 0")
        kind = f"<{lanes} x {real}>"
        self.define(result, f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def do_fma(self, result: Value, a: Value, b: Value, c: Value) -> None:
        kind, name = self.module.type_of(result), f"llvm.fma.{self.suffix(result.lanes)}"
        self.declare(f"{kind} @{name}({kind}, {kind}, {kind})")
        self.define(result, f"call {kind} @{name}({', '.join(f'{kind} {self.operand(v)}' for v in (a, b, c))})")

    def do_total(self, result: Value, vector: Value) -> None:
        real, kind = self.module.real, self.module.type_of(vector)
        name = f"llvm.vector.reduce.fadd.{self.suffix(vector.lanes)}"
        self.declare(f"{real} @{name}({real}, {kind})")
        # In any order: pairwise sums of lanes.
        zero = self.literal(-0.0, 0)
        self.define(result, f"call reassoc {real} @{name}({real} {zero}, {kind} {self.operand(vector)})")

    def do_shuffle(self, result: Value, a: Value, b: Value, lanes: tuple[int, ...]) -> None:
        kind = self.module.type_of(a)
        mask = f"<{len(lanes)} x i32> <" + ", ".join(f"i32 {n}" for n in lanes) + ">"
        self.define(result, f"shufflevector {kind} {self.operand(a)}, {kind} {self.operand(b)}, {mask}")

    def do_variable(self, result: Value, value: object) -> None:
        kind = self.module.type_of(result)
        self.entry.append(f"  %v{result.number} = alloca {kind}")
        self.line(f"store {kind} {self.operand(value)}, ptr %v{result.number}")

    def do_get(self, result: Value, variable: Value) -> None:
        self.define(result, f"load {self.module.type_of(result)}, ptr {self.operand(variable)}")

    def do_set(self, _: None, variable: Value, value: object) -> None:
        self.line(f"store {self.module.type_of(variable)} {self.operand(value)}, ptr {self.operand(variable)}")


def _vector(kind: str, lanes: int) -> str:
    return f"<{lanes} x {kind}>" if lanes else kind


def _filled(kind: str, value: int, lanes: int) -> str:
    return "<" + ", ".join([f"{kind} {value}"] * lanes) + ">" if lanes else str(value)
