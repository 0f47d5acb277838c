"""Fuzz everything that reads text, files or plugins: ``uv run python tests/fuzz.py [--inputs N] [TARGET ...]``.

Each target makes random inputs, most of them mutations of valid ones, and reads them. An input must be accepted, or
refused by one of the target's errors with a short message that quotes it, within a second of processor time and
bounded memory. The program prints for each target the rate, the worst time, the growth of memory and the outcomes, and
exits with 1 after any fault. ``--seed`` chooses other inputs. `test_fuzz.py` runs some inputs of each target.
"""

import argparse
import contextlib
import copy
import functools
import io
import itertools
import json
import linecache
import os
import random
import resource
import signal
import string
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import safetensors.numpy

import irreps_core as ic
import irreps_ops as irr
from force_field import checkpoint as force_field_checkpoint
from force_field import data as force_field_data
from force_field import potential
from irreps_core import plugins
from irreps_core.__main__ import main as command_line
from irreps_ops import checkpoint
from irreps_ops.compute import Coefficients, Operand, Polynomial
from irreps_ops.compute import Path as PolynomialPath

SLOW = 1.0  # seconds of processor time for one input; as much for each 100,000 characters that it has
STUCK = 60  # seconds after which an input is given up
LONGEST = 2500  # characters of a message
MEMORY = 512  # MiB by which the process may grow, twice what the caches may hold


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        make: makes an input.
        read: reads it; returns a word for the outcome, or None.
        quoted: what the message must contain. Default: the input, shortened.
        errors: the errors that may refuse an input.
    """

    make: Callable[[random.Random], Any]
    read: Callable[[Any], str | None]
    quoted: Callable[[Any], str] | None = None
    errors: tuple[type[BaseException], ...] = (ValueError, TypeError)


@dataclass
class Report:
    """What became of the inputs of a target."""

    name: str
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)  # a traceback for each kind

    def __str__(self) -> str:
        found = ", ".join(f"{name} {count:,}" for name, count in self.outcomes.most_common(8))
        return (
            f"{self.name}: {self.inputs:,} inputs, {self.inputs / max(self.seconds, 1e-9):,.0f} per second, slowest "
            f"{1e3 * self.slowest:.1f} ms, memory +{self.memory:.0f} MiB; {found}; {len(self.faults)} kinds of faults"
        )


def peak() -> float:
    """Return the largest memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz(name: str, count: int, seed: int = 0) -> Report:
    """Read `count` inputs of a target."""
    target, rng, report = TARGETS[name], random.Random(seed), Report(name)

    def stuck(*_: object) -> None:
        raise TimeoutError(f"not read within {STUCK} s")

    before = signal.signal(signal.SIGALRM, stuck)
    started, memory = time.perf_counter(), 0.0
    try:
        for n in range(count):
            if n == count // 100:  # what is imported and compiled once is there
                memory = peak()
            value = target.make(rng)
            signal.alarm(STUCK)
            begun = time.thread_time()
            outcome, fault = _outcome(target, value)
            took = time.thread_time() - begun
            signal.alarm(0)
            report.inputs, report.slowest = n + 1, max(report.slowest, took)
            report.outcomes[outcome] += 1
            if fault is None and took > SLOW * (1 + _length(value) / 100_000):
                fault = f"slow: {took:.2f} s"
            if fault is not None:
                report.faults.setdefault(fault.splitlines()[0], f"{fault}\n    input {_repr(value)}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    report.seconds = time.perf_counter() - started
    report.memory = peak() - memory
    if report.memory > MEMORY:
        report.faults["memory"] = f"memory grew by {report.memory:.0f} MiB"
    return report


def _outcome(target: Target, value: Any) -> tuple[str, str | None]:
    """Return a word for the outcome, and a description of the fault if it is one: a line for its kind, then more."""
    try:
        return target.read(value) or "accepted", None
    except KeyboardInterrupt:
        raise
    except target.errors as error:
        kind, message = type(error).__name__, str(error)
        if not _deliberate(error):
            return kind, f"an error that the library does not raise, from {_place(error)}\n    {shortened(message)}"
        wanted = target.quoted(value) if target.quoted else quoted(value)
        if len(message) > LONGEST:
            return kind, f"a message of many characters from {_place(error)}\n    {shortened(message)}"
        if wanted not in message:
            return kind, f"a message that does not quote the input, from {_place(error)}\n    {message}"
        return kind, None
    except BaseException as error:
        with contextlib.suppress(BaseException):
            return type(error).__name__, f"{type(error).__name__} from {_place(error)}\n    {shortened(str(error))}"
        return type(error).__name__, f"{type(error).__name__} from {_place(error)}"


def _length(value: Any) -> int:
    if isinstance(value, list):
        return sum(len(one) for one in value if isinstance(one, str))
    return len(value) if isinstance(value, (str, bytes)) else 0


def _last(error: BaseException) -> tuple[str, int]:
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_filename, line


def _place(error: BaseException) -> str:
    name, line = _last(error)
    return f"{'/'.join(Path(name).parts[-2:])}:{line}"


def _deliberate(error: BaseException) -> bool:
    """Return whether a statement `raise` of this project raised an error, rather than Python or another library."""
    name, line = _last(error)
    return str(Path(__file__).parents[1]) in name and ".venv" not in name and _begins_with_raise(name, line)


@functools.cache
def _begins_with_raise(name: str, line: int) -> bool:
    return linecache.getline(name, line).strip().startswith("raise ")


def _repr(value: Any) -> str:
    try:
        return shortened(repr(value))
    except BaseException as error:  # hostile, or too deep
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


def shortened(text: str) -> str:
    """Return a text without the middle of a very long one."""
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-190:]}"


