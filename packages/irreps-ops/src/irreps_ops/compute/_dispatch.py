"""The registry of executors, and the choice of one for a contraction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias, runtime_checkable

import jax

from irreps_core import plugins

from ._contraction import Contraction
from .executors._edge_rows import EdgeRowsExecutor
from .executors._reference import ReferenceExecutor
from .executors._xla import XlaExecutor


@runtime_checkable
class Executor(Protocol):
    """Computes contractions. A plugin of the group ``irreps.executors`` is one, with ``irreps_api = 1``.

    Derivatives, vmapped and pruned polynomials reach it as contractions of their own.
    """

    name: str

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason why it cannot compute this, in words; None if it can."""
        ...

    def cost(self, contraction: Contraction) -> float:
        """Return an estimate of the run time in nanoseconds. By default the cheapest capable executor is chosen."""
        ...

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """Compute the outputs.

        Args:
            contraction: the polynomial, sizes, dtypes and platform.
            inputs: for each input of the polynomial an array of shape ``contraction.shape(operand)`` and dtype
                ``contraction.dtype_of(operand)``.
            indices: for each index of the polynomial integers of shape (batch,). Entries out of range, negative ones
                included, read zeros and write nothing.

        Returns:
            For each output of the polynomial an array of shape ``contraction.shape(operand)`` and dtype
            ``contraction.dtype_of(operand)``, computed and summed in ``contraction.dtype``.
        """
        ...


class ExecutorRefused(ValueError):
    """None of the requested executors can compute a contraction; the message gives the reason of each."""


Named: TypeAlias = "str | Executor"
Choice: TypeAlias = "Named | tuple[Named, ...] | Callable[[Contraction], Named] | None"

_OURS = MappingProxyType({e.name: e for e in (ReferenceExecutor(), EdgeRowsExecutor(), XlaExecutor())})
EXECUTORS = plugins.Group("irreps.executors", interface=Executor, builtin=_OURS)


def executors() -> tuple[str, ...]:
    """Return the names of all executors, ours and those of plugins. Imports no plugin.

    Example:
        >>> from irreps_ops.compute import executors
        >>> {"reference", "xla"} <= set(executors())
        True
    """
    return tuple(sorted({*EXECUTORS.builtin, *plugins.discover(EXECUTORS)}))


def why_not(executor: Named, contraction: Contraction) -> str | None:
    """Return the reason why an executor cannot compute a contraction; None if it can."""
    return plugins.load(EXECUTORS, executor).why_not(contraction)


def choose(contraction: Contraction, choice: Choice = None) -> Executor:
    """Choose the executor of a contraction.

    Args:
        contraction: the contraction.
        choice: a name or an executor; or several, of which the first capable one is taken; or a function of the
            contraction that returns a name or an executor, see :func:`cheapest`. None: the cheapest of ours.

    Raises:
        ExecutorRefused: none of the requested executors can compute it. (A ValueError.)
    """
    if choice is None:
        choice = cheapest(*EXECUTORS.builtin)
    if callable(choice) and not isinstance(choice, Executor):
        choice = choice(contraction)
    refusals = []
    for wanted in choice if isinstance(choice, tuple) else (choice,):
        executor = plugins.load(EXECUTORS, wanted)
        refusal = executor.why_not(contraction)
        if refusal is None:
            return executor
        refusals.append(f"{executor.name}: {refusal}")
    raise _refused(contraction, refusals)


def _refused(contraction: Contraction, refusals: Sequence[str]) -> ExecutorRefused:
    reasons = "; ".join(refusals) or "no executor was requested"
    return ExecutorRefused(f"no requested executor can compute this ({reasons}):\n{contraction.explain()}")


@dataclass(frozen=True)
class _Cheapest:
    """See :func:`cheapest`. A class, so that equal choices are equal parameters of a jaxpr."""

    wanted: tuple[Named, ...]

    def __call__(self, contraction: Contraction) -> Executor:
        candidates = [plugins.load(EXECUTORS, wanted) for wanted in self.wanted]
        refusals = [(executor, executor.why_not(contraction)) for executor in candidates]
        capable = [executor for executor, refusal in refusals if refusal is None]
        if not capable:
            raise _refused(contraction, [f"{executor.name}: {refusal}" for executor, refusal in refusals])
        return min(capable, key=lambda executor: executor.cost(contraction))


def cheapest(*executors: Named) -> Callable[[Contraction], Executor]:
    """Choose, for each contraction, the capable executor with the lowest estimated cost.

    Pass it as ``executor=`` or to :func:`use_executor`. Any other function of a contraction that returns a name or an
    executor works as well, and so overrules the cost estimates.

    Example:
        >>> from irreps_ops.compute import cheapest
        >>> both = cheapest("reference", "xla")
        >>> mine = lambda contraction: "reference" if contraction.batch < 10 else "xla"
    """
    return _Cheapest(executors)
