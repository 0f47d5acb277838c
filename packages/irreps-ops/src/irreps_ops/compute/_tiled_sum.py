"""The tiled sum: gather, compute and scatter tile by tile, as one JAX primitive.

A tile of the batch is read from arrays, sliced or gathered through indices (senders, edges); a function computes
results from it; and these are added to other arrays through indices (receivers). The derivative of such a sum is such a
sum, with the derivative of the function; its transpose is such a sum, with the transpose of the function, where reads
and writes change positions. So every derivative, in every mode and of every order, is again this primitive. It keeps
nothing but its operands: intermediate results are recomputed where they are needed, and no array for all edges exists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from irreps_ops._inputs._precision import rounded_to, widened

from ._cost_model import is_accelerator, tiles_at_once
from ._jax_compat import (
    ClosedJaxpr,
    Zero,
    closed,
    is_undefined,
    new_primitive,
    vary_alike,
    without_dead_code,
    zero_tangent,
)
from ._terms import Access, AnyAccess, Index
from ._tile_loop import Shape, over_tiles, several_tiles


@dataclass(frozen=True)
class Loop:
    """How tiles are read and written.

    Attributes:
        reads: the access of each input.
        writes: the access of each output.
        shapes: of the outputs.
        indices: the names of all indices.
        batch: size of the batch.
        tile: length of a tile.
    """

    reads: tuple[AnyAccess, ...]
    writes: tuple[AnyAccess, ...]
    shapes: tuple[Shape, ...]
    indices: tuple[str, ...]
    batch: int
    tile: int

    def leading(self, access: AnyAccess, indices: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the leading axes of an input or output of a tile; a broadcast one has none of its own."""
        match access:
            case Access.BROADCAST:
                return ()
            case Access.BATCHED:
                return (self.tile,)
            case Index(name):
                return (self.tile, *indices[name].shape[1:])


def tiled_sum(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Sequence[jax.Array],
    reads: Sequence[AnyAccess],
    outputs: Sequence[Shape],
    writes: Sequence[AnyAccess],
    indices: Mapping[str, jax.Array],
    batch: int,
    tile: int,
    count: int | jax.Array | None = None,
) -> list[jax.Array]:
    """Apply a function tile by tile along the batch, differentiable to any order in the memory of one tile.

    Args:
        function: of the inputs of a tile, as :func:`over_tiles` calls it. It may close over arrays, also over traced
            ones that are differentiated.
        inputs: see :func:`over_tiles`.
        reads: see :func:`over_tiles`.
        outputs: see :func:`over_tiles`.
        writes: see :func:`over_tiles`.
        indices: see :func:`over_tiles`.
        batch: see :func:`over_tiles`.
        tile: see :func:`over_tiles`.
        count: see :func:`over_tiles`.

    Raises:
        ValueError: the function has side effects.
    """
    loop = Loop((), tuple(writes), tuple(outputs), tuple(indices), batch, tile)
    body = jax.make_jaxpr(function)(*(_tile_of(x, r, loop, indices) for x, r in zip(inputs, reads, strict=True)))
    if body.effects:
        raise ValueError(f"a function that is applied tile by tile must be pure, got one with effects {body.effects}")
    # Arrays that the function closes over become inputs, so that they can be differentiated.
    constants = [jnp.asarray(x) for x in body.consts]

    arrays = [*constants, *inputs]
    dtypes = [x.dtype for x in arrays]

    def opened(*arguments: Any) -> list[jax.Array]:
        given = [rounded_to(dtype, x) for dtype, x in zip(dtypes, arguments, strict=True)]
        return jaxpr_as_fun(closed(body.jaxpr, given[: len(constants)]))(*given[len(constants) :])

    loop = replace(loop, reads=(*(Access.BROADCAST for _ in constants), *reads))
    # The derivatives by arrays that many elements read are sums over these elements, so narrow ones are widened.
    arrays = [x if r is Access.BATCHED else widened(x) for x, r in zip(arrays, loop.reads, strict=True)]
    count = -(-batch // tile) if count is None else count
    return _bind(_traced(opened, arrays, loop, indices), loop, arrays, indices, count)


def _tile_of(x: Any, access: AnyAccess, loop: Loop, indices: Mapping[str, Any]) -> Shape:
    """Return shape and dtype of an array as the body sees it."""
    shape = x.shape if access is Access.BROADCAST else (*loop.leading(access, indices), *x.shape[1:])
    return Shape(shape, x.dtype)


def _traced(function: Callable[..., Any], arrays: Sequence[Any], loop: Loop, indices: Mapping[str, Any]) -> ClosedJaxpr:
    tiles = (_tile_of(x, access, loop, indices) for x, access in zip(arrays, loop.reads, strict=True))
    return jax.make_jaxpr(function)(*tiles)


def _bind(body: ClosedJaxpr, loop: Loop, inputs: Sequence[Any], indices: Mapping[str, Any], count: Any) -> list[Any]:
    """Bind the primitive, without the inputs that the body does not need."""
    body, needed = without_dead_code(body, [True] * len(loop.writes))
    small = replace(loop, reads=_kept(loop.reads, needed))
    inputs = _kept(inputs, needed)
    count = jnp.asarray(count, jnp.int32)
    arrays = vary_alike([*inputs, *(indices[name] for name in loop.indices), count])
    return tiled_sum_p.bind(*arrays, body=body, loop=small)


def _kept(items: Sequence[Any], which: Sequence[bool]) -> tuple[Any, ...]:
    return tuple(x for x, yes in zip(items, which, strict=True) if yes)


def _split(loop: Loop, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any], Any]:
    """Split the operands into inputs, indices by name, and the number of tiles."""
    n = len(loop.reads)
    return list(arrays[:n]), dict(zip(loop.indices, arrays[n:-1], strict=True)), arrays[-1]


