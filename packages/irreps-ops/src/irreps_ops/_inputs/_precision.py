"""Narrow dtypes, such as float16 and bfloat16: they are stored; operations compute in float32 and round once."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import jax
import jax.numpy as jnp

P = ParamSpec("P")


def wide_dtype(dtype: Any) -> Any:
    """Return the dtype in which data of a floating dtype is summed: float32 for narrower ones, else the dtype itself.

    Example:
        >>> wide_dtype("bfloat16"), wide_dtype("float64")
        (dtype('float32'), dtype('float64'))
    """
    dtype = jnp.dtype(dtype)
    return jnp.dtype(jnp.float32) if _is_narrow(dtype) else dtype


def widened(x: jax.Array) -> jax.Array:
    """Return an array in :func:`wide_dtype`; integers unchanged."""
    return x.astype(jnp.float32) if _is_narrow(x.dtype) else x


def rounded_to(dtype: Any, x: jax.Array) -> jax.Array:
    """Return a wide result in a dtype that is narrow; for other dtypes, the result unchanged."""
    return x.astype(dtype) if _is_narrow(dtype) else x


def rows(x: jax.Array, index: jax.Array, **options: Any) -> jax.Array:
    """Return ``x.at[index].get(**options)``, whose transpose, a sum of rows, accumulates in float32 at least."""
    return rounded_to(x.dtype, widened(x).at[index].get(**options))


def computed_in_float32(function: Callable[P, jax.Array]) -> Callable[P, jax.Array]:
    """Decorate a function whose first argument is an array: narrow dtypes are computed in float32 and rounded once."""

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> jax.Array:
        if args and _is_narrow(getattr(args[0], "dtype", jnp.float32)):
            first: Any = args[0]
            wide: Any = (jnp.asarray(first, jnp.float32), *args[1:])
            return function(*wide, **kwargs).astype(first.dtype)
        return function(*args, **kwargs)

    return computed


def size_for_squares(x: jax.Array, axes: tuple[int, ...], eps: float) -> jax.Array:
    """Return a divisor of data whose squares would overflow, or underflow if `eps` is zero, and 1 for all other data.

    It is the largest absolute value along the axes, which are kept, and has no derivative.
    """
    info = jnp.finfo(x.dtype)
    size = jnp.max(jnp.abs(jax.lax.stop_gradient(x)), axis=axes, keepdims=True, initial=0)
    limit = 2.0 ** (info.maxexp * 3 // 10)
    out_of_range = (size > limit) | ((size < 1 / limit) & (size >= info.tiny)) if eps == 0 else size > limit
    # Its reciprocal, by which XLA multiplies, is a normal number.
    return jnp.where(out_of_range, jnp.minimum(size, 1 / float(info.tiny)), 1).astype(x.dtype)


def inverse_root(square: jax.Array, eps: float, size: jax.Array) -> jax.Array:
    """Return 1 / sqrt(square + eps / size²), whose derivatives are finite where all are zero.

    Args:
        square: mean squares of data divided by `size`.
        eps: added to the mean squares of the data themselves.
        size: see :func:`size_for_squares`.
    """
    info = jnp.finfo(square.dtype)
    # Of data divided by their size, squares below the rounding error are noise, whose powers would overflow.
    return jax.lax.rsqrt(
        square + jnp.where(size == 1, max(eps, float(info.tiny)), jnp.maximum(eps / size / size, float(info.eps) ** 2))
    )


def _is_narrow(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.floating) and jnp.dtype(dtype).itemsize < 4
