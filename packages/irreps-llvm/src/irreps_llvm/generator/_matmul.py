"""The matrix product of small matrices, as a tile of sums in registers."""

from collections.abc import Sequence
from typing import NamedTuple

from irreps_llvm.program import Builder, Integer, Value

from ._layout import Lanes

TILE_ROWS = 6


class Matrix(NamedTuple):
    """A matrix in memory: a pointer and the strides of its rows and columns."""

    pointer: Value
    row: int
    column: int


def vectors_in_tile(registers: int) -> int:
    """Return how many vectors wide a tile is, so that its sums and one row of the right factor fit in registers."""
    return 4 if registers >= 32 else 2


def matrix_product(
    builder: Builder,
    factors: Sequence[tuple[Matrix, Matrix, Integer]],
    rows: Integer,
    result: Matrix,
    lanes: Lanes,
    registers: int,
    *,
    add: bool = False,
) -> None:
    """Compute the sum of some products a @ b.

    Rows are processed in tiles, so up to ``TILE_ROWS - 1`` further rows of `a` are read and of the result are written.

    Args:
        builder: appends the code.
        factors: a (rows, n), b (n, lanes), in which lanes are contiguous, and n.
        rows: number of rows.
        result: of shape (rows, lanes).
        lanes: number and width of lanes.
        registers: number of vector registers.
        add: add to the result.
    """
    widest = vectors_in_tile(registers)
    whole = lanes.vectors // widest
    if whole:
        with builder.loop(0, whole * widest * lanes.width, widest * lanes.width) as lane:
            _columns(builder, factors, rows, result, lanes.width, widest, lane, add)
    if rest := lanes.vectors - whole * widest:
        _columns(builder, factors, rows, result, lanes.width, rest, whole * widest * lanes.width, add)


def _columns(
    builder: Builder,
    factors: Sequence[tuple[Matrix, Matrix, Integer]],
    rows: Integer,
    result: Matrix,
    width: int,
    vectors: int,
    lane: Integer,
    add: bool,
) -> None:
    with builder.loop(0, rows, TILE_ROWS) as row:
        to = [
            builder.at(result.pointer, builder.add(builder.mul(builder.add(row, r), result.row), lane))
            for r in range(TILE_ROWS)
        ]
        sums = [
            [
                builder.variable(builder.load_vector(p, width, v * width) if add else builder.zero(width))
                for v in range(vectors)
            ]
            for p in to
        ]
        for a, b, summed in factors:
            left = [builder.at(a.pointer, builder.mul(builder.add(row, r), a.row)) for r in range(TILE_ROWS)]
            right = builder.at(b.pointer, lane)

            with builder.loop(0, summed) as k:
                start, column = builder.at(right, builder.mul(k, b.row)), builder.mul(k, a.column)
                vectors_of_b = [builder.load_vector(start, width, v * width) for v in range(vectors)]
                for r in range(TILE_ROWS):
                    factor = builder.splat(builder.load(left[r], column), width)
                    for v in range(vectors):
                        builder.set(sums[r][v], builder.fma(factor, vectors_of_b[v], builder.get(sums[r][v])))
        for r in range(TILE_ROWS):
            for v in range(vectors):
                builder.store(builder.get(sums[r][v]), to[r], v * width)
