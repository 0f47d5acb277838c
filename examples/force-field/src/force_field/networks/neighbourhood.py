"""What networks see of the neighbours of the atoms: harmonics of directions and functions of distances."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase.data import covalent_radii
from flax import nnx

import irreps_ops as irr
from force_field.settings import ModelConfig

_COULOMB, _BOHR = 14.399645, 0.529177  # eV Å, Å
# J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter (1985).
_SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
_AGNESI = (1.0805, 0.9183, 4.5791)  # of Batatia et al., arXiv:2401.00096 (2023), equation (8)


class Neighbourhood(NamedTuple):
    """The edges of a batch.

    Attributes:
        harmonics: spherical harmonics of the directions, of shape (edges, irreps).
        radial: functions of the distances that fall to zero at the cutoff, of shape (edges, radial_basis).
        envelope: the function by which they fall, of shape (edges,).
        senders: integers of shape (edges,).
        receivers: integers of shape (edges,).
        edge_index: the same edges for :func:`irreps_ops.edge_convolution`.
    """

    harmonics: irr.IrrepsArray
    radial: jax.Array
    envelope: jax.Array
    senders: jax.Array
    receivers: jax.Array
    edge_index: irr.EdgeIndex


class Radial(nnx.Module):
    """Functions of the distance of two atoms, of the order of one at the length of a bond, times an envelope.

    They are Bessel functions of the distance, √2 sin(nπr/cutoff)/r; or, of a transformed distance x, √2 sin(nπx).
    Divided by x, which is small for distant atoms, they would grow with n, and the products of features by powers.
    """

    def __init__(self, config: ModelConfig, *, dtype: str) -> None:
        """See the class."""
        self.config = config
        self.width = config.cutoff if config.transform == "none" else 1.0
        self.radii = tuple(float(covalent_radii[z]) for z in config.elements)
        if config.trained_frequencies:
            self.frequencies = nnx.Param(jnp.asarray(np.pi / self.width * np.arange(1, config.radial_basis + 1), dtype))

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> Neighbourhood:
        """Return the edges of a batch; the vectors have the shape (edges, 3)."""
        config, cutoff = self.config, self.config.cutoff
        directions = irr.IrrepsArray("1o", vectors)
        distances = irr.norm(directions).array[:, 0]
        if config.envelope == "xplor":
            envelope = irr.xplor_cutoff(distances, 0.9 * cutoff, cutoff)
        else:
            envelope = irr.poly_envelope(5, 2, cutoff)(distances)
        x = distances if config.transform == "none" else self._agnesi(batch, distances)
        if config.trained_frequencies:
            basis = 2**0.5 * irr.sine_basis(x, self.frequencies[...])
        else:
            basis = self.width**0.5 * irr.bessel(x, config.radial_basis, self.width)
        if config.transform != "none":
            basis = x[:, None] * basis
        return Neighbourhood(
            harmonics=irr.spherical_harmonics(irr.Irreps.spherical_harmonics(config.lmax), directions, normalize=True),
            radial=basis * envelope[:, None],
            envelope=envelope,
            senders=jnp.asarray(batch.senders),
            receivers=jnp.asarray(batch.receivers),
            edge_index=batch.edge_index(),
        )

    def _agnesi(self, batch: irr.GraphBatch, distances: jax.Array) -> jax.Array:
        """Map distances to (0, 1), with most of the range between a half and two times the length of a bond."""
        a, q, p = _AGNESI
        x = distances / (0.5 * _sum_over_edges(np.array(self.radii), batch, distances.dtype))
        return 1 / (1 + a * x**q / (1 + x ** (q - p)))


def repulsion(config: ModelConfig, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
    """Return the energy of screened nuclei in eV, half of each pair for each atom, of shape (atoms,).

    It falls to zero at the sum of the covalent radii.
    """
    dtype, numbers = vectors.dtype, np.array(config.elements, float)
    distances = irr.norm(irr.IrrepsArray("1o", vectors)).array[:, 0]
    length = 0.8854 * _BOHR / _sum_over_edges(numbers**0.23, batch, dtype)
    screening = sum(c * jnp.exp(-d * distances / length) for c, d in _SCREENING)
    reach = _sum_over_edges(np.array([covalent_radii[z] for z in config.elements]), batch, dtype)
    first, second = (_of_edges(numbers, batch, end, dtype) for end in (batch.senders, batch.receivers))
    pairs = _COULOMB * first * second / distances * screening * irr.poly_envelope(5, 2)(distances / reach)
    return 0.5 * irr.scatter_sum(pairs, dst=batch.receivers, output_size=batch.num_nodes, mask=batch.edge_mask)


def _of_edges(values: np.ndarray, batch: irr.GraphBatch, ends: Any, dtype: Any) -> jax.Array:
    """Return the value of the element of one end of each edge."""
    species = jnp.take(jnp.asarray(batch.nodes.species), jnp.asarray(ends), mode="clip")
    return jnp.asarray(values, dtype)[species]


def _sum_over_edges(values: np.ndarray, batch: irr.GraphBatch, dtype: Any) -> jax.Array:
    """Return the sum of the values of the elements of both ends of each edge."""
    return _of_edges(values, batch, batch.senders, dtype) + _of_edges(values, batch, batch.receivers, dtype)
