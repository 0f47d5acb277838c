"""Paths of a polynomial as products over lanes.

For each path one channel letter becomes the *lane*: vectors run along it. An operand with that letter is a lane
operand, one without it is a scalar, which is the same in all lanes. Other letters are *loops*. Where a broadcast matrix
V[b, a] is multiplied by a batched h[b], neither is touched lane by lane: the matrix product h V is an operand of its
own, computed for a block of the batch at once, and so are the transposed products that occur in derivatives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from irreps_core import cached
from irreps_ops.compute import Access, Operand, Path, Polynomial

from ._folding import folded

LANE, SUMMED = "*", "#"


class Operands(NamedTuple):
    """An operand of a product: its position among inputs or outputs, and its letters.

    In letters the lane is ``*``, the letter that a matrix product sums over is ``#``, and loops are digits.
    """

    position: int
    letters: tuple[str, ...]


def by_axis(used: Operands) -> Operands:
    """Name the loops of an output by its axes, so that all paths to it name them alike."""
    letters = tuple(x if x in (LANE, SUMMED) else f"axis {n}" for n, x in enumerate(used.letters))
    return Operands(used.position, letters)


class MatrixProduct(NamedTuple):
    """The sum over b of h[i, b] V[b, a], for each element of the batch: an operand with the components of h."""

    vector: Operands
    matrix: Operands


# What has lanes: an input, or a sum of matrix products of inputs.
LaneInput: TypeAlias = Operands | tuple[MatrixProduct, ...]


class LaneOutput(NamedTuple):
    """An output with lanes."""

    target: Operands


class ScalarOutput(NamedTuple):
    """An output without lanes: the product is summed over them."""

    target: Operands


class VectorOutput(NamedTuple):
    """An output h[i, b], the sum over a of the product [i, a] and a matrix V[b, a]."""

    target: Operands
    matrix: Operands


class MatrixOutput(NamedTuple):
    """A broadcast output V[b, a], the sum over the batch and i of the product [i, a] and h[i, b]."""

    target: Operands
    vector: Operands


ProductOutput: TypeAlias = LaneOutput | ScalarOutput | VectorOutput | MatrixOutput


class Term(NamedTuple):
    """Components that meet: of the lane inputs, of the scalars, of the output; and the coefficient."""

    lanes: tuple[int, ...]
    scalars: tuple[int, ...]
    output: int
    value: float


@dataclass(frozen=True)
class Product:
    """A path with the roles of its operands.

    Attributes:
        extent: number of channels along the lane.
        loops: extents of the loops.
        lanes: inputs with lanes.
        scalars: inputs without.
        output: what is done with the product.
        terms: which components meet.
        key: equal for the paths that belong together: a path of an operation and all its derivatives.
    """

    extent: int
    loops: tuple[int, ...]
    lanes: tuple[LaneInput, ...]
    scalars: tuple[Operands, ...]
    output: ProductOutput
    terms: tuple[Term, ...]
    key: tuple


def products(polynomial: Polynomial) -> list[Product]:
    """Return the products of a polynomial, such that all paths to an output treat it alike."""
    choices = [_matrix_roles(polynomial, path) or _plain_roles(polynomial, path) for path in polynomial.paths]
    role: dict[int, set[tuple]] = {}
    for path, roles in zip(polynomial.paths, choices, strict=True):
        role.setdefault(path.output, set()).add(_role_of_output(path, roles))
    for n, path in enumerate(polynomial.paths):
        if len(role[path.output]) > 1:
            choices[n] = _plain_roles(polynomial, path)
    # An output without channels is a sum over lanes, unless no path to it has any.
    summed = {
        p.output for p, roles in zip(polynomial.paths, choices, strict=True) if roles.lane and not p.subscripts[-1]
    }
    found = [
        _product(polynomial, path, roles, path.output in summed)
        for path, roles in zip(polynomial.paths, choices, strict=True)
    ]
    return _joined(polynomial, found)


class _Roles(NamedTuple):
    lane: str  # a letter; "" if no operand has any
    vector: int | None = None  # slots of h and of V
    matrix: int | None = None
    summed: str = ""


def _role_of_output(path: Path, roles: _Roles) -> tuple:
    last = len(path.inputs)
    letters = path.subscripts[-1]
    if last == roles.vector:
        return ("vector", letters.find(roles.summed))
    if last == roles.matrix:
        return ("matrix", letters.find(roles.summed), letters.find(roles.lane))
    return ("lane", letters.find(roles.lane) if roles.lane else -1)


def _plain_roles(polynomial: Polynomial, path: Path) -> _Roles:
    """Let the lane run along the longest axis of the output, or of the inputs if the output has none."""
    extents = polynomial.extents(path)
    letters = path.subscripts[-1] or "".join(sorted(set("".join(path.subscripts))))
    if not letters:
        return _Roles("")
    return _Roles(max(reversed(letters), key=lambda letter: extents[letter]))


def _matrix_roles(polynomial: Polynomial, path: Path) -> _Roles | None:
    """Find a matrix product h[b] V[b, a] in a path."""
    operands, extents = polynomial.operands(path), polynomial.extents(path)
    last = len(path.inputs)
    found: list[tuple[tuple, _Roles]] = []
    for matrix, operand in enumerate(operands):
        if operand.access is not Access.BROADCAST or operand.components != 1 or len(path.subscripts[matrix]) < 2:
            continue
        for summed in path.subscripts[matrix]:
            having = [s for s, letters in enumerate(path.subscripts) if summed in letters and s != matrix]
            if len(having) != 1 or not operands[having[0]].batch_axes:
                continue
            vector = having[0]
            if vector == last and operands[vector].access is not Access.BATCHED:
                continue
            for lane in path.subscripts[matrix]:
                others = [s for s, letters in enumerate(path.subscripts) if lane in letters and s != matrix]
                if lane == summed or not others or vector in others or extents[summed] < 2:
                    continue
                order = (operands[vector].components, -extents[summed] * extents[lane], vector != last, matrix, summed)
                found.append((order, _Roles(lane, vector, matrix, summed)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _product(polynomial: Polynomial, path: Path, roles: _Roles, summed: bool) -> Product:
    extents = polynomial.extents(path)
    loops = [
        letter for letter in dict.fromkeys("".join(path.subscripts)) if letter != roles.lane and letter != roles.summed
    ]
    names = {letter: str(n) for n, letter in enumerate(loops)} | {roles.lane: LANE, roles.summed: SUMMED}
    positions = (*path.inputs, path.output)
    slots = [
        Operands(position, tuple(names[letter] for letter in letters))
        for position, letters in zip(positions, path.subscripts, strict=True)
    ]
    last = len(path.inputs)
    special = (roles.vector, roles.matrix)

    def has_lane(slot: int) -> bool:
        # Without any channels the only lane is the number itself.
        return roles.lane == "" or LANE in slots[slot].letters

    plain = [s for s in range(last) if s not in special]
    lane_slots, scalar_slots = [s for s in plain if has_lane(s)], [s for s in plain if not has_lane(s)]
    lanes: list[LaneInput] = [slots[s] for s in lane_slots]
    output: ProductOutput
    output_slot = last
    if roles.vector is not None and roles.matrix is not None:
        vector, matrix = slots[roles.vector], slots[roles.matrix]
        if last == roles.vector:
            output = VectorOutput(vector, matrix)
        elif last == roles.matrix:
            output, output_slot = MatrixOutput(matrix, vector), roles.vector
        else:
            output = LaneOutput(slots[last]) if has_lane(last) else ScalarOutput(slots[last])
            lanes.append((MatrixProduct(vector, matrix),))
            lane_slots.append(roles.vector)
    else:
        output = LaneOutput(slots[last]) if has_lane(last) and not summed else ScalarOutput(slots[last])
    table, values = path.coefficients.terms, path.coefficients.values
    terms = tuple(
        Term(
            tuple(int(row[s]) for s in lane_slots),
            tuple(int(row[s]) for s in scalar_slots),
            int(row[output_slot]),
            float(value),
        )
        for row, value in zip(table, values, strict=True)
    )
    return Product(
        extents.get(roles.lane, 1),
        tuple(extents[letter] for letter in loops),
        tuple(lanes),
        tuple(slots[s] for s in scalar_slots),
        output,
        terms,
        _key(polynomial.operands(path)),
    )


def _key(operands: Sequence[Operand]) -> tuple:
    """Identify a path and its derivatives: these swap and repeat its operands, whose names and shapes stay."""
    return tuple(sorted({(o.name, o.shape, str(o.access)) for o in operands}))


def _joined(polynomial: Polynomial, found: Sequence[Product]) -> list[Product]:
    """Add up the matrix products of products that are otherwise equal."""
    merged: dict[tuple, list[Product]] = {}
    for product in found:
        rest = tuple(x for x in product.lanes if isinstance(x, Operands))
        if len(rest) == len(product.lanes):
            key: tuple = (len(merged), product)
        else:
            sums = [x for x in product.lanes if not isinstance(x, Operands)]
            components = [polynomial.inputs[m.vector.position].components for x in sums for m in x]
            shape = (product.extent, product.loops, tuple(components))
            key = (*shape, rest, product.scalars, product.output, product.terms)
        merged.setdefault(key, []).append(product)
    result = []
    for same in merged.values():
        first = same[0]
        if len(same) > 1:
            rest = tuple(x for x in first.lanes if isinstance(x, Operands))
            pairs = tuple(sorted({pair for p in same for x in p.lanes if not isinstance(x, Operands) for pair in x}))
            count = sum(len(x) for p in same for x in p.lanes if not isinstance(x, Operands))
            if count != len(pairs):  # the same path twice: cannot be, polynomials are canonical
                result += same
                continue
            first = Product(
                first.extent, first.loops, (*rest, pairs), first.scalars, first.output, first.terms, first.key
            )
        result.append(first)
    return result


class Operations(NamedTuple):
    """Multiply-adds for each element of the batch.

    Attributes:
        matrix: of matrix products.
        looped_matrix: of matrix products inside of loops over channels.
        lanes: over lanes.
    """

    matrix: float
    looped_matrix: float
    lanes: float


@cached(maxsize=1024)
def operations(polynomial: Polynomial) -> Operations:
    """Estimate the operations of a polynomial, before the order of any of them is chosen."""
    polynomial = folded(polynomial)
    matrix: dict[tuple, float] = {}
    lanes = 0.0

    def add(pairs: Sequence[tuple[Operands, Operands, bool]], product: Product) -> None:
        for vector, other, output in pairs:
            operand = (polynomial.outputs if output else polynomial.inputs)[vector.position]
            key = (vector, other, output, product.extent, product.loops)
            matrix[key] = operand.size * product.extent * (math.prod(product.loops) if product.loops else 1)

    for product in products(polynomial):
        lanes += len(product.terms) * product.extent * math.prod(product.loops)
        for source in product.lanes:
            if not isinstance(source, Operands):
                add([(m.vector, m.matrix, False) for m in source], product)
        match product.output:
            case VectorOutput(target, other):
                add([(target, other, True)], product)
            case MatrixOutput(target, vector):
                add([(vector, target, False)], product)
    plain = sum(value for (*_, loops), value in matrix.items() if not loops)
    return Operations(plain, sum(matrix.values()) - plain, lanes)
