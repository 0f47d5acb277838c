"""Counting what a polynomial costs, and printing it for people."""

import math
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Operand, Polynomial

_INDEX_BYTES = 4  # an index is int32 unless float64 is switched on; it is little beside the rows


def multiply_adds(polynomial: "Polynomial") -> int:
    """Multiply-adds for one row, term by term: a product of n factors and its coefficient are n of them."""
    return sum(
        len(path.coefficients) * max(len(path.inputs), 1) * math.prod(polynomial.extents(path).values())
        for path in polynomial.paths
    )


def row_bytes(operand: "Operand", dtype: Any) -> int:
    """Bytes of a row, stored as the operand says or else as `dtype`."""
    return operand.size * jnp.dtype(operand.dtype or dtype).itemsize


def polynomial(p: "Polynomial") -> str:
    """See :meth:`Polynomial.explain`."""
    dtype = jnp.float32
    read, written = (sum(row_bytes(o, dtype) for o in each if o.row_axes) for each in (p.inputs, p.outputs))
    read += _INDEX_BYTES * len(p.indices)
    shared = sum(row_bytes(o, dtype) for o in (*p.inputs, *p.outputs) if not o.row_axes)
    once = f"; {shared} bytes shared by all rows" if shared else ""
    lines = [
        _size(p),
        f"each row: {multiply_adds(p)} multiply-adds, {read} bytes read, {written} bytes written (float32){once}",
    ]
    return "\n".join([*lines, *_body(p)])


def task(t: "Task") -> str:
    """See :meth:`Task.explain`."""
    p = t.polynomial
    read, written = t.bytes()
    lines = [
        _size(p),
        f"{t.rows} rows: {t.multiply_adds()} multiply-adds, at least {read} bytes read and {written} bytes written "
        f"({t.dtype})",
    ]
    return "\n".join([*lines, *_body(p)])


def task_bytes(t: "Task") -> tuple[int, int]:
    """See :meth:`Task.bytes`."""
    read, written = (
        sum(math.prod(t.shape(o)) * jnp.dtype(t.dtype_of(o)).itemsize for o in each)
        for each in (t.polynomial.inputs, t.polynomial.outputs)
    )
    return read + _INDEX_BYTES * t.rows * len(t.polynomial.indices), written


def _size(p: "Polynomial") -> str:
    terms = sum(len(path.coefficients) for path in p.paths)
    return f"{len(p.paths)} path{'s' * (len(p.paths) != 1)}, {terms} term{'s' * (terms != 1)}"


def _body(p: "Polynomial") -> list[str]:
    """A line for each operand and each path."""
    lines = []
    for kind, operands in (("in", p.inputs), ("out", p.outputs)):
        lines += [f"  {kind}{n} {operand}" for n, operand in enumerate(operands)]
    for path in p.paths:
        factors = " ".join(f"in{i}[{m}]" for i, m in zip(path.inputs, path.modes, strict=False))
        terms = f"{len(path.coefficients)} term{'s' * (len(path.coefficients) != 1)}"
        lines.append(f"  out{path.output}[{path.modes[-1]}] += {terms} of {factors or 'nothing'}")
    missed = [f"out{n}" for n, yes in enumerate(p.reached()) if not yes]
    return [*lines, *([f"  zero: {', '.join(missed)}"] if missed else [])]
