"""The force field respects what a force field must, before any training."""

from collections.abc import Callable

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from flax import nnx

from force_field.evaluation import Predictor, equivariance_error, random_orthogonal
from force_field.graphs import Batches, Bucket, pad_batch, to_graph
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.parameters import Structure

MakeFrames = Callable[..., list[Atoms]]

ELEMENTS = (1, 6, 8)
DEEP = ModelConfig(ELEMENTS, channels=2, layers=2, lmax=2, radial_basis=4, radial_hidden=8)
FLAT = ModelConfig(ELEMENTS, channels=4, layers=1, lmax=1, radial_basis=4, radial_hidden=8)


def _predictor(config: ModelConfig, dtype: str) -> tuple[Predictor, dict[str, jax.Array]]:
    model = ForceField(config, Scaling((0.0,) * 3, 1.0, 8.0), rngs=nnx.Rngs(0), dtype=dtype)
    structure = Structure(model)
    assert {p.dtype for p in structure.first.values()} == {np.dtype(dtype)}
    return Predictor(structure, dtype), structure.first


def _predict(config: ModelConfig, frames: list[Atoms], dtype: str = "float64", batch: int = 4) -> tuple:
    predictor, params = _predictor(config, dtype)
    graphs = [to_graph(atoms, ELEMENTS, config.cutoff) for atoms in frames]
    found = predictor(params, Batches(graphs, batch, dtype))
    return np.array([p.energy for p in found]), [p.forces for p in found]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_equivariance(frames_of: MakeFrames, dtype: str, tolerance: float) -> None:
    predictor, params = _predictor(DEEP, dtype)
    frames = frames_of(["CH3CH2OH"])
    assert equivariance_error(predictor, params, frames, ELEMENTS, DEEP.cutoff, trials=6) < tolerance


def test_equivariance_error_finds_a_model_that_prefers_a_direction(frames_of: MakeFrames) -> None:
    predictor, params = _predictor(FLAT, "float64")

    def with_field(params: dict[str, jax.Array], batches: Batches) -> list:
        found = Predictor.__call__(predictor, params, batches)
        return [type(p)(p.energy, p.forces + np.array([0.01, 0, 0])) for p in found]

    class Biased(Predictor):
        __call__ = staticmethod(with_field)  # pyright: ignore[reportAssignmentType]

    biased = Biased(predictor.structure, "float64")
    assert equivariance_error(biased, params, frames_of(["H2O"]), ELEMENTS, 4.0, trials=4) > 1e-3


def test_random_orthogonal() -> None:
    rng = np.random.default_rng(0)
    for mirror in (False, True):
        q = random_orthogonal(rng, mirror)
        np.testing.assert_allclose(q @ q.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(q), -1 if mirror else 1)


def test_forces_are_the_negative_gradient(frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    _, (forces,) = _predict(DEEP, [atoms])
    rng, step = np.random.default_rng(1), 1e-4
    direction = rng.normal(size=atoms.positions.shape)
    moved = []
    for k in (-2, -1, 1, 2):
        copy = atoms.copy()
        copy.positions += k * step * direction
        moved.append(copy)
    e = _predict(DEEP, moved)[0]
    slope = (e[0] - 8 * e[1] + 8 * e[2] - e[3]) / (12 * step)
    np.testing.assert_allclose(-np.sum(forces * direction), slope, rtol=1e-7)


def test_padding_changes_nothing(frames_of: MakeFrames) -> None:
    config = FLAT
    (atoms,) = frames_of(["CH3CH2OH"])
    predictor, params = _predictor(config, "float64")
    graph = to_graph(atoms, ELEMENTS, config.cutoff)
    tight = Bucket(1, len(graph.species), len(graph.senders))
    (first,) = predictor.on_batch(params, pad_batch([graph], tight, "float64"), [graph])
    for bucket in (Bucket(1, 16, 96), Bucket(3, 9, 100), Bucket(2, 10, 72)):
        (other,) = predictor.on_batch(params, pad_batch([graph], bucket, "float64"), [graph])
        np.testing.assert_allclose(other.energy, first.energy, rtol=1e-12)
        np.testing.assert_allclose(other.forces, first.forces, atol=1e-12)


def test_companions_in_a_batch_change_nothing(frames_of: MakeFrames) -> None:
    frames = frames_of(["CH3CH2OH", "C2H6", "CH3CH2OH"])
    alone, together = _predict(FLAT, frames, batch=1), _predict(FLAT, frames, batch=4)
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-12)
    for a, b in zip(alone[1], together[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_permutations_and_translations(frames_of: MakeFrames) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    order = np.random.default_rng(0).permutation(len(atoms))
    moved = atoms[order]
    moved.positions += [3.0, -2.0, 1.0]
    energies, forces = _predict(DEEP, [atoms, moved])
    np.testing.assert_allclose(energies[0], energies[1], rtol=1e-12)
    np.testing.assert_allclose(forces[0][order], forces[1], atol=1e-12)


def test_energy_is_smooth_where_a_neighbour_leaves() -> None:
    config = FLAT
    frames = [Atoms("OH", positions=[[0, 0, 0], [d, 0, 0]]) for d in (config.cutoff - 1e-3, config.cutoff + 1e-3)]
    apart = Atoms("OH", positions=[[0, 0, 0], [2 * config.cutoff, 0, 0]])
    energies, forces = _predict(config, [*frames, apart])
    np.testing.assert_allclose(energies, energies[-1], atol=1e-9)
    np.testing.assert_allclose(np.array(forces), 0, atol=1e-5)


def test_a_crystal_and_its_supercell() -> None:
    atoms = bulk("CO", "rocksalt", a=4.2)
    atoms.positions += 0.1 * np.random.default_rng(0).normal(size=(2, 3))
    energies, forces = _predict(FLAT, [atoms, atoms.repeat((2, 1, 1))])
    np.testing.assert_allclose(2 * energies[0], energies[1], rtol=1e-10)
    np.testing.assert_allclose(np.tile(forces[0], (2, 1)), forces[1], atol=1e-10)


def test_one_compilation_per_bucket(frames_of: MakeFrames) -> None:
    predictor, params = _predictor(FLAT, "float32")
    frames = frames_of(["CH3CH2OH", "H2O", "CH4"] * 4)
    batches = Batches([to_graph(a, ELEMENTS, 4.0) for a in frames], 2)
    for _ in range(3):
        predictor(params, batches)
    assert predictor.traces == len(set(batches.buckets.values())) <= 3