def _run(*arrays: jax.Array, body: ClosedJaxpr, loop: Loop, platform: str | None, exported: bool) -> list[jax.Array]:
    inputs, indices, count = _split(loop, arrays)
    function, tile, batch = jaxpr_as_fun(body), loop.tile, loop.batch
    tiles = -(-batch // tile)
    # Without indices nothing is gathered, so the whole batch fits where its inputs do.
    together = tiles if is_accelerator(platform) and not indices else min(tiles_at_once(platform, tile), tiles)
    if together > 1:
        function, tile = several_tiles(function, together, loop.reads, loop.writes), together * tile
        count = -(-count // together)
        if tile > batch:  # all tiles at once, the last of them padded
            return _padded(function, inputs, indices, loop, tile)
    return over_tiles(function, inputs, loop.reads, loop.shapes, loop.writes, indices, batch, tile, count)


def _padded(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Sequence[jax.Array],
    indices: Mapping[str, jax.Array],
    loop: Loop,
    tile: int,
) -> list[jax.Array]:
    """Process a batch as one tile that is longer than it: elements beyond are zeros, their indices out of range."""

    def longer(x: jax.Array, filling: int) -> jax.Array:
        padding = [(0, tile - loop.batch), *[(0, 0)] * (x.ndim - 1)]
        return jnp.pad(x, padding, constant_values=filling)

    inputs = [longer(x, 0) if r is Access.BATCHED else x for x, r in zip(inputs, loop.reads, strict=True)]
    indices = {name: longer(index, jnp.iinfo(index.dtype).max) for name, index in indices.items()}
    shapes = [
        Shape((tile, *s.shape[1:]), s.dtype) if w is Access.BATCHED else s
        for s, w in zip(loop.shapes, loop.writes, strict=True)
    ]
    out = over_tiles(function, inputs, loop.reads, shapes, loop.writes, indices, tile, tile)
    return [y[: loop.batch] if w is Access.BATCHED else y for y, w in zip(out, loop.writes, strict=True)]


def _shapes(*_: Any, body: ClosedJaxpr, loop: Loop) -> list[Shape]:
    return list(loop.shapes)


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, body: ClosedJaxpr, loop: Loop
) -> tuple[list[Any], list[Any]]:
    out = tiled_sum_p.bind(*primals, body=body, loop=loop)
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
    derived = replace(loop, reads=(*loop.reads, *(loop.reads[i] for i in active)))
    return out, _bind(_traced(tangent, arrays, derived, indices), derived, arrays, indices, count)


def _replaced(values: Sequence[Any], positions: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(values)
    for i, x in zip(positions, new, strict=True):
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
    avals = [inputs[i].aval for i in linear]
    tiles = [_tile_of(aval, loop.reads[i], loop, indices) for aval, i in zip(avals, linear, strict=True)]

    def transposed(*arguments: Any) -> list[jax.Array]:
        values = _replaced([None] * len(inputs), given, arguments[: len(given)])

        def of_linear(*some: Any) -> list[jax.Array]:
            out = jaxpr_as_fun(body)(*_replaced(values, linear, some))
            return [out[o] for o in known]

        return list(jax.linear_transpose(of_linear, *tiles)(list(arguments[len(given) :])))

    operands = [*(inputs[i] for i in given), *(cotangents[o] for o in known)]
    reads = (*(loop.reads[i] for i in given), *(loop.writes[o] for o in known))
    shapes = tuple(Shape(aval.shape, aval.dtype) for aval in avals)
    back = replace(loop, reads=reads, writes=tuple(loop.reads[i] for i in linear), shapes=shapes)
    return _replaced(
        result, linear, _bind(_traced(transposed, operands, back, indices), back, operands, indices, count)
    )


def _vmap(arrays: Sequence[Any], axes: Sequence[Any], *, body: ClosedJaxpr, loop: Loop) -> tuple[list[Any], list[Any]]:
    n = len(loop.reads)
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    if any(a is not None for a in axes[n:]):
        # Each element of the vmapped axis has indices of its own: process one after the other.
        moved = [x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(arrays, axes, strict=True)]
        batched = [x for x, a in zip(moved, axes, strict=True) if a is not None]
        mapped = [i for i, a in enumerate(axes) if a is not None]
        out = jax.lax.map(lambda some: tiled_sum_p.bind(*_replaced(moved, mapped, some), body=body, loop=loop), batched)
        return out, [0] * len(out)
    inputs, indices, count = _split(loop, arrays)

    def axis(access: AnyAccess) -> int:
        """Return where the new axis goes in an array: after the batch axis."""
        return 0 if access is Access.BROADCAST else 1

    def tile_axis(access: AnyAccess) -> int:
        """Return where the new axis is in a tile: after its leading axes."""
        return len(loop.leading(access, indices))

    moved = [x if a is None else jnp.moveaxis(x, a, axis(r)) for x, a, r in zip(inputs, axes, loop.reads, strict=False)]
    function = jax.vmap(
        jaxpr_as_fun(body),
        in_axes=[None if a is None else tile_axis(r) for a, r in zip(axes, loop.reads, strict=False)],
        out_axes=[tile_axis(w) for w in loop.writes],
        axis_size=size,
    )
    shapes = tuple(
        Shape((*s.shape[: axis(w)], size, *s.shape[axis(w) :]), s.dtype)
        for s, w in zip(loop.shapes, loop.writes, strict=True)
    )
    wide = replace(loop, shapes=shapes)
    return _bind(_traced(function, moved, wide, indices), wide, moved, indices, count), [axis(w) for w in loop.writes]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    loop: Loop = parameters["loop"]
    body, needed = without_dead_code(parameters["body"], used)
    reads, writes, shapes = _kept(loop.reads, needed), _kept(loop.writes, used), _kept(loop.shapes, used)
    small = replace(loop, reads=reads, writes=writes, shapes=shapes)
    return [*needed, *[True] * (len(loop.indices) + 1)], {"body": body, "loop": small}


tiled_sum_p = new_primitive(
    "irreps_tiled_sum",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    vmap=_vmap,
    prune=_prune,
    static=("body", "loop"),
)
