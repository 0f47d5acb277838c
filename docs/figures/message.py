"""Draws message.png: messages on a graph, before and after a rotation. Run ``uv run python docs/figures/message.py``.

The library computes the message that is drawn: the part 1o of the sum of w(r) x ⊗ Y(r) over the edges.
"""

import numpy as np
from figure_files import save_png
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.plots._axes import COLOURS, INK, POSITIVE

POSITIONS = np.array([[0.0, 0, 0], [1.0, 0.35, 0], [-0.55, 0.9, 0], [-0.7, -0.75, 0]])
SCALARS = np.array([0.0, 1.0, 0.6, -0.8])  # 0e of the senders; atom 0 receives
VECTORS = np.array([[0, 0, 0], [0.1, 0.4, 0], [0.35, 0.15, 0], [-0.1, 0.35, 0]])  # 1o of the senders


def message(positions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the message to atom 0, a vector."""
    r = positions[1:] - positions[0]
    x = irr.IrrepsArray("0e + 1o", np.concatenate([SCALARS[1:, None], vectors[1:]], axis=1))
    harmonics = irr.spherical_harmonics("0e + 1o", irr.IrrepsArray("1o", r), normalize=True)
    product = irr.tensor_product(x, harmonics, filter_ir_out="1o")
    weights = np.exp(-np.linalg.norm(r, axis=-1))[:, None]
    total = (np.asarray(product.array) * weights).reshape(3, -1, 3).sum(axis=(0, 1))
    return 0.8 * total


def draw(ax: Axes, turn: np.ndarray) -> None:
    """Draw the graph with its features and the message."""
    positions, vectors = POSITIONS @ turn.T, VECTORS @ turn.T
    for sender in positions[1:]:
        ax.annotate("", positions[0][:2], sender[:2], arrowprops={
            "arrowstyle": "-|>,head_width=0.25,head_length=0.5", "color": "#999999", "lw": 1.6, "shrinkA": 16,
            "shrinkB": 20})  # fmt: skip
    for place, (x, y, _) in enumerate(positions):
        ax.plot(x, y, "o", ms=26, color=COLOURS[1] if place == 0 else COLOURS[0], mec="white", zorder=3)
        ax.text(x, y, "ij"[place > 0], ha="center", va="center", size=13, style="italic", color=INK, zorder=4)
        if place:
            tip = np.array([x, y]) + 0.9 * vectors[place][:2]
            ax.annotate("", tip, (x, y), arrowprops={"arrowstyle": "-|>,head_width=0.3,head_length=0.5",
                        "color": POSITIVE, "lw": 2.4, "shrinkA": 13, "shrinkB": 0}, zorder=2)  # fmt: skip
    ax.annotate("", message(positions, vectors)[:2], (0, 0), arrowprops={
        "arrowstyle": "-|>,head_width=0.5,head_length=0.8", "color": "#D55E00", "lw": 5, "shrinkA": 13, "shrinkB": 0},
        zorder=2)  # fmt: skip
    ax.set_xlim(-1.55, 1.55)
    ax.set_ylim(-1.45, 1.45)
    ax.set_aspect("equal")
    ax.axis("off")


def picture() -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(8.0, 4.3))
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.0, right=1.0, top=0.93, bottom=0.08, wspace=0.1)
    draw(left, np.eye(3))
    draw(right, np.asarray(ic.axis_angle_to_matrix(np.array([0.0, 0.0, 1.0]), 1.3)))
    left.set_title("a graph and the message to atom i", color=INK)
    right.set_title("the rotated graph: the message rotates", color=INK)
    figure.text(0.5, 0.55, "rotate", ha="center", color=INK)
    figure.text(0.5, 0.48, "→", ha="center", size=26, color=INK)
    keys = [(POSITIVE, "feature 1o of a sender j"), ("#999999", "edge j → i"), ("#D55E00", "message 1o")]
    for place, (colour, words) in enumerate(keys):
        figure.text(0.12 + 0.33 * place, 0.03, "→", size=18, color=colour, va="center", weight="bold")
        figure.text(0.16 + 0.33 * place, 0.03, words, size=11, color=INK, va="center")
    return figure


if __name__ == "__main__":
    save_png(picture(), "message.png")
