"""Functions on the sphere as finite Fourier series on a torus of two angles, where products are pointwise.

A function f(θ, φ), where θ is the angle from the axis y, continues beyond the poles: f(-θ, φ) = f(θ, φ + π). On the
torus of all θ and φ it is a sum of waves: cos(kθ) for even orders m and sin(kθ) for odd ones, with k up to the degree.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached

from ._grid import rings
from ._grid_harmonics import positions
from ._meridian_harmonics import meridian_harmonics


class Series(NamedTuple):
    """Coefficients of a function f = Σ scale_l c_lm Y_lm, with harmonics in "component" normalization.

    Attributes:
        degrees: of the coefficients, in their order, each once.
        scales: a factor for each degree.
    """

    degrees: tuple[int, ...]
    scales: tuple[float, ...]

    @property
    def lmax(self) -> int:
        """The highest degree."""
        return max(self.degrees)


def to_torus(coeffs: jax.Array, series: Series, size: tuple[int, int]) -> jax.Array:
    """Return the values at equally spaced angles θ and φ, starting from 0.

    Args:
        coeffs: coefficients, of shape (..., dim).
        series: degrees and scales of the coefficients.
        size: numbers of angles θ and φ; more than 2 lmax each.
    """
    block = jnp.take(coeffs, positions(series.degrees).component, axis=-1, mode="fill", fill_value=0)
    wave = _einsum("mki,...smi->...skm", _wave_table(series, np.dtype(coeffs.dtype)), block)
    # c cos(mφ) + s sin(mφ) is the real part of (c - i s) exp(imφ). cos(kθ) is (exp(ikθ) + exp(-ikθ)) / 2, and sin(kθ)
    # is -i (exp(ikθ) - exp(-ikθ)) / 2.
    cosine, sine = wave[..., 0, :, :], -wave[..., 1, :, :]
    odd = jnp.broadcast_to(np.arange(series.lmax + 1) % 2 == 1, cosine.shape)
    half = jax.lax.complex(jnp.where(odd, sine, cosine), jnp.where(odd, -cosine, sine))
    mirrored = jnp.where(odd, -half, half)[..., :0:-1, :]
    between = jnp.zeros_like(half, shape=(*half.shape[:-2], size[0] - 2 * series.lmax - 1, half.shape[-1]))
    return jnp.fft.irfft2(jnp.concatenate([half, between, mirrored], axis=-2), size, norm="forward")


def from_torus(values: jax.Array, series: Series) -> jax.Array:
    """Return coefficients of shape (..., dim) from values on a torus, by exact integration over the sphere.

    The number of angles θ must exceed twice the highest frequency of the values, and no frequency of φ may alias to one
    up to the highest degree.
    """
    highest = (values.shape[-2] - 1) // 2
    wave = jnp.fft.rfft2(values, norm="forward")[..., : highest + 1, : series.lmax + 1]
    odd = jnp.broadcast_to(np.arange(series.lmax + 1) % 2 == 1, wave.shape)
    # The inverse of the factors in `to_torus`.
    cosine, sine = jnp.where(odd, -wave.imag, wave.real), jnp.where(odd, wave.real, wave.imag)
    table = _integral_table(series, highest, np.dtype(values.dtype))
    block = _einsum("mki,...skm->...smi", table, jnp.stack([cosine, -sine], axis=-3))
    s, m, i = positions(series.degrees)[:3]
    return block[..., s, m, i]


def fast_size(n: int) -> int:
    """Return the smallest product of powers of 2, 3 and 5 that is at least n, a size for which FFTs are fast."""
    rest = n
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return n if rest == 1 else fast_size(n + 1)


_einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


@cached(maxsize=64)
def _wave_table(series: Series, dtype: Any) -> np.ndarray:
    """Return scale_l Λ_l^m as a sum of cos(kθ), or sin(kθ) for odd m, times the factors of exp(ikθ) and of exp(imφ).

    Returns:
        Array of shape (lmax+1, lmax+1, degrees), indexed [m, k, i].
    """
    n = series.lmax + 1
    waves, harmonics, _ = _on_rings(series, n, series.lmax, "soft")
    # The waves are orthogonal on these rings. Half of each belongs to exp(ikθ), half to exp(-ikθ); likewise for φ.
    table = np.einsum("mkb,mbi->mki", waves, harmonics) / n
    table[1:] /= 2
    return (table * np.array(series.scales)).astype(dtype)


@cached(maxsize=64)
def _integral_table(series: Series, highest: int, dtype: Any) -> np.ndarray:
    """Return integrals over the sphere of Λ_l^m / scale_l times cos(kθ), or sin(kθ); doubled for exp(-ikθ).

    Returns:
        Array of shape (lmax+1, highest+1, degrees), indexed [m, k, i].
    """
    waves, harmonics, weights = _on_rings(series, (highest + series.lmax) // 2 + 1, highest, "gausslegendre")
    table = np.einsum("mkb,mbi,b->mki", waves, harmonics, weights)
    table[:, 1:] *= 2
    return (table / np.array(series.scales)).astype(dtype)


def _on_rings(series: Series, n: int, highest: int, quadrature: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cos(kθ) or sin(kθ) for each m, of shape (m, k, ring), Λ_l^m, of shape (m, ring, degree), and weights."""
    y, rho, weights = rings(n, quadrature)
    angles = np.arange(highest + 1)[:, None] * np.arctan2(rho, y)
    waves = np.stack([np.cos(angles), np.sin(angles)])[np.arange(series.lmax + 1) % 2]
    harmonics = meridian_harmonics(series.lmax, series.lmax, y, rho)[:, :, list(series.degrees)]
    return waves, harmonics, weights
