"""Print loop programs as indented pseudocode."""

from collections.abc import Iterable

from ._instructions import Instruction, Integer, Loop, Part, Program, Stage, Statement, Value, When

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "//", "less": "<", "equal": "==", "and": "and", "or": "or"}


def printed(program: Program, *, details: bool = False) -> str:
    """Return the loops of a program as text.

    Args:
        program: the program.
        details: also print every instruction. By default the instructions of a block are counted.
    """
    names = {b.pointer: b.name for b in (*program.arguments, *program.results)}
    names |= {value: name for name, value in program.sizes.items()}
    printer = _Printer(names, details)
    lines = [f"{program.dtype} program of {len(program.phases)} phases"]
    for kind, buffers in (("argument", program.arguments), ("result", program.results)):
        lines += [f"  {kind} {b.name}: {program.dtype if b.element == 'float' else b.element}" for b in buffers]
    for n, phase in enumerate(program.phases):
        lines.append(f"phase {n}")
        for part in phase:
            lines += printer.part(part)
    return "\n".join(lines)


class _Printer:
    def __init__(self, names: dict[Value, str], details: bool) -> None:
        self.names, self.details = names, details

    def name(self, value: object) -> str:
        if not isinstance(value, Value):
            return str(value)
        return self.names.get(value, f"{value.kind[0]}{value.number}")

    def part(self, part: Part) -> list[str]:
        return [f"  {part.label}: for each chunk {self.name(part.chunk)}", *self.block(part.body, "    ")]

    def block(self, statements: Iterable[Statement], indent: str) -> list[str]:
        lines: list[str] = []
        counts: dict[str, int] = {}

        def flush() -> None:
            if counts:
                lines.append(indent + ", ".join(f"{n} {what}" for what, n in counts.items()))
                counts.clear()

        for statement in statements:
            match statement:
                case Instruction() if not self.details:
                    what = statement.operation
                    result = statement.result
                    if result is not None and result.kind != "float":
                        continue  # addresses and counters
                    if what in ("get", "set", "variable", "constant"):
                        continue
                    lanes = next((a.lanes for a in (result, *statement.arguments) if isinstance(a, Value)), 0)
                    what += f" of {lanes} lanes" if lanes else ""
                    counts[what] = counts.get(what, 0) + 1
                case Instruction():
                    lines.append(indent + self.instruction(statement))
                case Loop(counter, start, stop, step, body):
                    flush()
                    by = f" step {step}" if step != 1 else ""
                    by += ", rounds apart" if statement.apart else ""
                    bounds = f"{self.integer(start)} .. {self.integer(stop)}{by}"
                    lines.append(f"{indent}for {self.name(counter)} in {bounds}")
                    lines += self.block(body, indent + "  ")
                case When(condition, body):
                    flush()
                    lines.append(f"{indent}if {self.name(condition)}")
                    lines += self.block(body, indent + "  ")
                case Stage(label, body):
                    flush()
                    lines.append(f"{indent}# {label}")
                    lines += self.block(body, indent)
        flush()
        return lines

    def integer(self, value: Integer) -> str:
        return self.name(value)

    def instruction(self, instruction: Instruction) -> str:
        operation, result = instruction.operation, instruction.result
        arguments = [self.name(a) for a in instruction.arguments]
        if operation in _INFIX:
            text = f"{arguments[0]} {_INFIX[operation]} {arguments[1]}"
        elif operation == "at":
            text = f"&{arguments[0]}[{arguments[1]}]"
        elif operation == "store":
            return f"*{arguments[1]} = {arguments[0]}"
        elif operation == "set":
            return f"{arguments[0]} := {arguments[1]}"
        else:
            text = f"{operation}({', '.join(arguments)})"
        return text if result is None else f"{self.name(result)} = {text}"
