"""Who runs a polynomial: the executors, ours and those of plugins, and how one is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax

from irreps_core import plugins

from ._polynomial import EACH, SHARED, Operand, Polynomial


@dataclass(frozen=True)
class Task:
    """A polynomial and what is known of its arrays when it is traced. Immutable, hashed by content.

    Attributes:
        polynomial: what to compute.
        rows: how many rows there are.
        sizes: how many rows the operands of each index have, as pairs (index, rows).
        dtype: of all arrays.
        precision: of matrix products.
    """

    polynomial: Polynomial
    rows: int
    sizes: tuple[tuple[str, int], ...]
    dtype: Any
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST

    def shape(self, operand: Operand) -> tuple[int, ...]:
        """Shape of the array of an operand."""
        if operand.rows == SHARED:
            return operand.shape
        return (self.rows if operand.rows == EACH else dict(self.sizes)[operand.rows], *operand.shape)


@runtime_checkable
class Executor(Protocol):
    """Computes polynomials; a plugin of the group ``irreps.kernels`` is one, with ``irreps_api = 1``.

    It has to compute, nothing else: derivatives, batches and pruned polynomials come to it as polynomials.
    """

    name: str

    def why_not(self, task: Task) -> str | None:
        """Why it cannot do this, for people; None if it can."""
        ...

    def cost(self, task: Task) -> float:
        """About how many nanoseconds it would take. The cheapest executor that can is chosen."""
        ...

    def run(self, task: Task, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
        """The outputs.

        Args:
            task: what to compute.
            inputs: an array of shape ``task.shape(operand)`` for each input of the polynomial.
            indices: for each index of the polynomial integers of shape (rows,). What is out of range reads zeros and
                writes nothing.
        """
        ...


Choice: TypeAlias = "str | Executor | tuple[str | Executor, ...] | None"


def _group() -> plugins.Group:
    from ._reference_executor import ReferenceExecutor
    from ._xla_executor import XlaExecutor

    ours = {executor.name: executor for executor in (ReferenceExecutor(), XlaExecutor())}
    return plugins.Group("irreps.kernels", interface=Executor, builtin=MappingProxyType(ours))


KERNELS = _group()


def executors() -> tuple[str, ...]:
    """The names of all executors, ours and those of plugins. Imports no plugin.

    Example:
        >>> import irreps_ops as io
        >>> io.executors()[:2]
        ('reference', 'xla')
    """
    return tuple(sorted({*KERNELS.builtin, *plugins.discover(KERNELS)}))


def why_not(executor: "str | Executor", task: Task) -> str | None:
    """Why an executor cannot do a task; None if it can."""
    return plugins.load(KERNELS, executor).why_not(task)


def choose(task: Task, choice: Choice = None) -> Executor:
    """The executor of a task.

    Args:
        task: what to compute.
        choice: a name or an executor; or several, of which the first that can is taken. None: the cheapest of ours.

    Raises:
        ValueError: what was asked for cannot; says why.
    """
    if choice is None:
        able = [e for e in KERNELS.builtin.values() if e.why_not(task) is None]
        return min(able, key=lambda executor: executor.cost(task))
    refusals = []
    for wanted in choice if isinstance(choice, tuple) else (choice,):
        executor = plugins.load(KERNELS, wanted)
        refusal = executor.why_not(task)
        if refusal is None:
            return executor
        refusals.append(f"{executor.name}: {refusal}")
    reasons, what = "; ".join(refusals), task.polynomial.explain()
    raise ValueError(f"no executor that was asked for can do this ({reasons}):\n{what}")
