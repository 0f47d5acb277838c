"""A sum over many rows, taken chunk by chunk, as one JAX primitive: memory for one chunk, forward and backward.

The rows of a chunk are looked up in arrays by indices (sender, receiver, edge), a function makes results of them, and
these are added to other arrays by indices: gather, compute, scatter. The derivative of such a sum is such a sum, with
the derivative of the function; its transpose is such a sum, with the transpose of the function, where what was read
is written and what was written is read. So every derivative, in every mode and of every order, is again this
primitive, and remembers nothing but its operands: what the function made is made again, where it is needed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from ._jax_compat import Zero, is_undefined, new_primitive, vary_alike, without_dead_code, zero_tangent
from ._polynomial import SHARED

Shape = jax.ShapeDtypeStruct

IN_ORDER = "in order"


@dataclass(frozen=True)
class Loop:
    """Where the rows of each chunk come from and go to.

    Attributes:
        reads: for each input the name of the index by which its rows are looked up, ``IN_ORDER`` or ``SHARED``.
        writes: for each output the name of the index by which rows are added to it, ``IN_ORDER`` or ``SHARED``.
        shapes: of the outputs.
        indices: the names of all indices.
        in_order: how many rows what is read or written in order has, and how many of them a chunk has.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    indices: tuple[str, ...]
    in_order: tuple[int, int] = (0, 0)

    def places(self, indices: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """The axes that the rows of a chunk have, for each way to read or write some."""
        return {IN_ORDER: self.in_order[1:], **{name: tuple(index.shape[1:]) for name, index in indices.items()}}


def sum_over_chunks(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Sequence[jax.Array],
    reads: Sequence[str],
    outputs: Sequence[Shape],
    writes: Sequence[str],
    indices: Mapping[str, jax.Array],
    count: int | jax.Array,
    in_order: tuple[int, int] = (0, 0),
) -> list[jax.Array]:
    """The sum over chunks of what a function makes of each.

    Args:
        function: called with the rows of a chunk of each input, arrays of shape (*rows, ...); gives the rows that are
            added to each output. It may close over arrays, also ones that are traced and differentiated.
        inputs: arrays of shape (places, ...).
        reads: for each input the index that its rows are looked up in; ``IN_ORDER``: the first so many rows for the
            first chunk, the next for the second; or ``SHARED``: all of it, for every chunk.
        outputs: shapes (places, ...) and dtypes of the results.
        writes: for each output the index that its rows are added by; ``IN_ORDER``: chunk after chunk; or ``SHARED``:
            added up over the chunks.
        indices: for each name integers of shape (chunks, *rows), not negative. Places out of range read zeros and
            write nothing.
        count: how many chunks there are; those beyond are not computed.
        in_order: how many rows there are in order, and how many a chunk has. Where the last chunk would have fewer,
            it starts earlier, and the rows that have been done come as zeros. What is made of these is written in
            order nowhere, but added to other outputs: to those the function must add zeros for them.
    """
    loop = Loop((), tuple(writes), tuple(outputs), tuple(indices), in_order)
    places = loop.places(indices)
    body = jax.make_jaxpr(function)(*(_rows(x, read, places) for x, read in zip(inputs, reads, strict=True)))
    if body.effects:
        raise ValueError(f"a function that is applied chunk by chunk must be pure, got one with effects {body.effects}")
    # What the function closes over becomes an input, so that it can be differentiated.
    closed = [jnp.asarray(x) for x in body.consts]

    def opened(*arguments: Any) -> list[jax.Array]:
        return jaxpr_as_fun(ClosedJaxpr(body.jaxpr, arguments[: len(closed)]))(*arguments[len(closed) :])

    arrays = [*closed, *inputs]
    all_reads = (*(SHARED for _ in closed), *reads)
    body = _traced(opened, arrays, all_reads, places)
    return _bind(body, replace(loop, reads=all_reads), arrays, indices, count)


def _rows(x: Any, read: str, places: Mapping[str, tuple[int, ...]]) -> Shape:
    """What the body sees of an array."""
    shape = x.shape if read == SHARED else (*places[read], *x.shape[1:])
    return Shape(shape, x.dtype)


def _traced(
    function: Callable[..., Any], arrays: Sequence[Any], reads: Sequence[str], places: Mapping[str, tuple[int, ...]]
) -> ClosedJaxpr:
    return jax.make_jaxpr(function)(*(_rows(x, read, places) for x, read in zip(arrays, reads, strict=True)))


def _bind(body: ClosedJaxpr, loop: Loop, inputs: Sequence[Any], indices: Mapping[str, Any], count: Any) -> list[Any]:
    """Bind, without the inputs that the body does not need."""
    body, needed = without_dead_code(body, [True] * len(loop.writes))
    small = replace(loop, reads=_kept(loop.reads, needed))
    inputs = _kept(inputs, needed)
    count = jnp.asarray(count, jnp.int32)
    arrays = vary_alike([*inputs, *(indices[name] for name in loop.indices), count])
    return chunks_p.bind(*arrays, body=body, loop=small)


def _kept(items: Sequence[Any], which: Sequence[bool]) -> tuple[Any, ...]:
    return tuple(x for x, yes in zip(items, which, strict=True) if yes)


def _split(loop: Loop, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any], Any]:
    """Inputs, indices by name, and the number of chunks."""
    n = len(loop.reads)
    return list(arrays[:n]), dict(zip(loop.indices, arrays[n:-1], strict=True)), arrays[-1]


