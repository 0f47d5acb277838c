"""Solid harmonics in JAX, whose derivatives of every order are forward-mode derivatives of the product.

Each derivative is evaluated anew from the vectors and never stored. The rule calls functions that have such a rule
themselves, so that derivatives of every order, forward and reverse, are exact.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from ._solid_constants import Degrees
from ._solid_values import solid_product

OfCoordinates = Callable[..., jax.Array]


@partial(jax.jit, static_argnums=(0, 1), inline=True)
def evaluate(degrees: Degrees, is_unit: bool, v: jax.Array) -> jax.Array:
    """Return the solid harmonics of vectors of shape (..., 3); see :func:`._solid_values.solid_product`."""
    return _derivative(degrees, is_unit, (), v)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
@partial(jax.jit, static_argnums=(0, 1, 2), inline=True)
def _derivative(degrees: Degrees, is_unit: bool, axes: tuple[int, ...], v: jax.Array) -> jax.Array:
    """Differentiate the harmonics along the axes (0, 1, 2 for x, y, z), one after the other."""
    function = partial(solid_product, degrees, is_unit)
    for axis in axes:
        function = _along(function, axis)
    return function(v[..., 0:1], v[..., 1:2], v[..., 2:3])


def _along(function: OfCoordinates, axis: int) -> OfCoordinates:
    def derivative(*v: jax.Array) -> jax.Array:
        def of_one(coordinate: jax.Array) -> jax.Array:
            return function(*v[:axis], coordinate, *v[axis + 1 :])

        return jax.jvp(of_one, (v[axis],), (jnp.ones_like(v[axis]),))[1]

    return derivative


@_derivative.defjvp
def _(
    degrees: Degrees, is_unit: bool, axes: tuple[int, ...], v: tuple[jax.Array], dv: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    # checkpoint: the reverse pass computes the derivative from v instead of keeping it.
    return _derivative(degrees, is_unit, axes, *v), jax.checkpoint(partial(_tangent, degrees, is_unit, axes))(*v, *dv)


def _tangent(degrees: Degrees, is_unit: bool, axes: tuple[int, ...], v: jax.Array, dv: jax.Array) -> jax.Array:
    # Transposed, the product with ones is a sum over the components, which XLA fuses with its operand. Of jnp.sum it
    # would make windows first, on a CPU five times slower.
    ones = jnp.ones((1, sum(2 * l + 1 for l, _ in degrees)), v.dtype)
    tangent = jnp.zeros((), v.dtype)
    for axis in range(3):
        slope = _derivative(degrees, is_unit, tuple(sorted((*axes, axis))), v)
        tangent = tangent + slope * jnp.matmul(dv[..., axis : axis + 1], ones, precision="highest")
    return tangent
