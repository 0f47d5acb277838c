"""Who runs a polynomial: the executors, ours and those of plugins, and how one is chosen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from irreps_core import plugins

from . import _explain
from ._polynomial import EACH, SHARED, Operand, Polynomial


@dataclass(frozen=True)
class Task:
    """A polynomial and what is known of its arrays when it is traced. Immutable, hashed by content.

    Attributes:
        polynomial: what to compute.
        rows: how many rows there are.
        sizes: how many rows the operands of each index have, as pairs (index, rows).
        dtype: of the arithmetic and of all sums, and of the arrays whose operand names no other (`Operand.dtype`).
        precision: of matrix products.

    Raises:
        ValueError: a negative number of rows, or sizes of other indices than the polynomial has.

    Example:
        >>> import numpy as np
        >>> from irreps_ops import Coefficients, Operand, Path, Polynomial, Task
        >>> square = Path((0, 0), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> polynomial = Polynomial((Operand(3, (8,), name="x"),), (Operand(1, (8,), name="norm2"),), (square,))
        >>> print(Task(polynomial, rows=10, sizes=(), dtype="float32").explain())
        1 path, 3 terms
        10 rows: 480 multiply-adds, at least 960 bytes read and 320 bytes written (float32)
          in0 x: 3 x 8, each row
          out0 norm2: 1 x 8, each row
          out0[a] += 3 terms of in0[a] in0[a]
    """

    polynomial: Polynomial
    rows: int
    sizes: tuple[tuple[str, int], ...]
    dtype: Any
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST

    def __post_init__(self) -> None:
        """Check the numbers of rows."""
        object.__setattr__(self, "dtype", jnp.dtype(self.dtype))
        expected, found = sorted(self.polynomial.indices), sorted(name for name, _ in self.sizes)
        if found != expected:
            raise ValueError(f"sizes must say the rows of the indices {expected}, got {found}")
        for name, rows in (("the iteration", self.rows), *self.sizes):
            if rows < 0:
                raise ValueError(f"the number of rows of {name} must be 0 or more, got {rows}")

    def shape(self, operand: Operand) -> tuple[int, ...]:
        """Shape of the array of an operand."""
        if operand.rows == SHARED:
            return operand.shape
        return (self.rows if operand.rows == EACH else dict(self.sizes)[operand.rows], *operand.shape)

    def dtype_of(self, operand: Operand) -> Any:
        """Dtype of the array of an operand."""
        return self.dtype if operand.dtype is None else jnp.dtype(operand.dtype)

    def output_types(self) -> list[jax.ShapeDtypeStruct]:
        """Shape and dtype of each output, as ``jax.pure_callback`` and others want to know them."""
        return [jax.ShapeDtypeStruct(self.shape(o), self.dtype_of(o)) for o in self.polynomial.outputs]

    def multiply_adds(self) -> int:
        """Multiply-adds for all rows, term by term: an upper bound on what an executor has to do."""
        return self.rows * self.polynomial.multiply_adds()

    def bytes(self) -> tuple[int, int]:
        """Bytes read and written if each array is touched once: a lower bound. An index counts 4 for each row."""
        return _explain.task_bytes(self)

    def explain(self) -> str:
        """As :meth:`Polynomial.explain`, with the multiply-adds and the bytes of all rows together."""
        return _explain.task(self)


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
            inputs: for each input of the polynomial an array of shape ``task.shape(operand)`` and dtype
                ``task.dtype_of(operand)``.
            indices: for each index of the polynomial integers of shape (rows,). What is out of range, negative
                numbers among it, reads zeros and writes nothing.

        Returns:
            For each output of the polynomial an array of shape ``task.shape(operand)`` and dtype
            ``task.dtype_of(operand)``, computed and added up in ``task.dtype``.
        """
        ...


class ExecutorRefused(ValueError):
    """No executor that was asked for can do a task; the message says why each cannot."""


Named: TypeAlias = "str | Executor"
Choice: TypeAlias = "Named | tuple[Named, ...] | Callable[[Task], Named] | None"


def _group() -> plugins.Group:
    from ._reference_executor import ReferenceExecutor
    from ._row_executor import RowExecutor
    from ._xla_executor import XlaExecutor

    ours = {executor.name: executor for executor in (ReferenceExecutor(), RowExecutor(), XlaExecutor())}
    return plugins.Group("irreps.kernels", interface=Executor, builtin=MappingProxyType(ours))


KERNELS = _group()


def executors() -> tuple[str, ...]:
    """The names of all executors, ours and those of plugins. Imports no plugin.

    Example:
        >>> import irreps_ops as io
        >>> {"reference", "xla"} <= set(io.executors())
        True
    """
    return tuple(sorted({*KERNELS.builtin, *plugins.discover(KERNELS)}))


def why_not(executor: Named, task: Task) -> str | None:
    """Why an executor cannot do a task; None if it can."""
    return plugins.load(KERNELS, executor).why_not(task)


def choose(task: Task, choice: Choice = None) -> Executor:
    """The executor of a task.

    Args:
        task: what to compute.
        choice: a name or an executor; or several, of which the first that can is taken; or a function that is given
            the task and answers with a name or an executor, see :func:`cheapest`. None: the cheapest of ours.

    Raises:
        ExecutorRefused: what was asked for cannot; says why. (A ValueError.)
    """
    if choice is None:
        choice = cheapest(*KERNELS.builtin)
    if callable(choice) and not isinstance(choice, Executor):
        choice = choice(task)
    refusals = []
    for wanted in choice if isinstance(choice, tuple) else (choice,):
        executor = plugins.load(KERNELS, wanted)
        refusal = executor.why_not(task)
        if refusal is None:
            return executor
        refusals.append(f"{executor.name}: {refusal}")
    raise _refused(task, refusals)


def _refused(task: Task, refusals: Sequence[str]) -> ExecutorRefused:
    reasons = "; ".join(refusals) or "none was asked for"
    return ExecutorRefused(f"no executor that was asked for can do this ({reasons}):\n{task.explain()}")


@dataclass(frozen=True)
class _Cheapest:
    """See :func:`cheapest`."""

    wanted: tuple[Named, ...]

    def __call__(self, task: Task) -> Executor:
        candidates = [plugins.load(KERNELS, wanted) for wanted in self.wanted]
        refusals = [(executor, executor.why_not(task)) for executor in candidates]
        able = [executor for executor, refusal in refusals if refusal is None]
        if not able:
            raise _refused(task, [f"{executor.name}: {refusal}" for executor, refusal in refusals])
        return min(able, key=lambda executor: executor.cost(task))


def cheapest(*executors: Named) -> Callable[[Task], Executor]:
    """For each task the cheapest of these executors that can do it, by what they say it costs.

    To be given as ``executor=``, or to :func:`use_executor`. Any other function of a task that answers with a name or
    an executor does as well: that is how to overrule what executors say of their cost.

    Example:
        >>> import irreps_ops as io
        >>> both = io.cheapest("reference", "xla")  # what is taken where nothing is asked for
        >>> mine = lambda task: "reference" if task.rows < 10 else "xla"
    """
    return _Cheapest(executors)
