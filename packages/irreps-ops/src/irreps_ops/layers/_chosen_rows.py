"""Rows of a parameter that an index chooses."""

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._primitive import evaluate
from irreps_ops.compute._terms import Coefficients, Index, Operand, Path


def chosen_rows(name: str, table: jax.Array, indices: jax.Array) -> jax.Array:
    """Return a row of `table` for each index; NaN for an index out of range, which `checked` refuses.

    Args:
        name: of the index, for the message of :func:`irreps_ops.checked`.
        table: array of shape (n, ...).
        indices: integers from 0 to n-1, of shape (batch...).

    Returns:
        Array of shape (batch..., ...).
    """
    # A product of the compute core, which reads zeros out of range and can be checked, tells which indices are known.
    ones = jnp.ones((len(table), 1))
    (known,) = evaluate(_row(name), [ones], {name: indices.reshape(-1)})
    rows = jnp.where(known.reshape(indices.shape) > 0, indices.astype(int), len(table))
    # The gather makes the NaN: a constant would stop ``jax.debug_nans`` where all indices are in range.
    return jnp.asarray(table).at[rows].get(mode="fill")


@cached(maxsize=64)
def _row(name: str) -> Polynomial:
    path = Path((0,), 0, ("", ""), Coefficients.from_dense(np.eye(1)))
    return Polynomial((Operand(1, (), Index(name, padding=False)),), (Operand(1, ()),), (path,))
