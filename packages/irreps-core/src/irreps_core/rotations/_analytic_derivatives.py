"""Derivative rules, for JAX, of the two families of analytic functions. Plain differentiation fails near zero.

Each rule calls functions that have such a rule themselves, so that derivatives of every order, forward and reverse, are
exact.
"""

from functools import partial

import jax

from . import _analytic_values


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def bessel(n: int, t: jax.Array) -> jax.Array:
    """Return f_n(t) = j_n(sqrt(t)) / sqrt(t)^n; f_n' = -f_{n+1} / 2."""
    return _analytic_values.bessel(n, t)


@bessel.defjvp
def _bessel_jvp(n: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (t,), (dt,) = primals, tangents
    return bessel(n, t), -bessel(n + 1, t) / 2 * dt


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def arc(n: int, s: jax.Array) -> jax.Array:
    """Return the n-th derivative of arcsin(sqrt(s)) / sqrt(s (1 - s))."""
    return _analytic_values.arc(n, s)


@arc.defjvp
def _arc_jvp(n: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (s,), (ds,) = primals, tangents
    return arc(n, s), arc(n + 1, s) * ds
