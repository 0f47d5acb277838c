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
    return ModuleText(program, vector_bytes).text()


def counting_text(program: Program) -> str:
    """Return a module with the functions ``chunks{n}`` alone."""
    return ModuleText(program, 16).counting_text()


class ModuleText:
    """Text of a module."""

    def __init__(self, program: Program, vector_bytes: int) -> None:
        self.program = program
        self.real = "float" if program.dtype == "float32" else "double"
        bits = 8 * vector_bytes
        self.attributes = f'nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
        self.functions: list[str] = []
        self.stages: dict[str, str] = {}  # names of functions by their text
        self.declared: set[str] = set()
        slots = [b.pointer for b in (*program.arguments, *program.results)]
        slots += [program.sizes[name] for name in sorted(program.sizes)]
        self.slots = {value: n for n, value in enumerate(slots)}

    def text(self) -> str:
        for n, phase in enumerate(self.program.phases):
            for m, part in enumerate(phase):
                self.count(f"part{n}_{m}", part)
                self._part(f"part{n}_{m}", part)
            self._chunks(n, phase)
            self._phase(n, phase)
        return "\n".join([*sorted(self.declared), *self.functions])

    def counting_text(self) -> str:
        for n, phase in enumerate(self.program.phases):
            for m, part in enumerate(phase):
                self.count(f"part{n}_{m}", part)
            self._chunks(n, phase)
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

    def count(self, name: str, part: Part) -> None:
        count = FunctionText(self, f"{name}_count", "i64", [])
        count.block(part.prologue)
        count.line(f"ret i64 {count.operand(part.count)}")
        self.functions.append(count.text("ptr %frame"))

    def _part(self, name: str, part: Part) -> None:
        body = FunctionText(self, name, "void", [part.chunk])
        body.block(part.body)
        body.line("ret void")
        self.functions.append(body.text(f"i64 {body.operand(part.chunk)}, ptr %frame"))

    def _chunks(self, n: int, phase: Sequence[Part]) -> None:
        lines = [f"define i64 @chunks{n}(ptr %frame) {{"]
        total = "0"
        for m in range(len(phase)):
            lines += [f"  %c{m} = call i64 @part{n}_{m}_count(ptr %frame)", f"  %t{m} = add i64 {total}, %c{m}"]
            total = f"%t{m}"
        self.functions.append("\n".join([*lines, f"  ret i64 {total}", "}"]))

    def _phase(self, n: int, phase: Sequence[Part]) -> None:
        """Let the chunks of all parts follow one another."""
        lines = [f"define void @phase{n}(i64 %chunk, ptr %frame) {{"]
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


def set_variables(statements: Iterable[Statement]) -> list[Value]:
    """Return the variables that statements set, in the order of their first change."""
    found: dict[Value, None] = {}
    for statement in statements:
        match statement:
            case Instruction():
                if statement.operation == "set":
                    found[statement.arguments[0]] = None
            case Loop() | When():
                found |= dict.fromkeys(set_variables(statement.body))
            case Stage():
                pass  # uses no variables from outside
    return list(found)


