"""How operands lie in memory, and code that copies elements of the batch between two layouts.

In the *packed* layout of an operand the lanes are contiguous and padded with zeros to whole vectors:
(loops, components, lanes). Loops over lanes need no remainder then, whatever the number of channels.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from irreps_llvm.program import Builder, Element, Integer, Value
from irreps_ops.compute import Operand

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
        size: numbers of one element of the batch.
    """

    components: int
    component: int
    lanes: int
    lane: int
    extents: tuple[tuple[str, int], ...]
    strides: tuple[tuple[str, int], ...]
    size: int

    def offset(self, builder: Builder, loops: dict[str, Integer]) -> Integer:
        """Return the position of the first number, given the counters of the loops."""
        position: Integer = 0
        for name, stride in self.strides:
            position = builder.add(position, builder.mul(loops[name], stride))
        return position


def stored_layout(operand: Operand, letters: Sequence[str], lane: str = LANE) -> Layout:
    """Return the layout of an operand in its array.

    Args:
        operand: the operand.
        letters: the name of each channel axis.
        lane: the name of the axis along which the lanes run; if no axis has it, there is one lane.
    """
    strides, stride = [0] * len(operand.channels), operand.components if operand.components_last else 1
    for n in reversed(range(len(operand.channels))):
        strides[n] = stride
        stride *= operand.channels[n]
    named = dict(zip(letters, zip(operand.channels, strides, strict=True), strict=True))
    extent, lane_stride = named.get(lane, (1, 1))
    loops = [(name, *pair) for name, pair in named.items() if name != lane]
    return Layout(
        operand.components,
        1 if operand.components_last else math.prod(operand.channels),
        extent,
        lane_stride,
        tuple((name, extent) for name, extent, _ in loops),
        tuple((name, stride) for name, _, stride in loops),
        operand.size,
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


def _combinations(layout: Layout) -> list[dict[str, int]]:
    names = [name for name, _ in layout.extents]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(range(extent) for _, extent in layout.extents))
    ]


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


def pack(builder: Builder, source: Value, stored: Layout, target: Value, packed: Layout, width: int) -> None:
    """Copy one element of the batch into the packed layout.

    Args:
        builder: appends the code.
        source: pointer to the element in its array.
        stored: its layout there.
        target: pointer to the packed element.
        packed: the packed layout.
        width: lanes of a vector.
    """

    def body(counters: dict[str, Integer]) -> None:
        read = builder.at(source, stored.offset(builder, counters))
        write = builder.at(target, packed.offset(builder, counters))
        if builder.threads:
            for c in range(stored.components):
                with builder.loop(0, packed.lanes, width) as lane:
                    start = builder.at(builder.at(read, c * stored.component), builder.mul(lane, stored.lane))
                    count = width if stored.lanes % width == 0 else builder.sub(stored.lanes, lane)
                    vector = builder.load_strided(start, width, stored.lane, count)
                    builder.store(vector, builder.at(write, c * packed.component), lane)
            return
        whole = stored.lanes // width * width
        contiguous, interleaved = stored.lane == 1, stored.component == 1 and stored.lane == stored.components
        if width == 1 or not (contiguous or interleaved):
            whole = 0
        if whole and contiguous:
            for c in range(stored.components):
                with builder.loop(0, whole, width) as lane:
                    vector = builder.load_vector(builder.at(read, c * stored.component), width, lane)
                    builder.store(vector, builder.at(write, c * packed.component), lane)
        elif whole:
            d = stored.components
            with builder.loop(0, whole, width) as lane:
                start = builder.at(read, builder.mul(lane, d))
                given = [builder.load_vector(start, width, n * width) for n in range(d)]
                for c, vector in enumerate(_deinterleaved(builder, given, width)):
                    builder.store(vector, builder.at(write, c * packed.component), lane)
        if whole < stored.lanes:
            for c in range(stored.components):
                with builder.loop(whole, stored.lanes) as lane:
                    value = builder.load(builder.at(read, c * stored.component), builder.mul(lane, stored.lane))
                    builder.store(value, builder.at(write, c * packed.component), lane)
        if stored.lanes < packed.lanes:
            for c in range(stored.components):
                start = builder.at(write, c * packed.component + stored.lanes)
                builder.clear(start, packed.lanes - stored.lanes)

    _in_loops(builder, stored, body)


def unpack(builder: Builder, source: Value, packed: Layout, target: Value, stored: Layout, width: int) -> None:
    """Copy one element of the batch from the packed layout into its array; arguments as for :func:`pack`."""

    def body(counters: dict[str, Integer]) -> None:
        read = builder.at(source, packed.offset(builder, counters))
        write = builder.at(target, stored.offset(builder, counters))
        if builder.threads:
            for c in range(stored.components):
                with builder.loop(0, packed.lanes, width) as lane:
                    vector = builder.load_vector(builder.at(read, c * packed.component), width, lane)
                    start = builder.at(builder.at(write, c * stored.component), builder.mul(lane, stored.lane))
                    count = width if stored.lanes % width == 0 else builder.sub(stored.lanes, lane)
                    builder.store_strided(vector, start, stored.lane, count)
            return
        whole = stored.lanes // width * width
        contiguous, interleaved = stored.lane == 1, stored.component == 1 and stored.lane == stored.components
        if width == 1 or not (contiguous or interleaved):
            whole = 0
        if whole and contiguous:
            for c in range(stored.components):
                with builder.loop(0, whole, width) as lane:
                    vector = builder.load_vector(builder.at(read, c * packed.component), width, lane)
                    builder.store(vector, builder.at(write, c * stored.component), lane)
        elif whole:
            d = stored.components
            with builder.loop(0, whole, width) as lane:
                given = [builder.load_vector(builder.at(read, c * packed.component), width, lane) for c in range(d)]
                start = builder.at(write, builder.mul(lane, d))
                for n, vector in enumerate(_interleaved(builder, given, width)):
                    builder.store(vector, start, n * width)
        if whole < stored.lanes:
            for c in range(stored.components):
                with builder.loop(whole, stored.lanes) as lane:
                    value = builder.load(builder.at(read, c * packed.component), lane)
                    builder.store(value, builder.at(write, c * stored.component), builder.mul(lane, stored.lane))

    _in_loops(builder, stored, body)


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


def element_of(operand: Operand, dtype: str) -> Element:
    """Return how the elements of an operand lie in memory."""
    stored = operand.dtype or dtype
    return "float" if stored == dtype else stored  # type: ignore[return-value]
