"""Checks of configurations: structure, numbers and elements. Units: Å, eV, eV/Å, eV/Å^3."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from force_field.errors import DataError

_FARTHEST = 1e6  # Å
_THINNEST = 0.5  # Å; thinner cells have thousands of images within the cutoff, and no material has them
_WEIGHTS = ("config_weight", "config_energy_weight", "config_forces_weight", "config_stress_weight")


def check_structure(atoms: Atoms, where: str) -> None:
    """Check elements, positions, cell, masses and the weights of a configuration.

    Raises:
        DataError: one of them cannot be used; the message begins with `where`.
    """
    unknown = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(chemical_symbols)))
    if len(unknown):
        number = int(atoms.numbers[unknown[0]])
        name = "'X'" if number == 0 else f"of number {number}"
        raise DataError(f"{where}: atom {unknown[0]} is {name}, which is not a chemical element")
    check_numbers("positions", atoms.positions, (len(atoms), 3), where)
    check_numbers("Lattice", atoms.cell.array, (3, 3), where)
    if np.abs(atoms.positions).max() > _FARTHEST or np.abs(atoms.cell.array).max() > _FARTHEST:
        raise DataError(f"{where}: expected positions and a cell within {_FARTHEST:.0e} Å")
    if "masses" in atoms.arrays:
        check_numbers("masses", atoms.get_masses(), (len(atoms),), where)
        if atoms.get_masses().min() <= 0:
            raise DataError(f"{where}: expected masses above zero, got {atoms.get_masses().min()}")
    if atoms.pbc.any():
        cell = atoms.cell.array
        if not np.any(cell, axis=1)[atoms.pbc].all():
            raise DataError(f'{where} is periodic but has no cell: add Lattice="..." or set pbc="F F F"')
        cell = atoms.cell.complete().array  # a zero vector, as slabs and wires may have, becomes a unit vector
        faces = np.linalg.norm(np.cross(np.roll(cell, -1, 0), np.roll(cell, 1, 0)), axis=1)
        thickness = (np.abs(np.linalg.det(cell)) / np.maximum(faces, 1e-9))[atoms.pbc].min()
        if thickness < _THINNEST:
            raise DataError(f"{where}: its cell is {thickness:.2g} Å thick, expected at least {_THINNEST} Å")
    for name in _WEIGHTS:
        if name in atoms.info:
            check_numbers(name, atoms.info[name], (), where)
            if not 0 <= atoms.info[name] <= _FARTHEST:
                raise DataError(f"{where}: expected {name} from 0 to {_FARTHEST:.0e}, got {atoms.info[name]}")


def check_numbers(name: str, values: object, shape: tuple[int, ...], where: str) -> None:
    """Check that values are finite real numbers of this shape; a bool is not a number.

    Raises:
        DataError: they are not; the message begins with `where`.
    """
    try:
        numbers = np.array(None) if isinstance(values, dict) else np.asarray(values)
    except ValueError:  # lists of different lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "iuf":
        raise DataError(f"{where}: {name} is not a number: {values!r:.200}")
    if numbers.shape != shape:
        raise DataError(f"{where}: {name} has shape {numbers.shape}, expected {shape}: {values!r:.200}")
    if not np.all(np.isfinite(numbers)):
        raise DataError(f"{where}: {name} contains NaN or infinity, which is not finite: remove the frame")


def check_elements(frames: Sequence[Atoms], known: Sequence[int], source: str) -> None:
    """Refuse configurations with elements that a model was not trained on.

    Args:
        frames: the configurations.
        known: atomic numbers that the model knows.
        source: name of the data, for the message.

    Raises:
        DataError: a frame has an unknown element.
    """
    for number, atoms in enumerate(frames):
        unknown = sorted(set(atoms.numbers.tolist()) - set(known))
        if unknown:
            raise DataError(
                f"{source}, frame {number} has {_symbols(unknown)}, which the model was not trained on: "
                f"it knows {_symbols(sorted(known))}"
            )


def _symbols(numbers: Sequence[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in numbers)
