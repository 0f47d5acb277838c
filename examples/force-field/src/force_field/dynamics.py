"""Constant-energy molecular dynamics and the conservation of energy."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.verlet import VelocityVerlet

from irreps_ops.checkpoint import write_file


@dataclass(frozen=True)
class Conservation:
    """The conservation of energy in a simulation.

    Attributes:
        picoseconds: simulated time.
        drift: slope of a line fitted to the total energy, meV per atom per ps.
        fluctuation: standard deviation of the total energy from that line, meV per atom.
        temperature: mean temperature, K.
    """

    picoseconds: float
    drift: float
    fluctuation: float
    temperature: float


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
    timestep: float,
    trajectory: Path,
    interval: int = 10,
    on_step: Callable[[int], bool] = lambda step: True,
) -> Conservation:
    """Run velocity Verlet with the calculator of `atoms`.

    Args:
        atoms: atoms with velocities and a calculator; moved in place.
        steps: number of steps.
        timestep: in fs.
        trajectory: extended-XYZ file to write, in an existing folder.
        interval: number of steps between two frames of the trajectory.
        on_step: called with the number of each step; if it returns False, the simulation ends, but not
            before two steps.
    """
    dynamics = VelocityVerlet(atoms, timestep=timestep * units.fs)
    times, energies, temperatures = [], [], []
    frames: list[Atoms] = []

    def record() -> None:
        times.append(dynamics.get_time() / (1000 * units.fs))
        energies.append(1e3 * atoms.get_total_energy() / len(atoms))
        temperatures.append(atoms.get_temperature())
        if dynamics.nsteps % interval == 0:
            frames.append(_snapshot(atoms))

    dynamics.attach(record, interval=1)
    for _ in dynamics.irun(steps):
        if not on_step(dynamics.nsteps) and dynamics.nsteps >= 2:
            break
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    write_file(trajectory, text.getvalue())
    line = np.polynomial.Polynomial.fit(times, energies, 1).convert()
    residual = np.array(energies) - line(np.array(times))
    slope = float(line.coef[1]) if len(line.coef) > 1 else 0.0
    return Conservation(times[-1], slope, float(np.std(residual)), float(np.mean(temperatures)))


def _snapshot(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=atoms.get_potential_energy(), forces=atoms.get_forces())
    return copy
