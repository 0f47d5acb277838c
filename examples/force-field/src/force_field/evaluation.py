"""Evaluation of a force field: predictions, errors of energies and forces, and the error of equivariance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

import irreps_ops as irr
from irreps_flax.nnx import binding

from .derivatives import Evaluation, Potential, evaluate
from .graphs import Bucket, graph_sizes, pack, pad, to_graphs

Parameters = Mapping[str, Any]  # nested dicts of arrays, as `binding.to_trees` of irreps_flax returns them


@dataclass(frozen=True)
class Prediction:
    """Prediction for one configuration.

    Attributes:
        energies: of the atoms in eV, without their reference energies.
        forces: in eV/Å, of shape (atoms, 3).
        strain_derivative: dE/dε in eV, of shape (3, 3): stress times volume.
    """

    energies: np.ndarray
    forces: np.ndarray
    strain_derivative: np.ndarray

    @property
    def energy(self) -> float:
        """The sum of the energies."""
        return float(np.sum(self.energies))


class Predictor:
    """A compiled force field, for graphs of any size.

    All batches are padded to one bucket, so that one program serves graphs of any size. The first call chooses the
    bucket; it grows, and the program is compiled again, only when a graph does not fit.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        batch_size: largest number of graphs in a batch.
    """

    def __init__(self, model: Potential, dtype: str, batch_size: int = 20) -> None:
        """See the class."""
        self.model, self.dtype, self.batch_size = model, np.dtype(dtype), batch_size
        self.parameters = self._cast(binding.to_trees(model)[0])
        self.bucket = Bucket(0, 0, 0)
        self.traces = 0  # the number of compilations
        self._evaluate = jax.jit(self._traced)

    def _traced(self, parameters: Parameters, batch: irr.GraphBatch) -> Evaluation:
        self.traces += 1
        return evaluate(binding.from_trees(self.model, parameters), batch)

    def __call__(self, graphs: Sequence[irr.Graph], parameters: Parameters | None = None) -> list[Prediction]:
        """Return the predictions for graphs, in their order.

        Args:
            graphs: the graphs.
            parameters: parameters of the model (default: its own).
        """
        parameters = self.parameters if parameters is None else self._cast(parameters)
        self.bucket = self._room_for(graphs)
        return [
            prediction for batch in pack(graphs, self.bucket) for prediction in self._predict_batch(batch, parameters)
        ]

    def _cast(self, parameters: Parameters) -> Parameters:
        return jax.tree.map(lambda p: jnp.asarray(p, self.dtype), parameters)

    def _room_for(self, graphs: Sequence[irr.Graph]) -> Bucket:
        """Return the present bucket if it holds each graph, else one that also holds a batch of average graphs."""
        sizes, count = graph_sizes(graphs), min(self.batch_size, len(graphs))
        if (sizes <= self.bucket[1:]).all():
            return self.bucket
        room = np.maximum(sizes.max(axis=0), np.ceil(count * sizes.mean(axis=0)).astype(int))
        atoms, edges = (irr.bucket_size(int(n), steps=4) for n in room)
        return Bucket(*np.maximum(self.bucket, (count, atoms, edges)).tolist())

    def _predict_batch(self, graphs: Sequence[irr.Graph], parameters: Parameters) -> list[Prediction]:
        found = self._evaluate(parameters, pad(graphs, self.bucket, self.dtype))
        energies, forces, strain_derivatives = (np.asarray(array, float) for array in found)
        ends = np.cumsum(graph_sizes(graphs)[:, 0])
        parts = [np.split(of_atoms[: ends[-1]], ends[:-1]) for of_atoms in (energies, forces)]
        return [Prediction(*of_graph) for of_graph in zip(*parts, strain_derivatives[: len(graphs)], strict=True)]


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
        forces_mae_by_element: mean absolute error of force components on each element.
        forces_rms: root mean square of the true force components.
        stress_mae: mean absolute error of the components of stress, meV/Å^3; None if no configuration has a stress.
    """

    frames: int
    energy_mae: float
    energy_rmse: float
    energy_mae_per_atom: float
    forces_mae: float
    forces_rmse: float
    forces_mae_by_element: dict[str, float]
    forces_rms: float
    stress_mae: float | None


