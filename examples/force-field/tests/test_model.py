"""The symmetries and derivatives of the force field, before any training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from flax import nnx

from force_field.evaluation import Prediction, Predictor, equivariance_error, random_orthogonal
from force_field.graphs import Bucket, graph_sizes, to_graph
from force_field.model import ForceField, ModelConfig, Scaling

MakeFrames = Callable[..., list[Atoms]]

ELEMENTS = (1, 6, 8)
CONFIG = ModelConfig(ELEMENTS, channels=2, layers=2, lmax=2, radial_basis=4, radial_hidden=8)


def make_predictor(dtype: str, bucket: Bucket) -> Predictor:
    model = ForceField(CONFIG, Scaling((0.0,) * 3, 1.0, 8.0), rngs=nnx.Rngs(0), dtype=dtype)
    predictor = Predictor(model, dtype)
    predictor.bucket = bucket
    return predictor


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """The force field in float64, with one bucket for all tests, so that it is compiled once."""
    return make_predictor("float64", Bucket(7, 64, 512))


def predict(predictor: Predictor, frames: list[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
    found = predictor([to_graph(atoms, ELEMENTS, CONFIG.cutoff) for atoms in frames])
    return np.array([p.energy for p in found]), [p.forces for p in found]


def test_equivariance_in_float64(predictor: Predictor, frames_of: MakeFrames) -> None:
    assert equivariance_error(predictor, frames_of(["CH3CH2OH"]), trials=6) < 1e-12


def test_equivariance_in_float32(frames_of: MakeFrames) -> None:
    predictor = make_predictor("float32", Bucket(7, 64, 512))
    assert {str(p.dtype) for p in nnx.to_flat_state(nnx.state(predictor.model, nnx.Param)).leaves} == {"float32"}
    assert equivariance_error(predictor, frames_of(["CH3CH2OH"]), trials=6) < 1e-5


def test_equivariance_error_detects_a_preferred_direction(predictor: Predictor, frames_of: MakeFrames) -> None:
    class Biased(Predictor):
        def __call__(self, graphs: Any, parameters: Any = None) -> list[Prediction]:
            return [
                Prediction(p.energies, p.forces + np.array([0.01, 0, 0]), p.strain_derivative)
                for p in predictor(graphs, parameters)
            ]

    assert equivariance_error(Biased(predictor.model, "float64"), frames_of(["H2O"]), trials=4) > 1e-3


def test_random_orthogonal() -> None:
    rng = np.random.default_rng(0)
    for mirror in (False, True):
        q = random_orthogonal(rng, mirror)
        np.testing.assert_allclose(q @ q.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(q), -1 if mirror else 1)


def test_forces_are_the_negative_gradient(predictor: Predictor, frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    _, (forces,) = predict(predictor, [atoms])
    rng, step = np.random.default_rng(1), 1e-4
    direction = rng.normal(size=atoms.positions.shape)
    moved = []
    for k in (-2, -1, 1, 2):
        copy = atoms.copy()
        copy.positions += k * step * direction
        moved.append(copy)
    e = predict(predictor, moved)[0]
    slope = (e[0] - 8 * e[1] + 8 * e[2] - e[3]) / (12 * step)
    np.testing.assert_allclose(-np.sum(forces * direction), slope, rtol=1e-7)


def test_padding_does_not_change_predictions(predictor: Predictor, frames_of: MakeFrames) -> None:
    frames = frames_of(["CH3CH2OH"])
    (size,) = graph_sizes([to_graph(frames[0], ELEMENTS, CONFIG.cutoff)]).tolist()
    without_padding = make_predictor("float64", Bucket(1, *size))
    energies, (forces,) = predict(without_padding, frames)
    assert without_padding.bucket == Bucket(1, *size)
    padded_energies, (padded_forces,) = predict(predictor, frames)
    np.testing.assert_allclose(padded_energies, energies, rtol=1e-12)
    np.testing.assert_allclose(padded_forces, forces, atol=1e-12)


def test_other_graphs_of_a_batch_do_not_change_predictions(predictor: Predictor, frames_of: MakeFrames) -> None:
    frames = frames_of(["CH3CH2OH", "C2H6", "CH3CH2OH"])
    energies, forces = predict(predictor, frames)
    for k, atoms in enumerate(frames):
        energies_alone, (forces_alone,) = predict(predictor, [atoms])
        np.testing.assert_allclose(energies_alone, energies[k], rtol=1e-12)
        np.testing.assert_allclose(forces_alone, forces[k], atol=1e-12)


def test_permutations_and_translations(predictor: Predictor, frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    order = np.random.default_rng(0).permutation(len(atoms))
    moved = atoms[order]
    moved.positions += [3.0, -2.0, 1.0]
    energies, forces = predict(predictor, [atoms, moved])
    np.testing.assert_allclose(energies[0], energies[1], rtol=1e-12)
    np.testing.assert_allclose(forces[0][order], forces[1], atol=1e-12)


def test_energy_is_smooth_at_the_cutoff(predictor: Predictor) -> None:
    cutoff = CONFIG.cutoff
    distances = (cutoff - 1e-3, cutoff + 1e-3, 2 * cutoff)
    energies, forces = predict(predictor, [Atoms("OH", positions=[[0, 0, 0], [d, 0, 0]]) for d in distances])
    np.testing.assert_allclose(energies, energies[-1], atol=1e-9)
    np.testing.assert_allclose(np.array(forces), 0, atol=1e-5)


def test_the_energy_of_a_crystal_is_extensive(predictor: Predictor) -> None:
    atoms = bulk("CO", "rocksalt", a=4.2)
    atoms.positions += 0.1 * np.random.default_rng(0).normal(size=(2, 3))
    energies, forces = predict(predictor, [atoms, atoms.repeat((2, 1, 1))])
    np.testing.assert_allclose(2 * energies[0], energies[1], rtol=1e-10)
    np.testing.assert_allclose(np.tile(forces[0], (2, 1)), forces[1], atol=1e-10)


def test_one_program_serves_graphs_of_all_sizes(predictor: Predictor, frames_of: MakeFrames) -> None:
    predict(predictor, frames_of(["CH3CH2OH", "H2O", "CH4"] * 4))
    assert predictor.traces == 1
