"""Stress and virial: signs and units of ASE, against finite differences of the energy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ase.io
import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from flax import nnx

from force_field import data
from force_field.calculator import ForceFieldCalculator
from force_field.evaluation import Predictor
from force_field.graphs import Batches, Bucket, to_graphs
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.settings import TrainingConfig
from force_field.simulation import system
from force_field.training import Trainer, loss, penalty

ELEMENTS = (14, 29)
CONFIG = ModelConfig(ELEMENTS, channels=2, layers=2, lmax=1, radial_basis=4, radial_hidden=8)


@pytest.fixture(scope="module")
def calculator() -> Iterator[ForceFieldCalculator]:
    """An untrained force field in float64, with one size for all structures."""
    model = ForceField(CONFIG, Scaling((-1.0, -2.0), 1.0, 10.0), rngs=nnx.Rngs(0), dtype="float64")
    calculator = ForceFieldCalculator(model)
    calculator.evaluator.system._sizes = (16, 512)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "padded_size", lambda size, needed, reserve=0: size)
        yield calculator


STRUCTURES = {
    "bulk copper": bulk("Cu", "fcc", a=3.6),
    "bulk silicon": bulk("Si", "diamond", a=5.4),
    "slab with vacuum": fcc111("Cu", (1, 2, 2), vacuum=5.0, orthogonal=True),
    "slab with a zero vector": fcc111("Cu", (1, 2, 2), orthogonal=True),
    "molecule": Atoms("SiCu2", positions=[[0, 0, 0], [1.5, 1.2, 0.1], [-1.6, 1.0, 0.0]]),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_virial_and_stress_are_finite_differences_of_the_energy(name: str, calculator: ForceFieldCalculator) -> None:
    atoms, rng = STRUCTURES[name].copy(), np.random.default_rng(0)
    atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
    skewed = np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    atoms.set_cell(atoms.cell.array @ skewed)
    atoms.positions = atoms.positions @ skewed
    energies, step = np.zeros((4, 3, 3)), 1e-4
    for i, j in np.ndindex(3, 3):
        for k, factor in enumerate((-2, -1, 1, 2)):
            strain = np.zeros((3, 3))
            strain[i, j] = factor * step
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain).T)
            strained.positions = atoms.positions @ (np.eye(3) + strain).T
            strained.calc = calculator
            energies[k, i, j] = strained.get_potential_energy()
    slope = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * step)
    atoms.calc = calculator
    atoms.get_potential_energy()
    np.testing.assert_allclose(calculator.results["virial"], -slope, atol=1e-9)
    assert np.abs(slope).max() > 1e-4
    if "stress" in calculator.results:
        np.testing.assert_allclose(atoms.get_stress(voigt=False), slope / atoms.get_volume(), atol=1e-10)
    else:
        assert name in ("slab with a zero vector", "molecule")
        with pytest.raises(PropertyNotImplementedError):
            atoms.get_stress()


def test_energies_of_atoms_add_up_and_the_stress_of_a_supercell_is_equal(calculator: ForceFieldCalculator) -> None:
    atoms = STRUCTURES["bulk silicon"].copy()
    atoms.positions[0] += 0.1
    twice = atoms.repeat((1, 1, 2))
    for each in (atoms, twice):
        each.calc = calculator
    energy, energies, stress = atoms.get_potential_energy(), atoms.get_potential_energies(), atoms.get_stress()
    np.testing.assert_allclose(energies.sum(), energy, rtol=1e-12)
    np.testing.assert_allclose(twice.get_potential_energies(), np.tile(energies, 2), rtol=1e-10)
    np.testing.assert_allclose(twice.get_stress(), stress, atol=1e-12)


def labelled(atoms: Atoms, seed: int) -> Atoms:
    """A strained and displaced copy with energy, forces and stress of another potential."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
    copy = atoms.copy()
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