def quoted(value: Any) -> str:
    """Return what a message must quote of a text: all of a short one, or how a long one begins."""
    shown = repr(value)[1:-1]
    return shown if len(shown) <= 60 else shown[:20]


# Inputs ----------------------------------------------------------------------------------------------------------
CHARACTERS = string.printable + "\x00é²٣𝟙Ⅷ１ﬁİ\u2028\u200b\ud800\U0010ffff"


def mutated(rng: random.Random, valid: Any, words: Sequence[Any]) -> Any:
    """Return a text, or bytes, with characters that are changed, removed, repeated or inserted."""
    found = valid
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 4, 8))):
        place, kind = rng.randrange(len(found) + 1), rng.randrange(6)
        end = place + rng.choice((1, 1, 2, 8, 1000))
        piece = rng.choice(words)
        if kind == 0:
            piece = bytes([rng.randrange(256)]) if isinstance(found, bytes) else rng.choice(CHARACTERS)
        elif kind == 1 and isinstance(found, bytes):
            piece = bytes([found[place] ^ 1 << rng.randrange(8)]) if place < len(found) else b""
        elif kind == 2:
            piece = found[:0]
        elif kind == 3:
            piece, end = found[place:end] * rng.choice((2, 3, 50)), place
        elif kind == 4:
            end = place
        found = found[:place] + piece + found[end:]
    if rng.random() < 1e-3:  # up to a megabyte
        found *= min(rng.choice((1000, 100_000)), 1_000_000 // max(len(found), 1))
    return found


def texts(valid: Sequence[str], words: Sequence[str]) -> Callable[[random.Random], str]:
    """Return a maker of texts: mutations of valid ones, and words in a row."""

    def make(rng: random.Random) -> str:
        if rng.random() < 0.2:
            return "".join(rng.choices(words, k=rng.randrange(8)))
        return mutated(rng, rng.choice(valid), words)

    return make


IRREPS = ["0e", "1o", "3y", "2x1o", "128x0e + 64x1o+ 3x2y", "0e+1o", "", "Irreps()", "1x0e+1x1o+1x2e+1x3o"]
IRREPS_WORDS = ["0", "1", "e", "o", "y", "x", "+", " ", "-", "_", ".", "9" * 30, "9" * 5000, "0x", "(1, -1)", "\n", "٣"]


def deep(depth: int) -> list[Any]:
    return functools.reduce(lambda found, _: [found], range(depth), [])


VALUES: list[Any] = [
    0,
    1,
    -1,
    2,
    True,
    None,
    1.0,
    float("nan"),
    float("inf"),
    1j,
    b"1o",
    "1o",
    "2x0e",
    "",
    "q",
    len,
    int,
]
VALUES += [10**30, 10**5000, ic.Irrep("1o"), ic.MulIrrep(2, "1o"), ic.Irreps("0e"), object(), np.int8(1), np.arange(3)]
VALUES += [{1}, range(3), itertools.count(), deep(100_000), "9" * 5000 + "x0e", "1o" * 100_000, np.float32(1)]


def data(rng: random.Random, depth: int = 3) -> Any:
    """Return nested data, such as JSON has."""
    kind = rng.randrange(14)
    if depth > 0 and kind < 3:
        return [data(rng, depth - 1) for _ in range(rng.randrange(4))]
    if depth > 0 and kind < 6:
        return tuple(data(rng, depth - 1) for _ in range(rng.randrange(1, 4)))
    if depth > 0 and kind == 6:
        return {name: data(rng, depth - 1) for name in "ab"[: rng.randrange(3)]}
    return rng.choice(VALUES)


# Targets ---------------------------------------------------------------------------------------------------------
def read_irreps(text: str) -> None:
    found = ic.Irreps(text)
    if len(text) < 1000:
        assert ic.Irreps(str(found)) == found


def read_irrep(text: str) -> None:
    found = ic.Irrep(text)
    if len(text) < 1000:
        assert ic.Irrep(str(found)) == found


def read_mul_irrep(values: tuple[Any, ...]) -> None:
    assert ic.MulIrrep(*values).mul >= 0


def read_object(value: Any) -> None:
    ic.Irreps(value)


FORMULAS = ["ij", "ij=ji", "ij=-ji", "ijk=-jik", "ijkl=jikl=klij", "i", "ijklmn=jiklmn=jklmni", "abcdefgh=bacdefgh"]
FORMULA_WORDS = ["i", "j", "k", "l", "=", "-", "+", " ", "ij=", "=-", "", ",", "é", "ﬁ", "ij=ji", string.ascii_letters]


def read_formula(text: str) -> None:
    indices, group = ic.parse_symmetry(text)
    n = len(indices)
    assert (1, tuple(range(n))) in group
    if n <= 2:
        assert ic.CartesianTensor(text).irreps.dim <= 3**n


def make_basis(rng: random.Random) -> tuple[str, dict[str, str]]:
    formula = texts(FORMULAS[:6], FORMULA_WORDS[:-1])(rng)
    names = [rng.choice("ijkl") for _ in range(rng.choice((1, 1, 2, 3)))] if rng.random() < 0.95 else ["x" * 3, ""]
    return formula, {
        name: rng.choice(("1o", "0e", "0e+1o", "2x1e", "", mutated(rng, "1o+0e", IRREPS_WORDS))) for name in names
    }


def read_basis(value: tuple[str, dict[str, str]]) -> None:
    formula, irreps = value
    if len(formula) > 200:
        irr.reduced_tensor_product_basis(formula)
    irr.reduced_tensor_product_basis(formula, **irreps)


def make_subscripts(rng: random.Random) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
    valid = rng.choice((("u", "u", "u"), ("u", "v", "uv"), ("uv", "v", "u"), ("", "", ""), ("u", "u", "")))
    words = ["u", "v", "w", "U", "->", ",", "...", " ", "é", "1", "uvw", string.ascii_letters]
    found = [mutated(rng, one, words) if rng.random() < 0.3 else one for one in valid]
    if rng.random() < 0.05:
        found = found[: rng.randrange(4)]
    return tuple(found), [tuple(rng.choice((0, 1, 2, 2, 2, 10**9)) for _ in one[:3]) for one in (*found, "", "", "")][
        :3
    ]


def read_subscripts(value: tuple[tuple[str, ...], list[tuple[int, ...]]]) -> None:
    subscripts, channels = value
    x, y, z = (Operand(1, one) for one in channels)
    path = PolynomialPath((0, 1), 0, subscripts, Coefficients(np.zeros((1, 3), int), np.ones(1)))
    Polynomial((x, y), (z,), (path,)).explain()


def make_instructions(rng: random.Random) -> Any:
    valid: list[list[Any]] = [[0, 0, 0, "uvw", True], [1, 0, 1, "uvu", True, 2.0], [0, 1, 1, "uvv", False]]
    for _ in range(rng.choice((0, 1, 1, 2))):
        one = rng.choice(valid)
        place = rng.randrange(len(one))
        one[place] = mutated(rng, "uvw", ["u", "v", "w", "<", "uvu<v"]) if rng.random() < 0.4 else data(rng, 1)
        if rng.random() < 0.1:
            del one[place]
    return valid


def read_instructions(value: Any) -> None:
    irr.FunctionalTensorProduct("2x0e+2x1o", "2x0e+2x1o", "2x0e+2x1o", value)


def make_words(rng: random.Random) -> list[str]:
    make = texts(IRREPS, [*IRREPS_WORDS, "--help", "-1x0e", "100000x9000o"])
    words = [rng.choice(("show", "product")), *(make(rng) for _ in range(2))]
    words = words[: 2 if words[0] == "show" else 3]
    if rng.random() < 0.2:
        words.insert(
            rng.randrange(len(words) + 1), rng.choice(("--", "-h", "--version", "-", "--x", "plugins", make(rng)))
        )
    return words


def read_words(words: list[str]) -> str:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = command_line(words)
        except SystemExit as stop:
            code = stop.code
    assert code in (0, 1, 2), code
    assert len(out.getvalue()) < 20_000_000, len(out.getvalue())
    if code == 2:
        raise ValueError(err.getvalue())
    return f"exit code {code}"


# In memory, where the system has such a folder.
FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
TREE = {"parameters/a/w": np.arange(6.0, dtype=np.float32).reshape(2, 3), "parameters/b": np.ones((), bool)}
TREE |= {"state/mean": np.ones(2, np.float32)}
BYTES = [
    b'"',
    b"{",
    b"[",
    b"]",
    b"}",
    b"9" * 30,
    b"-1",
    b"null",
    b"1e999",
    b"\xff",
    b",",
    b":",
    b"\\u0000",
    b"[" * 2000,
]


def written(name: str, content: bytes) -> Path:
    path = Path(FOLDER.name, name)
    path.write_bytes(content)
    return path


@functools.cache
def valid_checkpoint(checksum: bool) -> bytes:
    path = Path(FOLDER.name, "valid.safetensors")
    tree = irr.bindings.tree_of_leaves(TREE)
    checkpoint.save(path, tree["parameters"], tree["state"], about={"source": "here", "steps": [1, {"x": 1.5}]})
    content = path.read_bytes()
    header = checkpoint.read_header(path)
    del header["sha256"]
    return content if checksum else safetensors.numpy.save(TREE, {"irreps": json.dumps(header)})


def make_checkpoint(rng: random.Random) -> bytes:
    """Half of the changes are in the header of safetensors, most files have no checksum that finds them."""
    valid = valid_checkpoint(rng.random() < 0.2)
    size = int.from_bytes(valid[:8], "little")
    text, numbers = valid[8 : 8 + size], valid[8 + size :]
    kind = rng.random()
    if kind < 0.6:
        text = mutated(rng, text, BYTES)
    elif kind < 0.7:
        numbers = mutated(rng, numbers, BYTES)
    else:
        return mutated(rng, valid, BYTES)
    return len(text).to_bytes(8, "little") + text + numbers


def read_checkpoint(content: bytes) -> None:
    path = written("m.safetensors", content)
    with contextlib.suppress(ValueError):
        checkpoint.read_header(path)
    found = checkpoint.load(path)
    if "sha256" in found.header:
        leaves = dict(irr.bindings.tree_leaves({"parameters": found.parameters, "state": found.state}))
        assert leaves.keys() == TREE.keys()
        assert all(np.array_equal(leaves[name], TREE[name]) for name in TREE)


MODEL = {"channels": 2, "layers": 1, "lmax": 0, "elements": [1, 8]}
HEADER = {
    "model": MODEL,
    "scaling": {"reference_energies": [0.0, -1.0], "energy_scale": 1.0, "neighbors": 2.0},
    "data": {
        "source": ["water.extxyz"],
        "keys": {"energy": "REF_energy"},
        "train": 4,
        "valid": 4,
        "trained_on": ["a", "b"],
    },
    "training": {"batch_size": 2, "dtype": "float32"},
    "progress": {"steps": 3, "history": []},
    "force_field": force_field_checkpoint.VERSION,
}


JSON = [0, 1, -1, 2**63, 10**400, True, None, 1.5, float("nan"), float("inf"), "", "float64", "x" * 100_000, [], [[]]]
JSON += [[1, "a"], {}, {"name": 1}, deep(900), [0] * 10_000, {str(n): n for n in range(1000)}]


def make_run(rng: random.Random) -> bytes:
    """A checkpoint of force-field, with other values in its header or changed bytes."""
    about = json.loads(json.dumps(HEADER))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        part, key = rng.choice(list(HEADER)), None
        if rng.random() < 0.8 and isinstance(about.get(part), dict):
            key = rng.choice([*about[part], "unknown"])
        if key is None:
            about[part] = copy.copy(rng.choice(JSON))
        elif rng.random() < 0.2:
            about[part].pop(key, None)
        else:
            about[part][key] = rng.choice(JSON)
    header = {"format": 1, "convention": checkpoint.CONVENTION, "normalization": checkpoint.NORMALIZATION}
    tree = dict(TREE)
    if rng.random() < 0.1:
        tree[rng.choice(("parameters/a/w", "state/mean"))] = np.array(rng.choice((np.nan, np.inf, 1j)), np.complex64)
    content = safetensors.numpy.save(tree, {"irreps": json.dumps(header | {"about": about})})
    return content if rng.random() < 0.7 else mutated(rng, content, BYTES)


def read_run(content: bytes) -> None:
    path = written("run.safetensors", content)
    saved = force_field_checkpoint.load_run(path)
    try:
        model, scaling = potential.model_config(saved.header), potential.scaling(saved.header)
        assert len(model.elements) == len(scaling.reference_energies)
    except Exception:  # abstract_model says so, before it traces the model
        potential.abstract_model(saved, path, "float32")
        raise AssertionError("abstract_model accepts it") from None
    checkpoint_same = force_field_checkpoint.check_same
    checkpoint_same("training", saved.header["training"], {"batch_size": 2}, path)


WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5
O 0.0 0.0 0.1 0.0 0.0 0.2
H 0.0 0.8 -0.5 0.0 0.1 -0.1
H 0.0 -0.8 -0.5 0.0 -0.1 -0.1
"""
CELL = WATER.replace("energy", 'Lattice="9.0 0.0 0.0 0.0 9.0 0.0 0.0 0.0 9.0" pbc="T T F" energy')
BARE = "1\nProperties=species:S:1:pos:R:3:Z:I:1:masses:R:1 energy=1.0 name=x\nH 0 0 0 1 1.5\n"
XYZ_WORDS = [
    "= ",
    '"',
    "{",
    "[",
    "_JSON ",
    "_JSON[[",
    ":",
    "-1",
    "nan",
    "1e400",
    "9" * 19,
    " T ",
    "\\",
    "\udcff",
    " Lattice=",
]
XYZ_WORDS += [
    " pbc=",
    " energy=",
    ",",
    "\x00",
    "\n",
    "\r",
    "virial=",
    "stress=",
    "_JSON " + "[" * 2000,
    ":initial_magmoms:R:1",
]


def make_frames(rng: random.Random) -> bytes:
    text = mutated(rng, rng.choice((WATER, WATER, CELL, WATER + CELL, BARE)), XYZ_WORDS)
    return text.replace("\ud800", "").encode("utf-8", "surrogateescape")


def read_frames(content: bytes) -> None:
    for atoms in force_field_data.read(written("frames.extxyz", content)):
        assert atoms.calc.results["forces"].shape == (len(atoms), 3)
        assert np.isfinite(atoms.calc.results["energy"])
        assert np.isfinite(atoms.positions).all()


class Hostile:
    """An object whose attributes, text, truth, length, hash and comparisons raise what `error` is."""

    error: type[BaseException] = Exception

    def _raise(self, *_: Any) -> Any:
        raise type(self).error("x" * 100_000)

    __getattr__ = __repr__ = __str__ = __bool__ = __len__ = __eq__ = __hash__ = __call__ = __iter__ = _raise  # type: ignore[assignment]


class Rude(BaseException):
    """An exception that cannot be shown."""

    def __repr__(self) -> str:
        raise Rude

    __str__ = __repr__


class Good:
    """A plugin of the group that is fuzzed."""

    irreps_api = 1
    area = 1.0


def hostile(kind: type[BaseException]) -> Any:
    return type("Hostile" + kind.__name__ * 100, (Hostile,), {"error": kind})()


OBJECTS: list[Any] = [Good(), Good, object(), None, 0, "x" * 10, [], type("Meta" * 10_000, (), {"irreps_api": True})]
OBJECTS += map(hostile, (Exception, SystemExit, GeneratorExit, Rude, RecursionError, MemoryError, UnicodeError))
PLUGINS = ModuleType("fuzzed_plugins")
PLUGINS.__dict__.update({f"o{n}": found for n, found in enumerate(OBJECTS)}, deep=PLUGINS)


class Distribution:
    """Metadata of a distribution, some of it damaged."""

    def __init__(self, name: Any) -> None:
        self._name, self.version = name, name

    @property
    def name(self) -> Any:
        if self._name is Exception:
            raise Exception("damaged")
        return self._name


def make_plugins(rng: random.Random) -> tuple[str, Any, EntryPoints, Any]:
    words = ["", " ", ":", "=", "[", "]", "\n", "/", ".", "o1", "é", "x" * 1000]
    names = [
        mutated(rng, "Square", words) if rng.random() < 0.4 else rng.choice(("Square", "Circle", "")) for _ in range(4)
    ]
    values = [
        f"fuzzed_plugins:o{rng.randrange(len(OBJECTS))}",
        mutated(rng, "fuzzed_plugins:o0", words),
        "fuzzed_plugins:deep.deep",
    ]
    groups = ["geometry.shapes"] * 3 + ["irreps.groups", "irreps.shapes"]
    entries = []
    for _ in range(rng.randrange(5)):
        entry = EntryPoint(rng.choice(names), rng.choice(values), rng.choice(groups))
        if rng.random() < 0.5:
            entry = entry._for(Distribution(rng.choice(("a", "B_c", None, "x" * 10_000, Exception, "irreps-core"))))  # type: ignore[attr-defined]
        entries.append(entry)
    group: Any = plugins.Group("geometry.shapes", rng.choice(((), ("area",), Good)), rng.choice((1, None)))
    which = rng.choice((rng.choice(names), rng.choice(names), f"unknown:{names[0]}", rng.choice(OBJECTS)))
    switch = rng.choice(("", "", "", "all", names[0].replace("\x00", ""), "unknown:Square", "," * 5))
    return switch, rng.choice((group, group, "geometry.shapes", "irreps.shapes")), EntryPoints(entries), which


def read_plugins(value: tuple[str, Any, EntryPoints, Any]) -> None:
    switch, group, entries, which = value
    sys.modules.setdefault("fuzzed_plugins", PLUGINS)
    os.environ["IRREPS_DISABLE_PLUGINS"] = switch.encode("utf-8", "replace").decode()
    try:
        found = plugins.discover(group, entries)
        states = [*plugins.available(group, entries), *plugins.available(None, entries)]
        assert all(
            len(status.reason) < LONGEST and status.state in ("ready", "failed", "disabled") for status in states
        )
        assert len(found) <= len(entries)
        plugins.load(group, which, entries)
    finally:
        os.environ["IRREPS_DISABLE_PLUGINS"] = "all"


def quoted_plugin(value: tuple[str, Any, EntryPoints, Any]) -> str:
    return quoted(value[3].removeprefix("unknown:")) if type(value[3]) is str else ""


def named(path: str) -> Callable[[Any], str]:
    return lambda _: path


def nothing(_: Any) -> str:
    return ""


TARGETS = {
    "irreps": Target(texts(IRREPS, IRREPS_WORDS), read_irreps),
    "irrep": Target(texts(["0e", "1o", " 3y ", "12e"], IRREPS_WORDS), read_irrep),
    "mul_irrep": Target(lambda rng: (data(rng), *([data(rng)] * rng.randrange(2))), read_mul_irrep, nothing),
    "objects": Target(data, read_object, nothing),
    "formula": Target(texts(FORMULAS, FORMULA_WORDS), read_formula),
    "basis": Target(make_basis, read_basis, nothing),
    "subscripts": Target(make_subscripts, read_subscripts, nothing),
    "instructions": Target(make_instructions, read_instructions, nothing),
    "command_line": Target(make_words, read_words, nothing),
    "checkpoint": Target(make_checkpoint, read_checkpoint, named("m.safetensors")),
    "force_field_run": Target(make_run, read_run, named("run.safetensors")),
    "plugins": Target(make_plugins, read_plugins, quoted_plugin, (plugins.PluginLoadError, TypeError)),
    "frames": Target(make_frames, read_frames, named("frames.extxyz")),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets of the command line; return 1 if there are faults."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    unknown = {*options.targets} - {*TARGETS}
    if unknown:
        parser.error(f"expected targets of {', '.join(TARGETS)}, got {', '.join(sorted(unknown))}")
    os.environ["IRREPS_DISABLE_PLUGINS"] = "all"
    faults = 0
    for name in options.targets or TARGETS:
        report = fuzz(name, options.inputs, options.seed)
        print(report, *report.faults.values(), sep="\n  ", flush=True)
        faults += len(report.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
