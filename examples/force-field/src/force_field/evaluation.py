"""How good a force field is: errors of energies and forces, and how exactly it respects rotations and mirrors."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from .graphs import Batch, Batches, Graph, to_graphs
from .model import energy_and_forces
from .parameters import Parameters, Structure


@dataclass(frozen=True)
class Prediction:
    """Energy (eV, without the reference energies of the atoms) and forces (eV/Å) of one configuration."""

    energy: float
    forces: np.ndarray


class Predictor:
    """A force field with its parameters, compiled once for each bucket of sizes.

    Args:
        structure: of the model.
        dtype: of the computation.
    """

    def __init__(self, structure: Structure, dtype: str) -> None:
        """See the class."""
        self.structure, self.dtype = structure, np.dtype(dtype)
        self.traces = 0
        self._evaluate = jax.jit(self._energy_and_forces)

    def _energy_and_forces(self, params: Parameters, batch: Batch) -> tuple[jax.Array, jax.Array]:
        self.traces += 1
        return energy_and_forces(self.structure.model(params), batch)

    def on_batch(self, params: Parameters, batch: Batch, graphs: Sequence[Graph]) -> list[Prediction]:
        """Predictions for the graphs that a batch was made of."""
        params = {name: jnp.asarray(p, self.dtype) for name, p in params.items()}
        energies, forces = map(np.asarray, self._evaluate(params, batch))
        ends = np.cumsum([len(g.species) for g in graphs])
        parts = np.split(forces[: ends[-1]].astype(float), ends[:-1])
        return [Prediction(float(e), f) for e, f in zip(energies[: len(graphs)], parts, strict=True)]

    def __call__(self, params: Parameters, batches: Batches) -> list[Prediction]:
        """Predictions for the graphs of `batches`, in their order."""
        found: dict[int, Prediction] = {}
        for bucket, indices in batches.indices():
            batch = batches.batch(bucket, indices)
            found.update(zip(indices, self.on_batch(params, batch, [batches.graphs[i] for i in indices]), strict=True))
        return [found[i] for i in range(len(batches.graphs))]


@dataclass(frozen=True)
class Errors:
    """Errors over some configurations: energies in meV and meV per atom, force components in meV/Å.

    Attributes:
        frames: number of configurations.
        energy_mae: mean absolute error of total energies.
        energy_rmse: root mean square error of total energies.
        energy_mae_per_atom: mean absolute error of energies divided by the number of atoms.
        forces_mae: mean absolute error of force components.
        forces_rmse: root mean square error of force components.
        forces_mae_by_element: the same for each element.
        forces_rms: root mean square of the true force components.
    """

    frames: int
    energy_mae: float
    energy_rmse: float
    energy_mae_per_atom: float
    forces_mae: float
    forces_rmse: float
    forces_mae_by_element: dict[str, float]
    forces_rms: float


def errors(graphs: Sequence[Graph], predictions: Sequence[Prediction], elements: Sequence[int]) -> Errors:
    """Errors of predictions."""
    energy = 1e3 * np.array([p.energy - g.energy for p, g in zip(predictions, graphs, strict=True)])
    atoms = np.array([len(g.species) for g in graphs])
    forces = 1e3 * np.concatenate([p.forces - g.forces for p, g in zip(predictions, graphs, strict=True)])
    species = np.concatenate([g.species for g in graphs])
    truth = 1e3 * np.concatenate([g.forces for g in graphs])
    by_element = {
        chemical_symbols[elements[i]]: float(np.abs(forces[species == i]).mean()) for i in np.unique(species).tolist()
    }
    return Errors(
        frames=len(graphs),
        energy_mae=float(np.abs(energy).mean()),
        energy_rmse=float(np.sqrt((energy**2).mean())),
        energy_mae_per_atom=float(np.abs(energy / atoms).mean()),
        forces_mae=float(np.abs(forces).mean()),
        forces_rmse=float(np.sqrt((forces**2).mean())),
        forces_mae_by_element=by_element,
        forces_rms=float(np.sqrt((truth**2).mean())),
    )


def errors_by_molecule(
    frames: Sequence[Atoms], graphs: Sequence[Graph], predictions: Sequence[Prediction], elements: Sequence[int]
) -> dict[str, Errors]:
    """Errors for each chemical formula; with several, those of all together last, as "all"."""
    formulas = [atoms.get_chemical_formula() for atoms in frames]
    table = {}
    for formula in dict.fromkeys(formulas):
        chosen = [i for i, name in enumerate(formulas) if name == formula]
        table[formula] = errors([graphs[i] for i in chosen], [predictions[i] for i in chosen], elements)
    if len(table) > 1:
        table["all"] = errors(graphs, predictions, elements)
    return table


def random_orthogonal(rng: np.random.Generator, mirror: bool) -> np.ndarray:
    """A random rotation of space, or a random rotation and a mirror, as a 3 x 3 matrix of determinant 1 or -1."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if (np.linalg.det(q) < 0) == mirror else q * np.array([-1.0, 1.0, 1.0])


def equivariance_error(
    predictor: Predictor,
    params: Parameters,
    frames: Sequence[Atoms],
    elements: Sequence[int],
    cutoff: float,
    trials: int = 10,
    seed: int = 0,
) -> float:
    """How much rotating and mirroring the molecule is not the same as rotating and mirroring the forces.

    Half of the transformations Q have a mirror. They act in float64, the model computes in the dtype of `predictor`.

    Returns:
        The largest, over frames and transformations, of |F(Q x) - Q F(x)| / |F(x)| (norms over all atoms) and
        |E(Q x) - E(x)| / (|F(x)| * 1 Å).
    """
    rng = np.random.default_rng(seed)
    matrices = [random_orthogonal(rng, mirror=bool(k % 2)) for k in range(trials)]
    turned = []
    for atoms in frames:
        for q in [np.eye(3), *matrices]:
            copy = atoms.copy()
            copy.set_cell(atoms.cell.array @ q.T)
            copy.positions = atoms.positions @ q.T
            turned.append(copy)
    graphs = to_graphs(turned, elements, cutoff, "rotated frames")
    predictions = predictor(params, Batches(graphs, trials + 1, predictor.dtype))
    worst = 0.0
    for start in range(0, len(turned), trials + 1):
        first, *others = predictions[start : start + trials + 1]
        size = float(np.linalg.norm(first.forces))
        for q, other in zip(matrices, others, strict=True):
            worst = max(worst, float(np.linalg.norm(other.forces - first.forces @ q.T)) / size)
            worst = max(worst, abs(other.energy - first.energy) / size)
    return worst
