"""The reference: one Einstein sum for each path, with dense coefficients. Slow and obvious, the oracle of the tests."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from ._rows import read_rows, write_rows

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Path

_ROW = "Z"
_COMPONENTS = "ABCDEFGHIJKLMNOPQRSTUVWXY"


class ReferenceExecutor:
    """Evaluates by definition. Anything, anywhere, at any cost."""

    irreps_api = 1
    name = "reference"

    def why_not(self, task: "Task") -> str | None:
        """It can do everything."""
        return None

    def cost(self, task: "Task") -> float:
        """Never the cheapest."""
        return float("inf")

    def run(self, task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
        """See :class:`Executor`."""
        read = read_rows(task, inputs, indices)
        values: list[jax.Array | None] = [None] * len(task.polynomial.outputs)
        for path in task.polynomial.paths:
            y, previous = self._path(task, path, read), values[path.output]
            values[path.output] = y if previous is None else previous + y
        return write_rows(task, values, indices)

    def _path(self, task: "Task", path: "Path", read: list[jax.Array]) -> jax.Array:
        operands = task.polynomial.operands(path)
        letters = [
            (_ROW if operand.row_axes else "") + operand.laid_out(component, modes)
            for operand, component, modes in zip(operands, _COMPONENTS, path.modes, strict=False)
        ]
        factors = [read[i] for i in path.inputs]
        dense = path.coefficients.dense([operand.components for operand in operands])
        formula, wanted = [*letters[:-1], _COMPONENTS[: len(operands)]], letters[-1]
        factors.append(jnp.asarray(dense, task.dtype))
        # What no input depends on is broadcast, or (rows) summed as often as there are rows.
        for letter, extent in {**task.polynomial.extents(path), _ROW: task.rows}.items():
            if letter not in "".join(formula) and (letter in wanted or letter == _ROW):
                formula.append(letter)
                factors.append(jnp.ones(extent, task.dtype))
        return jnp.einsum(f"{','.join(formula)}->{wanted}", *factors, precision=jax.lax.Precision.HIGHEST)
