"""Generate the shipped data: GFN2-xTB molecular dynamics of ethanol and aspirin at 500 K.

    uv run --package force-field --group data python -m force_field.make_data

Each molecule is relaxed, heated by a Langevin thermostat, equilibrated and then sampled every 100 fs. The positions of
a frame are rounded *before* its energy and forces are computed, so that all of them are consistent to the precision of
the engine. C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).
"""

import importlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import Calculator
from ase.io.zmatrix import parse_zmatrix
from ase.md.langevin import Langevin
from ase.optimize import BFGS

from irreps_ops.checkpoint import write_file

HERE = Path(__file__).parent / "data"
TEMPERATURE = 500.0  # K
STEP = 0.5  # fs
EQUILIBRATION = 2000.0  # fs
INTERVAL = 100.0  # fs between two saved frames
FRAMES = {"ethanol": 800, "aspirin": 300}

# Textbook bond lengths (Å) and angles (degrees); the engine relaxes them.
_ASPIRIN = """
C
C 1 1.39
C 2 1.39 1 120
C 3 1.39 2 120 1 0
C 4 1.39 3 120 2 0
C 5 1.39 4 120 3 0
H 3 1.08 2 120 1 180
H 4 1.08 3 120 2 180
H 5 1.08 4 120 3 180
H 6 1.08 5 120 4 180
C 1 1.49 2 120 3 180
O 11 1.21 1 122 2 180
O 11 1.35 1 115 2 0
H 13 0.97 11 107 1 180
O 2 1.39 1 120 6 180
C 15 1.36 2 118 1 90
O 16 1.20 15 122 2 0
C 16 1.50 15 111 2 180
H 18 1.09 16 110 15 180
H 18 1.09 16 110 15 60
H 18 1.09 16 110 15 -60
"""


def starting_geometry(name: str) -> Atoms:
    """Return a reasonable, unrelaxed geometry of "ethanol" or "aspirin"."""
    if name == "ethanol":
        return molecule("CH3CH2OH")
    return parse_zmatrix(_ASPIRIN.strip())


def sample(atoms: Atoms, frames: int, seed: int) -> Iterator[Atoms]:
    """Relax, heat and equilibrate `atoms`, which has a calculator, then yield `frames` labelled copies."""
    rng = np.random.default_rng(seed)
    BFGS(atoms, logfile=io.StringIO()).run(fmax=0.02)
    thermal = np.sqrt(units.kB * TEMPERATURE * atoms.get_masses())
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * thermal[:, None])
    dynamics = Langevin(
        atoms, STEP * units.fs, temperature_K=TEMPERATURE, friction=0.01 / units.fs, rng=rng, fixcm=False
    )
    dynamics.run(round(EQUILIBRATION / STEP))
    for _ in range(frames):
        dynamics.run(round(INTERVAL / STEP))
        frame = atoms.copy()
        frame.positions = np.round(atoms.positions - atoms.get_center_of_mass(), 4)
        frame.calc = atoms.calc
        yield frame


def to_text(atoms: Atoms, name: str) -> str:
    """Return a frame as extended XYZ, in Å, eV and eV/Å with four decimals."""
    header = (
        f'Properties=species:S:1:pos:R:3:forces:R:3 name={name} energy={atoms.get_potential_energy():.5f} pbc="F F F"'
    )
    numbers = np.concatenate([atoms.positions, atoms.get_forces()], axis=1)
    lines = [
        " ".join([symbol, *(f"{x:.4f}" for x in line)])
        for symbol, line in zip(atoms.get_chemical_symbols(), numbers, strict=True)
    ]
    return "\n".join([str(len(atoms)), header, *lines]) + "\n"


def force_error(atoms: Atoms, step: float = 1e-3) -> float:
    """Return the largest difference (eV/Å) between the forces and central differences of the energy."""
    forces = atoms.get_forces()
    numerical = np.zeros_like(forces)
    for i, k in np.ndindex(*forces.shape):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, k] += sign * step
            moved.calc = atoms.calc
            energies.append(moved.get_potential_energy())
        numerical[i, k] = -(energies[0] - energies[1]) / (2 * step)
    return float(np.abs(forces - numerical).max())


def make(name: str, calculator: Calculator, seed: int = 0) -> None:
    """Write ``data/<name>.extxyz`` and print the difference between forces and finite differences."""
    atoms = starting_geometry(name)
    atoms.calc = calculator
    texts = []
    for i, frame in enumerate(sample(atoms, FRAMES[name], seed)):
        texts.append(to_text(frame, name))
        if i == 0:
            print(f"{name}: forces differ from finite differences by {force_error(frame):.1e} eV/Å")
    write_file(HERE / f"{name}.extxyz", "".join(texts))


def main() -> None:
    """Generate both files."""
    engine = importlib.import_module("tblite.ase")  # installed by the dependency group "data" only
    HERE.mkdir(exist_ok=True)
    for name in FRAMES:
        make(name, engine.TBLite(method="GFN2-xTB", accuracy=0.1, verbosity=0))


if __name__ == "__main__":
    main()
