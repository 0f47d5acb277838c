"""Checks of arguments. Each returns the parsed value, or raises an error that names the function and the argument."""

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import shown

from ._sizes import is_known


def count(function: str, name: str, value: Any, least: int = 1) -> int:
    """Return an integer of at least `least`.

    Args:
        function: name of the function that was called, for the error message.
        name: name of the argument.
        value: the argument.
        least: the smallest valid value.

    Raises:
        ValueError: `value` is not an integer, or is smaller.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{function} expects an integer {name} of {least} or more, got {shown(value)}")
    return number


def size(function: str, name: str, value: Any) -> int:
    """Return the length of an axis: an integer of 0 or more, or the symbol of one in a program for ``jax.export``.

    Args:
        function: name of the function that was called, for the error message.
        name: name of the argument.
        value: the argument.

    Raises:
        ValueError: `value` is neither.
    """
    return count(function, name, value, 0) if is_known(value) else value


def positive(function: str, name: str, value: Any) -> float:
    """Return a positive, finite number as a float.

    Args:
        function: name of the function that was called, for the error message.
        name: name of the argument.
        value: the argument.

    Raises:
        ValueError: `value` is not a positive, finite number.
    """
    found = _number(value)
    if not 0 < found < math.inf:
        raise ValueError(f"{function} expects a positive number {name}, got {shown(value)}")
    return found


def factor(function: str, name: str, value: Any) -> float:
    """Return a finite number of 0 or more as a float.

    Args:
        function: name of the function that was called, for the error message.
        name: name of the argument.
        value: the argument.

    Raises:
        ValueError: `value` is not a finite number of 0 or more.
    """
    found = _number(value)
    if not 0 <= found < math.inf:
        raise ValueError(f"{function} expects a number {name} of 0 or more, got {shown(value)}")
    return found


def _number(value: Any) -> float:
    """Return a number as a float; NaN for everything else, such as a bool, a text, or an integer beyond floats."""
    try:
        return math.nan if isinstance(value, (bool, np.bool_, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def float_array(function: str, x: Any) -> jax.Array:
    """Return a real JAX array. Floating dtypes are kept; integers become JAX's default float.

    Args:
        function: name of the function that was called, for the error message.
        x: the argument.

    Raises:
        ValueError: `x` is complex.
    """
    array = jnp.asarray(x)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"{function} expects real numbers, got dtype {array.dtype}")
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return array.astype(jnp.zeros(()).dtype)
