"""A tensor product as a diagram of its paths."""

from typing import TYPE_CHECKING, Any

from irreps_core import IntoIrreps, Irrep, Irreps
from irreps_ops.products._selection_rules import Keep, allowed_products

from ._axes import INK, axes, colour, hatch, nonempty, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _MIDDLE, _RIGHT = 0.0, 1.0, 2.0
_BOX = (0.36, 0.62)  # width and height of a box


def tensor_product(
    irreps1: IntoIrreps, irreps2: IntoIrreps, ax: "Axes | None" = None, *, filter_ir_out: Keep = None
) -> "Axes":
    """Draw the paths of a tensor product.

    A path is an irrep in the product of two items: a dot, with a line from each of the two items and a line to the
    irrep. The colour of a path tells the degree of the output. Output boxes count the copies of
    :func:`irreps_ops.tensor_product`, the product of the multiplicities added over the paths.

    Args:
        irreps1: irreps of the first input, at the left above.
        irreps2: irreps of the second input, at the left below.
        ax: matplotlib axes. Default: those of a new figure.
        filter_ir_out: the irreps of the output that are drawn. Default: all.

    Returns:
        The axes. The three lines of the path of item i of the first input, item j of the second, and irrep ir have the
        gid ``"path i j ir"``; their number is in the title.

    Raises:
        ValueError: there is nothing to draw: an input has no irreps, or the filter leaves no path.
        ImportError: matplotlib is not installed.

    Example:
        >>> from irreps_ops import plots
        >>> ax = plots.tensor_product("1o", "1o")
        >>> sorted({patch.get_gid() for patch in ax.patches if patch.get_gid()})
        ['path 0 0 0e', 'path 0 0 1e', 'path 0 0 2e']
    """
    first = nonempty("tensor_product", "irreps1", irreps1)
    second = nonempty("tensor_product", "irreps2", irreps2)
    pairs = [(i, j) for i in range(len(first)) for j in range(len(second))]
    found = sorted(allowed_products(first, second, pairs, filter_ir_out), key=lambda path: (path.ir, path.i_in1))
    if not found:
        raise ValueError(
            f"tensor_product expects a filter that keeps some of {first} ⊗ {second}, got {filter_ir_out!r}"
        )
    copies: dict[Irrep, int] = {}
    for path in found:
        copies[path.ir] = copies.get(path.ir, 0) + first[path.i_in1].mul * second[path.i_in2].mul
    out = Irreps([(mul, ir) for ir, mul in copies.items()])

    rows = max(len(first) + len(second) + 1, len(out), len(found) * 0.6)
    ax = axes("tensor_product", ax, (6.4, 0.8 + 0.5 * rows))
    inputs = _heights(len(first) + 1 + len(second), rows)  # one place stays empty between the inputs
    tops, bottoms = inputs[: len(first)], inputs[len(first) + 1 :]
    outputs = dict(zip(copies, _heights(len(out), rows), strict=True))
    for path, y in zip(found, _heights(len(found), rows), strict=True):
        style = {"color": colour(path.ir), "gid": f"path {path.i_in1} {path.i_in2} {path.ir}"}
        _curve(ax, (_LEFT + _BOX[0] / 2, tops[path.i_in1]), (_MIDDLE, y), style)
        _curve(ax, (_LEFT + _BOX[0] / 2, bottoms[path.i_in2]), (_MIDDLE, y), style)
        _curve(ax, (_MIDDLE, y), (_RIGHT - _BOX[0] / 2, outputs[path.ir]), style)
        ax.plot(_MIDDLE, y, "o", color=colour(path.ir), markeredgecolor="white", markersize=8, zorder=3)
    for irreps, heights, x in ((first, tops, _LEFT), (second, bottoms, _LEFT), (out, list(outputs.values()), _RIGHT)):
        for item, y in zip(irreps, heights, strict=True):
            _box(ax, (x, y), str(item), item.ir)
    _braces(ax, [("first input", tops), ("second input", bottoms)])
    ax.text(_RIGHT + _BOX[0] / 2 + 0.06, rows / 2, "output", rotation=90, va="center", ha="left", color=INK)
    ax.text(_MIDDLE, rows + 0.1, "paths", va="bottom", ha="center", color=INK)
    ax.set_xlim(_LEFT - 0.45, _RIGHT + 0.45)
    ax.set_ylim(-0.2, rows + 0.5)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(f"{first} ⊗ {second}: {len(found)} path{'s' * (len(found) > 1)}", color=INK)
    plain(ax)
    return ax


def _heights(n: int, rows: float) -> list[float]:
    """Return the heights of n things spread over the picture, from the top."""
    return [rows - (i + 0.5) * rows / n for i in range(n)]


def _curve(ax: "Axes", start: tuple[float, float], end: tuple[float, float], style: dict[str, Any]) -> None:
    """Draw a curve that leaves and arrives horizontally."""
    from matplotlib.patches import PathPatch  # an optional dependency
    from matplotlib.path import Path  # an optional dependency

    half = (start[0] + end[0]) / 2
    bend = Path([start, (half, start[1]), (half, end[1]), end], [Path.MOVETO, *[Path.CURVE4] * 3])
    ax.add_patch(PathPatch(bend, facecolor="none", edgecolor=style["color"], lw=2, alpha=0.85, gid=style["gid"]))


def _box(ax: "Axes", centre: tuple[float, float], label: str, ir: Irrep) -> None:
    """Draw the box of an item."""
    from matplotlib.patches import Rectangle  # an optional dependency

    width, height = _BOX
    corner = (centre[0] - width / 2, centre[1] - height / 2)
    ax.add_patch(Rectangle(corner, width, height, facecolor="white", edgecolor=colour(ir), lw=2, zorder=2))
    ax.add_patch(
        Rectangle(corner, 0.05, height, facecolor=colour(ir), hatch=hatch(ir), edgecolor="white", lw=0, zorder=2)
    )
    ax.text(centre[0] + 0.02, centre[1], label, ha="center", va="center", color=INK, zorder=4)


def _braces(ax: "Axes", inputs: list[tuple[str, list[float]]]) -> None:
    """Name the two inputs at the left."""
    for name, heights in inputs:
        middle = (heights[0] + heights[-1]) / 2
        ax.text(_LEFT - _BOX[0] / 2 - 0.06, middle, name, rotation=90, va="center", ha="right", color=INK)
