"""Vibrations of crystals and molecules: exact second derivatives of the energy, and the frequencies that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms, units
from ase.dft.kpoints import monkhorst_pack

from force_field.data import check_elements
from force_field.derivatives import Potential, evaluate
from force_field.evaluation import Predictor
from force_field.graphs import Bucket, graph_sizes, pad, to_graph
from irreps_flax.nnx import binding

# An angular frequency of 1 (eV/Å²/u)^(1/2) as a frequency in THz; ASE's unit of time is Å (u/eV)^(1/2).
_TERAHERTZ = units.second / 1e12 / (2 * np.pi)
INVERSE_CM = 1e12 / units._c / 100  # one THz in 1/cm
_IMAGES = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class ForceConstants:
    """Second derivatives of the energy of a supercell.

    Attributes:
        atoms: the n atoms of the cell.
        supercell: the numbers of cells in the three directions.
        values: of shape (n, cells, n, 3, 3), in eV/Å^2; the first atom is in the first of the cells, which are in the
            order of ``atoms.repeat``.
        acoustic_error: the largest sum of the force constants of an atom, in eV/Å^2, before the sums were made zero.
    """

    atoms: Atoms
    supercell: tuple[int, int, int]
    values: np.ndarray
    acoustic_error: float

    def dynamical_matrices(self, points: np.ndarray) -> np.ndarray:
        """Return the dynamical matrices in eV/Å²/u, of shape (points, 3 n, 3 n), Hermitian.

        The interaction of two atoms belongs to the nearest periodic image in the lattice of the supercell, in equal
        parts if there are several.

        Args:
            points: wave vectors of shape (points, 3), in units of the reciprocal lattice vectors of the cell.
        """
        points = np.asarray(points, float).reshape(-1, 3)
        count, repeats = len(self.atoms), np.array(self.supercell)
        cell = self.atoms.cell.complete().array
        places = np.linalg.solve(cell.T, self.atoms.positions.T).T
        cells = np.stack(np.meshgrid(*[np.arange(n) for n in repeats], indexing="ij"), axis=-1).reshape(-1, 3)
        images = _IMAGES[(_IMAGES[:, ~self.atoms.pbc] == 0).all(axis=1)] * repeats
        matrices = np.zeros((len(points), count, 3, count, 3), complex)
        for i in range(count):
            # Fractional vectors from atom i to each image of each atom j, of shape (cells, j, images, 3).
            vectors = (cells[:, None] + places - places[i])[:, :, None] + images
            lengths = np.linalg.norm(vectors @ cell, axis=-1)
            nearest = lengths < lengths.min(axis=-1, keepdims=True) + 1e-4
            weights = nearest / nearest.sum(axis=-1, keepdims=True)
            for k, point in enumerate(points):
                phases = np.sum(weights * np.exp(2j * np.pi * (vectors @ point)), axis=-1)
                matrices[k, i] = np.einsum("cj,cjab->ajb", phases, self.values[i])
        root = np.sqrt(self.atoms.get_masses())
        matrices /= root[:, None, None, None] * root[:, None]
        matrices = matrices.reshape(len(points), 3 * count, 3 * count)
        return 0.5 * (matrices + matrices.conj().swapaxes(1, 2))

    def frequencies(self, points: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Return the frequencies in THz, of shape (points, 3 n), ascending; imaginary ones as negative numbers.

        Args:
            points: as for :meth:`dynamical_matrices`.
        """
        squares = np.linalg.eigvalsh(self.dynamical_matrices(np.asarray(points)))
        return np.sign(squares) * np.sqrt(np.abs(squares)) * _TERAHERTZ

    def density(self, mesh: Sequence[int], width: float, grid: np.ndarray) -> np.ndarray:
        """Return the density of states in 1/THz, whose integral is 3 n.

        Args:
            mesh: numbers of wave vectors in the three directions.
            width: standard deviation of the Gaussian of each frequency, in THz.
            grid: frequencies in THz, of shape (points,).
        """
        found = self.frequencies(monkhorst_pack(mesh)).ravel()
        gaussians = np.exp(-0.5 * ((grid[:, None] - found) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        return np.sum(gaussians, axis=1) / np.prod(mesh)


def force_constants(
    model: Potential, atoms: Atoms, supercell: Sequence[int] = (1, 1, 1), dtype: str = "float64"
) -> ForceConstants:
    """Return the force constants of a model: exact derivatives of its forces, with the acoustic sum rule imposed.

    Args:
        model: the force field.
        atoms: a cell or a molecule, in mechanical equilibrium.
        supercell: numbers of cells in the three directions. It should be at least twice as wide as the range of the
            interaction, which for networks that pass messages is the number of layers times the cutoff.
        dtype: dtype of the computation.

    Raises:
        ValueError: not three numbers above zero, or more than one cell in a direction that is not periodic.
    """
    repeats = np.asarray(supercell)
    if repeats.shape != (3,) or not np.issubdtype(repeats.dtype, np.integer) or (repeats < 1).any():
        raise ValueError(f"expected three numbers of cells above zero, got {supercell!r:.100}")
    if (repeats[~atoms.pbc] > 1).any():
        raise ValueError(f"expected one cell in directions that are not periodic, got {supercell!r:.100}")
    check_elements([atoms], model.elements, "the structure")
    whole = atoms.repeat(repeats.tolist())
    graph = to_graph(whole, model.elements, model.cutoff)
    size = graph_sizes([graph])[0].tolist()
    batch = pad([graph], Bucket(1, size[0], max(size[1], 1)), dtype)
    parameters = Predictor(model, dtype).parameters
    count = len(atoms)

    @jax.jit
    def second_derivatives(parameters: object, positions: jax.Array) -> jax.Array:
        loaded = binding.from_trees(model, parameters)

        def gradient(positions: jax.Array) -> jax.Array:
            moved = replace(batch, nodes=batch.nodes._replace(positions=positions))
            return -evaluate(loaded, moved).forces

        def column(k: jax.Array) -> jax.Array:
            direction = jnp.zeros(positions.size, positions.dtype).at[k].set(1.0).reshape(positions.shape)
            return jax.jvp(gradient, (positions,), (direction,))[1]

        return jax.lax.map(column, jnp.arange(3 * count))

    found = np.asarray(second_derivatives(parameters, jnp.asarray(batch.nodes.positions)), float)
    values = found.reshape(count, 3, -1, count, 3).transpose(0, 2, 3, 1, 4)
    values, error = with_sum_rule(values)
    return ForceConstants(atoms.copy(), tuple(repeats.tolist()), values, error)


def with_sum_rule(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return force constants whose sum over the second atom is zero, and the largest sum before."""
    sums, values, atoms = values.sum(axis=(1, 2)), values.copy(), np.arange(len(values))
    values[atoms, 0, atoms] -= sums
    of_themselves = values[atoms, 0, atoms]
    values[atoms, 0, atoms] = 0.5 * (of_themselves + of_themselves.swapaxes(1, 2))
    return values, float(np.abs(sums).max(initial=0))
