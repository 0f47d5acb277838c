"""Arithmetic of `IrrepsArray`: equivariant operations only. Others raise an error that says what to do instead."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core.irreps._irreps import Irreps

from ._base import A, ArrayBase, describe, from_chunks
from ._rearranging import align, rechunk


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic, int, float, complex)) or is_jax(x)


def _not_equivariant(left: Any, sign: str, right: Any, instead: str) -> ValueError:
    return ValueError(f"{describe(left)} {sign} {describe(right)} is not equivariant: {instead}")


def add(x: A, y: Any, sign: str = "+", shown: Any = None) -> A:
    """Return `x` + `y`.

    `y` has the same irreps, or all irreps of `x` are 0e. `sign` and `shown` are for error messages.
    """
    shown = y if shown is None else shown
    if isinstance(y, (int, float)) and not isinstance(y, bool) and y == 0:  # so that sum() works
        return x
    if isinstance(y, ArrayBase):
        if x.irreps != y.irreps:
            if x.irreps.simplify() != y.irreps.simplify():
                raise _not_equivariant(x, sign, shown, "the irreps must be the same")
            y = rechunk(y, x.irreps)
        flags = [a and b for a, b in zip(x.zero_flags, y.zero_flags, strict=True)]
        return type(x)(x.irreps, x.array + y.array, zero_flags=flags)
    if not _is_array(y):
        raise TypeError(f"cannot compute {describe(x)} {sign} {describe(shown)}")
    if not all(ir.is_scalar() for _, ir in x.irreps):
        raise _not_equivariant(x, sign, shown, "only scalars (0e) take a plain number or array")
    return type(x)(x.irreps, x.array + y)


def _per_irrep(x: ArrayBase, y: Any) -> bool:
    """Return whether the array `y` has one number for each irrep of `x` (rather than one for all)."""
    return y.ndim > 0 and y.shape[-1] != 1 and y.shape[-1] == x.irreps.num_irreps


def multiply(x: A, y: Any) -> A:
    """Return `x` * `y` for a number, an array (..., 1) or (..., num_irreps), or as many scalars as `x` has irreps."""
    if isinstance(y, ArrayBase):
        return _multiply_irreps(x, y)
    if not _is_array(y):
        raise TypeError(f"cannot compute {describe(x)} * {describe(y)}")
    if isinstance(y, (int, float, complex)):
        return type(x)(x.irreps, x.array * y, zero_flags=x.zero_flags)
    if _per_irrep(x, y):
        return _scale_irreps(x, y)
    if y.ndim > 0 and y.shape[-1] != 1 and not _all_scalar_like(x):
        raise _not_equivariant(
            x,
            "*",
            y,
            f"the last axis must be 1 (one factor for all) or {x.irreps.num_irreps} (one factor for each irrep)",
        )
    return type(x)(x.irreps, x.array * y, zero_flags=x.zero_flags)


def _all_scalar_like(x: ArrayBase) -> bool:
    return all(ir.l == 0 for _, ir in x.irreps)


def _multiply_irreps(x: A, y: Any) -> A:
    """Multiply each irrep of one array by the scalar at the same place of the other; parities multiply."""
    if x.irreps.num_irreps != y.irreps.num_irreps:
        raise ValueError(
            f"{describe(x)} * {describe(y)}: the numbers of irreps differ, {x.irreps.num_irreps} and "
            f"{y.irreps.num_irreps}; for the product of each with each use irreps_ops.tensor_product"
        )
    x, y = align(x, y)
    if any(a.l != 0 and b.l != 0 for (_, a), (_, b) in zip(x.irreps, y.irreps, strict=True)):
        raise ValueError(
            f"{describe(x)} * {describe(y)}: one of each two irreps must be a scalar; for the product of "
            "irreps use irreps_ops.elementwise_tensor_product or irreps_ops.tensor_product"
        )
    items = [(mul, (a.l + b.l, a.p * b.p)) for (mul, a), (_, b) in zip(x.irreps, y.irreps, strict=True)]
    products = [None if a is None or b is None else a * b for a, b in zip(x.chunks, y.chunks, strict=True)]
    return _assemble(type(x), Irreps(items), products, x.array, y.array)


def _assemble(array_class: type[A], irreps: Irreps, chunks: list[Any], *operands: Any) -> A:
    """Make an IrrepsArray of chunks that were computed from `operands`, whose leading axes broadcast."""
    xp = array_namespace(*operands)
    leading = xp.broadcast_shapes(*(x.shape[:-1] for x in operands))
    whole = [None if chunk is None else xp.broadcast_to(chunk, (*leading, *chunk.shape[-2:])) for chunk in chunks]
    return from_chunks(array_class, irreps, whole, leading, xp.result_type(*operands), backend=xp)


def _scale_irreps(x: A, factors: Any) -> A:
    """Multiply each irrep of `x` by its own factor; `factors` has shape (..., num_irreps)."""
    chunks, i = [], 0
    for (mul, _), chunk in zip(x.irreps, x.chunks, strict=True):
        chunks.append(None if chunk is None else chunk * factors[..., i : i + mul, None])
        i += mul
    return _assemble(type(x), x.irreps, chunks, x.array, factors)


def divide(x: A, y: Any) -> A:
    """Return `x` / `y` for a number, an array as in :func:`multiply`, or as many scalars as `x` has irreps."""
    if isinstance(y, ArrayBase):
        if y.irreps.dim == 0 or not _all_scalar_like(y):
            raise _not_equivariant(x, "/", y, "only scalars divide")
        if any(y.zero_flags):
            raise ValueError(f"{describe(x)} / {describe(y)}: the divisor is known to be zero")
        return multiply(x, type(x)(y.irreps, 1 / y.array))
    if not _is_array(y):
        raise TypeError(f"cannot compute {describe(x)} / {describe(y)}")
    if not isinstance(y, (int, float, complex)) and y.ndim > 0 and (y.shape[-1] != 1):
        return multiply(x, 1 / y)
    return type(x)(x.irreps, x.array / y, zero_flags=x.zero_flags)


def reciprocal(x: A, numerator: Any) -> A:
    """Return `numerator` / `x` for scalars `x`."""
    if not _all_scalar_like(x):
        raise _not_equivariant(numerator, "/", x, "only scalars divide")
    if any(x.zero_flags):
        raise ValueError(f"{describe(numerator)} / {describe(x)}: the divisor is known to be zero")
    return type(x)(x.irreps, numerator / x.array)


def power(x: A, exponent: Any) -> A:
    """Return `x` ** exponent for scalars 0e, and for 0o if the exponent is an integer."""
    if all(ir.is_scalar() for _, ir in x.irreps):
        return type(x)(x.irreps, x.array**exponent)
    if _all_scalar_like(x) and isinstance(exponent, (int, float)) and exponent % 1 == 0:
        irreps = Irreps([(mul, (0, ir.p if exponent % 2 else 1)) for mul, ir in x.irreps])
        return type(x)(irreps, x.array**exponent)
    raise _not_equivariant(x, "**", exponent, "only scalars have powers (odd ones integer powers)")


def equal(x: A, y: Any) -> A:
    """Return for each irrep whether all its components are equal, as booleans of irreps 0e."""
    if isinstance(y, ArrayBase):
        if x.irreps != y.irreps:
            raise _not_equivariant(x, "==", y, "the irreps must be the same")
        xp = array_namespace(x.array, y.array)
        same = type(x)(x.irreps, x.array == y.array)
        chunks = [xp.all(chunk, axis=-1, keepdims=True) for chunk in same.chunks]
        scalars = Irreps([(mul, (0, 1)) for mul, _ in x.irreps])
        return from_chunks(type(x), scalars, chunks, same.shape[:-1], bool, backend=xp)
    if not _is_array(y):
        raise TypeError(f"cannot compute {describe(x)} == {describe(y)}")
    if not all(ir.is_scalar() for _, ir in x.irreps):
        raise _not_equivariant(x, "==", y, "only scalars (0e) compare with a plain number or array")
    return type(x)(x.irreps, x.array == y)
