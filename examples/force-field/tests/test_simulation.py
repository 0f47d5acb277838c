"""Dynamics, relaxation and vibrations, with potentials whose properties are known."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.phonons import Phonons
from flax import nnx

import irreps_ops as irr
from force_field.calculator import ForceFieldCalculator
from force_field.graphs import neighbors
from force_field.simulation import phonon_report
from force_field.simulation.dynamics import Ensemble, set_temperature, simulate
from force_field.simulation.phonons import force_constants
from force_field.simulation.relaxation import relax
from force_field.simulation.verlet_list import VerletList

STIFFNESS, LENGTH = 3.0, 2.0  # eV/Å², Å


class Pairs(nnx.Module):
    """Energies of pairs, half for each atom: springs, or a Morse potential that falls to zero at the cutoff."""

    elements, reference_energies = (1, 11, 17, 29), (0.0, 1.0, 2.0, 3.0)

    def __init__(self, kind: str, cutoff: float) -> None:
        self.kind, self.cutoff = kind, cutoff
        self.depth = nnx.Param(jnp.array(0.4))

    def __call__(self, batch: irr.GraphBatch, vectors: jax.Array) -> jax.Array:
        r = jnp.linalg.norm(vectors, axis=1)
        if self.kind == "springs":
            pairs = 0.5 * STIFFNESS * (r - LENGTH) ** 2
        else:
            x = jnp.exp(-1.3 * (r - 2.7))
            pairs = self.depth[...] * (x**2 - 2 * x) * irr.poly_envelope(5, 2, self.cutoff)(r)
        return 0.5 * irr.scatter_sum(pairs, dst=batch.receivers, output_size=batch.num_nodes, mask=batch.edge_mask)


@pytest.fixture(autouse=True)
def double_precision() -> None:
    jax.config.update("jax_enable_x64", True)


def morse() -> Pairs:
    return Pairs("morse", 4.5)


def salt(seed: int | None = None) -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=4.9, cubic=seed is not None)
    if seed is not None:
        atoms.rattle(0.05, seed=seed)
    return atoms


def test_phonons_of_a_chain_are_analytical(tmp_path: Path) -> None:
    """ω = 2 (k/m)^(1/2) |sin(q/2)| with springs between neighbours, at any wave vector."""
    atoms = Atoms("Cu", cell=[LENGTH, 20, 20], pbc=True)
    found = force_constants(Pairs("springs", 1.4 * LENGTH), atoms, (3, 1, 1))
    q = np.array([0.0, 0.137, 0.25, 0.5])
    angular = 2 * np.sqrt(STIFFNESS / atoms.get_masses()[0]) * np.abs(np.sin(np.pi * q))
    in_terahertz = angular * np.sqrt(units._e / units._amu) * 1e10 / (2 * np.pi) * 1e-12
    frequencies = found.frequencies(np.stack([q, 0 * q, 0 * q], axis=1))
    np.testing.assert_allclose(frequencies, np.stack([0 * q, 0 * q, in_terahertz], axis=1), atol=1e-6)
    grid = np.linspace(-2, 12, 2000)
    assert np.trapezoid(found.density((6, 1, 1), 0.1, grid), grid) == pytest.approx(3, rel=1e-4)
    bands = phonon_report.bands(found, "GXG", 21)
    assert bands.labels == ["G", "X", "G"]
    assert bands.distances[-1] == pytest.approx(2 * np.pi / 20)
    phonon_report.write(tmp_path / "a.csv", found, bands, 2)
    table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table, np.column_stack([bands.points, bands.frequencies]), atol=1e-6)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_phonons_are_those_of_ase(tmp_path: Path) -> None:
    """Finite displacements in ASE, at the wave vectors that the supercell has."""
    atoms, model = salt(), morse()
    peer = Phonons(atoms, ForceFieldCalculator(model), supercell=(2, 2, 2), delta=1e-3, name=str(tmp_path / "ph"))
    peer.run()
    peer.read(acoustic=True)
    points = np.array([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]])
    expected = np.array([peer.band_structure(points[None, k])[0] for k in range(3)])
    terahertz = expected * units._e / units._hplanck * 1e-12
    found = force_constants(model, atoms, (2, 2, 2))
    assert found.acoustic_error < 1e-10
    np.testing.assert_allclose(found.frequencies(points)[:, 3:], terahertz[:, 3:], rtol=1e-4)
    np.testing.assert_allclose(found.frequencies(points)[0, :3], 0, atol=1e-5)
    np.testing.assert_allclose(found.frequencies(points)[1:, :3], terahertz[1:, :3], rtol=1e-4)


def test_a_molecule_has_one_stretch() -> None:
    atoms = Atoms("HCl", positions=[[0, 0, 0], [0, 0, LENGTH]])
    found = force_constants(Pairs("springs", 1.4 * LENGTH), atoms).frequencies([[0, 0, 0]])[0]
    reduced = 1 / np.sum(1 / atoms.get_masses())
    expected = np.sqrt(STIFFNESS / reduced * units._e / units._amu) * 1e10 / (2 * np.pi) * 1e-12
    np.testing.assert_allclose(found, [0, 0, 0, 0, 0, expected], atol=1e-5)


@pytest.mark.parametrize("supercell", [(2, 1, 1), (0, 1, 1), (1, 1), (1.0, 1, 1)])
def test_bad_supercells_are_refused(supercell: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        force_constants(morse(), Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]]), supercell)


def test_relaxation_balances_the_pressure() -> None:
    atoms = salt(seed=1)
    atoms.calc = ForceFieldCalculator(morse())
    found = relax(atoms, "bfgs", fmax=5e-3, cell=True, pressure=2.0)
    assert found.converged
    assert found.force < 5e-3
    limit = 5e-3 * len(atoms) / atoms.get_volume()  # of a stress, what fmax is of a force
    np.testing.assert_allclose(atoms.get_stress(), np.array([-2.0, -2, -2, 0, 0, 0]) * units.GPa, atol=2 * limit)
    assert found.after == atoms.get_potential_energy() < found.before


def test_the_cell_of_a_slab_relaxes_in_its_plane() -> None:
    atoms = salt(seed=1)
    atoms.center(vacuum=6, axis=2)
    atoms.pbc = [True, True, False]
    before = atoms.cell.array.copy()
    atoms.calc = ForceFieldCalculator(morse())
    assert relax(atoms, fmax=0.05, cell=True).converged
    np.testing.assert_array_equal(atoms.cell.array[2], before[2])
    assert abs(atoms.cell.array - before)[:2, :2].max() > 0.01
    with pytest.raises(ValueError, match="no periodic cell"):
        relax(molecule("H2", calculator=ForceFieldCalculator(morse())), cell=True)
    with pytest.raises(ValueError, match="optimizer fire or bfgs, got 'newton'"):
        relax(atoms, "newton")


@pytest.mark.parametrize("kind", ["nve", "nvt", "npt"])
def test_ensembles(kind: str, tmp_path: Path) -> None:
    """Constant energy and pressure have a conserved energy; thermostats bring the temperature to the wanted one."""
    atoms = salt(seed=2)
    atoms.calc = ForceFieldCalculator(morse())
    set_temperature(atoms, 400, seed=0)
    ensemble = Ensemble(kind, timestep=2.0, temperature=200, friction=50.0, thermostat_time=50, barostat_time=200)
    found = simulate(atoms, 100, ensemble, tmp_path / "out.extxyz", interval=50)
    assert found.picoseconds == pytest.approx(0.2)
    assert len((tmp_path / "out.extxyz").read_text().splitlines()) == 3 * (len(atoms) + 2)
    volume = salt(seed=2).get_volume()
    assert (found.volume == pytest.approx(volume, rel=1e-12)) == (kind != "npt")
    if kind == "nvt":
        assert found.drift is None
        assert 120 < atoms.get_temperature() < 300
    else:
        assert found.fluctuation is not None
        assert found.fluctuation < 0.3  # meV per atom; the kinetic energy changes by more than 10


def test_a_simulation_that_fails_keeps_its_trajectory(tmp_path: Path) -> None:
    atoms, path = salt(seed=2), tmp_path / "out.extxyz"
    atoms.calc = ForceFieldCalculator(morse())

    def fail(number: int) -> bool:
        if number == 3:
            raise FloatingPointError
        return True

    with pytest.raises(FloatingPointError):
        simulate(atoms, 9, Ensemble(), path, interval=1, on_step=fail)
    assert len(path.read_text().splitlines()) == 4 * (len(atoms) + 2)


def test_ensembles_refuse_impossible_conditions() -> None:
    with pytest.raises(ValueError, match="ensemble nve or nvt or npt, got 'nph'"):
        Ensemble("nph")
    with pytest.raises(ValueError, match="temperature above zero, got 0"):
        Ensemble("nvt", temperature=0)
    with pytest.raises(ValueError, match="not periodic in three directions"):
        Ensemble("npt").integrator(molecule("H2"))


def test_a_verlet_list_never_misses_a_pair() -> None:
    """Moving atoms in a changing cell, against a new search in each step."""
    rng, atoms = np.random.default_rng(0), salt(seed=3)
    found, builds = VerletList(4.0, 0.6), 0
    for _ in range(30):
        atoms.positions += rng.normal(scale=0.02, size=atoms.positions.shape)
        strain = np.eye(3) + 0.004 * rng.normal(size=(3, 3)) - 0.001 * np.eye(3)
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        builds += found.update(atoms)
        vectors = atoms.positions[found.senders] - atoms.positions[found.receivers] + found.images @ atoms.cell.array
        inside = np.linalg.norm(vectors, axis=1) < 4.0
        pairs = zip(found.receivers[inside], found.senders[inside], map(tuple, found.images[inside]), strict=True)
        receivers, senders, images = neighbors(atoms, 4.0)
        assert {*pairs} == {*zip(receivers, senders, map(tuple, images), strict=True)}
    assert 1 < builds == found.builds < 20
    atoms.pbc = False
    assert found.update(atoms)
    atoms.positions[0] = np.nan
    assert not found._holds(salt(seed=3), atoms)


def test_the_skin_changes_nothing_but_the_number_of_searches() -> None:
    atoms, rng = salt(seed=4).repeat((4, 1, 1)), np.random.default_rng(0)
    with_skin, without = (ForceFieldCalculator(morse(), skin=skin) for skin in (0.8, 0.0))
    for _ in range(8):
        atoms.positions += rng.normal(scale=0.04, size=atoms.positions.shape)
        for name in ("energy", "forces", "stress", "energies"):
            expected = without.get_property(name, atoms)
            np.testing.assert_allclose(with_skin.get_property(name, atoms), expected, rtol=1e-10, atol=1e-12)
    assert with_skin.evaluator.neighbors.builds < 4 < without.evaluator.neighbors.builds == 8
    assert with_skin.evaluator.traces == 1
    small = salt(seed=4)
    traces = []
    for _ in range(2):  # a program for the small system, and one for the large one, which are kept
        with_skin.get_property("energy", small)
        with_skin.get_property("energy", atoms)
        traces.append(with_skin.evaluator.traces)
    assert 1 < traces[0] == traces[1] <= 3
