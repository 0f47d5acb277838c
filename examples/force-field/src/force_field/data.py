"""Configurations with energies and forces, read from extended XYZ with exact error messages.

Units: Å, eV, eV/Å. A configuration is an ``ase.Atoms`` whose calculator holds its energy and forces.
"""

import io
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

BUILT_IN = ("ethanol", "aspirin")


class DataError(ValueError):
    """A data file that cannot be used; the message states the frame, the reason and the remedy."""


def load(source: str, targets: bool = True) -> list[Atoms]:
    """Return the configurations of a built-in data set ("ethanol", "aspirin") or of an extended-XYZ file.

    Args:
        source: name of the data set, or path of the file.
        targets: whether each frame must have energy and forces.

    Raises:
        DataError: the file is missing, empty or truncated, or a frame lacks energy or forces, has numbers that are
            not finite, or has an unknown element.
    """
    if source in BUILT_IN:
        return read(Path(str(files("force_field") / "data" / f"{source}.extxyz")), targets)
    return read(Path(source), targets)


def read(path: Path, targets: bool = True) -> list[Atoms]:
    """Read and check every frame of an extended-XYZ file."""
    frames = []
    for number, (line, text) in enumerate(_split(path)):
        where = f"{path}, frame {number} (line {line})"
        atoms = _parse(text, where)
        if targets:
            _check_targets(atoms, where)
        _check_structure(atoms, where)
        frames.append(atoms)
    if not frames:
        raise DataError(f"{path} is empty: expected an extended-XYZ file with at least one frame")
    return frames


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        names = " or ".join(BUILT_IN)
        raise DataError(f"{path} does not exist: give an extended-XYZ file, or {names}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file: expected extended XYZ") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _split(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each frame, so that messages can locate errors."""
    lines = _read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    start, number = 0, 0
    while start < len(lines):
        where = f"{path}, frame {number} (line {start + 1})"
        try:
            count = int(lines[start])
        except ValueError:
            raise DataError(f"{where}: expected the number of atoms, got {lines[start][:60]!r}") from None
        if count < 1:
            raise DataError(f"{where}: expected at least one atom, got {count}")
        end = start + count + 2
        if end > len(lines):
            found = max(len(lines) - start - 2, 0)
            raise DataError(f"{where} is truncated: it announces {count} atoms, but {found} lines of atoms follow")
        yield start + 1, "\n".join(lines[start:end]) + "\n"
        start, number = end, number + 1


def _parse(text: str, where: str) -> Atoms:
    try:
        atoms = ase.io.read(io.StringIO(text), format="extxyz")
    except KeyError as error:
        raise DataError(f"{where}: {error.args[0]!r} is not a chemical element") from None
    except Exception as error:  # ase raises various exceptions for malformed frames
        raise DataError(f"{where} is malformed: {error}") from None
    if not isinstance(atoms, Atoms):
        raise DataError(f"{where}: expected one frame, got {type(atoms).__name__}")
    return atoms


def _check_targets(atoms: Atoms, where: str) -> None:
    results = atoms.calc.results if atoms.calc is not None else {}
    for name, hint in (("forces", "a column forces:R:3 in eV/Å"), ("energy", "energy=... in eV")):
        if name not in results:
            have = ", ".join(sorted({*atoms.arrays, *atoms.info, *results}))
            raise DataError(f"{where} has no {name}: expected {hint}, got only {have}")
        _check_finite(name, results[name], where)


def _check_structure(atoms: Atoms, where: str) -> None:
    if 0 in atoms.numbers:
        raise DataError(f"{where}: atom {int(np.argmin(atoms.numbers))} is 'X', which is not a chemical element")
    _check_finite("positions", atoms.positions, where)
    if atoms.pbc.any() and np.abs(atoms.cell.volume) < 1e-6:
        raise DataError(f'{where} is periodic but has no cell: add Lattice="..." or set pbc="F F F"')


def _check_finite(name: str, values: object, where: str) -> None:
    try:
        numbers = np.asarray(values, float)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {name} is not a number: {values!r}") from None
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


def split(count: int, train: int | None, valid: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random, disjoint indices of training and validation frames.

    Args:
        count: number of frames.
        train: number of training frames (default: all except the validation frames).
        valid: number of validation frames (default: at most 200, either a fifth or, if `train` is given, the rest).
        seed: seed of the random choice.

    Raises:
        DataError: there are not enough frames.
    """
    if valid is None:
        rest = count - train if train is not None else count // 5
        valid = max(1, min(200, rest))
    if train is None:
        train = count - valid
    if train < 1 or valid < 1 or train + valid > count:
        raise DataError(
            f"cannot take {train} training and {valid} validation frames out of {count}: "
            "each must be at least 1; lower --train or --valid"
        )
    order = np.random.default_rng(seed).permutation(count)
    return order[:train], order[train : train + valid]


def reference_energies(frames: Sequence[Atoms], elements: Sequence[int]) -> np.ndarray:
    """Return the energy of each element (eV), fitted to the total energies by least squares.

    If the compositions do not determine them, as for a single molecule, this is the solution of least norm.
    """
    counts = np.array([[np.sum(atoms.numbers == z) for z in elements] for atoms in frames], dtype=float)
    energies = np.array([atoms.get_potential_energy() for atoms in frames])
    return np.linalg.lstsq(counts, energies, rcond=1e-9)[0]


def force_scale(frames: Sequence[Atoms]) -> float:
    """Return the root mean square of the force components (eV/Å), or 1 if all forces are zero."""
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    return float(np.sqrt(np.mean(forces**2))) or 1.0
