"""Axes, colours and irreps names that the pictures share."""

from typing import TYPE_CHECKING, Any

from irreps_core import Irrep, Irreps, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

INK = "#333333"
# Okabe and Ito, Color Universal Design (2008), by degree 0, 1, 2, ...; the eighth degree begins again.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442")
POSITIVE, NEGATIVE = "#0072B2", "#E69F00"
_DIVERGING = ("#7a3d00", "#d98200", "#f3c45d", "#f7f7f7", "#7cbde3", "#0072B2", "#00314f")


def matplotlib() -> Any:
    """Return the module ``matplotlib.pyplot``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot  # an optional dependency
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install irreps-ops[plot]") from error
    return pyplot


def axes(function: str, ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """Return the given axes, or those of a new figure of a size in inches.

    Args:
        function: name of the function that was called, for the error message.
        ax: the argument.
        size: width and height of a new figure.

    Raises:
        ImportError: matplotlib is not installed.
        TypeError: `ax` is not a matplotlib Axes.
    """
    pyplot = matplotlib()
    if ax is None:
        return pyplot.subplots(figsize=size, layout="constrained")[1]
    if not hasattr(ax, "add_collection"):
        raise TypeError(f"{function} expects ax to be a matplotlib Axes, got {shown(ax)}")
    return ax


def diverging() -> "Colormap":
    """Return the colour map for signed values: orange below zero, white at zero, blue above."""
    from matplotlib.colors import LinearSegmentedColormap  # an optional dependency

    return LinearSegmentedColormap.from_list("irreps", _DIVERGING)


def colour(ir: Irrep) -> str:
    """Return the colour of a degree."""
    return COLOURS[ir.l % len(COLOURS)]


def hatch(ir: Irrep) -> str:
    """Return the hatching of a parity: none for even, lines for odd."""
    return "" if ir.p == 1 else "///"


def nonempty(function: str, name: str, irreps: Any) -> Irreps:
    """Return irreps without items of multiplicity 0.

    Raises:
        ValueError: nothing is left to draw.
    """
    found = Irreps(irreps).remove_zero_multiplicities()
    if not found:
        raise ValueError(f"{function} expects {name} with at least one irrep, got {shown(str(Irreps(irreps)))}")
    return found


def plain(ax: "Axes") -> None:
    """Remove the frame around a picture."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
