"""A sum over many rows, taken chunk by chunk, as one JAX primitive: memory for one chunk, forward and backward.

The rows of a chunk are looked up in arrays by indices (sender, receiver, edge), a function makes results of them, and
these are added to other arrays by indices: gather, compute, scatter. The derivative of such a sum is such a sum, with
the derivative of the function; its transpose is such a sum, with the transpose of the function, where what was read
is written and what was written is read. So every derivative, in every mode and of every order, is again this
primitive, and remembers nothing but its operands: what the function made is made again, where it is needed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from ._jax_compat import Zero, is_undefined, new_primitive, without_dead_code, zero_tangent
from ._polynomial import SHARED

Shape = jax.ShapeDtypeStruct


@dataclass(frozen=True, eq=False)
class Loop:
    """What is done with each chunk. Equal only to itself, as a traced function is.

    Attributes:
        body: makes of the rows of a chunk the rows that are added to the outputs.
        reads: for each input the name of the index by which its rows are looked up, or ``SHARED``.
        writes: for each output the name of the index by which rows are added to it, or ``SHARED``.
        shapes: of the outputs.
        indices: the names of all indices.
    """

    body: ClosedJaxpr
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    indices: tuple[str, ...]


def sum_over_chunks(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Sequence[jax.Array],
    reads: Sequence[str],
    outputs: Sequence[Shape],
    writes: Sequence[str],
    indices: Mapping[str, jax.Array],
    count: int | jax.Array,
) -> list[jax.Array]:
    """The sum over chunks of what a function makes of each.

    Args:
        function: called with the rows of a chunk of each input, arrays of shape (*rows, ...); gives the rows that are
            added to each output. It may close over arrays, also ones that are traced and differentiated.
        inputs: arrays of shape (places, ...).
        reads: for each input the index that its rows are looked up in, or ``SHARED``: all of it, for every chunk.
        outputs: shapes (places, ...) and dtypes of the results.
        writes: for each output the index that its rows are added by, or ``SHARED``: added up over the chunks.
        indices: for each name integers of shape (chunks, *rows), not negative. Places out of range read zeros and
            write nothing.
        count: how many chunks there are; those beyond are not computed.
    """
    names = tuple(indices)
    places = {name: index.shape[1:] for name, index in indices.items()}
    body = jax.make_jaxpr(function)(*(_rows(x, read, places) for x, read in zip(inputs, reads, strict=True)))
    if body.effects:
        raise ValueError(f"a function of edge data must be pure, got one with effects {body.effects}")
    # What the function closes over becomes an input, so that it can be differentiated.
    closed = [jnp.asarray(x) for x in body.consts]

    def opened(*arguments: Any) -> list[jax.Array]:
        return jaxpr_as_fun(ClosedJaxpr(body.jaxpr, arguments[: len(closed)]))(*arguments[len(closed) :])

    arrays = [*closed, *inputs]
    all_reads = (*(SHARED for _ in closed), *reads)
    loop = Loop(_traced(opened, arrays, all_reads, places), all_reads, tuple(writes), tuple(outputs), names)
    return _bind(loop, arrays, indices, count)


def _rows(x: Any, read: str, places: Mapping[str, tuple[int, ...]]) -> Shape:
    """What the body sees of an array."""
    shape = x.shape if read == SHARED else (*places[read], *x.shape[1:])
    return Shape(shape, x.dtype)


def _traced(
    function: Callable[..., Any], arrays: Sequence[Any], reads: Sequence[str], places: Mapping[str, tuple[int, ...]]
) -> ClosedJaxpr:
    return jax.make_jaxpr(function)(*(_rows(x, read, places) for x, read in zip(arrays, reads, strict=True)))


def _bind(loop: Loop, inputs: Sequence[Any], indices: Mapping[str, Any], count: Any) -> list[Any]:
    """Bind, without the inputs that the body does not need."""
    body, needed = without_dead_code(loop.body, [True] * len(loop.writes))
    reads = tuple(r for r, yes in zip(loop.reads, needed, strict=True) if yes)
    inputs = [x for x, yes in zip(inputs, needed, strict=True) if yes]
    small = Loop(body, reads, loop.writes, loop.shapes, loop.indices)
    count = jnp.asarray(count, jnp.int32)
    return chunks_p.bind(*inputs, *(indices[name] for name in loop.indices), count, loop=small)


def _split(loop: Loop, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any], Any]:
    """Inputs, indices by name, and the number of chunks."""
    n = len(loop.reads)
    return list(arrays[:n]), dict(zip(loop.indices, arrays[n:-1], strict=True)), arrays[-1]


def _places(indices: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(index.shape[1:]) for name, index in indices.items()}


def _run(*arrays: jax.Array, loop: Loop) -> list[jax.Array]:
    inputs, indices, count = _split(loop, arrays)
    body = jaxpr_as_fun(loop.body)

    def add_chunk(c: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
        at = {name: jax.lax.dynamic_index_in_dim(index, c, keepdims=False) for name, index in indices.items()}
        rows = [
            x if read == SHARED else x.at[at[read]].get(mode="fill", fill_value=0, wrap_negative_indices=False)
            for x, read in zip(inputs, loop.reads, strict=True)
        ]
        return [
            total + y if write == SHARED else total.at[at[write]].add(y, mode="drop", wrap_negative_indices=False)
            for total, y, write in zip(sums, body(*rows), loop.writes, strict=True)
        ]

    sums = [jnp.zeros(s.shape, s.dtype) for s in loop.shapes]
    if any(math.prod(index.shape) == 0 for index in indices.values()):
        return sums
    return jax.lax.fori_loop(0, count, add_chunk, sums)


def _shapes(*_: Any, loop: Loop) -> list[Shape]:
    return list(loop.shapes)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, loop: Loop) -> tuple[list[Any], list[Any]]:
    out = chunks_p.bind(*primals, loop=loop)
    inputs, indices, count = _split(loop, primals)
    active = [i for i, t in enumerate(tangents[: len(inputs)]) if not isinstance(t, Zero)]
    if not active:
        return out, [zero_tangent(y) for y in out]

    def tangent(*arguments: Any) -> list[jax.Array]:
        values, dots = list(arguments[: len(inputs)]), arguments[len(inputs) :]

        def of_active(*some: Any) -> list[jax.Array]:
            return jaxpr_as_fun(loop.body)(*_replaced(values, active, some))

        return jax.jvp(of_active, tuple(values[i] for i in active), dots)[1]

    arrays = [*inputs, *(tangents[i] for i in active)]
    reads = (*loop.reads, *(loop.reads[i] for i in active))
    body = _traced(tangent, arrays, reads, _places(indices))
    return out, _bind(Loop(body, reads, loop.writes, loop.shapes, loop.indices), arrays, indices, count)


def _replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(values)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


def _transpose(cotangents: Sequence[Any], *arrays: Any, loop: Loop) -> list[Any]:
    inputs, indices, count = _split(loop, arrays)
    linear = [i for i, x in enumerate(inputs) if is_undefined(x)]
    given = [i for i, x in enumerate(inputs) if not is_undefined(x)]
    known = [o for o, ct in enumerate(cotangents) if not isinstance(ct, Zero)]
    result: list[Any] = [None] * len(arrays)
    if not known:
        return _replaced(result, linear, [Zero(inputs[i].aval) for i in linear])
    places = _places(indices)
    avals = [inputs[i].aval for i in linear]
    rows = [_rows(aval, loop.reads[i], places) for aval, i in zip(avals, linear, strict=True)]

    def transposed(*arguments: Any) -> list[jax.Array]:
        values = _replaced([None] * len(inputs), given, arguments[: len(given)])

        def of_linear(*some: Any) -> list[jax.Array]:
            out = jaxpr_as_fun(loop.body)(*_replaced(values, linear, some))
            return [out[o] for o in known]

        return list(jax.linear_transpose(of_linear, *rows)(list(arguments[len(given) :])))

    operands = [*(inputs[i] for i in given), *(cotangents[o] for o in known)]
    reads = (*(loop.reads[i] for i in given), *(loop.writes[o] for o in known))
    body = _traced(transposed, operands, reads, places)
    shapes = tuple(Shape(aval.shape, aval.dtype) for aval in avals)
    turned = Loop(body, reads, tuple(loop.reads[i] for i in linear), shapes, loop.indices)
    return _replaced(result, linear, _bind(turned, operands, indices, count))


def _batch(arrays: Sequence[Any], axes: Sequence[Any], *, loop: Loop) -> tuple[list[Any], list[Any]]:
    n = len(loop.reads)
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    if any(a is not None for a in axes[n:]):
        # Every one has edges of its own: one after the other.
        moved = [x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(arrays, axes, strict=True)]
        batched = [x for x, a in zip(moved, axes, strict=True) if a is not None]
        where = [i for i, a in enumerate(axes) if a is not None]
        out = jax.lax.map(lambda some: chunks_p.bind(*_replaced(moved, where, some), loop=loop), batched)
        return out, [0] * len(out)
    inputs, indices, count = _split(loop, arrays)
    places = _places(indices)

    def axis(kind: str) -> int:
        return 0 if kind == SHARED else 1

    def row_axis(kind: str) -> int:
        return 0 if kind == SHARED else len(places[kind])

    moved = [
        x if a is None else jnp.moveaxis(x, a, axis(read))
        for x, a, read in zip(inputs, axes, loop.reads, strict=False)
    ]
    body_axes = [None if a is None else row_axis(read) for a, read in zip(axes, loop.reads, strict=False)]
    function = jax.vmap(
        jaxpr_as_fun(loop.body), in_axes=body_axes, out_axes=[row_axis(w) for w in loop.writes], axis_size=size
    )
    shapes = tuple(
        Shape((*s.shape[: axis(w)], size, *s.shape[axis(w) :]), s.dtype)
        for s, w in zip(loop.shapes, loop.writes, strict=True)
    )
    body = _traced(function, moved, loop.reads, places)
    wide = Loop(body, loop.reads, loop.writes, shapes, loop.indices)
    return _bind(wide, moved, indices, count), [axis(w) for w in loop.writes]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    loop = parameters["loop"]
    body, needed = without_dead_code(loop.body, used)

    def kept(items: Sequence[Any], which: Sequence[bool]) -> tuple[Any, ...]:
        return tuple(x for x, yes in zip(items, which, strict=True) if yes)

    small = Loop(body, kept(loop.reads, needed), kept(loop.writes, used), kept(loop.shapes, used), loop.indices)
    return [*needed, *[True] * (len(loop.indices) + 1)], {**parameters, "loop": small}


chunks_p = new_primitive(
    "irreps_chunks",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    prune=_prune,
    static=("loop",),
)
