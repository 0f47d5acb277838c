"""The transformations of s2fft, for degrees whose tables of harmonics do not fit in memory: it stores none.

Its harmonics are complex and have the Condon-Shortley phase, its rings run from north to south:

    f_(l, m) = (-1)^m sqrt(2π) (c_(l, m) - i c_(l, -m)),  m > 0,        f_(l, 0) = sqrt(4π) c_(l, 0).

Source: Price and McEwen, Differentiable and accelerated spherical harmonic and Wigner transforms, J. Comput. Phys. 510
(2024).
"""

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core.plugins import PluginLoadError
from irreps_ops._inputs import _checks as check

from ._grid_harmonics import positions


def get_s2fft_grid_resolution(lmax: int) -> tuple[int, int]:
    """Return the resolution (res_beta, res_alpha) of the "soft" grid on which s2fft transforms signals of degree lmax.

    Args:
        lmax: degree of the signal.

    Returns:
        (2 lmax + 2, 2 lmax + 1).

    Raises:
        ValueError: `lmax` is negative or not an integer.

    Example:
        >>> import irreps_ops as irr
        >>> irr.get_s2fft_grid_resolution(10)
        (22, 21)
    """
    lmax = check.count("get_s2fft_grid_resolution", "lmax", lmax, 0)
    return 2 * lmax + 2, 2 * lmax + 1


class S2FFT:
    """A :class:`irreps_ops.SphereTransform` that calls s2fft, an optional dependency."""

    irreps_api = 1
    name = "s2fft"

    def why_not(self, lmax: int, res_beta: int, res_alpha: int, quadrature: str) -> str | None:
        """Return the reason unless the grid is the one for the degree.

        With Gauss-Legendre nodes s2fft does not terminate without x64.
        """
        if quadrature != "soft":
            return f"quadrature must be 'soft', got {quadrature!r}"
        expected = get_s2fft_grid_resolution(lmax)
        if (res_beta, res_alpha) != expected:
            return f"(res_beta, res_alpha) must be {expected} for degree {lmax}, got {(res_beta, res_alpha)}"
        return None

    def to_grid(self, coeffs: jax.Array, res_beta: int, res_alpha: int, quadrature: str) -> jax.Array:
        """See :class:`irreps_ops.SphereTransform`."""
        s2fft, lmax = _s2fft(), res_alpha // 2
        component = positions(tuple(range(lmax + 1))).component.swapaxes(1, 2)  # [s, l, m]
        factor = np.sqrt(np.where(np.arange(lmax + 1) == 0, 4, 2) * np.pi) * (-1.0) ** np.arange(lmax + 1)
        # s2fft accepts the default float alone.
        wide = coeffs.astype(jnp.zeros(()).dtype)
        block = jnp.take(wide, component, axis=-1, mode="fill", fill_value=0)
        block = block * jnp.broadcast_to(jnp.asarray(factor, wide.dtype), block.shape)
        flm = jax.lax.complex(block[..., 0, :, :], -block[..., 1, :, :])
        # The values are real, so s2fft does not read coefficients of negative m.
        flm = jnp.concatenate([jnp.zeros_like(flm[..., 1:]), flm], axis=-1)
        values = _batched(lambda x: s2fft.inverse_jax(x, L=lmax + 1, sampling="dh", reality=True), flm)
        return values[..., ::-1, :].astype(coeffs.dtype)

    def from_grid(self, values: jax.Array, lmax: int, quadrature: str) -> jax.Array:
        """See :class:`irreps_ops.SphereTransform`."""
        s2fft = _s2fft()
        s, m, l, _ = positions(tuple(range(lmax + 1)))
        wide = values[..., ::-1, :].astype(jnp.zeros(()).dtype)
        flm = _batched(lambda x: s2fft.forward_jax(x, L=lmax + 1, sampling="dh", reality=True), wide)
        picked = flm[..., l, lmax + m]
        factor = (-1.0) ** m / np.sqrt(np.where(m == 0, 4, 2) * np.pi)
        # c_(l, m) is the real part, c_(l, -m) minus the imaginary one.
        real, imag = jnp.asarray(np.stack([factor * (s == 0), -factor * (s == 1)]), wide.dtype)
        coeffs = picked.real * jnp.broadcast_to(real, picked.shape) + picked.imag * jnp.broadcast_to(imag, picked.shape)
        return coeffs.astype(values.dtype)


def _batched(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Apply a function of the last two axes for all leading axes."""
    out = jax.vmap(function)(x.reshape(-1, *x.shape[-2:]))
    return out.reshape(*x.shape[:-2], *out.shape[1:])


def _s2fft() -> Any:
    try:
        return importlib.import_module("s2fft")
    except ImportError as error:
        raise PluginLoadError(
            "the sphere transform 's2fft' needs s2fft, which is not installed: `pip install s2fft`, or omit "
            "use_s2fft and transform"
        ) from error
