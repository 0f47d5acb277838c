"""Aligned frames: their y axis is a given direction, so that products with its spherical harmonics need few operations.

In the frame of the direction d only the component m = 0 of Y_l(d) is not zero, and it is constant. So for data x in
that frame, the product x (x) Y_l(d) projected on an irrep z multiplies each component by one factor,

    even l1 + l + l3:  z_m = c_m x_m,  c_-m = c_m        odd l1 + l + l3:  z_m = c_m x_-m,  c_-m = -c_m

for |m| up to the smaller of the degrees l1 and l3. Conversely, any factors c with these symmetries define a map that is
equivariant under the rotations about d, and are a sum over l: for the first kind, over the degrees |l1 - l3|,
|l1 - l3| + 2, ..., l1 + l3.

At the vector zero only the harmonic of degree 0 is not zero. For l1 = l3, its share of the factors c_m is their mean
over m = -l, ..., l.

Source: Passaro and Zitnick, Reducing SO(3) Convolutions to SO(2) for Efficient Equivariant GNNs (2023),
arXiv:2302.03655.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irrep, IrrepsArray, cached, clebsch_gordan_sparse, unit_vectors, wigner_D_blocks


class AlignedFrames(NamedTuple):
    """Rotations that turn the y axis to the directions of vectors.

    Attributes:
        rotations: for each degree the matrices D of the rotations, of shape ``(..., 2l+1, 2l+1)``.
        nonzero: 1, or 0 where the vector is zero, of shape (..., 1, 1).
    """

    rotations: dict[int, jax.Array]
    nonzero: jax.Array

    @classmethod
    def of_vectors(cls, vectors: jax.Array, degrees: Iterable[int]) -> "AlignedFrames":
        """Return the frames of vectors of shape (..., 3), for data of these degrees."""
        degrees = sorted({l for l in degrees if l > 0})
        d = unit_vectors(vectors)
        rotations = dict(zip(degrees, wigner_D_blocks(degrees, _rotation_of_y_to(d)), strict=True))
        nonzero = jnp.sum(d**2, axis=-1) > 0.5
        return cls(rotations, nonzero.astype(d.dtype)[..., None, None])

    @classmethod
    def with_data(
        cls, x: IrrepsArray, vectors: jax.Array, pairs: Iterable[tuple[Irrep, int]]
    ) -> "tuple[AlignedFrames, dict[int, jax.Array | None]]":
        """Return the frames of vectors, and by place the items of data in these frames; None if they are zero.

        Args:
            x: data of shape (..., irreps.dim).
            vectors: array of shape (..., 3), with as many axes.
            pairs: irreps of the output, with places of the items that contribute to them.
        """
        pairs = list(pairs)
        frames = cls.of_vectors(vectors, {l for ir, i in pairs for l in (ir.l, x.irreps[i].ir.l)})
        highest = {i: max(ir.l for ir, j in pairs if j == i) for _, i in pairs}
        chunks = {i: x.chunks[i] for i in highest}
        return frames, {i: None if c is None else frames.to_frames(c, highest[i]) for i, c in chunks.items()}

    def to_frames(self, x: jax.Array, highest: int) -> jax.Array:
        """Return data of shape (..., mul, 2l+1) in the frames: its orders up to `highest`.

        The result is zero where the vector is zero.
        """
        l = x.shape[-1] // 2
        if l > 0:
            x = _matmul(x, self.rotations[l][..., central(l, highest)])
        return x * self.nonzero

    def from_frames(self, z: jax.Array, l: int) -> jax.Array:
        """Return data of degree l from its orders in the frames, of shape (..., mul, orders); missing ones are zero."""
        if l == 0:
            return z
        return _matmul(z, jnp.swapaxes(self.rotations[l][..., central(l, z.shape[-1] // 2)], -1, -2))


def vector_parity(function: str, vector: Any) -> int:
    """Return the parity of a vector that is an IrrepsArray.

    Raises:
        TypeError: `vector` is not an IrrepsArray.
        ValueError: `vector` is not a single vector 1o or 1e.
    """
    if not isinstance(vector, IrrepsArray):
        raise TypeError(
            f'{function} expects the vector as an IrrepsArray("1o", ...), or "1e" for a pseudovector, got '
            f"{type(vector).__name__}"
        )
    if vector.irreps.simplify() not in ("1o", "1e"):
        raise ValueError(f"{function} expects a single vector, 1o or 1e, got {vector.irreps}")
    return vector.irreps.simplify()[0].ir.p


def same_axes(x: IrrepsArray, v: IrrepsArray) -> tuple[IrrepsArray, IrrepsArray, tuple[int, ...]]:
    """Return both inputs with the same number of axes, and the leading axes to which they broadcast."""
    leading = jnp.broadcast_shapes(x.shape[:-1], v.shape[:-1])
    x, v = (a.reshape((1,) * (len(leading) + 1 - a.ndim) + a.shape) for a in (x, v))
    return x, v, leading


def is_reached(ir1: Irrep, ir3: Irrep, parity: int, odd: bool) -> bool:
    """Tell whether products with harmonics of vectors of this parity lead from one irrep to another.

    Args:
        ir1: irrep of the input.
        ir3: irrep of the output.
        parity: parity of the vector.
        odd: whether to consider odd l1 + l + l3 instead of even ones.
    """
    return ir1.p * parity ** (ir1.l + ir3.l + odd) == ir3.p and (not odd or min(ir1.l, ir3.l) > 0)


def central(l: int, highest: int) -> slice:
    """Return the slice of the orders |m| <= `highest` among all 2l+1."""
    m = min(l, highest)
    return slice(l - m, l + m + 1)


@cached(maxsize=4096)
def frame_factors(l1: int, l: int, l3: int) -> np.ndarray:
    """Return the factors c_m for harmonics of "component" normalization and bare Clebsch-Gordan coefficients."""
    highest = min(l1, l3)
    factors = np.zeros(2 * highest + 1)
    places, values = clebsch_gordan_sparse(l1, l, l3)
    kept = places[:, 1] == l
    factors[places[kept, 2] - l3 + highest] = values[kept] * (2 * l + 1) ** 0.5
    return factors


def _rotation_of_y_to(d: jax.Array) -> jax.Array:
    """Return quaternions, not normalized, that turn y to a direction; the identity for the vector zero.

    On the half sphere around y, this is the shortest such rotation; on the other half sphere, a half turn about x
    followed by the shortest rotation from -y. Each is smooth where it is used. At the border they differ by a rotation
    about y, under which the products are equivariant, so that their derivatives are correct there, too.
    """
    x, y, z = (d[..., i] for i in range(3))
    zero = jnp.zeros_like(y)
    near, far = jnp.stack([1 + y, z, zero, -x], axis=-1), jnp.stack([z, 1 - y, x, zero], axis=-1)
    return jnp.where(y[..., None] >= 0, near, far)


def _matmul(x: jax.Array, rotation: jax.Array) -> jax.Array:
    return jnp.matmul(x, rotation, precision=jax.lax.Precision.HIGHEST)
