"""Frames whose y axis is a given direction: there, products with its spherical harmonics are a few multiplications.

In the frame of the direction d only the component m = 0 of Y_l(d) is not zero, and it is constant. So for data x that
is seen from there, each path of x (x) Y_l(d) to an irrep z takes one number to one number,

    even l1 + l + l3:  z_m = c_m x_m,  c_-m = c_m        odd l1 + l + l3:  z_m = c_m x_-m,  c_-m = -c_m

with |m| up to the smaller of both degrees. Any numbers c of these symmetries make a map that is equivariant under the
rotations about d, and are a sum over l: with the degrees |l1 - l3|, |l1 - l3| + 2, ..., l1 + l3 for the first kind.

At the vector zero the harmonics of degree 0 remain. Of numbers c_m, l1 = l3, degree 0 has the mean over m = -l .. l.

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
    """For each vector a rotation that turns y to its direction; for the vector zero none.

    Attributes:
        rotations: for each degree D of these rotations, of shape (..., 2l+1, 2l+1).
        there: 1, or 0 where the vector is zero, of shape (..., 1, 1).
    """

    rotations: dict[int, jax.Array]
    there: jax.Array

    @classmethod
    def of(cls, vectors: jax.Array, degrees: Iterable[int]) -> "AlignedFrames":
        """The frames of vectors of shape (..., 3), for data of these degrees."""
        degrees = sorted({l for l in degrees if l > 0})
        d = unit_vectors(vectors)
        rotations = dict(zip(degrees, wigner_D_blocks(degrees, _rotation_of_y_to(d)), strict=True))
        there = jnp.sum(d**2, axis=-1) > 0.5
        return cls(rotations, there.astype(d.dtype)[..., None, None])

    @classmethod
    def seeing(
        cls, x: IrrepsArray, vectors: jax.Array, pairs: Iterable[tuple[Irrep, int]]
    ) -> "tuple[AlignedFrames, dict[int, jax.Array | None]]":
        """The frames of vectors, and the items of the data as they are seen there; None where they are zero.

        Args:
            x: data of shape (..., irreps.dim).
            vectors: of shape (..., 3), as many axes.
            pairs: irreps of the output, and places of the items that they are made of.
        """
        pairs = list(pairs)
        frames = cls.of(vectors, {l for ir, i in pairs for l in (ir.l, x.irreps[i].ir.l)})
        highest = {i: max(ir.l for ir, j in pairs if j == i) for _, i in pairs}
        chunks = {i: x.chunks[i] for i in highest}
        return frames, {i: None if c is None else frames.enter(c, highest[i]) for i, c in chunks.items()}

    def enter(self, x: jax.Array, highest: int) -> jax.Array:
        """Data of shape (..., mul, 2l+1) as it is seen in the frames: the orders up to `highest`, or all.

        Where the vector is zero, zeros.
        """
        l = x.shape[-1] // 2
        if l > 0:
            x = _matmul(x, self.rotations[l][..., central(l, highest)])
        return x * self.there

    def leave(self, z: jax.Array, l: int) -> jax.Array:
        """The inverse: data of degree l, from orders up to one, of shape (..., mul, numbers); beyond they are zero."""
        if l == 0:
            return z
        return _matmul(z, jnp.swapaxes(self.rotations[l][..., central(l, z.shape[-1] // 2)], -1, -2))


def vector_parity(function: str, vector: Any) -> int:
    """The parity of a single vector with a parity.

    Raises:
        TypeError: no IrrepsArray.
        ValueError: no single vector.
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
    """Both with as many axes, of length 1 where they have none; and the leading axes of what is made of both."""
    leading = np.broadcast_shapes(x.shape[:-1], v.shape[:-1])
    x, v = (a.reshape((1,) * (len(leading) + 1 - a.ndim) + a.shape) for a in (x, v))
    return x, v, leading


def is_reached(ir1: Irrep, ir3: Irrep, parity: int, odd: bool) -> bool:
    """Whether paths of even (of odd) l1 + l + l3 by harmonics of vectors of this parity lead from one to the other."""
    return ir1.p * parity ** (ir1.l + ir3.l + odd) == ir3.p and (not odd or min(ir1.l, ir3.l) > 0)


def central(l: int, highest: int) -> slice:
    """The orders |m| <= `highest` of the 2l+1."""
    m = min(l, highest)
    return slice(l - m, l + m + 1)


@cached(maxsize=4096)
def path_numbers(l1: int, l: int, l3: int) -> np.ndarray:
    """The c_m of a path, for harmonics of "component" normalization and bare Clebsch-Gordan coefficients."""
    highest = min(l1, l3)
    numbers = np.zeros(2 * highest + 1)
    places, values = clebsch_gordan_sparse(l1, l, l3)
    kept = places[:, 1] == l
    numbers[places[kept, 2] - l3 + highest] = values[kept] * (2 * l + 1) ** 0.5
    return numbers


def _rotation_of_y_to(d: jax.Array) -> jax.Array:
    """Quaternions, not normalised, that turn y to a direction; where it is zero the identity.

    On the half sphere around y the shortest such rotation; on the other one a half turn about x, and then the shortest
    from -y. Each is smooth where it is used. At the border one differs from the other by a rotation about y, which
    products that are equivariant under these do not see: their derivatives are right there, too.
    """
    x, y, z = (d[..., i] for i in range(3))
    zero = jnp.zeros_like(y)
    near, far = jnp.stack([1 + y, z, zero, -x], axis=-1), jnp.stack([z, 1 - y, x, zero], axis=-1)
    return jnp.where(y[..., None] >= 0, near, far)


def _matmul(x: jax.Array, rotation: jax.Array) -> jax.Array:
    return jnp.matmul(x, rotation, precision=jax.lax.Precision.HIGHEST)
