"""Mutation testing: ``uv run --with cosmic-ray python tests/mutants.py [--mutants N] [--again FILE] [TARGET ...]``.

A mutant is the source with one small fault, such as ``<=`` for ``<``, which the operators of Cosmic Ray make. The
targets are irreps_core, the compute core and checkpoints. For a random sample of the mutants of each target the program
runs the tests that execute the changed line, the fastest first, and prints the mutants that no test notices. The tests
run once with coverage before, to know which lines each of them executes; the result for a file of tests stays in
``.mutants`` until it or the target changes. Each mutant is tried in a process of its own, which is forked where JAX is
already imported, so that one takes seconds. ``--again`` tries only the mutants that an earlier run printed to a file.
"""

import argparse
import ast
import functools
import hashlib
import importlib
import importlib.machinery
import itertools
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Target(NamedTuple):
    """Source files, and the tests that should notice what is wrong in them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "core": Target(
        ("packages/irreps-core/src/irreps_core",),
        ("packages/irreps-core/tests", "packages/irreps-core/src/irreps_core"),
    ),
    "compute": Target(
        ("packages/irreps-ops/src/irreps_ops/compute",),
        # Executors and tiles are also tested through the operations that they serve.
        (
            *(f"packages/irreps-ops/tests/{chapter}" for chapter in ("compute", "graphs", "products")),
            "packages/irreps-ops/src/irreps_ops/compute",
        ),
    ),
    "checkpoint": Target(
        (
            "packages/irreps-ops/src/irreps_ops/checkpoint.py",
            "packages/irreps-ops/src/irreps_ops/_inputs/_files.py",
            "packages/irreps-ops/src/irreps_ops/scope/_trees.py",
        ),
        ("packages/irreps-ops/tests/scope", "packages/irreps-ops/src/irreps_ops/checkpoint.py"),
    ),
}
# One replacement for each operator of Python.
OPERATORS = [
    f"core/{name}"
    for name in (
        "ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add", "ReplaceBinaryOperator_Mul_Div",
        "ReplaceBinaryOperator_Div_Mul", "ReplaceBinaryOperator_FloorDiv_Mul", "ReplaceBinaryOperator_Mod_FloorDiv",
        "ReplaceBinaryOperator_Pow_Mul", "ReplaceBinaryOperator_BitOr_BitAnd", "ReplaceBinaryOperator_BitAnd_BitOr",
        "ReplaceComparisonOperator_Eq_NotEq", "ReplaceComparisonOperator_NotEq_Eq", "ReplaceComparisonOperator_Lt_LtE",
        "ReplaceComparisonOperator_LtE_Lt", "ReplaceComparisonOperator_Gt_GtE", "ReplaceComparisonOperator_GtE_Gt",
        "ReplaceComparisonOperator_Is_IsNot", "ReplaceComparisonOperator_IsNot_Is", "ReplaceUnaryOperator_USub_UAdd",
        "ReplaceUnaryOperator_Delete_Not", "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue",
        "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
        "NumberReplacer", "ZeroIterationForLoop", "ExceptionReplacer",
    )
]  # fmt: skip
_TRUE_TO_FALSE = "core/ReplaceTrueWithFalse"  # not of `zip(..., strict=True)`, which only asserts what holds
CASES = 3  # of one parametrized test
SECONDS = 20.0  # of tests for one mutant, and of further cases of them if it survives


class Mutant(NamedTuple):
    """A fault: the n-th place of a file where an operator fits."""

    path: str
    operator: str
    occurrence: int
    line: int


# A mutant may write anywhere: what guards files and devices is mutated as well ---------------------------------------
# The events that change files, and which of their arguments are paths; see the table of audit events of Python.
CHANGES = {
    "open": (0,), "os.chmod": (0,), "os.chown": (0,), "os.link": (0, 1), "os.mkdir": (0,), "os.remove": (0,),
    "os.rename": (0, 1), "os.rmdir": (0,), "os.symlink": (1,), "os.truncate": (0,), "os.utime": (0,),
}  # fmt: skip


def confine(folders: Sequence[Path]) -> None:
    """Let this process change files in some folders only. What a test starts runs the original source."""
    inside = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in folders)

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or (event == "open" and not _writes(arguments)):
            return
        for place in CHANGES[event]:
            path = arguments[place]
            if isinstance(path, int):  # an open file, which was checked when it was opened
                continue
            folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
            real = os.path.join(os.path.realpath(folder), name)
            device = event == "open" and os.path.exists(real) and not os.path.isfile(real) and not os.path.isdir(real)
            if not device and not f"{real}{os.sep}".startswith(inside):
                raise PermissionError(f"{event} outside of the folders of this run: {real}")

    sys.addaudithook(check)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool(flags & writing)


# Processes -------------------------------------------------------------------------------------------------------
def forked(work: Callable[[], int], timeout: float) -> int:
    """Return the exit code of `work` in a forked process without output; -1 if it does not end in time."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()  # its children end with it
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            sys.dont_write_bytecode = True
            confine([Path(tempfile.gettempdir()), ROOT / ".jax_cache", ROOT / ".mutants", ROOT / ".hypothesis"])
            code = work()
        finally:
            os._exit(code)
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def run_pytest(tests: Sequence[str], *plugins: Any) -> int:
    options = [
        "--numprocesses=0",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "-q",
        "--no-header",
        "-m",
        "not gpu and not slow",
    ]
    return int(pytest.main([*options, *tests], plugins=list(plugins)))


