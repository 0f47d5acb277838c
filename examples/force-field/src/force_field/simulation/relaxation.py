"""Relaxation: positions, and on request the cell, of lowest energy or enthalpy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE

from . import OPTIMIZERS

_CLASSES = {"fire": FIRE, "bfgs": BFGS}


@dataclass(frozen=True)
class Relaxation:
    """The result of a relaxation.

    Attributes:
        converged: whether all forces, and the stress times the volume per atom, are below the limit.
        steps: number of steps.
        before: energy of the start, in eV.
        after: energy of the end, in eV.
        force: the largest force on an atom at the end, in eV/Å.
    """

    converged: bool
    steps: int
    before: float
    after: float
    force: float


def relax(
    atoms: Atoms,
    optimizer: str = "fire",
    fmax: float = 0.01,
    steps: int = 500,
    cell: bool = False,
    pressure: float = 0.0,
    on_step: Callable[[int], bool] = lambda step: True,
) -> Relaxation:
    """Relax atoms with their calculator, in place. Constraints of the atoms are respected.

    Args:
        atoms: atoms with a calculator.
        optimizer: "fire" or "bfgs", those of ASE.
        fmax: largest force on an atom at the end, in eV/Å.
        steps: largest number of steps.
        cell: whether the cell is relaxed as well, in its periodic directions.
        pressure: outer pressure on the cell, in GPa.
        on_step: called with the number of each step; if it returns False, the relaxation ends.

    Raises:
        ValueError: an unknown optimizer, or a cell to be relaxed that is not periodic.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"expected the optimizer {' or '.join(OPTIMIZERS)}, got {optimizer!r:.100}")
    if not 0 < fmax < np.inf:
        raise ValueError(f"expected fmax above zero, got {fmax}")
    if pressure and not cell:
        raise ValueError("a pressure acts on the cell alone: relax the cell as well")
    if cell and (not atoms.pbc.any() or atoms.cell.rank < 3):
        raise ValueError(f"{atoms.get_chemical_formula()} has no periodic cell that can be relaxed")
    if cell and atoms.cell.array[np.ix_(atoms.pbc, ~atoms.pbc)].any():
        raise ValueError("the cell of a slab can be relaxed if its periodic vectors are perpendicular to an axis")
    before = atoms.get_potential_energy()
    # A component of strain moves if it has periodic directions alone; in a slab, those of its plane.
    mask = np.outer(atoms.pbc, atoms.pbc)
    target: Any = FrechetCellFilter(atoms, mask=mask, scalar_pressure=pressure * units.GPa) if cell else atoms
    search = _CLASSES[optimizer](target, logfile=None)
    converged = False
    for state in search.irun(fmax=fmax, steps=steps):
        converged = state
        if not on_step(search.nsteps):
            break
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max(initial=0))
    return Relaxation(bool(converged), search.nsteps, before, atoms.get_potential_energy(), force)
