"""Checks of arguments that several operations share; each answers with what it checked."""

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp


def count(function: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, at least `least`.

    Raises:
        ValueError: it is no integer, or smaller.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{function} expects an integer {name} of {least} or more, got {value!r}")
    return number


def positive(function: str, name: str, value: Any) -> float:
    """`value` as a float, positive and finite.

    Raises:
        ValueError: it is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{function} expects a positive number {name}, got {value!r}")
    return number


def float_array(function: str, x: Any) -> jax.Array:
    """`x` as a JAX array of its floating dtype; integers become JAX's default float.

    Raises:
        ValueError: it is complex.
    """
    array = jnp.asarray(x)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"{function} expects real numbers, got dtype {array.dtype}")
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return array.astype(jnp.zeros(()).dtype)
