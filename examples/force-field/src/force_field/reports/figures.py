"""Figures of a report, as SVG in the colours of the page."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK = "#010203"  # stands for the colour of the text of the page
_STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text remains text
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "savefig.dpi": 160,  # of what is drawn as pixels
    "savefig.transparent": True,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}
_BLUE, _ORANGE = "#3b7dd8", "#e08a3c"
_FEW = 20  # values of which quantiles say little


def draw(name: str, size: tuple[float, float], fill: Callable[[Axes], None]) -> str:
    """Return a figure as the text of an SVG element.

    Args:
        name: of the figure; names of its parts begin with it, so that several figures fit into one page.
        size: in inches.
        fill: draws into its axes.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure.subplots())
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = content.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor").replace("fill: #000000", "fill: currentColor")
    prefix = name.replace(" ", "-")  # names of parts are unique in a page
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


def parity(name: str, truth: np.ndarray, found: np.ndarray, unit: str) -> str:
    """Return predicted against true values.

    Args:
        name: of the figure.
        truth: of shape (values,).
        found: of shape (values,).
        unit: of both.
    """

    def fill(axes: Axes) -> None:
        ends = [min(truth.min(), found.min()), max(truth.max(), found.max())]
        axes.plot(ends, ends, color="0.6", linewidth=1)
        axes.plot(truth, found, ".", color=_BLUE, markersize=3, alpha=0.35, rasterized=True)
        axes.set_xlabel(f"reference, {unit}")
        axes.set_ylabel(f"force field, {unit}")
        axes.set_aspect("equal")

    return draw(name, (4.7, 3.2), fill)


def learning_curve(history: Sequence[dict[str, float]]) -> str:
    """Return the errors of validation against the minutes of training."""

    def fill(axes: Axes) -> None:
        minutes = [line["seconds"] / 60 for line in history]
        axes.semilogy(minutes, [line["forces_mae"] for line in history], "o-", color=_BLUE, markersize=3)
        axes.semilogy(minutes, [line["energy_mae"] for line in history], "s-", color=_ORANGE, markersize=3)
        axes.legend(["forces, meV/Å", "energy, meV"], frameon=False)
        axes.set_xlabel("minutes of training")
        axes.set_ylabel("mean absolute error")

    return draw("learning curve", (4.7, 3.2), fill)


def error_against_force(truth: np.ndarray, errors: np.ndarray) -> str:
    """Return the errors of the forces on atoms against the size of the forces: median, and 90 of 100 atoms.

    Args:
        truth: forces of shape (atoms, 3), in eV/Å.
        errors: of shape (atoms, 3), in eV/Å.
    """
    sizes, wrong = np.linalg.norm(truth, axis=1), 1e3 * np.linalg.norm(errors, axis=1)
    count = int(np.clip(len(sizes) // _FEW, 1, 12))
    parts = np.array_split(np.argsort(sizes), count)
    middle = np.array([np.median(sizes[part]) for part in parts])
    low, median, high = np.array([np.quantile(wrong[part], [0.05, 0.5, 0.95]) for part in parts]).T

    def fill(axes: Axes) -> None:
        axes.plot(sizes, wrong, ".", color=_BLUE, markersize=2, alpha=0.15, rasterized=True)
        axes.fill_between(middle, low, high, color=_BLUE, alpha=0.2, linewidth=0)
        axes.plot(middle, median, "o-", color=_BLUE, markersize=3)
        axes.set_xlabel("size of the reference force, eV/Å")
        axes.set_ylabel("size of the error, meV/Å")
        axes.set_ylim(0, max(1.2 * high.max(), 1e-9))

    return draw("error against force", (4.7, 3.2), fill)
