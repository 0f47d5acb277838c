"""Rotations whose argument names, or whose default dtype and array type, differ in e3nn-jax."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

import irreps_core as ic


def rand_matrix(key: jax.Array, shape: Sequence[int] = (), dtype: Any = jnp.float32) -> jax.Array:
    """See :func:`irreps_core.rand_matrix`; float32 by default."""
    return ic.rand_matrix(key, tuple(shape), dtype)


def rand_angles(
    key: jax.Array, shape: Sequence[int] = (), dtype: Any = jnp.float32
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """See :func:`irreps_core.rand_angles`; float32 by default."""
    return ic.rand_angles(key, tuple(shape), dtype)


def rand_quaternion(key: jax.Array, shape: Sequence[int] = (), dtype: Any = jnp.float32) -> jax.Array:
    """See :func:`irreps_core.rand_quaternion`; float32 by default."""
    return ic.rand_quaternion(key, tuple(shape), dtype)


def rand_axis_angle(key: jax.Array, shape: Sequence[int] = (), dtype: Any = jnp.float32) -> tuple[jax.Array, jax.Array]:
    """See :func:`irreps_core.rand_axis_angle`; float32 by default."""
    return ic.rand_axis_angle(key, tuple(shape), dtype)


def rand_log_coordinates(key: jax.Array, shape: Sequence[int] = (), dtype: Any = jnp.float32) -> jax.Array:
    """See :func:`irreps_core.rand_log_coordinates`; float32 by default."""
    return ic.rand_log_coordinates(key, tuple(shape), dtype)


def identity_angles(shape: Sequence[int] = (), dtype: Any = jnp.float32) -> tuple[jax.Array, jax.Array, jax.Array]:
    """See :func:`irreps_core.identity_angles`; JAX arrays, float32 by default."""
    alpha, beta, gamma = ic.identity_angles(tuple(shape), dtype)
    return jnp.asarray(alpha), jnp.asarray(beta), jnp.asarray(gamma)


def identity_quaternion(shape: Sequence[int] = (), dtype: Any = jnp.float32) -> jax.Array:
    """See :func:`irreps_core.identity_quaternion`; a JAX array, float32 by default."""
    return jnp.asarray(ic.identity_quaternion(tuple(shape), dtype))


def identity_log_coordinates(shape: Sequence[int] = (), dtype: Any = jnp.float32) -> jax.Array:
    """See :func:`irreps_core.identity_log_coordinates`; a JAX array, float32 by default."""
    return jnp.asarray(ic.identity_log_coordinates(tuple(shape), dtype))


def inverse_log_coordinates(log: Any) -> Any:
    """See :func:`irreps_core.inverse_log_coordinates`."""
    return ic.inverse_log_coordinates(log)


def axis_angle_to_quaternion(xyz: Any, angle: Any) -> Any:
    """See :func:`irreps_core.axis_angle_to_quaternion`."""
    return ic.axis_angle_to_quaternion(xyz, angle)


def wigner_D(l: int, alpha: Any, beta: Any, gamma: Any) -> Any:
    """Return the matrix of a rotation in the irrep of degree l; the present form is :meth:`Irrep.D_from_angles`.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.wigner_D(1, 0.1, 0.2, 0.3).shape
        (3, 3)
    """
    return ic.Irrep(l, 1).D_from_angles(alpha, beta, gamma)


def wigner_rot_y(l: int, angle: Any) -> Any:
    """Return the matrix of a rotation about y in the irrep of degree l."""
    return wigner_D(l, angle, 0.0, 0.0)
