"""Plugins that transform signals on the sphere: their interface and their group."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import plugins

from ._grid_harmonics import Expansion
from ._s2_irreps import per_component
from ._s2fft import S2FFT


@runtime_checkable
class SphereTransform(Protocol):
    """Transformation of signals on the sphere; a plugin of the group ``irreps.sphere_transforms``.

    Coefficients are those of real harmonics of all degrees 0, ..., lmax in "component" normalization, on a last axis of
    length ``(lmax+1)**2``. Values are those on the grid of :func:`irreps_ops.s2_grid`, of shape (..., res_beta,
    res_alpha). Results have the dtype of the argument, and JAX can differentiate and batch the methods. A plugin also
    has the attribute ``irreps_api = 1``.

    Example:
        >>> import irreps_ops as irr
        >>> class Refusing:
        ...     irreps_api, name = 1, "refusing"
        ...     def why_not(self, lmax, res_beta, res_alpha, quadrature):
        ...         return "it knows no grid"
        ...     def to_grid(self, coeffs, res_beta, res_alpha, quadrature): ...
        ...     def from_grid(self, values, lmax, quadrature): ...
        >>> isinstance(Refusing(), irr.SphereTransform)
        True
    """

    name: str

    def why_not(self, lmax: int, res_beta: int, res_alpha: int, quadrature: str) -> str | None:
        """Return the reason why the plugin does not support this case, for an error message; None if it does."""
        ...

    def to_grid(self, coeffs: jax.Array, res_beta: int, res_alpha: int, quadrature: str) -> jax.Array:
        """Return the values of a function with these coefficients."""
        ...

    def from_grid(self, values: jax.Array, lmax: int, quadrature: str) -> jax.Array:
        """Return the coefficients of a function of degree lmax with these values."""
        ...


NamedTransform: TypeAlias = str | SphereTransform

SPHERE_TRANSFORMS = plugins.Group(
    "irreps.sphere_transforms",
    interface=SphereTransform,
    builtin=MappingProxyType({"s2fft": S2FFT()}),
)


def to_grid_by(named: NamedTransform, coeffs: jax.Array, expansion: Expansion) -> jax.Array:
    """Return values of coefficients as :func:`._sphere_transform.to_grid` does, by a plugin."""
    transform = _able(named, expansion)
    scaled = coeffs * _broadcast(per_component(expansion.degrees, expansion.scales), coeffs)
    every = jnp.zeros((*coeffs.shape[:-1], (expansion.lmax + 1) ** 2), coeffs.dtype)
    every = every.at[..., _component_positions(expansion.degrees)].set(scaled)
    return transform.to_grid(every, expansion.res_beta, expansion.res_alpha, expansion.quadrature)


def from_grid_by(named: NamedTransform, values: jax.Array, expansion: Expansion) -> jax.Array:
    """Return coefficients of values as :func:`._sphere_transform.from_grid` does, by a plugin."""
    transform = _able(named, expansion)
    every = transform.from_grid(values, expansion.lmax, expansion.quadrature)
    coeffs = every[..., _component_positions(expansion.degrees)]
    return coeffs / _broadcast(per_component(expansion.degrees, expansion.scales), coeffs)


def _able(named: NamedTransform, expansion: Expansion) -> SphereTransform:
    """Return the plugin of that name, or the object itself, if it supports the expansion.

    Raises:
        ValueError: it does not; the message gives its reason.
        PluginLoadError: there is no plugin of that name.
        TypeError: an object that is not such a plugin.
    """
    transform = plugins.load(SPHERE_TRANSFORMS, named)
    refusal = transform.why_not(expansion.lmax, expansion.res_beta, expansion.res_alpha, expansion.quadrature)
    if refusal:
        raise ValueError(f"the sphere transform {transform.name!r} does not support this: {refusal}")
    return transform


def _component_positions(degrees: Sequence[int]) -> np.ndarray:
    """Return the positions of the components of these degrees among those of all degrees."""
    return np.array([l * l + k for l in degrees for k in range(2 * l + 1)], dtype=np.int32)


def _broadcast(factors: np.ndarray, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(jnp.asarray(factors, x.dtype), x.shape)
