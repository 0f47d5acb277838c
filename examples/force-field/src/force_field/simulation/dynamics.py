"""Molecular dynamics at constant energy, temperature or pressure, and what it conserves."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.verlet import VelocityVerlet

from irreps_ops.checkpoint import write_file

from . import ENSEMBLES

SAVE_EVERY = 60.0  # seconds


@dataclass(frozen=True)
class Summary:
    """What happened in a simulation.

    Attributes:
        picoseconds: simulated time.
        temperature: mean temperature, K.
        volume: mean volume of the cell, Å^3; 0 if it has none.
        drift: slope of a line fitted to the conserved energy, meV per atom per ps; None where a thermostat adds noise.
        fluctuation: standard deviation of that energy from the line, meV per atom.
    """

    picoseconds: float
    temperature: float
    volume: float
    drift: float | None
    fluctuation: float | None


@dataclass(frozen=True)
class Ensemble:
    """The ensemble of a simulation and its integrator.

    Attributes:
        kind: "nve", constant energy (velocity Verlet); "nvt", constant temperature (Langevin); or "npt", constant
            temperature and pressure (Martyna, Tobias and Klein; the cell keeps its shape).
        timestep: in fs.
        temperature: of thermostats, in K.
        pressure: of the barostat, in GPa.
        friction: of Langevin dynamics, in 1/ps.
        thermostat_time: time in which the thermostat of "npt" acts, in fs.
        barostat_time: time in which its barostat acts, in fs.
        seed: seed of Langevin dynamics.
    """

    kind: str = "nve"
    timestep: float = 0.5
    temperature: float = 300.0
    pressure: float = 0.0
    friction: float = 10.0
    thermostat_time: float = 100.0
    barostat_time: float = 1000.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.kind not in ENSEMBLES:
            raise ValueError(f"expected the ensemble {' or '.join(ENSEMBLES)}, got {self.kind!r:.100}")
        positive = {"timestep": self.timestep}
        if self.kind != "nve":
            positive["temperature"] = self.temperature
        if self.kind == "nvt":
            positive["friction"] = self.friction
        for name, value in positive.items():
            if not 0 < value < np.inf:
                raise ValueError(f"expected {name} above zero, got {value}")

    def integrator(self, atoms: Atoms) -> MolecularDynamics:
        """Return the integrator for atoms with velocities and a calculator.

        Raises:
            ValueError: constant pressure for atoms that are not periodic in three directions.
        """
        step, kelvin = self.timestep * units.fs, self.temperature
        if self.kind == "nve":
            return VelocityVerlet(atoms, timestep=step)
        if self.kind == "nvt":
            friction, rng = self.friction / (1000 * units.fs), np.random.RandomState(self.seed)
            return Langevin(atoms, timestep=step, temperature_K=kelvin, friction=friction, fixcm=False, rng=rng)
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            raise ValueError(
                f"{atoms.get_chemical_formula()} is not periodic in three directions: the pressure of molecules and "
                "slabs is not defined; choose nvt"
            )
        return IsotropicMTKNPT(
            atoms,
            timestep=step,
            temperature_K=kelvin,
            pressure_au=self.pressure * units.GPa,
            tdamp=self.thermostat_time * units.fs,
            pdamp=self.barostat_time * units.fs,
        )


def set_temperature(atoms: Atoms, kelvin: float, seed: int) -> None:
    """Set random velocities of exactly this temperature, without net momentum and, in molecules, angular momentum."""
    rng = np.random.default_rng(seed)
    masses = atoms.get_masses()[:, None]
    velocities = rng.normal(size=(len(atoms), 3)) / np.sqrt(masses)
    velocities -= np.sum(masses * velocities, axis=0) / np.sum(masses)
    if not atoms.pbc.any():
        arms = atoms.positions - atoms.get_center_of_mass()
        inertia = np.sum(
            masses[:, :, None]
            * (np.einsum("ni,ni->n", arms, arms)[:, None, None] * np.eye(3) - arms[:, :, None] * arms[:, None, :]),
            axis=0,
        )
        spin = np.linalg.pinv(inertia, rcond=1e-8) @ np.sum(masses * np.cross(arms, velocities), axis=0)
        velocities -= np.cross(spin, arms)
    atoms.set_velocities(velocities)
    now = atoms.get_temperature()
    atoms.set_velocities(velocities * np.sqrt(kelvin / now) if now > 0 else 0 * velocities)


def simulate(
    atoms: Atoms,
    steps: int,
    ensemble: Ensemble,
    trajectory: Path,
    interval: int = 10,
    on_step: Callable[[int], bool] = lambda step: True,
) -> Summary:
    """Simulate with the calculator of `atoms`.

    Args:
        atoms: atoms with velocities and a calculator; moved in place.
        steps: number of steps.
        ensemble: the ensemble.
        trajectory: extended-XYZ file to write, in an existing folder; it is written once a minute and at the end,
            whatever ends the simulation.
        interval: number of steps between two frames of the trajectory.
        on_step: called with the number of each step; if it returns False, the simulation ends, but not
            before two steps.
    """
    dynamics = ensemble.integrator(atoms)
    conserved: Callable[[], float] = getattr(dynamics, "get_conserved_energy", atoms.get_total_energy)
    rows: list[tuple[float, float, float, float]] = []

    text, saved = io.StringIO(), time.perf_counter()

    def record() -> None:
        now, volume = dynamics.get_time() / (1000 * units.fs), float(abs(np.linalg.det(atoms.cell.array)))
        rows.append((now, 1e3 * conserved() / len(atoms), float(atoms.get_temperature()), volume))
        if dynamics.nsteps % interval == 0:
            ase.io.write(text, _snapshot(atoms), format="extxyz")

    dynamics.attach(record, interval=1)
    try:
        for _ in dynamics.irun(steps):
            if time.perf_counter() - saved > SAVE_EVERY:
                write_file(trajectory, text.getvalue())
                saved = time.perf_counter()
            if not on_step(dynamics.nsteps) and dynamics.nsteps >= 2:
                break
    finally:
        if text.tell():
            write_file(trajectory, text.getvalue())
    times, energies, temperatures, volumes = np.array(rows).T
    drift = fluctuation = None
    if ensemble.kind != "nvt":
        line = np.polynomial.Polynomial.fit(times, energies, 1).convert()
        drift = float(line.coef[1]) if len(line.coef) > 1 else 0.0
        fluctuation = float(np.std(energies - line(times)))
    return Summary(float(times[-1]), float(temperatures.mean()), float(volumes.mean()), drift, fluctuation)


def _snapshot(atoms: Atoms) -> Atoms:
    copy, calculator = atoms.copy(), atoms.calc
    results: Any = {} if calculator is None else calculator.results
    kept = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    copy.calc = SinglePointCalculator(copy, **kept)
    return copy
