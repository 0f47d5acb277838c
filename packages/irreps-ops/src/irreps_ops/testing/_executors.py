"""Conformance tests of executors: each is compared with the reference executor."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import plugins
from irreps_ops.compute._dispatch import EXECUTORS, Executor, ExecutorRefused, Named
from irreps_ops.compute._primitive import evaluate

from ._executor_cases import (
    ExecutorCase,
    convolution,
    edges_of_rows,
    evaluated_in_parts,
    executor_cases,
    fully_connected,
    powers,
    random_cases,
)

# Allowed differences from the reference, relative to the largest number of an array.
_TOLERANCE = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 1e-2}


class _Check(NamedTuple):
    """A check, whose `run` returns a description of the fault of an executor with a dtype, or None."""

    name: str
    run: Callable[[Executor, str], str | None]
    among: slice = slice(None)  # the dtypes to check; not always all, because compiling is slow


class _Result(NamedTuple):
    """The result of a check with one dtype; `state` is ``"ok"``, ``"FAILED"`` or ``"refused"``."""

    name: str
    dtype: str
    state: str
    reason: str = ""


def check_executor(executor: Named, *, dtypes: Sequence[str] = ("float32", "float64"), only: str = "") -> str:
    """Compare an executor with the reference executor.

    The checks evaluate small polynomials of every kind: all kinds of channels, broadcast and indexed operands, indices
    out of range, several outputs, products of many factors, an empty batch and a batch of one, and random polynomials;
    then derivatives to third order, batches (``jax.vmap``) with and without indices, and operands that are stored as
    bfloat16. A contraction that the executor refuses with a reason (:meth:`Executor.why_not`) is not a failure.

    Args:
        executor: the name of an executor, or an executor.
        dtypes: dtypes to compute in; float64 is omitted where JAX has it disabled.
        only: run only the checks whose name contains this text.

    Returns:
        A table for people to read: a line for each check, with the dtypes in which it passes, fails, or is refused.

    Raises:
        AssertionError: a check fails, or every check is refused; the message is the table with the faults.
        ValueError: no check has `only` in its name.

    Example:
        >>> from irreps_ops.testing import check_executor
        >>> print(check_executor("reference", dtypes=["float32"], only="empty batch"))
        the executor 'reference' in float32
        ok       empty batch, indexed
        ok       empty batch
    """
    candidate = plugins.load(EXECUTORS, executor)
    wanted = [d for d in dtypes if jax.dtypes.canonicalize_dtype(d) == d]
    checks = [check for check in _checks() if only in check.name]
    results = [_result(check, candidate, dtype) for check in checks for dtype in wanted[check.among]]
    if not results:
        raise ValueError(f"no check has {only!r} in its name: the checks are {[check.name for check in _checks()]}")
    table = _table(candidate, wanted, results)
    if any(r.state == "FAILED" for r in results) or all(r.state == "refused" for r in results):
        raise AssertionError(table)
    return table


def _checks() -> Iterator[_Check]:
    narrowest, widest = slice(1), slice(-1, None)
    for n, case in enumerate(executor_cases()):
        yield _Check(case.name, functools.partial(_values, case), slice(None) if n < 3 else narrowest)
    derived = {
        "indices": convolution(),
        "shared weights": fully_connected(),
        "powers": powers(),
        "edges of a row": edges_of_rows(),
    }
    for what, case in derived.items():
        yield _Check(f"derivatives to third order, {what}", functools.partial(_derivatives, case), widest)
    yield _Check("random polynomials and their gradients", _random, widest)
    yield _Check("operands that are parts of arrays", _in_parts, widest)
    yield _Check("batches of inputs (vmap)", _batches, narrowest)
    yield _Check("batches of indices (vmap)", _batches_of_indices, widest)
    yield _Check("without jit, twice the same", _eager, narrowest)
    yield _Check("stored as bfloat16, computed as float32", _stored, narrowest)


def _result(check: _Check, executor: Executor, dtype: str) -> _Result:
    try:
        wrong = check.run(executor, dtype)
    except ExecutorRefused as refusal:
        first = str(refusal).split("(", 1)[-1].split("):\n")[0]
        return _Result(check.name, dtype, "refused", first)
    except Exception as error:  # any error in an executor becomes a line of the table
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return _Result(check.name, dtype, "FAILED", f"{type(error).__name__}: {lines[-1] if lines else ''}"[:300])
    return _Result(check.name, dtype, "FAILED" if wrong else "ok", wrong or "")


def _table(executor: Executor, dtypes: Sequence[str], results: Sequence[_Result]) -> str:
    asked = Counter(result.name for result in results)
    lines: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        lines.setdefault((result.state, result.name, result.reason), []).append(result.dtype)
    told = [f"the executor {executor.name!r} in {', '.join(dtypes)}"]
    for (state, name, reason), where in lines.items():
        only = "" if len(where) == asked[name] else f" ({', '.join(where)})"
        told.append(f"{state:<8} {name}{only}" + (f": {reason}" if reason else ""))
    return "\n".join(told)


def _function(case: ExecutorCase, executor: Named, **options: Any) -> Callable[..., list[jax.Array]]:
    arguments = case.arguments() | options
    return lambda *inputs: evaluate(case.polynomial, inputs, executor=executor, **arguments)


def _both(case: ExecutorCase, executor: Executor, what: Callable[[Any], Any], inputs: Sequence[Any]) -> str | None:
    """Return the difference between executor and reference, after a transformation `what` of the case's function."""

    def compute(*arrays: Any) -> tuple[Any, Any]:
        return what(_function(case, executor))(*arrays), what(_function(case, "reference"))(*arrays)

    ours, expected = jax.jit(compute)(*inputs)
    return _difference(ours, expected, str(inputs[0].dtype))


