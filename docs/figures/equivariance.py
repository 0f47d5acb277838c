"""Draws equivariance.png: rotating the input of a network rotates its output.

Run ``uv run python docs/figures/equivariance.py``. The vectors are the output of layers with random weights, computed
for the molecule and for the rotated molecule.
"""

import jax
import numpy as np
from figure_files import save_png
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.plots._axes import COLOURS, INK

# Vinyl alcohol, CH2=CHOH, a planar molecule, in the plane of the page.
POSITIONS = np.array([[-1.25, -0.35, 0.0], [0.0, 0.4, 0.0], [1.2, -0.35, 0.0], [2.0, 0.25, 0.0], [-2.1, 0.35, 0.0],
                      [-1.3, -1.35, 0.0], [0.05, 1.45, 0.0]])  # fmt: skip
KINDS = ["C", "C", "O", "H", "H", "H", "H"]
BONDS = [(0, 1), (1, 2), (2, 3), (0, 4), (0, 5), (1, 6)]
SIZE = {"C": 26, "O": 26, "H": 17}
COLOUR = {"C": "#777777", "O": "#D55E00", "H": "#c9c9c9"}


def network(positions: np.ndarray) -> np.ndarray:
    """Return a vector for each atom: one convolution with random weights, over all pairs."""
    n = len(positions)
    senders, receivers = np.nonzero(~np.eye(n, dtype=bool))
    r = irr.IrrepsArray("1o", (positions[senders] - positions[receivers]) / 2)
    kinds = np.array([[kind == name for name in "COH"] for kind in KINDS], np.float32)
    layer = irr.Linear("1o")
    harmonics = irr.spherical_harmonics("0e + 1o", r, normalize=True)
    x = irr.tensor_product(irr.IrrepsArray("3x0e", kinds[senders]), harmonics)
    weights = np.exp(-(np.linalg.norm(r.array, axis=-1) ** 2))[:, None]
    summed = irr.index_add(receivers, irr.IrrepsArray(x.irreps, x.array * weights), out_dim=n)
    parameters = irr.init(layer, jax.random.key(5), summed)
    return np.array(irr.apply(layer, parameters, summed).array)


def draw(ax: Axes, positions: np.ndarray, vectors: np.ndarray | None) -> None:
    """Draw the atoms, and a vector at each."""
    for a, b in BONDS:
        ax.plot(*positions[[a, b], :2].T, color="#aaaaaa", lw=5, zorder=1, solid_capstyle="round")
    for place, ((x, y, _), kind) in enumerate(zip(positions, KINDS, strict=True)):
        ax.plot(x, y, "o", ms=SIZE[kind], color=COLOUR[kind], mec="white", zorder=2)
        ax.text(x, y, kind, ha="center", va="center", color="white" if kind != "H" else INK, weight="bold", zorder=4)
        if vectors is not None:
            arrow = {"arrowstyle": "-|>,head_width=0.4,head_length=0.7", "color": COLOURS[4], "lw": 3,
                     "shrinkA": 6, "shrinkB": 0}  # fmt: skip
            ax.annotate("", (x + vectors[place, 0], y + vectors[place, 1]), (x, y), arrowprops=arrow, zorder=3)
    ax.set_xlim(-3.0, 3.0)
    ax.set_ylim(-2.6, 2.6)
    ax.set_aspect("equal")
    ax.axis("off")


def picture() -> Figure:
    """Return the picture."""
    turn = np.asarray(ic.axis_angle_to_matrix(np.array([0.0, 0.0, 1.0]), 1.2))
    figure = Figure(figsize=(8.4, 6.6))
    grid = figure.subplots(2, 2)
    figure.subplots_adjust(left=0.06, right=1.0, top=0.93, bottom=0.0, wspace=0.12, hspace=0.08)
    for row, matrix in enumerate((np.eye(3), turn)):
        positions = POSITIONS @ matrix.T
        vectors = network(positions)
        vectors *= 1.3 / np.linalg.norm(vectors, axis=-1).max()
        draw(grid[row, 0], positions, None)
        draw(grid[row, 1], positions, vectors)
    grid[0, 0].set_title("input: positions", color=INK, size=14)
    grid[0, 1].set_title("output: a vector for each atom", color=INK, size=14)
    for y in (0.7, 0.24):
        figure.text(0.53, y, "→", size=30, ha="center", color=INK)
        figure.text(0.53, y + 0.06, "network", size=12, ha="center", color=INK)
    for x in (0.29, 0.77):
        figure.text(x, 0.475, "↓", size=26, ha="center", va="center", color=INK)
        figure.text(x + 0.02, 0.475, "rotate", size=12, va="center", color=INK)
    return figure


if __name__ == "__main__":
    save_png(picture(), "equivariance.png")
