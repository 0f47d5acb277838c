"""Reading rows by an index and writing them by an index: what executors made of XLA operations share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from ._executors import Task


def read_rows(task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
    """The inputs with a row for each row of the iteration (or shared): indexed ones are looked up."""
    return [
        jnp.take(x, indices[operand.rows], axis=0, mode="fill", fill_value=0) if operand.indexed else x
        for x, operand in zip(inputs, task.polynomial.inputs, strict=True)
    ]


def write_rows(task: "Task", values: Sequence[jax.Array | None], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
    """The outputs from a value for each row of the iteration (or shared); None is zero, indexed ones are added up."""
    outputs = []
    for y, operand in zip(values, task.polynomial.outputs, strict=True):
        if y is None:
            y = jnp.zeros(task.shape(operand), task.dtype)
        elif operand.indexed:
            zeros = jnp.zeros(task.shape(operand), task.dtype)
            y = zeros.at[indices[operand.rows]].add(y, mode="drop")
        outputs.append(y)
    return outputs
