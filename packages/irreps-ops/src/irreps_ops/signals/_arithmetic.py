"""Arithmetic of signals, point by point: the parities of the values follow, what is not equivariant is refused."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray

if TYPE_CHECKING:
    from ._spherical_signal import SphericalSignal


def add(x: "SphericalSignal", y: Any) -> "SphericalSignal":
    """X + y; a scalar is a constant signal. NotImplemented for what is neither."""
    found = _values_and_parity(x, y)
    if found is None:
        return NotImplemented
    values, parity = found
    if parity != x.p_val:
        raise ValueError(
            f"a sum of signals or scalars whose values have the parities {x.p_val} and {parity} is not equivariant"
        )
    return x.replace_values(_sum(x.grid_values, values))


def multiply(x: "SphericalSignal", y: Any) -> "SphericalSignal":
    """X y for a signal or scalars."""
    found = _values_and_parity(x, y)
    if found is None:
        return NotImplemented
    a, b = _ranked(x.grid_values, found[0])
    return x.replace_values(a * b, p_val=x.p_val * found[1])


def divide(x: "SphericalSignal", y: Any) -> "SphericalSignal":
    """X / y for a signal or scalars."""
    found = _values_and_parity(x, y)
    if found is None:
        return NotImplemented
    a, b = _ranked(x.grid_values, found[0])
    return x.replace_values(a / b, p_val=x.p_val * found[1])


def reciprocal(x: "SphericalSignal", numerator: Any) -> "SphericalSignal":
    """Numerator / x for scalars."""
    found = _values_and_parity(x, numerator)
    if found is None:
        return NotImplemented
    a, b = _ranked(found[0], x.grid_values)
    return x.replace_values(a / b, p_val=x.p_val * found[1])


def _sum(a: jax.Array, b: jax.Array) -> jax.Array:
    a, b = _ranked(a, b)
    return a + b


def _values_and_parity(x: "SphericalSignal", y: Any) -> tuple[jax.Array, int] | None:
    """Values of `y` that broadcast with those of `x`, and their parity; None if it is no signal and no scalar."""
    from ._spherical_signal import SphericalSignal

    if isinstance(y, SphericalSignal):
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


def _ranked(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays with as many axes as the one that has most."""
    ndim = max(array.ndim for array in arrays)
    return tuple(array.reshape((1,) * (ndim - array.ndim) + array.shape) for array in arrays)
