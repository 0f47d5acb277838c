"""Draws transformations.png: what a rotation and a mirror do to 0e, 0o, 1o, 1e and 2e.

Run ``uv run python docs/figures/transformations.py``. The library transforms what is drawn. The rotation turns, and the
mirror reflects, the plane of the page.
"""

import numpy as np
from figure_files import save_png
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

import irreps_core as ic
from irreps_ops.plots._axes import INK, NEGATIVE, POSITIVE
from irreps_ops.plots._harmonics import _draw_lobes, _values
from irreps_ops.plots._surfaces import camera

RIGHT, UP, TOWARDS = camera()
ROTATION = np.asarray(ic.axis_angle_to_matrix(TOWARDS, np.pi / 3))
MIRROR = np.eye(3) - 2 * np.outer(RIGHT, RIGHT)
COLUMNS = {"rotated": ROTATION, "as it is": np.eye(3), "mirrored": MIRROR}
VECTOR = 0.35 * RIGHT + 0.8 * UP + 0.25 * TOWARDS
ROWS = {
    "0e": ("scalar", "energy, charge", [1.0]),
    "0o": ("pseudoscalar", "handedness", [1.0]),
    "1o": ("vector", "position, force", VECTOR),
    "1e": ("pseudovector", "spin, magnetic field", VECTOR),
    "2e": ("traceless tensor", "polarizability, stress", None),
}


def seen(points: np.ndarray) -> np.ndarray:
    """Return where points are on the page."""
    return points @ np.stack([RIGHT, UP]).T


def draw_scalar(ax: Axes, value: float) -> None:
    """Draw a number on a disc."""
    ax.add_patch(Circle((0, 0), 0.45, color=POSITIVE if value > 0 else NEGATIVE))
    ax.text(0, 0, f"{value:+.0f}".replace("-", "−"), ha="center", va="center", color="white", size=17, weight="bold")


def draw_helix(ax: Axes, value: float, matrix: np.ndarray) -> None:
    """Draw a screw, right-handed for a positive value, and its axis as `matrix` moves it."""
    t = np.linspace(0, 5 * np.pi, 400)
    along = 0.75 * RIGHT * 0.45 + 0.75 * UP
    side = np.cross(along, TOWARDS) / np.linalg.norm(np.cross(along, TOWARDS))
    other = np.cross(along / np.linalg.norm(along), side)
    spiral = 0.32 * (np.cos(t)[:, None] * side + np.sin(t)[:, None] * other) + np.outer(t / t[-1] * 2 - 1, along)
    spiral = spiral @ matrix.T
    depth = spiral @ TOWARDS
    xy = seen(spiral)
    colour = POSITIVE if value > 0 else NEGATIVE
    for i in range(len(t) - 1):
        front = depth[i] > -0.02
        ax.plot(*xy[i : i + 2].T, color=colour, lw=5 if front else 3, alpha=1 if front else 0.45,
                solid_capstyle="round", zorder=2 + front)  # fmt: skip
    sign = "+1" if value > 0 else "−1"
    ax.text(0.78, -0.85, sign, ha="center", va="center", color=colour, size=14, weight="bold")


def draw_arrow(ax: Axes, vector: np.ndarray) -> None:
    """Draw an arrow through the centre."""
    tip = seen(vector)
    ax.annotate("", tip, -tip, arrowprops={"arrowstyle": "-|>,head_width=0.5,head_length=0.8", "color": POSITIVE,
                                          "lw": 4, "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def draw_spin(ax: Axes, vector: np.ndarray) -> None:
    """Draw an arrow, and a ring that turns around it by the rule of the right hand."""
    draw_arrow(ax, vector)
    n = vector / np.linalg.norm(vector)
    side = np.cross(n, TOWARDS)
    side /= np.linalg.norm(side)
    other = np.cross(n, side)
    angles = np.linspace(0, 2 * np.pi, 200)
    ring = 0.5 * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other)
    depth, xy = ring @ TOWARDS, seen(ring)
    for i in range(len(angles) - 1):
        front = depth[i] > 0
        ax.plot(*xy[i : i + 2].T, color=NEGATIVE, lw=3.5, alpha=1 if front else 0.35, zorder=5 if front else 1)
    nearest = int(np.argmax(depth))
    ax.annotate("", xy[(nearest + 22) % 199], xy[(nearest + 12) % 199], zorder=6,
                arrowprops={"arrowstyle": "-|>,head_width=0.45,head_length=0.7", "color": NEGATIVE, "lw": 3.5,
                            "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def draw(ax: Axes, name: str, data: object, matrix: np.ndarray) -> None:
    """Draw data of an irrep after a transformation."""
    if name == "2e":
        # The traceless part of the square of a direction in the page.
        data = ic.spherical_harmonics(2, 0.5 * RIGHT + 0.8 * UP)
    moved = ic.IrrepsArray(name, np.asarray(data, np.float64)).transform_by_matrix(matrix)
    if name == "0e":
        draw_scalar(ax, float(moved.array[0]))
    elif name == "0o":
        draw_helix(ax, float(moved.array[0]), matrix)
    elif name == "1o":
        draw_arrow(ax, moved.array)
    elif name == "1e":
        draw_spin(ax, moved.array)
    else:
        directions, values = _values(moved)
        _draw_lobes(ax, directions, values / np.abs(values).max())


def picture() -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(7.6, 9.2))
    grid = figure.subplots(len(ROWS), 3)
    figure.subplots_adjust(left=0.27, right=0.99, top=0.95, bottom=0.01, wspace=0.02, hspace=0.04)
    for line, (name, (word, example, data)) in zip(grid, ROWS.items(), strict=True):
        for ax, (title, matrix) in zip(line, COLUMNS.items(), strict=True):
            draw(ax, name, data, matrix)
            ax.set_xlim(-1.1, 1.1)
            ax.set_ylim(-1.1, 1.1)
            ax.set_aspect("equal")
            ax.axis("off")
            if name == "0e":
                ax.set_title(title, color=INK)
        y = line[0].get_position().y0 + line[0].get_position().height / 2
        figure.text(0.02, y, name, size=20, weight="bold", color=INK, va="center")
        figure.text(0.09, y + 0.017, word, size=13, color=INK, va="center")
        figure.text(0.09, y - 0.017, example, size=11, color="#777777", va="center")
    middle, last = (grid[0][i].get_position() for i in (1, 2))
    x = (middle.x1 + last.x0) / 2
    figure.add_artist(Line2D([x, x], [0.02, 0.94], color="#999999", ls=(0, (6, 4)), lw=1.2))
    return figure


if __name__ == "__main__":
    save_png(picture(), "transformations.png")
