"""The conformance kit: tests for layers, bindings and executors, ours and yours.

It needs no test framework; :mod:`irreps_ops.conformance` is the same for pytest. For equivariance of functions see
:mod:`irreps_core.testing`.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import plugins
from irreps_ops.bindings._registry import BINDINGS, Binding, binding
from irreps_ops.compute._dispatch import EXECUTORS, Executor, ExecutorRefused, Named
from irreps_ops.compute._primitive import evaluate

from ._executor_cases import ExecutorCase, convolution, edges_of_rows, executor_cases, fully_connected, powers
from ._layer_cases import LayerCase as LayerCase
from ._layer_cases import layer_cases as layer_cases
from ._layer_cases import layers_with_cases as layers_with_cases
from ._layer_table import Cell, cells, table

# Allowed differences from the reference, relative to the largest number of an array.
_TOLERANCE = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 1e-2}


def check_layer(layer: Any, *irreps_in: Any, bindings: Iterable[str | Binding] | None = None, only: str = "") -> str:
    """Check a layer, without a framework and in frameworks: does it hold what layers promise?

    Alone: it is a frozen dataclass; `example` leads to the same parameters as data; outputs are finite, equivariant
    and of the dtype of the data; it works in `jit`, `vmap`, with a batch of 0, and parameters are made under
    `eval_shape`; derivatives to second order, forwards and backwards, agree with finite differences; random keys
    make a difference. In a framework: see :func:`check_binding`.

    Args:
        layer: a layer, the name of a layer, or a :class:`LayerCase`, which says what data to try it on.
        irreps_in: for a layer, of its inputs, as its `example` takes them; the data are drawn.
        bindings: names of frameworks, or bindings. Default: those that are installed and ready.
        only: do only those checks in whose name this occurs.

    Returns:
        A table for people: a row for the layer (for each of its cases), a column for each framework.

    Raises:
        AssertionError: something does not hold; the message is the table and says what.
        ValueError: a layer without irreps, or a name of a plugin's layer that does not say what to try it on.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops.testing import check_layer
        >>> print(check_layer(irr.Linear("0e"), "2x0e", bindings=(), only="dtype"))
                alone
        Linear  1 hold
    """
    if isinstance(layer, str):
        cases = layer_cases(layer)
    elif isinstance(layer, LayerCase):
        cases = [layer]
    elif irreps_in:
        cases = [LayerCase(layer, irreps_in)]
    else:
        raise ValueError("check_layer expects a layer and the irreps of its inputs, or a LayerCase, or a name")
    return _all_hold(cells(cases, _bindings(bindings), True, only))


def check_binding(name: str | Binding, *, layers: Iterable[str] | None = None, only: str = "") -> str:
    """Check a binding with every layer: does it hold what bindings promise?

    For each layer: the module class has its name, documentation and arguments; parameters and state have its names,
    shapes, dtypes and first values, also under `eval_shape`; they come and go as trees, and those of other shapes are
    refused; random keys make a difference; and the module computes what the layer computes. If JAX traces the same
    program, as it should, that settles numbers, `jit`, derivatives of every order and `vmap`; otherwise they are
    computed and compared: bit for bit on a CPU, derivatives to 1e-12.

    Args:
        name: the name of a binding, or a binding.
        layers: names of layers. Default: all that are installed and say what to try them on.
        only: do only those checks in whose name this occurs.

    Returns:
        A table for people: a row for each layer and way of calling it.

    Raises:
        AssertionError: something does not hold; the message is the table and says what.

    Example:
        >>> from irreps_ops.testing import check_binding
        >>> print(check_binding("haiku", layers=["Linear"]))  # doctest: +SKIP
                          haiku
        Linear            10 hold
        Linear, mixed     10 hold
        Linear, indexed   10 hold
        Linear, channels  10 hold
    """
    cases = [case for each in (layers_with_cases() if layers is None else layers) for case in layer_cases(each)]
    return _all_hold(cells(cases, _bindings([name]), False, only))


def _bindings(wanted: Iterable[str | Binding] | None) -> dict[str, Any]:
    if wanted is None:
        wanted = [status.plugin.name for status in plugins.available(BINDINGS) if status.state == "ready"]
    return {each if isinstance(each, str) else type(each).__name__: binding(each) for each in wanted}


def _all_hold(found: Iterable[Cell]) -> str:
    found = list(found)
    told = table(found)
    if any(cell.wrong for cell in found):
        raise AssertionError(told)
    return told


class _Check(NamedTuple):
    """A check: `run`, given an executor and a dtype, answers with what is wrong, if anything is."""

    name: str
    run: Callable[[Executor, str], str | None]
    among: slice = slice(None)  # in which of the dtypes; compiling takes the time, so not always in all of them


class _Result(NamedTuple):
    """What came out of a check with one dtype: state is ``"ok"``, ``"FAILED"`` or ``"refused"``."""

    name: str
    dtype: str
    state: str
    reason: str = ""


def check_executor(executor: Named, *, dtypes: Sequence[str] = ("float32", "float64"), only: str = "") -> str:
    """Check an executor of the compute core against the reference: does it compute what it says it can?

    Small polynomials of every kind are evaluated: all kinds of channels, shared and indexed operands, indices out of
    range, several outputs, products of many factors, no rows and one; then derivatives to third order, batches
    (``jax.vmap``) with and without indices, and operands that are stored as bfloat16. What an executor refuses with a
    reason (:meth:`Executor.why_not`) is no failure.

    Args:
        executor: the name of an executor, or an executor.
        dtypes: dtypes to compute in; float64 is left out where JAX has it switched off.
        only: do only those checks in whose name this occurs.

    Returns:
        A table for people: a line for each check, with the dtypes in which it holds, fails, or is refused and why.

    Raises:
        AssertionError: something does not hold, or everything is refused; the message is the table.
        ValueError: no check is called that.

    Example:
        >>> from irreps_ops.testing import check_executor
        >>> print(check_executor("reference", dtypes=["float32"], only="broadcast"))
        the executor 'reference' in float32
        ok       broadcast to channels
        ok       sum and broadcast
    """
    candidate = plugins.load(EXECUTORS, executor)
    wanted = [d for d in dtypes if jax.dtypes.canonicalize_dtype(d) == d]
    checks = [check for check in _checks() if only in check.name]
    results = [_result(check, candidate, dtype) for check in checks for dtype in wanted[check.among]]
    if not results:
        raise ValueError(f"no check of {[check.name for check in _checks()]} is called {only!r}")
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
    except Exception as error:  # whatever goes wrong in somebody else's executor is a line of the table
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
    """Something made of the function of a case, by the executor and by the reference: where they differ."""

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
    """A function and its gradient, each for a batch."""

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
    """Arrays of bfloat16 give what the same numbers as float32 give, rounded at the end."""
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
