"""Surfaces around a point, seen in perspective-free projection: shaded quadrilaterals, the nearest drawn last."""

from typing import TYPE_CHECKING

import numpy as np

from ._axes import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIGHT = np.array([-0.35, 0.6, 0.75])  # of the directions right, up and towards the viewer


def camera() -> np.ndarray:
    """Return the directions right, up and towards the viewer, as rows. The viewer looks from above between x and z."""
    turn, tilt = np.pi / 5, np.pi / 9
    towards = np.array([np.sin(turn) * np.cos(tilt), np.sin(tilt), np.cos(turn) * np.cos(tilt)])
    right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    return np.stack([right, np.cross(towards, right), towards])


def mesh(rings: int = 60) -> np.ndarray:
    """Return directions on a grid of polar angles and azimuths, of shape (rings+1, 2 rings+1, 3)."""
    beta, alpha = np.linspace(0, np.pi, rings + 1)[:, None], np.linspace(0, 2 * np.pi, 2 * rings + 1)
    return np.stack(
        [np.sin(beta) * np.sin(alpha), np.cos(beta) * np.ones_like(alpha), np.sin(beta) * np.cos(alpha)], axis=-1
    )


def draw_surface(
    ax: "Axes", points: np.ndarray, colours: np.ndarray, centre: tuple[float, float] = (0.0, 0.0), gloss: float = 0.3
) -> None:
    """Draw a closed surface that each ray from the origin meets once.

    Args:
        ax: matplotlib axes.
        points: corners of a grid of quadrilaterals, of shape (n, k, 3).
        colours: red, green and blue at the corners, of shape (n, k, 3).
        centre: where the origin is drawn.
        gloss: brightness of the highlight.
    """
    from matplotlib.collections import PolyCollection  # an optional dependency

    seen = points @ camera().T
    corners = np.stack([seen[:-1, :-1], seen[1:, :-1], seen[1:, 1:], seen[:-1, 1:]], axis=-2).reshape(-1, 4, 3)
    tints = (colours[:-1, :-1] + colours[1:, :-1] + colours[1:, 1:] + colours[:-1, 1:]).reshape(-1, 3) / 4
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outwards = np.sign(np.sum(normals * corners.mean(axis=1), axis=-1, keepdims=True))
    size = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = normals * outwards / np.where(size > 0, size, 1)
    front = normals[:, 2] > 0
    corners, tints, normals = corners[front], tints[front], normals[front]
    order = np.argsort(corners[..., 2].mean(axis=1))
    light = _LIGHT / np.linalg.norm(_LIGHT)
    halfway = light + np.array([0.0, 0.0, 1.0])
    bright = 0.55 + 0.45 * np.clip(normals @ light, 0, 1)[:, None]
    shine = gloss * np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0, 1)[:, None] ** 25
    tints = np.clip(tints * bright + shine, 0, 1)
    shapes = list(corners[order][..., :2] + np.asarray(centre))
    ax.add_collection(PolyCollection(shapes, facecolors=tints[order], edgecolors="face", lw=0.7, rasterized=True))


def draw_directions(ax: "Axes", centre: tuple[float, float], length: float) -> None:
    """Draw arrows along x, y and z, with their names."""
    for name, direction in zip("xyz", camera()[:2].T, strict=True):
        (x, y), (u, v) = centre, length * direction
        arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x + u, y + v), centre, arrowprops=arrow)
        ax.text(x + 1.3 * u, y + 1.3 * v, name, ha="center", va="center", color=INK, size="small")