def errors(graphs: Sequence[irr.Graph], predictions: Sequence[Prediction], elements: Sequence[int]) -> Errors:
    """Return the errors of the predictions for some graphs."""
    energy = 1e3 * np.array([p.energy - g.globals.energy for p, g in zip(predictions, graphs, strict=True)])
    atoms = graph_sizes(graphs)[:, 0]
    forces = 1e3 * np.concatenate([p.forces - g.nodes.forces for p, g in zip(predictions, graphs, strict=True)])
    species = np.concatenate([g.nodes.species for g in graphs])
    truth = 1e3 * np.concatenate([g.nodes.forces for g in graphs])
    stress = [
        1e3 * (p.strain_derivative / g.globals.volume - g.globals.stress)
        for p, g in zip(predictions, graphs, strict=True)
        if g.globals.has_stress
    ]
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
        stress_mae=float(np.abs(stress).mean()) if stress else None,
    )


def errors_by_molecule(
    frames: Sequence[Atoms], graphs: Sequence[irr.Graph], predictions: Sequence[Prediction], elements: Sequence[int]
) -> dict[str, Errors]:
    """Return the errors for each chemical formula and, if there are several, for all configurations under "all"."""
    formulas = [atoms.get_chemical_formula() for atoms in frames]
    table = {}
    for formula in dict.fromkeys(formulas):
        chosen = [i for i, name in enumerate(formulas) if name == formula]
        table[formula] = errors([graphs[i] for i in chosen], [predictions[i] for i in chosen], elements)
    if len(table) > 1:
        table["all"] = errors(graphs, predictions, elements)
    return table


def random_orthogonal(rng: np.random.Generator, mirror: bool) -> np.ndarray:
    """Return a random orthogonal 3 x 3 matrix: of determinant -1 with `mirror`, else a rotation."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if (np.linalg.det(q) < 0) == mirror else q * np.array([-1.0, 1.0, 1.0])


def equivariance_error(predictor: Predictor, frames: Sequence[Atoms], trials: int = 10, seed: int = 0) -> float:
    """Compare the predictions for rotated and mirrored configurations with rotated and mirrored predictions.

    Half of the transformations Q contain a mirror. They are applied in float64; the model computes in the dtype of
    `predictor`.

    Args:
        predictor: the force field.
        frames: the configurations.
        trials: number of transformations of each configuration.
        seed: seed of the transformations.

    Returns:
        The largest, over frames and transformations, of |F(Q x) - Q F(x)| (norms over all atoms),
        |E(Q x) - E(x)| / 1 Å and |S(Q x) - Q S(x) Q^T| / 1 Å, where S is the derivative by strain; divided by |F(x)|
        or, if it is larger, |S(x)| / 1 Å. 0 if there are neither forces nor errors.
    """
    model, rng = predictor.model, np.random.default_rng(seed)
    matrices = [random_orthogonal(rng, mirror=bool(k % 2)) for k in range(trials)]
    transformed = []
    for atoms in frames:
        for q in [np.eye(3), *matrices]:
            copy = atoms.copy()
            copy.set_cell(atoms.cell.array @ q.T)
            copy.positions = atoms.positions @ q.T
            transformed.append(copy)
    predictions = predictor(to_graphs(transformed, model.elements, model.cutoff, "rotated frames"))
    worst = 0.0
    for start in range(0, len(transformed), trials + 1):
        first, *others = predictions[start : start + trials + 1]
        size = max(np.linalg.norm(first.forces), np.linalg.norm(first.strain_derivative))
        for q, other in zip(matrices, others, strict=True):
            differences = (
                np.linalg.norm(other.forces - first.forces @ q.T),
                abs(other.energy - first.energy),
                np.linalg.norm(other.strain_derivative - q @ first.strain_derivative @ q.T),
            )
            worst = max(worst, float(max(differences) / size) if max(differences) > 0 else 0.0)
    return worst
