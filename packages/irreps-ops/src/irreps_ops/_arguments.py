"""What is given to a polynomial: does it fit, and what does it say of rows and dtypes?"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._executors import Task
from ._polynomial import EACH, Operand, Polynomial


class Call(NamedTuple):
    """A task and its arrays. Inputs that are not read, because they are zero or given elsewhere, may be None."""

    task: Task
    inputs: list[Any]
    indices: dict[str, jax.Array]


def prepared(
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any] | None,
    *,
    rows: int | None,
    sizes: Mapping[str, int] | None,
    dtype: Any,
    out_dtype: Any,
) -> Call:
    """Check the arguments of :func:`evaluate`, which see, and make a task of them."""
    if len(inputs) != len(polynomial.inputs):
        raise ValueError(f"expected {len(polynomial.inputs)} inputs, got {len(inputs)}")
    arrays = [x if x is None else jnp.asarray(x) for x in inputs]
    rows_of = {name: jnp.asarray(index) for name, index in (indices or {}).items()}
    _check_shapes(polynomial, arrays)
    _check_indices(polynomial, rows_of)
    rows = _rows(polynomial, arrays, rows_of, rows)
    counts = _sizes(polynomial, arrays, sizes or {})
    arithmetic, stored_in, stored_out = _dtypes(polynomial, arrays, dtype, out_dtype)
    first = _first(polynomial, inputs)
    polynomial = (
        polynomial.without(n for n, x in enumerate(arrays) if x is None)
        .identified(first)
        .stored(stored_in, [stored_out] * len(polynomial.outputs))
    )
    return Call(Task(polynomial, rows, counts, arithmetic), arrays, rows_of)


def _told(place: int, operand: Operand) -> str:
    return f"input {place} ({operand.name or 'unnamed'})"


def _check_shapes(polynomial: Polynomial, arrays: Sequence[jax.Array | None]) -> None:
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        expected = operand.shape
        if x is not None and (x.ndim != len(expected) + operand.row_axes or x.shape[operand.row_axes :] != expected):
            shape = ", ".join([*["rows"] * operand.row_axes, *map(str, expected)])
            raise ValueError(f"{_told(n, operand)} must have shape ({shape}), got {x.shape}")


def _check_indices(polynomial: Polynomial, indices: Mapping[str, jax.Array]) -> None:
    for name in polynomial.indices:
        if name not in indices:
            raise ValueError(f"the index {name!r} is missing, got {sorted(indices)}")
    for name, index in indices.items():
        if name not in polynomial.indices:
            raise ValueError(f"there is no index {name!r}; the polynomial has {list(polynomial.indices)}")
        if index.ndim != 1 or not jnp.issubdtype(index.dtype, jnp.integer):
            raise ValueError(
                f"the index {name!r} must be integers of shape (rows,), got {index.dtype} of shape {index.shape}"
            )


def _rows(
    polynomial: Polynomial,
    arrays: Sequence[jax.Array | None],
    indices: Mapping[str, jax.Array],
    rows: int | None,
) -> int:
    """The number of rows, on which all must agree."""
    found: dict[int, str] = {} if rows is None else {rows: "rows"}
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        if x is not None and operand.rows == EACH:
            found.setdefault(x.shape[0], _told(n, operand))
    for name, index in indices.items():
        found.setdefault(index.shape[0], f"index {name!r}")
    if len(found) > 1:
        told = ", ".join(f"{who} says {number}" for number, who in found.items())
        raise ValueError(f"the number of rows is not one number: {told}")
    if not found:
        raise ValueError("the number of rows is not one number: nothing says it, give rows=")
    return next(iter(found))


def _sizes(
    polynomial: Polynomial, arrays: Sequence[jax.Array | None], sizes: Mapping[str, int]
) -> tuple[tuple[str, int], ...]:
    """For each index how many rows its operands have."""
    known = dict(sizes)
    for name in known:
        if name not in polynomial.indices:
            raise ValueError(f"sizes names no index {name!r}; the polynomial has {list(polynomial.indices)}")
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        if x is not None and operand.indexed and known.setdefault(operand.rows, x.shape[0]) != x.shape[0]:
            raise ValueError(
                f"operands of the index {operand.rows!r} must have one number of rows: "
                f"expected {known[operand.rows]}, {_told(n, operand)} has {x.shape[0]}"
            )
    for name in polynomial.indices:
        if name not in known:
            raise ValueError(f"sizes must say how many rows the operands of the index {name!r} have")
    return tuple((name, int(known[name])) for name in polynomial.indices)


def _dtypes(
    polynomial: Polynomial, arrays: Sequence[jax.Array | None], dtype: Any, out_dtype: Any
) -> tuple[Any, list[str | None], str | None]:
    """The dtype of the arithmetic, and what inputs and outputs are stored as where it is another."""
    given = [None if x is None else jnp.dtype(x.dtype) for x in arrays]
    found = {d for d in given if d is not None}
    told = sorted(map(str, found))
    if any(not jnp.issubdtype(d, jnp.floating) for d in found) or (not found and dtype is None):
        raise ValueError(f"the inputs of a polynomial must be of one floating dtype, got {told}")
    full = {d for d in found if d.itemsize >= 4}
    if dtype is None and len(full) > 1:
        raise ValueError(
            f"the inputs of a polynomial must be of one floating dtype (or narrower than float32), got {told}; "
            "convert them, or say the dtype of the arithmetic: dtype="
        )
    arithmetic = jnp.dtype(dtype) if dtype is not None else next(iter(full), jnp.dtype(jnp.float32))
    if not jnp.issubdtype(arithmetic, jnp.floating):
        raise ValueError(f"dtype must be a floating dtype, got {arithmetic}")
    promoted = arithmetic if not found else _promoted(found)
    stored_out = promoted if out_dtype is None else jnp.dtype(out_dtype)

    def told_apart(stored: Any) -> str | None:
        return None if stored is None or stored == arithmetic else str(stored)

    return arithmetic, [told_apart(d) for d in given], told_apart(stored_out)


def _promoted(dtypes: set[Any]) -> Any:
    first, *rest = sorted(dtypes, key=str)
    for other in rest:
        first = jnp.promote_types(first, other)
    return jnp.dtype(first)


def _first(polynomial: Polynomial, inputs: Sequence[Any]) -> list[int]:
    """For each input the first one that is the very same array and described alike."""
    first = list(range(len(inputs)))
    for n, x in enumerate(inputs):
        for m in range(n):
            if x is not None and inputs[m] is x and polynomial.inputs[m] == polynomial.inputs[n]:
                first[n] = m
                break
    return first
