"""Check the arguments of `evaluate`; infer the size of the batch and the dtypes."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from irreps_ops._inputs._sizes import is_known

from ._contraction import Contraction
from ._polynomial import Polynomial
from ._terms import Access, Operand
from ._views import Part, View, Views


class Call(NamedTuple):
    """A contraction, where its operands lie in its arrays, and the arrays. Those that no path reads may be None."""

    contraction: Contraction
    views: Views
    arrays: list[Any]
    indices: dict[str, jax.Array]


def prepared(
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any] | None,
    *,
    batch: int | None,
    sizes: Mapping[str, int] | None,
    dtype: Any,
    out_dtype: Any,
    joined: Sequence[View] | None,
) -> Call:
    """Check the arguments of :func:`evaluate` and return the contraction that they describe."""
    if len(inputs) != len(polynomial.inputs):
        raise ValueError(f"expected {len(polynomial.inputs)} inputs, got {len(inputs)}")
    given = [x.array if isinstance(x, Part) else x for x in inputs]
    arrays = [x if x is None else jnp.asarray(x) for x in given]
    index_arrays = {name: jnp.asarray(index) for name, index in (indices or {}).items()}
    views = [
        None if a is None else _view(n, x, a, operand)
        for n, (x, a, operand) in enumerate(zip(inputs, arrays, polynomial.inputs, strict=True))
    ]
    _check_indices(polynomial, index_arrays)
    batch = _batch(polynomial, arrays, index_arrays, batch)
    counts = _sizes(polynomial, arrays, sizes or {})
    arithmetic, stored_in, stored_out = _dtypes(polynomial, arrays, dtype, out_dtype)
    first = _first(polynomial, given, views)
    polynomial = (
        polynomial.without(n for n, x in enumerate(arrays) if x is None)
        .identified(first)
        .stored(stored_in, [stored_out] * len(polynomial.outputs))
    )
    outputs = tuple(map(View.whole, range(len(polynomial.outputs)), polynomial.outputs))
    if joined is not None:
        outputs = tuple(joined)
        _check_joined(polynomial, outputs)
    placed, distinct = _placed(polynomial, given, arrays, views)
    return Call(Contraction(polynomial, batch, counts, arithmetic), Views(placed, outputs), distinct, index_arrays)


def _named(position: int, operand: Operand) -> str:
    return f"input {position} ({operand.name or 'unnamed'})"


def _view(n: int, given: Any, x: jax.Array, operand: Operand) -> View:
    """Return the view that an input is; its array has no number yet."""
    if isinstance(given, Part):
        axes = x.ndim - operand.batch_axes - 1
        expected = operand.shape[: max(axes, 0)]
        if axes < 0 or axes >= len(operand.shape) or x.shape[operand.batch_axes : -1] != expected:
            shape = ", ".join([*["batch"] * operand.batch_axes, *map(str, expected), "width"])
            raise ValueError(f"the array of {_named(n, operand)} must have shape ({shape}), got {x.shape}")
        view = View(0, tuple(given.parts), axes, x.shape[-1])
        view.check(_named(n, operand), operand)
        return view
    expected = operand.shape
    if x.ndim != len(expected) + operand.batch_axes or x.shape[operand.batch_axes :] != expected:
        shape = ", ".join([*["batch"] * operand.batch_axes, *map(str, expected)])
        raise ValueError(f"{_named(n, operand)} must have shape ({shape}), got {x.shape}")
    return View.whole(0, operand)


def _check_joined(polynomial: Polynomial, views: Sequence[View]) -> None:
    if len(views) != len(polynomial.outputs):
        raise ValueError(f"expected {len(polynomial.outputs)} views of outputs, got {len(views)}")
    found: dict[int, list[tuple[int, int]]] = {}
    kinds: dict[int, set[Any]] = {}
    for n, (view, operand) in enumerate(zip(views, polynomial.outputs, strict=True)):
        view.check(f"output {n} ({operand.name or 'unnamed'})", operand)
        found.setdefault(view.array, []).extend(view.ranges(operand))
        kinds.setdefault(view.array, set()).add((operand.access, view.of_array(operand)))
    for n, ranges in found.items():
        if _overlap(ranges) or len(kinds[n]) > 1:
            raise ValueError(
                f"views of output array {n} must be of one shape and access and not overlap, got {sorted(ranges)}"
            )
    if sorted(found) != list(range(len(found))):
        raise ValueError(f"output arrays must be numbered from 0, got {sorted(found)}")


def _overlap(ranges: Sequence[tuple[int, int]]) -> bool:
    filled = sorted(pair for pair in ranges if pair[0] < pair[1])
    return any(start < stop for (_, stop), (start, _) in itertools.pairwise(filled))


def _placed(
    polynomial: Polynomial, given: Sequence[Any], arrays: Sequence[Any], views: Sequence[View | None]
) -> tuple[tuple[View, ...], list[Any]]:
    """Number the arrays: parts of one array share it, if they do not overlap and are accessed alike."""
    result: list[View] = []
    distinct: list[Any] = []
    shared: dict[tuple, int] = {}
    ranges: dict[int, list[tuple[int, int]]] = {}
    for x, array, view, operand in zip(given, arrays, views, polynomial.inputs, strict=True):
        if view is None:
            view = View.whole(0, operand)
        number, own = len(distinct), view.ranges(operand)
        if x is not None and not view.is_whole(operand):
            key = (id(x), operand.access, view.of_array(operand))
            known = shared.get(key)
            if known is not None and not _overlap([*ranges[known], *own]):
                number = known
            else:
                shared[key] = number
        if number == len(distinct):
            distinct.append(array)
            ranges[number] = []
        ranges[number] += own
        result.append(replace(view, array=number))
    return tuple(result), distinct


def _check_indices(polynomial: Polynomial, indices: Mapping[str, jax.Array]) -> None:
    for name in polynomial.indices:
        if name not in indices:
            raise ValueError(f"the index {name!r} is missing, got {sorted(indices)}")
    for name, index in indices.items():
        if name not in polynomial.indices:
            raise ValueError(f"there is no index {name!r}; the polynomial has {list(polynomial.indices)}")
        if index.ndim != 1 or not jnp.issubdtype(index.dtype, jnp.integer):
            raise ValueError(
                f"the index {name!r} must be integers of shape (batch,), got {index.dtype} of shape {index.shape}"
            )


def _batch(
    polynomial: Polynomial,
    arrays: Sequence[jax.Array | None],
    indices: Mapping[str, jax.Array],
    batch: int | None,
) -> int:
    """Return the size of the batch, on which all arrays must agree."""
    found: dict[int, str] = {} if batch is None else {batch: "batch="}
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        if x is not None and operand.access is Access.BATCHED:
            found.setdefault(x.shape[0], _named(n, operand))
    for name, index in indices.items():
        found.setdefault(index.shape[0], f"index {name!r}")
    if len(found) > 1:
        sizes = ", ".join(f"{size} by {name}" for size, name in found.items())
        raise ValueError(f"the arrays must agree on the size of the batch, got {sizes}")
    if not found:
        raise ValueError("no input and no index is batched: give the size of the batch, batch=")
    return next(iter(found))


def _sizes(
    polynomial: Polynomial, arrays: Sequence[jax.Array | None], sizes: Mapping[str, int]
) -> tuple[tuple[str, int], ...]:
    """Return the number of rows of the operands of each index."""
    known = dict(sizes)
    for name in known:
        if name not in polynomial.indices:
            raise ValueError(f"sizes must name indices of the polynomial, {list(polynomial.indices)}; got {name!r}")
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        if x is not None and operand.index and known.setdefault(operand.index, x.shape[0]) != x.shape[0]:
            raise ValueError(
                f"operands of the index {operand.index!r} must have equally many rows: "
                f"expected {known[operand.index]}, {_named(n, operand)} has {x.shape[0]}"
            )
    for name in polynomial.indices:
        if name not in known:
            raise ValueError(f"sizes must give the number of rows of the operands of the index {name!r}")
    return tuple((name, int(n) if is_known(n := known[name]) else n) for name in polynomial.indices)


def _dtypes(
    polynomial: Polynomial, arrays: Sequence[jax.Array | None], dtype: Any, out_dtype: Any
) -> tuple[Any, list[str | None], str | None]:
    """Return the dtype of the arithmetic, and the storage dtypes of inputs and outputs where they differ from it."""
    given = [None if x is None else jnp.dtype(x.dtype) for x in arrays]
    found = {d for d in given if d is not None}
    shown = sorted(map(str, found))
    if any(not jnp.issubdtype(d, jnp.floating) for d in found) or (not found and dtype is None):
        raise ValueError(f"the inputs of a polynomial must be of one floating dtype, got {shown}")
    full = {d for d in found if d.itemsize >= 4}
    if dtype is None and len(full) > 1:
        raise ValueError(
            f"the inputs of a polynomial must be of one floating dtype (or narrower than float32), got {shown}; "
            "convert them, or give the dtype of the arithmetic, dtype="
        )
    arithmetic = jnp.dtype(dtype) if dtype is not None else next(iter(full), jnp.dtype(jnp.float32))
    if not jnp.issubdtype(arithmetic, jnp.floating):
        raise ValueError(f"dtype must be a floating dtype, got {arithmetic}")
    promoted = arithmetic if not found else _promoted(found)
    stored_out = promoted if out_dtype is None else jnp.dtype(out_dtype)

    def if_different(stored: Any) -> str | None:
        return None if stored is None or stored == arithmetic else str(stored)

    return arithmetic, [if_different(d) for d in given], if_different(stored_out)


def _promoted(dtypes: set[Any]) -> Any:
    first, *rest = sorted(dtypes, key=str)
    for other in rest:
        first = jnp.promote_types(first, other)
    return jnp.dtype(first)


def _first(polynomial: Polynomial, inputs: Sequence[Any], views: Sequence[View | None]) -> list[int]:
    """Return for each input the first one that is the same part of the same array and has an equal operand."""
    first = list(range(len(inputs)))
    for n, x in enumerate(inputs):
        for m in range(n):
            if (
                x is not None
                and inputs[m] is x
                and views[m] == views[n]
                and polynomial.inputs[m] == polynomial.inputs[n]
            ):
                first[n] = m
                break
    return first