class FunctionText:
    """Text of one function."""

    def __init__(self, module: ModuleText, name: str, returned: str, given: Sequence[Value]) -> None:
        self.module, self.name, self.returned = module, name, returned
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.label = "start"
        self.labels = 0
        self.temporaries = 0
        # Values are numbered as they occur, so that equal functions have equal text.
        self.names: dict[Value, str] = {}
        for value in given:
            self.named(value)
        # The present value of each variable. Variables exist in this text only: LLVM gets values, and phi nodes where
        # control flow joins.
        self.variables: dict[Value, str] = {}

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
        if slot is not None and value not in self.names:
            name, kind = self.named(value), self.module.type_of(value)
            self.entry.append(f"  %s{name[1:]} = getelementptr i64, ptr %frame, i64 {slot}")
            self.entry.append(f"  {name} = load {kind}, ptr %s{name[1:]}, align 8")
        return self.named(value)

    def named(self, value: Value) -> str:
        """Return the name of a value."""
        if value not in self.names:
            self.names[value] = f"%v{len(self.names)}"
        return self.names[value]

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
                    self.when(statement)
                case Stage():
                    self.stage(statement)

    def when(self, when: When) -> None:
        inside, after = self.new_label("then"), self.new_label("after")
        condition, outside, before = self.operand(when.condition), self.label, dict(self.variables)
        self.line(f"br i1 {condition}, label %{inside}, label %{after}")
        self.begin(inside)
        self.block(when.body)
        self.line(f"br label %{after}")
        last = self.label
        self.begin(after)
        for variable in set_variables(when.body):
            if variable in before:
                kind = self.module.type_of(variable)
                pairs = f"[ {before[variable]}, %{outside} ], [ {self.variables[variable]}, %{last} ]"
                self.variables[variable] = self.temporary(f"phi {kind} {pairs}")

    def loop(self, loop: Loop) -> None:
        head, body, after = self.new_label("head"), self.new_label("body"), self.new_label("after")
        counter, start, stop = (self.operand(v) for v in (loop.counter, loop.start, loop.stop))
        before = self.label
        self.line(f"br label %{head}")
        self.begin(head)
        changed = [(v, self.variables[v]) for v in set_variables(loop.body) if v in self.variables]
        first = len(self.lines)
        self.lines += [""] * (1 + len(changed))  # phi nodes, once the values after the body are known
        for variable, _ in changed:
            self.temporaries += 1
            self.variables[variable] = f"%t{self.temporaries}"
        heads = dict(self.variables)
        more = self.temporary(f"icmp slt i64 {counter}, {stop}")
        self.line(f"br i1 {more}, label %{body}, label %{after}")
        self.begin(body)
        self.block(loop.body)
        following = self.temporary(f"add nsw i64 {counter}, {loop.step}")
        self.lines[first] = f"  {counter} = phi i64 [ {start}, %{before} ], [ {following}, %{self.label} ]"
        for n, (variable, initial) in enumerate(changed):
            pairs = f"[ {initial}, %{before} ], [ {self.variables[variable]}, %{self.label} ]"
            self.lines[first + 1 + n] = f"  {heads[variable]} = phi {self.module.type_of(variable)} {pairs}"
            self.variables[variable] = heads[variable]
        self.line(f"br label %{head}")
        self.begin(after)

    def stage(self, stage: Stage) -> None:
        """Call a function. Stages that differ only in what they are given are one function."""
        values = used_values(stage.body)
        function = self.nested(values)
        function.block(stage.body)
        types = [self.module.type_of(v) for v in values]
        self.call(
            function,
            [f"{kind} {function.operand(v)}" for kind, v in zip(types, values, strict=True)],
            [f"{kind} {self.operand(v)}" for kind, v in zip(types, values, strict=True)],
        )

    def call(self, function: "FunctionText", parameters: Sequence[str], arguments: Sequence[str]) -> None:
        """Call a function whose body is complete; an equal one is taken if there is one."""
        function.line("ret void")
        text, attributes = function.text(", ".join(parameters)), self.module.attributes
        if text not in self.module.stages:
            name = f"stage{len(self.module.stages)}"
            self.module.stages[text] = name
            renamed = text.replace("define void @(", f"define internal void @{name}(", 1)
            self.module.functions.append(renamed.replace(attributes, f"noinline {attributes}", 1))
        self.line(f"call void @{self.module.stages[text]}({', '.join(arguments)})")

    def nested(self, given: Sequence[Value]) -> "FunctionText":
        """Return a function that this one calls."""
        return FunctionText(self.module, "", "void", given)

    def literal(self, value: float, lanes: int) -> str:
        """Return a constant, exactly rounded."""
        if self.module.real == "float":
            value = struct.unpack("f", struct.pack("f", value))[0]
        number = f"0x{struct.pack('>d', value).hex().upper()}"
        if not lanes:
            return number
        if value == 0 and not number.startswith("0x8"):
            return "zeroinitializer"
        return f"splat ({self.module.real} {number})"

    def declare(self, text: str) -> None:
        self.module.declared.add(f"declare {text}")

    def lanes(self, value: object) -> int:
        """Return the lanes of the vector that a value is in LLVM; 0 if it is a scalar."""
        return value.lanes if isinstance(value, Value) else 0

    def pointer(self, pointer: Value) -> str:
        """Return the type and the name of a pointer."""
        return f"{self.module.type_of(pointer)} {self.operand(pointer)}"

    def loaded(self, pointer: Value) -> str:
        """Return what is known of memory that is read."""
        return ""

    def suffix(self, lanes: int) -> str:
        return (f"v{lanes}" if lanes else "") + ("f32" if self.module.real == "float" else "f64")

    def instruction(self, instruction: Instruction) -> None:
        operation, arguments, result = instruction.operation, instruction.arguments, instruction.result
        method = getattr(self, f"do_{operation}", None)
        if method is not None:
            method(result, *arguments)
            return
        if result is None:
            raise ValueError(f"unknown operation {operation}")
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
        self.lines.append(f"  {self.named(result)} = {text}")

    def do_select(self, result: Value, condition: Value, a: Value, b: Value) -> None:
        kind = self.module.type_of(result)
        self.define(result, f"select i1 {self.operand(condition)}, {kind} {self.operand(a)}, {kind} {self.operand(b)}")

    def do_scratch(self, result: Value, count: int) -> None:
        self.entry.append(f"  {self.named(result)} = alloca [{count} x {self.module.memory(result.element)}], align 64")

    def do_at(self, result: Value, pointer: Value, index: object) -> None:
        kind = self.module.memory(pointer.element)
        self.define(result, f"getelementptr {kind}, {self.pointer(pointer)}, i64 {self.operand(index)}")

    def do_load(self, result: Value, pointer: Value) -> None:
        element, lanes = pointer.element, self.lanes(result)
        memory, align = self.module.memory(element), self.module.bytes(element)
        loaded = f"load {_vector(memory, lanes)}, {self.pointer(pointer)}, align {align}{self.loaded(pointer)}"
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
        lanes = self.lanes(value)
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
        self.line(f"store {_vector(memory, lanes)} {name}, {self.pointer(pointer)}, align {align}")

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
        self.names[result] = self.literal(value, self.lanes(result))

    def do_splat(self, result: Value, value: Value) -> None:
        real, lanes = self.module.real, result.lanes
        first = self.temporary(f"insertelement <{lanes} x {real}> poison, {real} {self.operand(value)}, i64 0")
        kind = f"<{lanes} x {real}>"
        self.define(result, f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def do_fma(self, result: Value, a: Value, b: Value, c: Value) -> None:
        kind, name = self.module.type_of(result), f"llvm.fma.{self.suffix(self.lanes(result))}"
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
        self.variables[result] = self.operand(value)

    def do_get(self, result: Value, variable: Value) -> None:
        self.names[result] = self.variables[variable]

    def do_set(self, _: None, variable: Value, value: object) -> None:
        self.variables[variable] = self.operand(value)


def _vector(kind: str, lanes: int) -> str:
    return f"<{lanes} x {kind}>" if lanes else kind


def _filled(kind: str, value: int, lanes: int) -> str:
    return "<" + ", ".join([f"{kind} {value}"] * lanes) + ">" if lanes else str(value)