def _run(*arrays: jax.Array, body: ClosedJaxpr, loop: Loop) -> list[jax.Array]:
    inputs, indices, count = _split(loop, arrays)
    function = jaxpr_as_fun(body)

    count_rows, width = loop.in_order

    def add_chunk(c: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
        at = {name: jax.lax.dynamic_index_in_dim(index, c, keepdims=False) for name, index in indices.items()}
        start = jnp.minimum(c * width, max(count_rows - width, 0))
        # Rows that have been done, if the last chunk starts early.
        done = None if width == 0 or count_rows % width == 0 else start + jnp.arange(width) < c * width

        def read(x: jax.Array, how: str) -> jax.Array:
            if how == SHARED:
                return x
            if how != IN_ORDER:
                return x.at[at[how]].get(mode="fill", fill_value=0, wrap_negative_indices=False)
            rows = jax.lax.dynamic_slice_in_dim(x, start, width)
            return rows if done is None else jnp.where(_column(done, rows), jnp.zeros_like(rows), rows)

        def write(total: jax.Array, y: jax.Array, how: str) -> jax.Array:
            if how == SHARED:
                return total + y
            if how != IN_ORDER:
                return total.at[at[how]].add(y, mode="drop", wrap_negative_indices=False)
            if done is not None:
                y = jnp.where(_column(done, y), jax.lax.dynamic_slice_in_dim(total, start, width), y)
            return jax.lax.dynamic_update_slice_in_dim(total, y, start, axis=0)

        rows = [read(x, how) for x, how in zip(inputs, loop.reads, strict=True)]
        return [write(total, y, how) for total, y, how in zip(sums, function(*rows), loop.writes, strict=True)]

    sums = [jnp.zeros(s.shape, s.dtype) for s in loop.shapes]
    if any(math.prod(index.shape) == 0 for index in indices.values()):
        return sums
    return jax.lax.fori_loop(0, count, add_chunk, sums)


def _column(flags: jax.Array, x: jax.Array) -> jax.Array:
    """Flags for rows, of as many axes as `x`."""
    return flags.reshape(-1, *[1] * (x.ndim - 1))


def _shapes(*_: Any, body: ClosedJaxpr, loop: Loop) -> list[Shape]:
    return list(loop.shapes)


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, body: ClosedJaxpr, loop: Loop
) -> tuple[list[Any], list[Any]]:
    out = chunks_p.bind(*primals, body=body, loop=loop)
    inputs, indices, count = _split(loop, primals)
    active = [i for i, t in enumerate(tangents[: len(inputs)]) if not isinstance(t, Zero)]
    if not active:
        return out, [zero_tangent(y) for y in out]

    def tangent(*arguments: Any) -> list[jax.Array]:
        values, dots = list(arguments[: len(inputs)]), arguments[len(inputs) :]

        def of_active(*some: Any) -> list[jax.Array]:
            return jaxpr_as_fun(body)(*_replaced(values, active, some))

        return jax.jvp(of_active, tuple(values[i] for i in active), dots)[1]

    arrays = [*inputs, *(tangents[i] for i in active)]
    reads = (*loop.reads, *(loop.reads[i] for i in active))
    derived = _traced(tangent, arrays, reads, loop.places(indices))
    return out, _bind(derived, replace(loop, reads=reads), arrays, indices, count)


