"""How operands lie in memory, and code that copies elements of the batch between two layouts.

In the *packed* layout of an operand the lanes are contiguous and padded with zeros to whole vectors:
(loops, components, lanes). Loops over lanes need no remainder then, whatever the number of channels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from irreps_llvm.program import Builder, Element, Integer, Value
from irreps_ops.compute import Operand, View

from ._products import LANE


class Lanes(NamedTuple):
    """How many lanes a vector has, and how many lanes there are with padding."""

    width: int
    padded: int

    @property
    def vectors(self) -> int:
        """Number of vectors."""
        return self.padded // self.width


def lanes_of(extent: int, widest: int) -> Lanes:
    """Choose the width of vectors for a number of channels: the fewest vectors, then the least padding."""
    widths = [1 << n for n in range(widest.bit_length())]
    width = min(widths, key=lambda w: (-(-extent // w), w))
    return Lanes(width, -(-extent // width) * width)


@dataclass(frozen=True)
class Layout:
    """Positions of the numbers of one element of the batch, counted in elements of memory.

    Attributes:
        components: number of components.
        component: stride of the components.
        lanes: number of lanes.
        lane: stride of the lanes.
        extents: of the loops, by name.
        strides: of the loops, by name.
        size: from one element of the batch to the next.
        start: of the first number, in the memory of an element.
        parts: the ranges of components, if each is laid out on its own.
    """

    components: int
    component: int
    lanes: int
    lane: int
    extents: tuple[tuple[str, int], ...]
    strides: tuple[tuple[str, int], ...]
    size: int
    start: int = 0
    parts: tuple["Layout", ...] = ()

    def offset(self, builder: Builder, loops: dict[str, Integer]) -> Integer:
        """Return the position of the first number, given the counters of the loops."""
        position: Integer = self.start
        for name, stride in self.strides:
            position = builder.add(position, builder.mul(loops[name], stride))
        return position


def stored_layout(operand: Operand, letters: Sequence[str], lane: str = LANE, view: View | None = None) -> Layout:
    """Return the layout of an operand in its array.

    Args:
        operand: the operand.
        letters: the name of each channel axis.
        lane: the name of the axis along which the lanes run; if no axis has it, there is one lane.
        view: where the operand lies in its array (default: it is all of it).
    """
    view = View.whole(0, operand) if view is None else view
    if len(view.parts) != 1:
        parts = tuple(
            stored_layout(replace(operand, components=n), letters, lane, replace(view, parts=((n, start),)))
            for n, start in view.parts
        )
        return replace(stored_layout(operand, letters, lane), size=view.width, parts=parts)
    shape, strides, stride = operand.shape, [], 1
    for axis in reversed(range(len(shape))):
        stride = view.width if axis == view.axes - 1 else stride
        strides.insert(0, stride)
        stride *= shape[axis]
    own = operand.component_axis - operand.batch_axes
    component = strides.pop(own)
    named = dict(zip(letters, zip(operand.channels, strides, strict=True), strict=True))
    extent, lane_stride = named.get(lane, (1, 1))
    loops = [(name, *pair) for name, pair in named.items() if name != lane]
    return Layout(
        operand.components,
        component,
        extent,
        lane_stride,
        tuple((name, extent) for name, extent, _ in loops),
        tuple((name, stride) for name, _, stride in loops),
        math.prod(view.of_array(operand)),
        view.parts[0][1],
    )


def packed_layout(stored: Layout, padded: int, *, component: int | None = None, loop: int | None = None) -> Layout:
    """Return the packed layout of an operand.

    Args:
        stored: its layout in its array.
        padded: the number of lanes with padding.
        component: stride of the components (default: the padded lanes).
        loop: stride of the innermost loop (default: all components).
    """
    component = padded if component is None else component
    stride = stored.components * component if loop is None else loop
    strides = []
    for name, extent in reversed(stored.extents):
        strides.append((name, stride))
        stride *= extent
    return Layout(stored.components, component, padded, 1, stored.extents, tuple(reversed(strides)), stride)


def _in_loops(builder: Builder, layout: Layout, body: Callable[[dict[str, Integer]], None]) -> None:
    """Call `body` with the counters of the loops, inside of the loops."""

    def nested(rest: list[tuple[str, int]], counters: dict[str, Integer]) -> None:
        if not rest:
            body(counters)
            return
        (name, extent), *others = rest
        with builder.loop(0, extent) as counter:
            nested(others, {**counters, name: counter})

    nested(list(layout.extents), {})


def copy_element(builder: Builder, source: Value, given: Layout, target: Value, wanted: Layout, width: int) -> None:
    """Copy one element of the batch from one layout into another; one of them is packed, and its padding is zero.

    Args:
        builder: appends the code.
        source: pointer to the element.
        given: its layout.
        target: pointer to where it is written.
        wanted: the layout there.
        width: lanes of a vector.
    """
    if given.parts or wanted.parts:
        place = 0
        for part in given.parts or wanted.parts:
            if given.parts:
                to = builder.at(target, place * wanted.component)
                copy_element(builder, source, part, to, replace(wanted, components=part.components), width)
            else:
                start = builder.at(source, place * given.component)
                copy_element(builder, start, replace(given, components=part.components), target, part, width)
            place += part.components
        return
    lanes = min(given.lanes, wanted.lanes)
    in_vectors = width > 1 and is_in_vectors(given) and is_in_vectors(wanted)
    whole = lanes // width * width if in_vectors else 0

    def body(counters: dict[str, Integer]) -> None:
        read = builder.at(source, given.offset(builder, counters))
        write = builder.at(target, wanted.offset(builder, counters))
        if builder.threads:
            with builder.loop(0, max(given.lanes, wanted.lanes), width) as lane:
                count = builder.sub(lanes, lane)
                for c in range(given.components):
                    start = builder.at(builder.at(read, c * given.component), builder.mul(lane, given.lane))
                    to = builder.at(builder.at(write, c * wanted.component), builder.mul(lane, wanted.lane))
                    if _is_whole(given, width):
                        vector = builder.load_vector(start, width)
                    else:
                        vector = builder.load_strided(start, width, given.lane, _in_range(given, width, count))
                    if _is_whole(wanted, width):
                        builder.store(vector, to)
                    else:
                        builder.store_strided(vector, to, wanted.lane, _in_range(wanted, width, count))
            return
        if whole:
            with builder.loop(0, whole, width) as lane:
                found = _load_components(builder, read, given, lane, width)
                store_components(builder, found, target, wanted, counters, lane)
        if whole < lanes:
            for c in range(given.components):
                with builder.loop(whole, lanes) as lane:
                    value = builder.load(builder.at(read, c * given.component), builder.mul(lane, given.lane))
                    builder.store(value, builder.at(write, c * wanted.component), builder.mul(lane, wanted.lane))
        if lanes < wanted.lanes:
            for c in range(wanted.components):
                builder.clear(builder.at(write, c * wanted.component + lanes), wanted.lanes - lanes)

    _in_loops(builder, given, body)


def _is_whole(layout: Layout, width: int) -> bool:
    """Tell whether all lanes are whole vectors in memory."""
    return layout.lane == 1 and layout.lanes % width == 0


def _in_range(layout: Layout, width: int, count: Integer) -> Integer:
    """Return how many lanes of a vector there are, `count` before the end."""
    return width if layout.lanes % width == 0 else count


def is_in_vectors(layout: Layout) -> bool:
    """Tell whether the lanes of a component are contiguous, or only interleaved with those of the others."""
    if layout.parts:
        return all(map(is_in_vectors, layout.parts))
    return layout.lane == 1 or (layout.component == 1 and layout.lane == layout.components)


def store_components(
    builder: Builder,
    components: Sequence[Value],
    element: Value,
    layout: Layout,
    loops: dict[str, Integer],
    lane: Integer,
    *,
    add: bool = False,
) -> None:
    """Write a vector of lanes of each component to memory, whose lanes are contiguous or interleaved.

    Args:
        builder: appends the code.
        components: a vector for each component.
        element: pointer to the element.
        layout: of the element.
        loops: the counters of the loops.
        lane: the first lane.
        add: add to what is there.
    """
    place = 0
    for part in layout.parts or (layout,):
        some = components[place : place + part.components]
        to = builder.at(element, builder.add(part.offset(builder, loops), builder.mul(lane, part.lane)))
        if part.lane == 1:
            strides, vectors = part.component, some
        else:
            strides, vectors = some[0].lanes, _interleaved(builder, some, some[0].lanes)
        for n, vector in enumerate(vectors):
            at = builder.at(to, n * strides)
            builder.store(builder.fadd(builder.load_vector(at, vector.lanes), vector) if add else vector, at)
        place += part.components


def _load_components(builder: Builder, read: Value, layout: Layout, lane: Integer, width: int) -> list[Value]:
    """Return a vector of lanes of each component."""
    d = layout.components
    if layout.lane == 1:
        return [builder.load_vector(builder.at(read, c * layout.component), width, lane) for c in range(d)]
    start = builder.at(read, builder.mul(lane, d))
    return _deinterleaved(builder, [builder.load_vector(start, width, n * width) for n in range(d)], width)


def _deinterleaved(builder: Builder, given: Sequence[Value], width: int) -> list[Value]:
    """Sort the numbers of d vectors, number n of which is of component n % d, by component."""
    d = len(given)
    return [_chosen(builder, given, width, [lane * d + c for lane in range(width)]) for c in range(d)]


def _interleaved(builder: Builder, given: Sequence[Value], width: int) -> list[Value]:
    """Undo :func:`_deinterleaved`."""
    d = len(given)
    place = [(n % d) * width + n // d for n in range(d * width)]
    return [_chosen(builder, given, width, place[n * width : (n + 1) * width]) for n in range(d)]


def _chosen(builder: Builder, given: Sequence[Value], width: int, wanted: Sequence[int]) -> Value:
    """Return the numbers in these positions of several vectors, by one shuffle for each further vector."""
    used = sorted({n // width for n in wanted})
    if len(used) == 1:
        return builder.shuffle(given[used[0]], given[used[0]], [n % width for n in wanted])
    result, taken = given[used[0]], {used[0]}
    for v in used[1:]:
        mask = []
        for lane, n in enumerate(wanted):
            if n // width == v:
                mask.append(width + n % width)
            elif n // width in taken:
                # The first shuffle moves lanes into place; they stay there.
                mask.append(n % width if len(taken) == 1 else lane)
            else:
                mask.append(lane)
        result = builder.shuffle(result, given[v], mask)
        taken.add(v)
    return result


def each_number(
    builder: Builder, operand: Operand, view: View, body: Callable[[Integer, Integer], None], *, apart: bool = False
) -> None:
    """Call `body` with two positions of each number of an operand: in an array of its own, and in its array.

    Args:
        builder: appends the code, in loops.
        operand: the operand.
        view: where it lies in its array.
        body: appends the code for a number.
        apart: whether the iterations of a loop may run at the same time.
    """
    if len(view.parts) == 1:
        outer, start = math.prod(operand.shape[: view.axes]), view.parts[0][1]
        inner = operand.size // max(outer, 1)
        ranges = [(outer, inner, inner, 0, view.width, start)]
    else:
        outer, place, ranges = math.prod(operand.channels), 0, []
        for n, start in view.parts:
            ranges.append((outer, n, operand.components, place, n, start))
            place += n
    for outer, inner, step, place, stride, start in ranges:
        if inner <= 16 and outer == 1 and not apart:
            for n in range(inner):
                body(place + n, start + n)
        elif outer == 1:
            with builder.loop(0, inner, apart=apart) as n:
                body(builder.add(n, place), builder.add(n, start))
        else:
            with builder.loop(0, outer, apart=apart) as o, builder.loop(0, inner) as n:
                body(
                    builder.add(builder.add(builder.mul(o, step), n), place),
                    builder.add(builder.add(builder.mul(o, stride), n), start),
                )


def element_of(operand: Operand, dtype: str) -> Element:
    """Return how the elements of an operand lie in memory."""
    stored = operand.dtype or dtype
    return "float" if stored == dtype else stored  # type: ignore[return-value]
