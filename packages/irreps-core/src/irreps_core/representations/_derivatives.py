"""The derivative of Wigner D for JAX: dD = D (w_x X_x + w_y X_y + w_z X_z), the law of the group.

w = 2 Im(conj(q) dq) / |q|^2 is the angular velocity in the rotated frame and X are the generators. The rule contains
D itself, so that derivatives of every order, forward and reverse, are as exact as D, at every rotation.
"""

from functools import partial

import jax
import jax.numpy as jnp

from irreps_core.coupling._clebsch_gordan import generators
from irreps_core.rotations._quaternion import compose_quaternion, inverse_quaternion

from . import _block_values
from ._wigner_values import evaluate_blocks


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def blocks(ls: tuple[int, ...], q: jax.Array) -> list[jax.Array]:
    """Return the Wigner D matrices of increasing degrees."""
    return evaluate_blocks(ls, q)


@blocks.defjvp
def _blocks_jvp(
    ls: tuple[int, ...], primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[list[jax.Array], list[jax.Array]]:
    (q,), (dq,) = primals, tangents
    D = blocks(ls, q)
    omega = angular_velocity(q, dq)
    return D, [_times_generators(l, block, omega) for l, block in zip(ls, D, strict=True)]


def angular_velocity(q: jax.Array, dq: jax.Array) -> jax.Array:
    """Return 2 Im(conj(q) dq) / |q|^2, of shape (..., 3), in the rotated frame; zero for the quaternion zero."""
    tiny = float(jnp.finfo(q.dtype).tiny)
    # The size cancels, so its derivative may be left out. Its reciprocal, by which XLA multiplies, is a normal number.
    size = jnp.max(jnp.abs(jax.lax.stop_gradient(q)), axis=-1, keepdims=True)
    zero = size < tiny
    size = jnp.where(zero, 1, jnp.minimum(size, 1 / tiny)).astype(q.dtype)
    scaled = jnp.where(zero, 0, q / size)
    square = jnp.where(zero, 1, jnp.sum(scaled * scaled, axis=-1, keepdims=True))
    return 2 * compose_quaternion(inverse_quaternion(scaled), dq)[..., 1:] / square / size


def _times_generators(l: int, D: jax.Array, omega: jax.Array) -> jax.Array:
    X = jnp.asarray(generators(l), dtype=D.dtype)
    velocity = jnp.einsum("...a,aij->...ij", omega, X, precision=jax.lax.Precision.HIGHEST)
    return jnp.matmul(D, velocity, precision=jax.lax.Precision.HIGHEST)


@jax.custom_jvp
def block_diagonal(blocks: list[jax.Array]) -> jax.Array:
    """Return block diagonal matrices, whose reverse derivative does not copy the whole matrix for each block."""
    return _block_values.written(blocks)


@block_diagonal.defjvp
def _block_diagonal_jvp(
    primals: tuple[list[jax.Array]], tangents: tuple[list[jax.Array]]
) -> tuple[jax.Array, jax.Array]:
    return block_diagonal(primals[0]), _block_values.concatenated(tangents[0])
