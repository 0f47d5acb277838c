"""The eight tetrominoes: four unit cubes joined face to face."""

import jax
import jax.numpy as jnp
import numpy as np

# The corners of the cubes, as digits x, y, z. The first two are mirror images of one another.
SHAPES = {
    "left screw": "000 100 110 111",
    "right screw": "001 101 111 110",
    "square": "000 100 010 110",
    "line": "000 001 002 003",
    "corner": "000 100 010 001",
    "L": "000 001 002 010",
    "T": "000 001 002 011",
    "zigzag": "000 001 011 012",
}
NAMES = tuple(SHAPES)
# What each becomes in a mirror.
MIRRORED = np.array([1, 0, 2, 3, 4, 5, 6, 7])


def positions() -> np.ndarray:
    """Centers of the cubes, of shape (8, 4, 3)."""
    return np.array([[[float(digit) for digit in cube] for cube in shape.split()] for shape in SHAPES.values()])


def neighbors(cubes: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Cubes that share a face, as an index into all cubes of all shapes: senders and receivers of messages."""
    n = len(cubes.reshape(-1, 3))
    shape_of = np.arange(n) // cubes.shape[1]
    distance = np.linalg.norm(cubes.reshape(-1, 1, 3) - cubes.reshape(1, -1, 3), axis=-1)
    senders, receivers = np.nonzero((distance < 1.1) & (distance > 0) & (shape_of[:, None] == shape_of))
    return jnp.asarray(senders), jnp.asarray(receivers)
