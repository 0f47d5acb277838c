"""Irreps as a labelled bar."""

from typing import TYPE_CHECKING, Any

from irreps_core import IntoIrreps

from ._axes import INK, axes, colour, hatch, nonempty, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROW = 0.07  # share of the bar below which labels are turned
_CROWDED = 0.03  # share of the bar below which the second of two ticks is not labelled
_COPIES = 300  # components up to which the copies of an irrep are drawn


def irreps(irreps: IntoIrreps, ax: "Axes | None" = None) -> "Axes":
    """Draw irreps as a bar: how the last axis of an :class:`IrrepsArray` is divided.

    Each item is a segment, as long as it has components; lines divide it into its copies. The colour tells the degree,
    hatching the odd parity. Ticks are at the bounds of ``irreps.slices()``.

    Args:
        irreps: the irreps.
        ax: matplotlib axes. Default: those of a new figure.

    Returns:
        The axes, with a Rectangle for each item of nonzero multiplicity.

    Raises:
        ValueError: no irreps are given.
        ImportError: matplotlib is not installed.

    Example:
        >>> from irreps_ops import plots
        >>> ax = plots.irreps("8x0e + 4x1o + 2e")
        >>> [label.get_text() for label in ax.texts], [int(x) for x in ax.get_xticks()]
        (['8x0e', '4x1o', '1x2e'], [0, 8, 20, 25])
    """
    found = nonempty("irreps", "irreps", irreps)
    ax = axes("irreps", ax, (7.0, 1.4))
    narrow = any(item.dim < _NARROW * found.dim for item in found)
    for item, place in zip(found, found.slices(), strict=True):
        fill: dict[str, Any] = {"color": colour(item.ir), "hatch": hatch(item.ir), "edgecolor": "white"}
        ax.barh(0, item.dim, left=place.start, height=1, lw=2, **fill)
        middle = (place.start + place.stop) / 2
        label = ax.text(middle, 0.62, str(item), va="bottom", ha="center", color=INK)
        if narrow:
            label.set(rotation=55, ha="left", rotation_mode="anchor")
    if found.dim <= _COPIES:
        copies = [
            place.start + n * item.ir.dim
            for item, place in zip(found, found.slices(), strict=True)
            for n in range(1, item.mul)
        ]
        ax.vlines(copies, -0.5, 0.5, color="white", lw=0.8)
    ticks = [0, *(place.stop for place in found.slices())]
    crowded = [a > 0 and a - b < _CROWDED * found.dim for a, b in zip(ticks, [0, *ticks], strict=False)]
    ax.set_xticks(ticks, ["" if hide else str(tick) for hide, tick in zip(crowded, ticks, strict=True)])
    ax.set_yticks([])
    ax.set_xlabel("component")
    ax.set_xlim(0, found.dim)
    ax.set_ylim(-0.55, 2.0 if narrow else 1.2)
    plain(ax)
    return ax
