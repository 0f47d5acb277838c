"""Conversion of inputs to one dtype, and splitting of data into the items of its irreps."""

import itertools
from collections.abc import Container, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irreps, IrrepsArray, as_irreps_array


def floating(*operands: Any) -> tuple[IrrepsArray, ...]:
    """Return IrrepsArrays of one floating dtype on JAX arrays; plain arrays become scalars, integers become floats."""
    arrays = [as_irreps_array(x) for x in operands]
    # Integers do not influence the dtype: they may be mixed with floats even under strict promotion.
    floats = [jnp.asarray(x.array) for x in arrays if jnp.issubdtype(x.dtype, jnp.inexact)]
    dtype = jnp.result_type(*floats) if floats else jnp.zeros(()).dtype
    return tuple(IrrepsArray(x.irreps, jnp.asarray(x.array, dtype), zero_flags=x.zero_flags) for x in arrays)


def split_last_axis(x: jax.Array, sizes: Sequence[int]) -> list[jax.Array]:
    """Split the last axis into parts of these lengths.

    This is one operation, whose transpose is a concatenation. The transpose of slices would be a sum of padded arrays.
    """
    return jnp.split(x, list(itertools.accumulate(sizes))[:-1], axis=-1) if sizes else []


def split_items(x: jax.Array, irreps: Irreps) -> list[jax.Array]:
    """Split data of shape (..., irreps.dim) into the data of each item, of shape (..., item.dim)."""
    return split_last_axis(x, [item.dim for item in irreps])


def component_mask(irreps: Irreps, items: Container[int]) -> np.ndarray:
    """Return for each component whether it belongs to one of these items, read-only, of shape (irreps.dim,)."""
    mask = np.zeros(irreps.dim, bool)
    for i, place in enumerate(irreps.slices()):
        mask[place] = i in items
    mask.flags.writeable = False
    return mask
