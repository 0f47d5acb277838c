"""Every operation and layer under JAX's strict modes, which users switch on to find faults of their own.

Implicit promotion of dtypes and ranks is refused, tracers must not leak, and float64 may be missing. With jit disabled,
no number on the way to a value or a gradient is NaN or infinite, at zero or elsewhere: one would stop
``jax.debug_nans`` or ``jax.debug_infs`` in a program that is right. ``test_operations.py`` has the table of operations.
"""

import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr
from irreps_ops.testing import layer_cases
from irreps_ops.testing._layer_checks import Alone, Subject

table = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("test_operations.py"))))
LAYERS = list(irr.bindings._registry.LAYERS.builtin)
# Not ours: with jit disabled, functions of JAX make an infinite constant to compare with.
CONSTANT_INFINITY = {"legendre": "jnp.ldexp"}


@contextmanager
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


def trace(function: Callable[..., Any], arguments: Any) -> Any:
    """The program, in which no tracer leaks."""
    with strict(), jax.checking_leaks():
        return jax.make_jaxpr(function)(*arguments)


def run(function: Callable[..., Any], arguments: Any, infinity: bool = False) -> Any:
    """The results, operation by operation, each of which is finite."""
    with strict(), jax.disable_jit(), jax.debug_nans(True), jax.debug_infs(not infinity):
        return function(*arguments)


def narrow(tree: Any) -> Any:
    """Floating-point numbers as float32 and integers as int32: what there is without x64."""
    dtypes = {"f": np.float32, "i": np.int32}
    return jax.tree.map(lambda x: jnp.asarray(x, dtypes.get(np.dtype(x.dtype).kind)) if is_number(x) else x, tree)


def is_number(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.number)


def with_gradient(operation: Any) -> Callable[..., Any]:
    """Its results, and the gradient of the sum of their squares."""

    def total(*args: Any) -> Any:
        results = operation.function(*args)
        return sum((jnp.sum(y * y) for y in table.floats(results)), jnp.zeros((), jnp.float32)), results

    if operation.order == 0:
        return operation.function
    count = len(operation.arguments)
    return lambda *args: jax.value_and_grad(total, argnums=tuple(range(count)), has_aux=True)(*args)


def arguments(operation: Any) -> tuple[Any, ...]:
    """In float32. Where derivatives at zero exist, the second of three elements of the batch is zero."""

    def second_is_zero(x: np.ndarray) -> np.ndarray:
        return x * np.array([1, 0, 1]).reshape(-1, *[1] * (x.ndim - 1))

    def one(spec: Any, x: Any) -> Any:
        keep = isinstance(spec, table.Shared) or not operation.at_zero
        return narrow(x if keep else jax.tree.map(second_is_zero, x))

    return tuple(one(spec, x) for spec, x in zip(operation.arguments, table.draw(operation, 0), strict=True))


def subjects(name: str) -> list[Subject]:
    """The cases of a layer in float32, with int32 indices."""
    cases = [case.astype(jnp.float32) for case in layer_cases(name)]
    for case in cases:
        case.inputs = narrow(case.inputs)
    return [Subject(case, Alone()).prepared() for case in cases]


def layer_with_gradient(subject: Subject) -> Callable[..., Any]:
    """Output, new state, and the gradient of the sum of the squares of the output."""

    def total(floats: Any) -> Any:
        out = subject.of_floats(floats)
        return sum((jnp.sum(y * y) for y in table.floats(out[0])), jnp.zeros((), jnp.float32)), out

    return jax.value_and_grad(total, has_aux=True)


@pytest.mark.parametrize("name", table.OPERATIONS)
def test_operation_is_traced(name: str) -> None:
    operation = table.OPERATIONS[name]
    with jax.enable_x64(False):
        program = trace(with_gradient(operation), arguments(operation))
    assert not [x for x in program.out_avals if x.dtype.itemsize == 8 and is_number(x)]


@pytest.mark.parametrize("name", table.OPERATIONS)
def test_operation_runs_with_jit_disabled(name: str) -> None:
    operation = table.OPERATIONS[name]
    found = run(with_gradient(operation), arguments(operation), infinity=name in CONSTANT_INFINITY)
    assert all(np.isfinite(y).all() for y in table.leaves(found) if y.dtype.kind == "f")


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_traced(name: str) -> None:
    for subject in subjects(name):
        with jax.enable_x64(False):
            trace(layer_with_gradient(subject), (subject.floats,))


@pytest.mark.slow  # all layers together
@pytest.mark.parametrize("name", LAYERS)
def test_layer_runs_with_jit_disabled(name: str) -> None:
    subject = subjects(name)[0]
    found = run(subject.of_floats, (subject.floats,))
    assert all(np.isfinite(y).all() for y in table.leaves(found) if y.dtype.kind == "f")


def leaks(x: Any) -> Any:
    kept.append(x * 2)
    return x


kept: list[Any] = []
TRACED = {
    "implicit dtype promotion": lambda x: x * jnp.ones((2,), jnp.bfloat16),
    "jax_numpy_rank_promotion": lambda x: x * jnp.ones((2,), x.dtype),
    "[Ll]eaked": leaks,
    "float64": lambda x: x + jnp.asarray(1.0, jnp.float64),
}
RUN = {
    "nan": lambda x: jnp.where(x > 0, x, jnp.sqrt(x - 1)),
    "inf": lambda x: jnp.where(x == 0, 0, 1 / x),
}


@pytest.mark.parametrize("message", TRACED)
def test_faults_of_traced_programs_are_found(message: str) -> None:
    operation = table.row(TRACED[message], (2,))
    with jax.enable_x64(False), pytest.raises(Exception, match=message):
        trace(operation.function, arguments(operation))
    kept.clear()


@pytest.mark.parametrize("message", RUN)
def test_faults_at_zero_are_found(message: str) -> None:
    operation = table.row(RUN[message], (2,))
    with pytest.raises(FloatingPointError, match=message):
        run(with_gradient(operation), arguments(operation))