def _replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(values)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


def _transpose(cotangents: Sequence[Any], *arrays: Any, body: ClosedJaxpr, loop: Loop) -> list[Any]:
    inputs, indices, count = _split(loop, arrays)
    linear = [i for i, x in enumerate(inputs) if is_undefined(x)]
    given = [i for i, x in enumerate(inputs) if not is_undefined(x)]
    known = [o for o, ct in enumerate(cotangents) if not isinstance(ct, Zero)]
    result: list[Any] = [None] * len(arrays)
    if not known:
        return _replaced(result, linear, [Zero(inputs[i].aval) for i in linear])
    places = loop.places(indices)
    avals = [inputs[i].aval for i in linear]
    rows = [_rows(aval, loop.reads[i], places) for aval, i in zip(avals, linear, strict=True)]

    def transposed(*arguments: Any) -> list[jax.Array]:
        values = _replaced([None] * len(inputs), given, arguments[: len(given)])

        def of_linear(*some: Any) -> list[jax.Array]:
            out = jaxpr_as_fun(body)(*_replaced(values, linear, some))
            return [out[o] for o in known]

        return list(jax.linear_transpose(of_linear, *rows)(list(arguments[len(given) :])))

    operands = [*(inputs[i] for i in given), *(cotangents[o] for o in known)]
    reads = (*(loop.reads[i] for i in given), *(loop.writes[o] for o in known))
    turned = _traced(transposed, operands, reads, places)
    shapes = tuple(Shape(aval.shape, aval.dtype) for aval in avals)
    back = replace(loop, reads=reads, writes=tuple(loop.reads[i] for i in linear), shapes=shapes)
    return _replaced(result, linear, _bind(turned, back, operands, indices, count))


def _batch(arrays: Sequence[Any], axes: Sequence[Any], *, body: ClosedJaxpr, loop: Loop) -> tuple[list[Any], list[Any]]:
    n = len(loop.reads)
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    if any(a is not None for a in axes[n:]):
        # Every one has edges of its own: one after the other.
        moved = [x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(arrays, axes, strict=True)]
        batched = [x for x, a in zip(moved, axes, strict=True) if a is not None]
        where = [i for i, a in enumerate(axes) if a is not None]
        out = jax.lax.map(lambda some: chunks_p.bind(*_replaced(moved, where, some), body=body, loop=loop), batched)
        return out, [0] * len(out)
    inputs, indices, count = _split(loop, arrays)
    places = loop.places(indices)

    def axis(kind: str) -> int:
        return 0 if kind == SHARED else 1

    def row_axis(kind: str) -> int:
        return 0 if kind == SHARED else len(places[kind])

    moved = [
        x if a is None else jnp.moveaxis(x, a, axis(read)) for x, a, read in zip(inputs, axes, loop.reads, strict=False)
    ]
    body_axes = [None if a is None else row_axis(read) for a, read in zip(axes, loop.reads, strict=False)]
    function = jax.vmap(
        jaxpr_as_fun(body), in_axes=body_axes, out_axes=[row_axis(w) for w in loop.writes], axis_size=size
    )
    shapes = tuple(
        Shape((*s.shape[: axis(w)], size, *s.shape[axis(w) :]), s.dtype)
        for s, w in zip(loop.shapes, loop.writes, strict=True)
    )
    wide = _traced(function, moved, loop.reads, places)
    return _bind(wide, replace(loop, shapes=shapes), moved, indices, count), [axis(w) for w in loop.writes]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    loop: Loop = parameters["loop"]
    body, needed = without_dead_code(parameters["body"], used)
    reads, writes, shapes = _kept(loop.reads, needed), _kept(loop.writes, used), _kept(loop.shapes, used)
    small = replace(loop, reads=reads, writes=writes, shapes=shapes)
    return [*needed, *[True] * (len(loop.indices) + 1)], {"body": body, "loop": small}


chunks_p = new_primitive(
    "irreps_chunks",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    prune=_prune,
    static=("body", "loop"),
)