def test_stress_and_virial_are_read_with_the_sign_of_ase(tmp_path: Path) -> None:
    atoms = labelled(STRUCTURES["bulk copper"], 0)
    ase.io.write(tmp_path / "stress.xyz", atoms, format="extxyz")
    results = dict(atoms.calc.results)
    stress = results.pop("stress")
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info["virial"] = -atoms.get_volume() * stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    ase.io.write(tmp_path / "virial.xyz", atoms, format="extxyz")
    for name in ("stress", "virial"):
        (found,) = data.read(tmp_path / f"{name}.xyz")
        np.testing.assert_allclose(found.get_stress(), stress, atol=1e-7)
    (graph,) = to_graphs([found], ELEMENTS, 3.0, "test")
    np.testing.assert_allclose(graph.globals.stress[0, 1], stress[5], atol=1e-7)
    np.testing.assert_allclose(graph.globals.volume, atoms.get_volume(), rtol=1e-6)


def test_slabs_with_a_zero_vector_are_read(tmp_path: Path) -> None:
    atoms = STRUCTURES["slab with a zero vector"].copy()
    atoms.info.clear()  # notes of ase about the surface, which it cannot write
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((len(atoms), 3)))
    ase.io.write(tmp_path / "slab.xyz", atoms, format="extxyz")
    (found,) = data.read(tmp_path / "slab.xyz")
    (graph,) = to_graphs([found], ELEMENTS, 3.0, "test")
    assert len(graph.senders) == 9 * len(atoms)  # 6 neighbours in the layer, 3 in the other one
    assert graph.globals.volume == 0


def test_training_on_stress_lowers_its_error() -> None:
    frames = [labelled(STRUCTURES["bulk copper"].repeat((2, 1, 1)), seed) for seed in range(4)]
    del frames[0].calc.results["stress"]  # data may have it in part
    graphs = to_graphs(frames, ELEMENTS, 3.0, "test")
    assert [g.globals.has_stress for g in graphs] == [False, True, True, True]
    config = TrainingConfig(batch_size=4, epochs=100, minutes=0, warmup=5, energy_weight=0, forces_weight=0)
    model = ForceField(replace(CONFIG, layers=1, lmax=0), Scaling((0.0, 0.0), 1.0, 20.0), rngs=nnx.Rngs(0))
    batches = Batches(graphs, 4)
    batches.members = [(Bucket(4, 8, 160), [0, 1, 2, 3])]
    trainer = Trainer(model, config, batches, lambda params: {})
    losses = [report.loss for report in trainer.steps()]
    assert losses[-1] < 0.3 * losses[0]


def test_loss_agrees_with_a_calculation_by_hand() -> None:
    frames = [labelled(STRUCTURES["bulk copper"], 0), labelled(STRUCTURES["bulk copper"].repeat((2, 1, 1)), 1)]
    del frames[0].calc.results["stress"]
    graphs = to_graphs(frames, ELEMENTS, CONFIG.cutoff, "test")
    model = ForceField(CONFIG, Scaling((0.0, 0.0), 2.0, 20.0), rngs=nnx.Rngs(0), dtype="float64")
    found = Predictor(model, "float64")(graphs)
    (batch,) = [Batches(graphs, 2, np.float64).batch(Bucket(3, 5, 400), [0, 1])]
    config = TrainingConfig(energy_weight=0.3, forces_weight=5.0, stress_weight=0.7, huber=0.05)

    def cost(x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x) <= 0.05, x**2, 2 * 0.05 * np.abs(x) - 0.05**2)

    energy = [(p.energy - g.globals.energy) / 2 / n**0.5 for p, g, n in zip(found, graphs, (1, 2), strict=True)]
    forces = np.concatenate([p.forces - g.nodes.forces for p, g in zip(found, graphs, strict=True)]) / 2
    stress = (found[1].strain_derivative - graphs[1].globals.stress * graphs[1].globals.volume) / 2 / 2**0.5
    expected = 0.3 * cost(np.array(energy)).mean() + 5 * cost(forces).mean() + 0.7 * cost(stress).mean()
    value, force_error = jax.jit(lambda batch: loss(model, batch, config))(batch)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(force_error, 2 * np.sqrt(np.mean(forces**2)), rtol=1e-10)


def test_the_huber_loss_is_quadratic_then_linear() -> None:
    np.testing.assert_allclose(penalty(np.array([0.5, -3.0]), 0.0), [0.25, 9.0])
    np.testing.assert_allclose(penalty(np.array([0.5, -3.0]), 1.0), [0.25, 2 * 3.0 - 1])
