"""Draws harmonics.png: the components of the irreps 0e, 1o, 2e and 3o. Run ``uv run python docs/figures/harmonics.py``.

A surface is at the distance |Y(r)| from its centre in the direction r: blue where Y is positive, orange where it is
negative. It is found along the ray of each pixel. Needs Pillow, and a font from matplotlib.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

import irreps_ops as irr

IRREPS = ("0e", "1o", "2e", "3o")
TILE, ZOOM, NAMES = 160, 2, 100  # pixels of a tile; rays along a pixel; pixels for the names at the left
POSITIVE, NEGATIVE, GREY = (0, 114, 178), (230, 140, 20), (128, 128, 128)
SAMPLES = 200  # along a ray
LIGHT = np.array([0.45, 0.65, 0.6])


def camera() -> np.ndarray:
    """Return the directions right, up and towards the viewer, who looks from above between x and z, as rows."""
    turn, tilt = np.pi / 5, np.pi / 9
    towards = np.array([np.sin(turn) * np.cos(tilt), np.sin(tilt), np.cos(turn) * np.cos(tilt)])
    right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    return np.stack([right, np.cross(towards, right), towards])


def harmonics(degree: int, points: np.ndarray) -> np.ndarray:
    """Return Y of the directions of points, of shape (..., 2l+1)."""
    return np.asarray(irr.sh(degree, jnp.asarray(points), True, "norm"), np.float64)


def first_hits(degree: int, height: float, across: np.ndarray, scale: float) -> np.ndarray:
    """Return where the rays of a row of pixels meet the surface of each component, of shape (pixels, 2l+1, 3)."""
    right, up, towards = camera()
    depths = np.linspace(1.0, -1.0, SAMPLES)
    points = across[:, None, None] * right + height * up + depths[:, None] * towards  # (pixels, depths, 3)
    outside = np.linalg.norm(points, axis=-1, keepdims=True) - scale * np.abs(harmonics(degree, points))
    after = np.argmax(outside < 0, axis=1)  # (pixels, 2l+1); 0 where a ray meets nothing
    a = np.take_along_axis(outside, np.maximum(after - 1, 0)[:, None], axis=1)[:, 0]
    b = np.take_along_axis(outside, after[:, None], axis=1)[:, 0]
    depth = depths[after] + (depths[0] - depths[1]) * np.where(after > 0, -b / np.where(a > b, a - b, 1.0), np.nan)
    return across[:, None, None] * right + height * up + depth[..., None] * towards


def shades(degree: int, m: int, hits: np.ndarray, scale: float) -> np.ndarray:
    """Return colour and opacity, of shape (..., 4), of the points where rays meet the surface of a component."""

    def outside(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points, axis=-1) - scale * np.abs(harmonics(degree, points)[..., m])

    met = ~np.isnan(hits[..., 0])
    points = np.where(met[..., None], hits, 1.0)
    normal = np.stack([outside(points + step) - outside(points - step) for step in 1e-3 * np.eye(3)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    right, up, towards = camera()
    light = LIGHT @ np.stack([right, up, towards]) / np.linalg.norm(LIGHT)
    halfway = (light + towards) / np.linalg.norm(light + towards)
    diffuse = 0.35 + 0.65 * np.clip(normal @ light, 0, 1)[..., None]
    gloss = 70 * np.clip(normal @ halfway, 0, 1)[..., None] ** 30
    positive = harmonics(degree, points)[..., m] > 0
    colour = np.where(positive[..., None], POSITIVE, NEGATIVE) * diffuse + gloss
    return np.concatenate([colour, 255 * met[..., None]], axis=-1).clip(0, 255)


def tiles(degree: int) -> list[Image.Image]:
    """Return a picture of each component of a degree."""
    across = np.linspace(-1, 1, TILE * ZOOM)
    grid = np.random.default_rng(0).normal(size=(100_000, 3))
    scale = 0.95 / np.abs(harmonics(degree, grid)).max()
    hits = np.stack([first_hits(degree, height, across, scale) for height in across[::-1]])
    found = [shades(degree, m, hits[:, :, m], scale).astype(np.uint8) for m in range(2 * degree + 1)]
    return [Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BOX) for pixels in found]


def picture() -> Image.Image:
    """Return the whole picture: a row for each irrep, its name at the left."""
    columns = 2 * len(IRREPS) - 1
    image = Image.new("RGBA", (NAMES + columns * TILE, len(IRREPS) * TILE))
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 40)
    for degree, name in enumerate(IRREPS):
        draw.text((NAMES // 2, (degree + 0.5) * TILE), name, fill=GREY, font=font, anchor="mm")
        for place, tile in enumerate(tiles(degree), start=len(IRREPS) - 1 - degree):
            image.paste(tile, (NAMES + place * TILE, degree * TILE))
    return image


if __name__ == "__main__":
    picture().save(Path(__file__).parent / "harmonics.png", optimize=True)
