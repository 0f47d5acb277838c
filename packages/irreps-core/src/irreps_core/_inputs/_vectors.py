"""Vectors along the last axis: checked, measured and normalized without overflow or NaN."""

from typing import Any

from ._namespace import array_namespace, as_float_arrays, is_jax


def checked(shape: tuple[int, ...], **arrays: Any) -> tuple[Any, ...]:
    """The named arrays in one library and floating dtype, if each ends in `shape`.

    Raises:
        ValueError: if an array does not, naming it.
    """
    floats = as_float_arrays(*arrays.values())
    for name, x in zip(arrays, floats, strict=True):
        if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
            expected = ", ".join(["...", *map(str, shape)])
            raise ValueError(f"{name} must have shape ({expected}), received shape {tuple(x.shape)}")
    return floats


def normalize(v: Any, fallback: tuple[float, ...]) -> Any:
    """The unit vector v / |v|; `fallback`, with zero derivative, where v is zero.

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
    """The length |v|, of shape ``(...)``; its derivative at v = 0 is taken as zero."""
    xp = array_namespace(v)
    scaled, scale, zero = _scaled(v)
    safe = xp.where(zero, 1, scaled)
    return xp.where(zero[..., 0], 0, scale[..., 0] * xp.sqrt(xp.sum(safe * safe, axis=-1)))


def _scaled(v: Any) -> tuple[Any, Any, Any]:
    """V divided by its largest component, that component, and where it is too small to divide by."""
    xp = array_namespace(v)
    # The scale cancels out of every result, so its derivative may be left out.
    scale = xp.max(xp.abs(constant(v)), axis=-1, keepdims=True)
    zero = scale < xp.finfo(v.dtype).tiny
    scale = xp.where(zero, 1, scale)
    return v / scale, scale, zero


def constant(x: Any) -> Any:
    """The same values, without derivative."""
    if is_jax(x):
        from jax.lax import stop_gradient

        return stop_gradient(x)
    return x
