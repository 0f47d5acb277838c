"""Configurations with energies, forces and stresses, read from extended XYZ with exact error messages.

Units: Å, eV, eV/Å, eV/Å^3. A configuration is an ``ase.Atoms`` whose calculator holds its energy and forces and, if it
is known, its stress, with the sign of ASE: positive if the cell would shrink.
"""

import io
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from .errors import DataError
from .settings import is_number
from .sources import BUILT_IN

_DEFAULT_COLUMNS = "species:S:1:pos:R:3"
_TYPES = ("R", "I", "S", "L")
_LONGEST_COMMENT = 1_000_000  # characters
_FARTHEST = 1e6  # Å
_THINNEST = 0.5  # Å; thinner cells have thousands of images within the cutoff, and no material has them


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
        if targets:
            _check_stress(atoms, where)
        frames.append(atoms)
    if not frames:
        raise DataError(f"{path} is empty: expected an extended-XYZ file with at least one frame")
    return frames


def _read_lines(path: Path) -> list[str]:
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} cannot be read: it is not a file")
        # Not splitlines, which also splits at characters that are not ends of lines. A byte-order mark is left out.
        return path.read_text(encoding="utf-8-sig").split("\n")
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
        if not re.fullmatch(r"\s*[0-9]{1,15}\s*", lines[start], re.ASCII):
            raise DataError(f"{where}: expected the number of atoms, got {lines[start][:60]!r}")
        count = int(lines[start])
        if count < 1:
            raise DataError(f"{where}: expected at least one atom, got {count}")
        end = start + count + 2
        if end > len(lines):
            found = max(len(lines) - start - 2, 0)
            raise DataError(f"{where} is truncated: it announces {count} atoms, but {found} lines of atoms follow")
        yield start + 1, "\n".join(lines[start:end]) + "\n"
        start, number = end, number + 1


def _parse(text: str, where: str) -> Atoms:
    _check_columns(text, where)
    try:
        atoms = ase.io.read(io.StringIO(text), format="extxyz")
    except KeyError as error:
        raise DataError(f"{where}: {error.args[0]!r:.60} is not a chemical element") from None
    except Exception as error:  # ase raises various exceptions for malformed frames
        raise DataError(f"{where} is malformed: {error!s:.200}") from None
    if not isinstance(atoms, Atoms):
        raise DataError(f"{where}: expected one frame, got {type(atoms).__name__}")
    return atoms


def _check_columns(text: str, where: str) -> None:
    """Check that each line of an atom has the columns that `Properties` announces; ase would ignore further ones."""
    _, comment, *rows = text[:-1].split("\n")
    if len(comment) > _LONGEST_COMMENT:
        raise DataError(f"{where} is malformed: its second line has {len(comment)} characters")
    found = re.findall(r"""(?:^|\s)Properties\s*=\s*["'{[]?([^\s"'}\]]*)""", comment)
    announced = found[0] if found else _DEFAULT_COLUMNS
    fields = announced.split(":")
    triplets = list(zip(fields[::3], fields[1::3], fields[2::3], strict=False))
    wrong = len(fields) % 3 or not all(t in _TYPES and re.fullmatch("[1-9][0-9]{0,3}", n) for _, t, n in triplets)
    names = [name for name, _, _ in triplets]
    if len(found) > 1 or wrong or len({*names}) < len(names):
        raise DataError(
            f"{where} is malformed: expected one Properties such as {_DEFAULT_COLUMNS}:forces:R:3, "
            f"got {announced[:200]!r}"
        )
    if "pos" not in names or not {"species", "Z"} & {*names}:
        raise DataError(f"{where} is malformed: expected columns of species and pos, got {announced[:200]!r}")
    for name, columns in (("species", 1), ("Z", 1), ("pos", 3), ("forces", 3), ("force", 3)):
        given = next((f"{t}:{n}" for one, t, n in triplets if one == name), None)
        kinds = ("S",) if name == "species" else ("I",) if name == "Z" else ("R", "I")
        if given is not None and given not in [f"{kind}:{columns}" for kind in kinds]:
            raise DataError(
                f"{where} is malformed: expected {name}:{kinds[0]}:{columns} in Properties, got {name}:{given}"
            )
    width = sum(int(n) for _, _, n in triplets)
    for number, row in enumerate(rows):
        if len(row.split()) != width:
            raise DataError(
                f"{where} is malformed: atom {number} has {len(row.split())} columns, but Properties has {width}"
            )


def _check_targets(atoms: Atoms, where: str) -> None:
    results = atoms.calc.results if atoms.calc is not None else {}
    targets = (
        ("forces", "a column forces:R:3 in eV/Å", (len(atoms), 3)),
        ("energy", "energy=... in eV", ()),
    )
    for name, hint, shape in targets:
        if name not in results:
            have = ", ".join(sorted(map(str, {*atoms.arrays, *atoms.info, *results})))
            raise DataError(f"{where} has no {name}: expected {hint}, got only {have:.200}")
        _check_numbers(name, results[name], shape, where)


def _check_stress(atoms: Atoms, where: str) -> None:
    """Check the stress, or compute it from the virial, which is minus the stress times the volume."""
    results: dict[str, Any] = atoms.calc.results if atoms.calc is not None else {}
    names = ["stress"] if "stress" in results else [name for name in ("virial", "virials") if name in atoms.info]
    if not names:
        return
    name, values = names[0], {**atoms.info, **results}[names[0]]
    _check_numbers(name, values, (6,) if name == "stress" else (3, 3), where)
    if atoms.cell.rank < 3:
        raise DataError(f"{where} has a {name} but no volume: expected three cell vectors in Lattice")
    if name != "stress":
        results["stress"] = full_3x3_to_voigt_6_stress(-np.asarray(values) / atoms.get_volume())


def _check_structure(atoms: Atoms, where: str) -> None:
    unknown = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(chemical_symbols)))
    if len(unknown):
        number = int(atoms.numbers[unknown[0]])
        name = "'X'" if number == 0 else f"of number {number}"
        raise DataError(f"{where}: atom {unknown[0]} is {name}, which is not a chemical element")
    _check_numbers("positions", atoms.positions, (len(atoms), 3), where)
    _check_numbers("Lattice", atoms.cell.array, (3, 3), where)
    if np.abs(atoms.positions).max() > _FARTHEST or np.abs(atoms.cell.array).max() > _FARTHEST:
        raise DataError(f"{where}: expected positions and a cell within {_FARTHEST:.0e} Å")
    if "masses" in atoms.arrays:
        _check_numbers("masses", atoms.get_masses(), (len(atoms),), where)
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


def _check_numbers(name: str, values: object, shape: tuple[int, ...], where: str) -> None:
    """Check that values are finite real numbers of this shape; a bool is not a number."""
    numbers = np.asarray(values) if not isinstance(values, dict) else np.array(None)
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
    forces = np.concatenate([atoms.get_forces(apply_constraint=False).ravel() for atoms in frames])
    return float(np.sqrt(np.mean(forces**2))) or 1.0


def loss_weights(atoms: Atoms) -> np.ndarray:
    """Return the weights of energy, forces and stress of a configuration in the loss, which its `info` may have.

    They are the product of ``config_weight`` and ``config_energy_weight``, ``config_forces_weight`` or
    ``config_stress_weight``, each 1 by default.
    """
    weights = [_weight(atoms, f"config_{name}_weight") for name in ("energy", "forces", "stress")]
    return _weight(atoms, "config_weight") * np.array(weights)


def _weight(atoms: Atoms, name: str) -> float:
    weight = atoms.info.get(name, 1.0)
    return float(weight) if is_number(weight) else 1.0