class Observer:
    """The plugin of pytest that notes how long each test takes, and tells coverage which test runs."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds = coverage, {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        started = time.process_time()
        yield
        self.seconds[item.nodeid] = time.process_time() - started
        self.coverage.switch_context("")


def observe(target: Target, tests: str, file: Path) -> int:
    """Run some tests of a target with coverage; write to a file which of them execute each line, and their times."""
    from coverage import Coverage  # begins to measure when it is started, before the sources are imported

    data = file.with_suffix(".coverage")
    coverage = Coverage(str(data), branch=True, include=[str(path) for path in sources(target)], config_file=False)
    observer = Observer(coverage)
    coverage.start()
    code = run_pytest([tests], observer)
    coverage.stop()
    coverage.save()
    found = coverage.get_data()
    lines = {
        str(Path(path).relative_to(ROOT)): {n: sorted({*names} - {""}) for n, names in by_line.items()}
        for path, by_line in ((path, found.contexts_by_lineno(path)) for path in found.measured_files())
    }
    data.unlink()
    if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):  # all may be slow
        file.write_text(json.dumps({"seconds": observer.seconds, "lines": lines}))
        return 0
    return code


class Observed(NamedTuple):
    """Which tests execute each line of each file, and how long each takes."""

    lines: dict[str, dict[str, list[str]]]
    seconds: dict[str, float]


def observed(name: str) -> Observed:
    """Return what is known of the tests of a target; run those of which nothing is known yet.

    Raises:
        ValueError: tests fail.
    """
    target, folder = TARGETS[name], ROOT / ".mutants"
    folder.mkdir(exist_ok=True)
    found = Observed(defaultdict(lambda: defaultdict(list)), {})
    for tests in test_files(target):
        content = b"".join(path.read_bytes() for path in (*sources(target), *_files(tests)))
        file = folder / f"{name}-{tests.stem}-{hashlib.sha256(content).hexdigest()[:12]}.json"
        if not file.exists() and forked(functools.partial(observe, target, str(tests), file), 7200):
            raise ValueError(f"tests of {name} fail before anything is changed: {tests}")
        known = Observed(**json.loads(file.read_text()))
        found.seconds.update(known.seconds)
        for path, by_line in known.lines.items():
            for line, names in by_line.items():
                found.lines[path][line] += names
    return found


def test_files(target: Target) -> list[Path]:
    """Return each file of tests, and folders of sources with doctests."""
    places = [ROOT / tests for tests in target.tests]
    return [file for place in places for file in (sorted(place.rglob("test_*.py")) or [place])]


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


# Mutants ---------------------------------------------------------------------------------------------------------
def sources(target: Target) -> list[Path]:
    return sorted(path for source in target.sources for path in _files(ROOT / source))


def in_functions(code: str) -> set[int]:
    """Return the lines inside bodies of functions. Others run once, at import; most are annotations and defaults."""
    bodies = [
        statement
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for statement in node.body
    ]
    return {line for one in bodies for line in range(one.lineno, (one.end_lineno or one.lineno) + 1)}


def mutants(path: Path) -> list[Mutant]:
    import parso  # with Cosmic Ray, in the environment of this program alone
    from cosmic_ray.plugins import get_operator  # see above

    code = path.read_text()
    tree, lines, texts, found = parso.parse(code), in_functions(code), code.splitlines(), []
    for name in OPERATORS:
        operator, count = get_operator(name)(), 0
        for node in _nodes(tree):
            for (line, _), _ in operator.mutation_positions(node):
                if line in lines and not (name == _TRUE_TO_FALSE and "strict=True" in texts[line - 1]):
                    found.append(Mutant(str(path.relative_to(ROOT)), name, count, line))
                count += 1
    return found


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def changed(mutant: Mutant) -> str:
    from cosmic_ray.mutating import mutate_code  # in the environment of this program alone
    from cosmic_ray.plugins import get_operator  # see above

    return mutate_code((ROOT / mutant.path).read_text(), get_operator(mutant.operator)(), mutant.occurrence)


def import_changed(path: str, code: str) -> None:
    """Let imports in this process find another source of one file."""
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> Any:
        if Path(self.path) == ROOT / path:
            return compile(code, self.path, "exec", dont_inherit=True)
        return original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


def chosen(tests: Sequence[str], seconds: dict[str, float]) -> tuple[list[str], list[str]]:
    """Return the fastest tests, first a few cases of each, then the others, as many as take some seconds together."""
    first: list[str] = []
    others: list[str] = []
    cases: Counter[str] = Counter()
    for test in sorted(tests, key=lambda name: seconds.get(name, 0.0)):
        function = test.split("[")[0]
        cases[function] += 1
        (first if cases[function] <= CASES else others).append(test)
    parts = []
    for part in (first, others):
        total = itertools.accumulate(seconds.get(test, 0.0) for test in part)
        parts.append([test for test, until in zip(part, total, strict=True) if until <= SECONDS])
    return parts[0], parts[1]


def attempt(mutant: Mutant, known: Observed) -> str:
    """Return what became of a mutant: killed, timeout, survived or not covered."""
    covering = known.lines.get(mutant.path, {}).get(str(mutant.line), [])
    code = changed(mutant)

    def work(tests: Sequence[str]) -> int:
        import_changed(mutant.path, code)
        return run_pytest(["-x", *tests])

    for tests in filter(None, chosen(covering, known.seconds)):
        result = forked(functools.partial(work, tests), 120 + 20 * sum(known.seconds[test] for test in tests))
        if result:
            return "timeout" if result == -1 else "killed"
    return "survived" if covering else "not covered"


def described(mutant: Mutant, outcome: str) -> str:
    """Return a line about a mutant, from which :func:`printed` finds it again."""
    text = (ROOT / mutant.path).read_text().splitlines()[mutant.line - 1].strip()
    operator = mutant.operator.removeprefix("core/")
    return f"{mutant.path}:{mutant.line}: {outcome}: {operator} {mutant.occurrence}: {text}"


def printed(text: str) -> set[tuple[str, str, int]]:
    """Return path, operator and occurrence of the mutants in what a run printed."""
    found = re.findall(r"^(\S+?):\d+: [a-z ]+: (\w+) (\d+): ", text, re.MULTILINE)
    return {(path, f"core/{operator}", int(occurrence)) for path, operator, occurrence in found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants of the targets of the command line; return 1 if fewer than 90 % are killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--mutants", type=int, default=100, help="of each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, metavar="FILE", help="only the mutants that a run printed to this file")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    own = tempfile.TemporaryDirectory(prefix="mutants-")  # all that a mutant may write to, with some caches
    os.environ["TMPDIR"] = tempfile.tempdir = own.name
    for module in ("jax", "jax.export", "numpy", "mpmath", "sympy", "safetensors.numpy"):
        importlib.import_module(module)  # once, not in each process
    enough = True
    for name in options.targets or TARGETS:
        try:
            known, rng = observed(name), random.Random(options.seed)
        except ValueError as error:
            parser.error(str(error))
        trials = [mutant for path in sources(TARGETS[name]) for mutant in mutants(path)]
        total = len(trials)
        if options.again:
            wanted = printed(options.again.read_text())
            trials = [mutant for mutant in trials if (mutant.path, mutant.operator, mutant.occurrence) in wanted]
        outcomes: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in rng.sample(trials, min(options.mutants, len(trials))):
            outcome = attempt(mutant, known)
            outcomes[outcome].append(mutant)
            if outcome in ("survived", "not covered"):
                print(described(mutant, outcome), flush=True)
        tried = sum(map(len, outcomes.values()))
        killed = len(outcomes["killed"]) + len(outcomes["timeout"])
        counts = ", ".join(f"{len(found)} {outcome}" for outcome, found in outcomes.items() if found)
        print(f"{name}: {tried} of {total} mutants, {killed / max(tried, 1):.1%} killed: {counts}", flush=True)
        enough &= killed >= 0.9 * tried
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
