from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from force_field.model import ModelConfig


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., list[Atoms]]:
    """Makes shaken molecules, labelled with a cheap potential."""

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


@pytest.fixture
def small() -> ModelConfig:
    """A model that compiles fast."""
    return ModelConfig((1, 6, 8), channels=4, layers=2, lmax=1, radial_basis=4, radial_hidden=8)


@pytest.fixture
def data_file(tmp_path: Path, frames_of: Callable[..., list[Atoms]]) -> Path:
    """Twelve frames of water."""
    path = tmp_path / "data.extxyz"
    ase.io.write(path, frames_of(["H2O"] * 12), format="extxyz")
    return path
