"""Arithmetic of signals, point by point, with the parities of the values; refuses results that are not equivariant."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray

from ._base import SignalBase


def add(x: SignalBase, y: Any) -> Any:
    """Return x + y for a signal or scalars y, which are constant signals; NotImplemented for other types."""
    operand = _values_and_parity(x, y)
    if operand is None:
        return NotImplemented
    values, parity = operand
    if parity != x.p_val:
        raise ValueError(
            f"a sum of signals or scalars whose values have the parities {x.p_val} and {parity} is not equivariant"
        )
    a, b = _of_equal_rank(x.grid_values, values)
    return x.replace_values(a + b)


def multiply(x: SignalBase, y: Any) -> Any:
    """Return x y for a signal or scalars y; NotImplemented for other types."""
    operand = _values_and_parity(x, y)
    if operand is None:
        return NotImplemented
    a, b = _of_equal_rank(x.grid_values, operand[0])
    return x.replace_values(a * b, p_val=x.p_val * operand[1])


def divide(x: SignalBase, y: Any) -> Any:
    """Return x / y for a signal or scalars y; NotImplemented for other types."""
    operand = _values_and_parity(x, y)
    if operand is None:
        return NotImplemented
    a, b = _of_equal_rank(x.grid_values, operand[0])
    return x.replace_values(a / b, p_val=x.p_val * operand[1])


def reciprocal(x: SignalBase, numerator: Any) -> Any:
    """Return numerator / x for scalars; NotImplemented for other types."""
    operand = _values_and_parity(x, numerator)
    if operand is None:
        return NotImplemented
    a, b = _of_equal_rank(operand[0], x.grid_values)
    return x.replace_values(a / b, p_val=x.p_val * operand[1])


def _values_and_parity(x: SignalBase, y: Any) -> tuple[jax.Array, int] | None:
    """Return values of `y` that broadcast with those of `x`, and their parity; None for other types."""
    if isinstance(y, SignalBase):
        for name in ("grid_resolution", "quadrature", "p_arg"):
            ours, theirs = getattr(x, name), getattr(y, name)
            if ours != theirs:
                hint = "" if name == "p_arg" else ": use .resample() on one of them"
                raise ValueError(f"signals must have the same {name}, got {ours} and {theirs}{hint}")
        return y.grid_values, y.p_val
    if isinstance(y, IrrepsArray):
        if y.irreps.dim != 1:
            raise ValueError(f"a signal takes a scalar, 0e or 0o, for each signal, got irreps {y.irreps}")
        return jnp.asarray(y.array)[..., None], 1 if y.irreps.simplify() == "0e" else -1
    if isinstance(y, (int, float, np.ndarray, np.generic, jax.Array)):
        return jnp.asarray(y)[..., None, None], 1
    return None


def _of_equal_rank(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Return the arrays with leading axes of length 1, so that all have the same number of axes."""
    ndim = max(array.ndim for array in arrays)
    return tuple(array.reshape((1,) * (ndim - array.ndim) + array.shape) for array in arrays)
