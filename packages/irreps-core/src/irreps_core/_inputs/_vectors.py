"""Vectors along the last axis: shape checks, lengths and directions, without overflow or NaN."""

from typing import Any

from ._namespace import array_namespace, as_float_arrays, is_jax


def checked(shape: tuple[int, ...], **arrays: Any) -> tuple[Any, ...]:
    """Return the named arrays in one library and floating dtype, after checking that their shapes end in `shape`.

    Raises:
        ValueError: the shape of an array does not, which the message names; or an array is complex.
    """
    floats = as_float_arrays(*arrays.values())
    for name, x in zip(arrays, floats, strict=True):
        if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
            expected = ", ".join(["...", *map(str, shape)])
            raise ValueError(f"{name} must have shape ({expected}), received shape {tuple(x.shape)}")
    return floats


def normalize(v: Any, fallback: tuple[float, ...]) -> Any:
    """Return the unit vectors v / |v|; `fallback`, with zero derivative, where v is zero.

    Args:
        v: array of shape ``(..., n)``.
        fallback: unit vector of n numbers.
    """
    xp = array_namespace(v)
    scaled, _, zero = _scaled(v)
    instead = xp.broadcast_to(xp.asarray(fallback, dtype=v.dtype), v.shape)
    scaled = xp.where(zero, instead, scaled)
    return scaled / xp.sqrt(xp.sum(scaled * scaled, axis=-1, keepdims=True))


def length(v: Any) -> Any:
    """Return the lengths |v|, of shape ``(...)``; the derivative at v = 0 is taken as zero."""
    xp = array_namespace(v)
    scaled, scale, zero = _scaled(v)
    safe = xp.where(zero, 1, scaled)
    return xp.where(zero[..., 0], 0, scale[..., 0] * xp.sqrt(xp.sum(safe * safe, axis=-1)))


def _scaled(v: Any) -> tuple[Any, Any, Any]:
    """Return v divided by its largest component, that component, and where it is too small to divide by."""
    xp = array_namespace(v)
    # The scale cancels in every result, so its derivative may be left out.
    scale = xp.max(xp.abs(constant(v)), axis=-1, keepdims=True)
    zero = scale < xp.finfo(v.dtype).tiny
    scale = xp.where(zero, 1, scale)
    return v / scale, scale, zero


def constant(x: Any) -> Any:
    """Return the same values, without derivative."""
    if is_jax(x):
        from jax.lax import stop_gradient  # optional; the array is JAX's

        return stop_gradient(x)
    return x
