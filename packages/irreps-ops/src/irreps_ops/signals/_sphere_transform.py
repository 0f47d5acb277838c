"""The transformation between coefficients of spherical harmonics and values on a grid, of plain arrays.

Three ways, equal up to rounding: for each order m a matrix product over the degrees, and then over m either a matrix
product with the waves or an FFT; or, for small grids, one matrix product with all harmonics on all points.
"""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from ._grid_harmonics import Expansion, heights, places, waves, whole

# Up to so many numbers one table of all harmonics on all points is faster than two factors; measured on a CPU.
_WHOLE_TABLE = 2**14
# From this degree an FFT is faster than a matrix product with the waves; measured on a CPU.
_FFT_DEGREE = 128


def to_grid(coeffs: jax.Array, expansion: Expansion, fft: bool | None = None) -> jax.Array:
    """Values of shape (..., res_beta, res_alpha) of coefficients of shape (..., dim)."""
    dtype = np.dtype(coeffs.dtype)
    method = _method(expansion, fft)
    if method == "whole":
        return _sum_of_all(coeffs, whole(expansion, False, dtype))
    component, height = places(expansion.degrees).component, heights(expansion, False, dtype)
    if method == "fft":
        return _sum_by_fft(expansion.res_alpha, coeffs, component, height)
    return _sum_of_waves(coeffs, component, height, waves(expansion.lmax, expansion.res_alpha, dtype))


def from_grid(values: jax.Array, expansion: Expansion, fft: bool | None = None) -> jax.Array:
    """Coefficients of shape (..., dim) of values of shape (..., res_beta, res_alpha)."""
    dtype = np.dtype(values.dtype)
    method = _method(expansion, fft)
    if method == "whole":
        return _integrals_of_all(values, whole(expansion, True, dtype))
    place, height = places(expansion.degrees)[:3], heights(expansion, True, dtype)
    if method == "fft":
        return _integrals_by_fft(values, place, height)
    return _integrals_of_waves(values, place, height, waves(expansion.lmax, expansion.res_alpha, dtype))


def _method(expansion: Expansion, fft: bool | None) -> Literal["whole", "waves", "fft"]:
    """The way to go: `fft` as it is asked for, None for whatever is fastest."""
    if fft is None and expansion.dim * expansion.res_beta * expansion.res_alpha <= _WHOLE_TABLE:
        return "whole"
    # An FFT of no more than 2 lmax points does not see the frequencies that alias on them.
    possible = expansion.res_alpha > 2 * expansion.lmax
    wanted = expansion.lmax >= _FFT_DEGREE if fft is None else fft
    return "fft" if wanted and possible else "waves"


_einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


@partial(jax.jit, inline=True)
def _sum_of_all(coeffs: jax.Array, table: jax.Array) -> jax.Array:
    return _einsum("...k,kba->...ba", coeffs, table)


@partial(jax.jit, inline=True)
def _integrals_of_all(values: jax.Array, table: jax.Array) -> jax.Array:
    return _einsum("...ba,kba->...k", values, table) / values.shape[-1]


@partial(jax.jit, inline=True)
def _sum_of_waves(coeffs: jax.Array, component: jax.Array, height: jax.Array, wave: jax.Array) -> jax.Array:
    return _einsum("...bsm,sma->...ba", _on_rings(coeffs, component, height), wave)


@partial(jax.jit, inline=True)
def _integrals_of_waves(
    values: jax.Array, place: tuple[jax.Array, ...], height: jax.Array, wave: jax.Array
) -> jax.Array:
    return _over_rings(_einsum("...ba,sma->...bsm", values, wave) / values.shape[-1], place, height)


@partial(jax.jit, inline=True, static_argnums=0)
def _sum_by_fft(res_alpha: int, coeffs: jax.Array, component: jax.Array, height: jax.Array) -> jax.Array:
    rings = _on_rings(coeffs, component, height)
    # c cos(m a) + s sin(m a) is half (c - i s) exp(i m a) and its conjugate, which irfft knows of; of m = 0 it is all.
    half = jnp.asarray(np.where(np.arange(rings.shape[-1]) == 0, 1, 0.5) * res_alpha, rings.dtype)
    half = jnp.broadcast_to(half, (*rings.shape[:-2], rings.shape[-1]))
    return jnp.fft.irfft(jax.lax.complex(half * rings[..., 0, :], -half * rings[..., 1, :]), res_alpha)


@partial(jax.jit, inline=True)
def _integrals_by_fft(values: jax.Array, place: tuple[jax.Array, ...], height: jax.Array) -> jax.Array:
    wave = jnp.fft.rfft(values)[..., : height.shape[0]]
    return _over_rings(jnp.stack([wave.real, -wave.imag], axis=-2) / values.shape[-1], place, height)


def _on_rings(coeffs: jax.Array, component: jax.Array, height: jax.Array) -> jax.Array:
    """Amplitudes of the waves on each ring, of shape (..., res_beta, 2, lmax+1)."""
    box = jnp.take(coeffs, component, axis=-1, mode="fill", fill_value=0)
    return _einsum("mbi,...smi->...bsm", height, box)


def _over_rings(rings: jax.Array, place: tuple[jax.Array, ...], height: jax.Array) -> jax.Array:
    """Coefficients of the amplitudes of the waves."""
    s, m, i = place
    return _einsum("mbi,...bsm->...smi", height, rings)[..., s, m, i]
