"""The transformation between coefficients of spherical harmonics and values on a grid, for plain arrays.

There are three methods, equal up to rounding. "waves" and "fft" multiply matrices over the degrees for each order m,
and then sum over m by a matrix product with the waves or by an FFT. "whole", for small grids, is one matrix product
with all harmonics at all points.
"""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs._precision import computed_in_float32

from ._grid_harmonics import Expansion, all_harmonics, heights, positions, waves

# CPU, `benchmarks/signals.py`: up to this size one table of all harmonics at all points is faster than two factors.
_WHOLE_TABLE = 2**14
# CPU, `benchmarks/signals.py`: from this degree an FFT is faster than a matrix product with the waves.
_FFT_DEGREE = 128


@computed_in_float32
def to_grid(coeffs: jax.Array, expansion: Expansion, fft: bool | None = None) -> jax.Array:
    """Return values of shape (..., res_beta, res_alpha) from coefficients of shape (..., dim)."""
    dtype = np.dtype(coeffs.dtype)
    method = _method(expansion, fft)
    if method == "whole":
        return _sum_of_all(coeffs, all_harmonics(expansion, False, dtype))
    component, height = positions(expansion.degrees).component, heights(expansion, False, dtype)
    if method == "fft":
        return _sum_by_fft(expansion.res_alpha, coeffs, component, height)
    return _sum_of_waves(coeffs, component, height, waves(expansion.lmax, expansion.res_alpha, dtype))


@computed_in_float32
def from_grid(values: jax.Array, expansion: Expansion, fft: bool | None = None) -> jax.Array:
    """Return coefficients of shape (..., dim) from values of shape (..., res_beta, res_alpha)."""
    dtype = np.dtype(values.dtype)
    method = _method(expansion, fft)
    if method == "whole":
        return _integrals_of_all(values, all_harmonics(expansion, True, dtype))
    position, height = positions(expansion.degrees)[:3], heights(expansion, True, dtype)
    if method == "fft":
        return _integrals_by_fft(values, position, height)
    return _integrals_of_waves(values, position, height, waves(expansion.lmax, expansion.res_alpha, dtype))


def _method(expansion: Expansion, fft: bool | None) -> Literal["whole", "waves", "fft"]:
    """Choose a method: an FFT or a matrix product as `fft` requests, the fastest for None."""
    if fft is None and expansion.dim * expansion.res_beta * expansion.res_alpha <= _WHOLE_TABLE:
        return "whole"
    # An FFT of 2 lmax points or fewer drops the frequencies that alias on them.
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
    values: jax.Array, position: tuple[jax.Array, ...], height: jax.Array, wave: jax.Array
) -> jax.Array:
    return _over_rings(_einsum("...ba,sma->...bsm", values, wave) / values.shape[-1], position, height)


@partial(jax.jit, inline=True, static_argnums=0)
def _sum_by_fft(res_alpha: int, coeffs: jax.Array, component: jax.Array, height: jax.Array) -> jax.Array:
    rings = _on_rings(coeffs, component, height)
    # c cos(m a) + s sin(m a) is (c - i s) / 2 exp(i m a) plus its conjugate, which irfft adds except for m = 0.
    half = jnp.asarray(np.where(np.arange(rings.shape[-1]) == 0, 1, 0.5) * res_alpha, rings.dtype)
    half = jnp.broadcast_to(half, (*rings.shape[:-2], rings.shape[-1]))
    return jnp.fft.irfft(jax.lax.complex(half * rings[..., 0, :], -half * rings[..., 1, :]), res_alpha)


@partial(jax.jit, inline=True)
def _integrals_by_fft(values: jax.Array, position: tuple[jax.Array, ...], height: jax.Array) -> jax.Array:
    wave = jnp.fft.rfft(values)[..., : height.shape[0]]
    return _over_rings(jnp.stack([wave.real, -wave.imag], axis=-2) / values.shape[-1], position, height)


def _on_rings(coeffs: jax.Array, component: jax.Array, height: jax.Array) -> jax.Array:
    """Return the amplitudes of the waves on each ring, of shape (..., res_beta, 2, lmax+1)."""
    block = jnp.take(coeffs, component, axis=-1, mode="fill", fill_value=0)
    return _einsum("mbi,...smi->...bsm", height, block)


def _over_rings(rings: jax.Array, position: tuple[jax.Array, ...], height: jax.Array) -> jax.Array:
    """Return the coefficients of amplitudes of waves."""
    s, m, i = position
    return _einsum("mbi,...bsm->...smi", height, rings)[..., s, m, i]
