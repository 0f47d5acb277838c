"""Reading rows by an index and writing them by an index, and the dtypes that they are stored as.

What executors made of XLA operations share. What is read comes in the dtype of the arithmetic, and what is written is
cast to the dtype of its operand after it has been added up; an executor that uses these need not know of the others.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Operand


def read(task: "Task", operand: "Operand", x: jax.Array, indices: Mapping[str, jax.Array]) -> jax.Array:
    """An input with a row for each row of the iteration (or shared), looked up if it is indexed; zeros out of range."""
    if operand.indexed and not x.shape[0]:  # nothing to look up, and XLA would not look there
        x = jnp.zeros((*indices[operand.rows].shape, *operand.shape), x.dtype)
    elif operand.indexed:
        # Negative numbers are out of range too: they do not count from the end.
        x = x.at[indices[operand.rows]].get(mode="fill", fill_value=0, wrap_negative_indices=False)
    return x.astype(task.dtype)


def write(task: "Task", operand: "Operand", y: jax.Array | None, indices: Mapping[str, jax.Array]) -> jax.Array:
    """An output from a value for each row of the iteration (or shared); None is zero, indexed ones are added up."""
    if y is None:
        return jnp.zeros(task.shape(operand), task.dtype_of(operand))
    if operand.indexed:
        zeros = jnp.zeros(task.shape(operand), task.dtype)
        y = zeros.at[indices[operand.rows]].add(y, mode="drop", wrap_negative_indices=False)
    return y.astype(task.dtype_of(operand))


def read_rows(task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
    """All inputs, each as :func:`read`."""
    return [read(task, operand, x, indices) for x, operand in zip(inputs, task.polynomial.inputs, strict=True)]


def write_rows(task: "Task", values: Sequence[jax.Array | None], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
    """All outputs, each as :func:`write`."""
    return [write(task, operand, y, indices) for y, operand in zip(values, task.polynomial.outputs, strict=True)]
