"""Bringing operands to one dtype, and taking data apart."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import Irreps, IrrepsArray, as_irreps_array


def floating(*operands: Any) -> tuple[IrrepsArray, ...]:
    """IrrepsArrays of one floating dtype on JAX arrays; other arrays are scalars, integers become floats."""
    arrays = [as_irreps_array(x) for x in operands]
    # Integers have no say in which: mixing them with floats is no mistake, even under strict promotion.
    floats = [jnp.asarray(x.array) for x in arrays if jnp.issubdtype(x.dtype, jnp.inexact)]
    dtype = jnp.result_type(*floats) if floats else jnp.zeros(()).dtype
    return tuple(IrrepsArray(x.irreps, jnp.asarray(x.array, dtype), zero_flags=x.zero_flags) for x in arrays)


def split_last_axis(x: jax.Array, sizes: Sequence[int]) -> list[jax.Array]:
    """The parts of the last axis, of these lengths.

    In one operation, whose transpose is a concatenation; that of slices would be a sum.
    """
    return jnp.split(x, list(itertools.accumulate(sizes))[:-1], axis=-1) if sizes else []


def split_items(x: jax.Array, irreps: Irreps) -> list[jax.Array]:
    """The data of each item, from data of shape (..., irreps.dim)."""
    return split_last_axis(x, [item.dim for item in irreps])
