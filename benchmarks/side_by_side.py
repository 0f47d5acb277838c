"""Equivalent functions measured side by side in one process: compilation, time, memory, agreement of values.

The libraries take turns, so that other load on the machine affects all of them alike: ratios are more reliable than
milliseconds. Each call is timed until its result is ready. No argument is donated, and no compiled program comes from
a cache.
"""

import functools
import gc
import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr

OURS = "irreps-ops"
# On a GPU the launch dominates the time of a single call, so a turn repeats calls for this many seconds.
GPU_TURN = 2e-3
_CACHE = type(functools.cache(lambda: None))
_PEERS = ("e3nn_jax", "cuequivariance")


@dataclass(frozen=True)
class Candidate:
    """The implementation of one library.

    Attributes:
        function: the function that is compiled and timed.
        args: its arguments, in the layout that the library prefers.
        common: converts the result to the layout in which results are compared; not timed.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    common: Callable[[Any], Any] = lambda result: result


@dataclass(frozen=True)
class Comparison:
    """Candidates that should compute the same values.

    Attributes:
        workload: name of the workload.
        measure: the function of the workload that is measured: "forward", "gradient", ...
        candidates: by name of the library.
        reference: the library that the others are compared with; the first candidate if it is not installed.
        tolerance: largest accepted difference, relative to the largest value of the array; None if values may differ.
        sizes: of the workload, for the record.
    """

    workload: str
    measure: str
    candidates: Mapping[str, Candidate]
    reference: str = "e3nn-jax"
    tolerance: float | None = 1e-5
    sizes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """A compiled program and the cost of compiling it.

    Attributes:
        program: the program, called with the arguments.
        trace_seconds: time from Python to StableHLO.
        compile_seconds: time from StableHLO to machine code.
        temporary_bytes: memory needed besides arguments and results; None where the platform does not report it.
        floor_bytes: size of arguments and results, which must be read and written at least once.
    """

    program: Callable[..., Any]
    trace_seconds: float
    compile_seconds: float
    temporary_bytes: int | None
    floor_bytes: int | None


@dataclass(frozen=True)
class Measurement:
    """The measurement of one candidate of a comparison.

    Attributes:
        library: name of the candidate.
        compiled: its program.
        seconds: seconds per call, for each turn.
        error: largest difference from the reference, relative to the largest value; None if not compared.
    """

    library: str
    compiled: Compiled
    seconds: Sequence[float]
    error: float | None


def optional(name: str) -> Any:
    """Return the module of this name, or None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def forget() -> None:
    """Empty the caches of JAX, of irreps and of the peers, so that each library computes its coefficients anew."""
    jax.clear_caches()
    irr.clear_caches()
    for cache in gc.get_objects():
        if isinstance(cache, _CACHE) and str(getattr(cache, "__module__", "")).startswith(_PEERS):
            cache.cache_clear()


def compiled(function: Callable[..., Any], *args: Any) -> Compiled:
    """Trace and compile from scratch."""
    forget()
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    traced = time.perf_counter()
    program = lowered.compile()
    end = time.perf_counter()
    memory = program.memory_analysis()
    temporary = None if memory is None else memory.temp_size_in_bytes
    floor = None if memory is None else memory.argument_size_in_bytes + memory.output_size_in_bytes
    return Compiled(program, traced - start, end - traced, temporary, floor)


def take_turns(functions: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, list[float]]:
    """Return the seconds per call of each function, for each turn."""
    calls = {name: _calls(function) for name, function in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    for _ in range(turns):
        for name, function in functions.items():
            seconds[name].append(_seconds(function, calls[name]))
    return seconds


def _seconds(function: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        result = function()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / calls


def _calls(function: Callable[[], Any]) -> int:
    """Return the number of calls in a turn, after a first call that warms up the function."""
    jax.block_until_ready(function())
    if jax.default_backend() == "cpu":
        return 1
    return math.ceil(min(GPU_TURN / _seconds(function, 1), 100))


def run(comparison: Comparison, turns: int) -> list[Measurement]:
    """Compile, check and time all candidates of a comparison."""
    candidates = comparison.candidates
    programs = {name: compiled(c.function, *c.args) for name, c in candidates.items()}
    errors = _errors(comparison, programs)
    calls = {name: _call(programs[name].program, c.args) for name, c in candidates.items()}
    seconds = take_turns(calls, turns)
    return [Measurement(name, programs[name], seconds[name], errors[name]) for name in candidates]


def reference(comparison: Comparison) -> str:
    """Return the name of the candidate that the others are compared with."""
    names = list(comparison.candidates)
    return comparison.reference if comparison.reference in names else names[0]


def _call(program: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return lambda: program(*args)


def _errors(comparison: Comparison, programs: Mapping[str, Compiled]) -> dict[str, float | None]:
    if comparison.tolerance is None:
        return dict.fromkeys(programs)
    values = {}
    for name, candidate in comparison.candidates.items():
        result = candidate.common(programs[name].program(*candidate.args))
        values[name] = [np.asarray(leaf) for leaf in jax.tree.leaves(result)]
    expected = values[reference(comparison)]
    return {name: relative_error(value, expected) for name, value in values.items()}


def relative_error(values: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the largest difference relative to the largest expected value of the array, maximized over arrays.

    NaN if any value is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    shapes = [a.shape for a in values], [b.shape for b in expected]
    if shapes[0] != shapes[1]:
        raise ValueError(f"expected results of shapes {shapes[1]}, got {shapes[0]}")
    pairs = [(a, b) for a, b in zip(values, expected, strict=True) if b.size]
    return float(max((np.abs(a - b).max() / (np.abs(b).max() or 1) for a, b in pairs), key=_nan_last, default=0.0))


def _nan_last(number: float) -> float:
    return math.inf if math.isnan(number) else number


def copy_bandwidth(megabytes: int) -> float:
    """Return the bytes per second read and written by a plain copy of an array of this size."""
    x = jnp.zeros(megabytes * 250_000, jnp.float32)
    program = compiled(lambda x: x + 1, x).program
    return 2 * x.nbytes / min(take_turns({"copy": _call(program, (x,))}, 10)["copy"])
