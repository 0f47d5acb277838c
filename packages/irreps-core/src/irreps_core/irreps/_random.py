"""Normally distributed data of irreps, as plain arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core._inputs._shown import shown

from ._irrep import MulIrrep


def normal_array(
    irreps: Sequence[MulIrrep],
    key: Any,
    leading_shape: tuple[int, ...],
    *,
    normalize: bool = False,
    normalization: str | None = None,
    dtype: Any = None,
) -> Any:
    """Return normally distributed numbers of shape (*leading_shape, irreps.dim); see :func:`irreps_core.normal`."""
    normalization = "component" if normalization is None else normalization
    if normalization not in ("component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {shown(normalization)}")
    if not normalize and normalization == "component":
        return _standard_normal(key, (*leading_shape, sum(item.dim for item in irreps)), dtype)
    pieces = []
    for mul, ir in irreps:
        key, own = _split_key(key)
        chunk = _standard_normal(own, (*leading_shape, mul, ir.dim), dtype)
        xp = array_namespace(chunk)
        chunk = chunk / (xp.linalg.norm(chunk, axis=-1, keepdims=True) if normalize else ir.dim**0.5)
        pieces.append(chunk.reshape((*leading_shape, mul * ir.dim)))
    if not pieces:
        return _standard_normal(key, (*leading_shape, 0), dtype)
    return array_namespace(pieces[0]).concatenate(pieces, axis=-1)


def _split_key(key: Any) -> tuple[Any, Any]:
    """Return the key for later and a key for now, in e3nn-jax's order, so that the same key gives the same numbers."""
    if not is_jax(key):
        return key, key
    import jax  # optional; the key is JAX's

    later, now = jax.random.split(key)
    return later, now


def _standard_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if isinstance(key, np.random.Generator):
        return key.standard_normal(shape).astype(np.float64 if dtype is None else dtype)
    if is_jax(key):
        import jax  # optional; the key is JAX's

        return jax.random.normal(key, shape, float if dtype is None else dtype)
    raise TypeError(
        f"normal expects a JAX random key or a numpy.random.Generator, got {type(key).__name__}: "
        "for example ic.normal(irreps, jax.random.key(0))"
    )
