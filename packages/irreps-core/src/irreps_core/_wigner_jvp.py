"""The derivative of Wigner D for JAX: dD = D (omega_x X_x + omega_y X_y + omega_z X_z), the law of the group.

omega = 2 Im(conj(q) dq) / |q|^2 is the angular velocity in the rotated frame and X are the generators. The rule is written with D
itself: derivatives of every order, forward and reverse, are as exact as D, at every rotation.
"""

from functools import partial

import jax
import jax.numpy as jnp

from ._clebsch_gordan import generators
from ._quaternion import compose_quaternion, inverse_quaternion
from ._wigner import evaluate_blocks


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def blocks(ls: tuple[int, ...], q: jax.Array) -> list[jax.Array]:
    """The Wigner D matrices of increasing degrees."""
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
    """omega = 2 Im(conj(q) dq) / |q|^2, of shape (..., 3), in the rotated frame; zero for the quaternion zero."""
    norm2 = jnp.sum(q * q, axis=-1, keepdims=True)
    zero = norm2 == 0
    return 2 * compose_quaternion(inverse_quaternion(q), dq)[..., 1:] / jnp.where(zero, 1, norm2)


def _times_generators(l: int, D: jax.Array, omega: jax.Array) -> jax.Array:
    X = jnp.asarray(generators(l), dtype=D.dtype)
    velocity = jnp.einsum("...a,aij->...ij", omega, X, precision=jax.lax.Precision.HIGHEST)
    return jnp.matmul(D, velocity, precision=jax.lax.Precision.HIGHEST)