def _difference(ours: Any, expected: Any, dtype: str) -> str | None:
    for place, (a, b) in enumerate(zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"out{place} is {a.dtype}{a.shape}, expected {b.dtype}{b.shape}"
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = np.max(np.abs(a - b), initial=0.0) / max(np.max(np.abs(b), initial=0.0), 1e-30)
        if not error < _TOLERANCE[dtype]:
            return f"out{place} is off by {error:.1e} of its largest number, allowed {_TOLERANCE[dtype]:.0e}"
    return None


def _values(case: ExecutorCase, executor: Executor, dtype: str) -> str | None:
    return _both(case, executor, lambda f: f, case.inputs(dtype))


def _derivatives(case: ExecutorCase, executor: Executor, dtype: str) -> str | None:
    n = len(case.polynomial.inputs)
    argnums = tuple(range(n))

    def scalar(f: Any) -> Any:
        return lambda *a: sum(jnp.sum(jnp.sin(y)) for y in f(*a))

    def directional(f: Any, along: Any) -> Any:
        return lambda *a: jax.jvp(f, a, along)[1]

    def derivatives(f: Any) -> Any:
        def first_second_third(*inputs_and_directions: Any) -> Any:
            inputs, along = inputs_and_directions[:n], inputs_and_directions[n:]
            s = scalar(f)
            first = jax.grad(s, argnums)
            third = jax.grad(directional(directional(s, along), along), argnums)
            return first(*inputs), directional(first, along)(*inputs), third(*inputs)

        return first_second_third

    return _both(case, executor, derivatives, [*case.inputs(dtype), *case.inputs(dtype, seed=1)])


def _random(executor: Executor, dtype: str, count: int = 8) -> str | None:
    cases = list(random_cases(count))

    def compute(inputs: Sequence[Sequence[jax.Array]]) -> list[Any]:
        def of(which: Named) -> list[Any]:
            functions = [_function(case, which) for case in cases]
            gradients = [
                jax.grad(_sum_of_sines(f), tuple(range(len(x)))) for f, x in zip(functions, inputs, strict=True)
            ]
            return [(f(*x), g(*x)) for f, g, x in zip(functions, gradients, inputs, strict=True)]

        return list(zip(of(executor), of("reference"), strict=True))

    for case, (ours, expected) in zip(cases, jax.jit(compute)([case.inputs(dtype) for case in cases]), strict=True):
        wrong = _difference(ours, expected, dtype)
        if wrong:
            return f"{case.name}: {wrong}"
    return None


def _in_parts(executor: Executor, dtype: str) -> str | None:
    """Compare values and gradients, and those of batches of inputs."""
    for n, case in enumerate((convolution(last=True), fully_connected(), powers(), *random_cases(4, seed=5))):
        inputs = case.inputs(dtype)
        argnums = tuple(range(len(inputs)))

        def compute(evaluated: Any, argnums: Any = argnums) -> Any:
            gradient, several = jax.grad(_sum_of_sines(evaluated), argnums), jax.vmap(evaluated)
            return lambda *x: (evaluated(*x), gradient(*x), several(*(jnp.stack([a, -2 * a]) for a in x)))

        ours = jax.jit(compute(functools.partial(_evaluated_in_parts, case, executor, n)))(*inputs)
        expected = jax.jit(compute(_function(case, "reference")))(*inputs)
        if wrong := _difference(ours, expected, dtype):
            return f"{case.name}: {wrong}"
    return None


def _evaluated_in_parts(case: ExecutorCase, executor: Executor, seed: int, *inputs: jax.Array) -> list[jax.Array]:
    return evaluated_in_parts(case, inputs, executor, seed)


def _sum_of_sines(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: sum(jnp.sum(jnp.sin(y)) for y in f(*inputs))


def _batches(executor: Executor, dtype: str) -> str | None:
    for case, batched in ((convolution(), (0, 1)), (fully_connected(), (1, 2)), (powers(), (0,)), (powers(), (0, 1))):
        inputs = case.inputs(dtype)
        axes = tuple(x.ndim if n in batched else None for n, x in enumerate(inputs))
        stacked = [x if a is None else jnp.stack([x, -2 * x, x * x], a) for x, a in zip(inputs, axes, strict=True)]

        wrong = _both(case, executor, functools.partial(_batched, axes), stacked)
        if wrong:
            return f"{case.name}: {wrong}"
    return None


def _batched(axes: tuple[int | None, ...], f: Any) -> Any:
    """Return a function and its gradient, each for a batch."""

    def scalar(*inputs: Any) -> Any:
        return sum(jnp.sum(jnp.sin(y)) for y in f(*inputs))

    return lambda *inputs: (jax.vmap(f, axes)(*inputs), jax.vmap(jax.grad(scalar), axes)(*inputs))


def _batches_of_indices(executor: Executor, dtype: str) -> str | None:
    case = convolution()
    arguments = case.arguments()
    indices = {name: jnp.stack([index, index[::-1]]) for name, index in arguments.pop("indices").items()}

    def batched(which: Named) -> Any:
        def one(weights: Any, x: Any, harmonics: Any, indices: Any) -> Any:
            return evaluate(case.polynomial, [weights, x, harmonics], indices, executor=which, **arguments)

        return jax.vmap(one, (None, None, 0, 0))

    weights, x, harmonics = case.inputs(dtype)
    inputs = (weights, x, jnp.stack([harmonics, -harmonics]), indices)
    ours, expected = jax.jit(lambda *a: (batched(executor)(*a), batched("reference")(*a)))(*inputs)
    return _difference(ours, expected, dtype)


def _eager(executor: Executor, dtype: str) -> str | None:
    case = fully_connected()
    inputs = case.inputs(dtype)
    first, second, expected = (_function(case, e)(*inputs) for e in (executor, executor, "reference"))
    wrong = _difference(first, expected, dtype)
    if wrong is None and not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)):
        return "two runs on the same arrays differ"
    return wrong


def _stored(executor: Executor, dtype: str) -> str | None:
    """Compare operands of bfloat16 with the same numbers as float32, rounded at the end."""
    for case in (convolution(), fully_connected()):
        narrow = [x.astype(jnp.bfloat16) for x in case.inputs(dtype)]
        wide = [x.astype(dtype) for x in narrow]
        exact = jax.jit(_function(case, "reference"))(*wide)
        for option, allowed in ((dtype, dtype), ("bfloat16", "bfloat16")):
            ours = jax.jit(_function(case, executor, dtype=dtype, out_dtype=option))(*narrow)
            wrong = _difference(ours, [y.astype(option) for y in exact], allowed)
            if wrong:
                return f"{case.name}: {wrong}"
    return None
