from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., list[Atoms]]:
    """A function that returns molecules with random displacements and the targets of a Lennard-Jones potential."""

    def make(names: list[str], seed: int = 0) -> list[Atoms]:
        rng = np.random.default_rng(seed)
        frames = []
        for name in names:
            atoms = molecule(name)
            atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
            labelled = atoms.copy()
            atoms.calc = LennardJones(sigma=0.8, epsilon=0.1)
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
            labelled.calc = SinglePointCalculator(labelled, energy=energy, forces=forces)
            frames.append(labelled)
        return frames

    return make


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory, frames_of: Callable[..., list[Atoms]]) -> Path:
    """Twelve frames of ethanol."""
    path = tmp_path_factory.mktemp("data") / "ethanol.extxyz"
    ase.io.write(path, frames_of(["CH3CH2OH"] * 12), format="extxyz")
    return path
