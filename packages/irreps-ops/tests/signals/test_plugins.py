"""Plugins that transform signals: one by the definition, and s2fft."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.signals._meridian_harmonics import meridian_harmonics

RNG = np.random.default_rng(0)


def coefficients(irreps, shape=()):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, jnp.asarray(RNG.normal(size=(*shape, irreps.dim))))


class ByHand:
    """The sum of harmonics, as a plugin."""

    irreps_api = 1
    name = "by hand"

    def why_not(self, lmax, res_beta, res_alpha, quadrature):
        return "degrees above 3 are too many" if lmax > 3 else None

    def table(self, lmax, grid):
        y, alpha, weights = irr.s2_grid(*grid)
        return ic.spherical_harmonics(range(lmax + 1), ic.angles_to_xyz(alpha[None], np.arccos(y)[:, None])), weights

    def to_grid(self, coeffs, res_beta, res_alpha, quadrature):
        lmax = int(coeffs.shape[-1] ** 0.5) - 1
        return jnp.einsum("...i,bai->...ba", coeffs, self.table(lmax, (res_beta, res_alpha, quadrature))[0])

    def from_grid(self, values, lmax, quadrature):
        table, weights = self.table(lmax, (*values.shape[-2:], quadrature))
        return jnp.einsum("...ba,bai,b->...i", values, table, weights) / values.shape[-1]


def test_a_plugin_computes_the_transformations():
    x = coefficients("3o + 0e + 2e", (2,))
    options = {"normalization": "component", "transform": ByHand()}

    @jax.jit
    def run(x):
        signal = irr.to_s2grid(x, 8, 7, quadrature="soft", **options)
        expected = irr.to_s2grid(x, 8, 7, quadrature="soft", normalization="component")
        return signal, expected, irr.from_s2grid(signal, "3o + 0e + 2e", **options)

    signal, expected, back = run(x)
    np.testing.assert_allclose(signal.grid_values, expected.grid_values, atol=1e-13)
    np.testing.assert_allclose(back.array, x.array, atol=1e-13)
    with pytest.raises(ValueError, match="'by hand' does not support this: degrees above 3"):
        irr.to_s2grid(coefficients("4e"), 9, 9, quadrature="soft", transform=ByHand(), p_val=1, p_arg=1)
    with pytest.raises(TypeError, match="lacks the attribute"):
        irr.to_s2grid(x, 8, 7, quadrature="soft", transform=object())
    with pytest.raises(ImportError, match="is not installed; there are: s2fft"):
        irr.to_s2grid(x, 8, 7, quadrature="soft", transform="nobody")


class FakeS2FFT:
    """What is called of s2fft, by the definition of its complex harmonics."""

    @staticmethod
    def table(L):
        beta, alpha = (np.arange(2 * L) + 0.5) * np.pi / (2 * L), 2 * np.pi * np.arange(2 * L - 1) / (2 * L - 1)
        meridian = meridian_harmonics(L - 1, L - 1, np.cos(beta), np.sin(beta)) / np.sqrt(4 * np.pi)
        m = np.arange(-L + 1, L)
        size = np.where(m == 0, 1, np.sqrt(0.5)) * np.where(m > 0, (-1.0) ** m, 1)
        return np.einsum("m,mbl,ma->lmba", size, meridian[np.abs(m)], np.exp(1j * np.outer(m, alpha)))

    def inverse_jax(self, flm, L, sampling, reality):
        assert (sampling, reality) == ("dh", True)
        negative = jnp.flip(jnp.conj(flm[:, L:]) * (-1.0) ** np.arange(1, L)[None], -1)
        return jnp.einsum("lm,lmba->ba", jnp.concatenate([negative, flm[:, L - 1 :]], 1), self.table(L)).real

    def forward_jax(self, f, L, sampling, reality):
        assert (sampling, reality) == ("dh", True)
        weights = irr.s2_grid(2 * L, 1, "soft")[2] * 4 * np.pi / (2 * L - 1)
        return jnp.einsum("ba,lmba,b->lm", f, self.table(L).conj(), weights)


@jax.numpy_rank_promotion("allow")  # s2fft needs it
@pytest.mark.parametrize("package", ["fake", "s2fft"])
def test_s2fft_gives_the_same_numbers_on_its_grid(package, monkeypatch):
    if package == "fake":
        monkeypatch.setitem(sys.modules, "s2fft", FakeS2FFT())
    else:
        pytest.importorskip("s2fft")
    x = coefficients(irr.s2_irreps(3), (2,))
    resolution = irr.get_s2fft_grid_resolution(3)

    @jax.jit
    def run(x):
        results = []
        for use in (True, False):
            signal = irr.to_s2grid(x, *resolution, quadrature="soft", use_s2fft=use)
            results.append((signal, irr.from_s2grid(signal, "2e + 3o", use_s2fft=use, normalization="norm")))
        return results

    (signal, back), (expected, expected_back) = run(x)
    np.testing.assert_allclose(signal.grid_values, expected.grid_values, atol=1e-13)
    np.testing.assert_allclose(back.array, expected_back.array, atol=1e-13)
    with pytest.raises(ValueError, match=r"must be \(8, 7\) for degree 3, got \(8, 9\)"):
        irr.to_s2grid(x, 8, 9, quadrature="soft", use_s2fft=True)
    with pytest.raises(ValueError, match="quadrature must be 'soft'"):
        irr.to_s2grid(x, 8, 7, quadrature="gausslegendre", use_s2fft=True)


def test_a_missing_s2fft_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "s2fft", None)
    with pytest.raises(ic.plugins.PluginLoadError, match="pip install s2fft"):
        irr.to_s2grid(coefficients(irr.s2_irreps(1)), 4, 3, quadrature="soft", use_s2fft=True)
