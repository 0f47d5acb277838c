"""Gather inputs and scatter outputs through indices, and convert storage dtypes.

The executors made of XLA operations share this. Inputs come in the dtype of the arithmetic; outputs are summed in it
and then cast to the dtype of their operand.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._terms import Operand


def gather_inputs(
    contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
) -> list[jax.Array]:
    """Return each input with an entry for each element of the batch (or broadcast); zeros for indices out of range."""
    operands = contraction.polynomial.inputs
    return [_gathered(contraction, o, x, indices) for x, o in zip(inputs, operands, strict=True)]


def _gathered(contraction: Contraction, operand: Operand, x: jax.Array, indices: Mapping[str, jax.Array]) -> jax.Array:
    if operand.index is None:
        return x.astype(contraction.dtype)
    index = indices[operand.index]
    if not x.shape[0]:  # XLA cannot gather from no rows
        return jnp.zeros((*index.shape, *operand.shape), contraction.dtype)
    # Negative entries are out of range; they do not count from the end.
    return x.at[index].get(mode="fill", fill_value=0, wrap_negative_indices=False).astype(contraction.dtype)


def scatter_outputs(
    contraction: Contraction, values: Sequence[jax.Array | None], indices: Mapping[str, jax.Array]
) -> list[jax.Array]:
    """Return each output from its values for the batch (or broadcast), scattered if it is indexed. None is zero."""
    operands = contraction.polynomial.outputs
    return [_scattered(contraction, o, y, indices) for y, o in zip(values, operands, strict=True)]


def _scattered(
    contraction: Contraction, operand: Operand, y: jax.Array | None, indices: Mapping[str, jax.Array]
) -> jax.Array:
    if y is None:
        return jnp.zeros(contraction.shape(operand), contraction.dtype_of(operand))
    if operand.index is not None:
        zeros = jnp.zeros(contraction.shape(operand), contraction.dtype)
        y = zeros.at[indices[operand.index]].add(y, mode="drop", wrap_negative_indices=False)
    return y.astype(contraction.dtype_of(operand))
