"""HDF5 files: each group with positions holds configurations of one composition.

    numbers     integers (atoms,)
    positions   Å, (frames, atoms, 3)
    energy      eV, (frames,)
    forces      eV/Å, (frames, atoms, 3)
    stress      eV/Å^3, (frames, 6) or (frames, 3, 3); optional
    cell        Å, (3, 3) or (frames, 3, 3), and pbc, three booleans; for periodic configurations

Any other array with an entry for each frame, such as config_weight or config_type, belongs to the frames.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from force_field.errors import DataError

_STRUCTURE = ("numbers", "positions", "cell", "pbc")


def read_hdf5(path: Path) -> Iterator[tuple[str, Atoms]]:
    """Yield the frames of an HDF5 file; before each, its place in words.

    Raises:
        DataError: the package h5py is missing, the file is damaged, or an array is missing or has another shape.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        raise DataError(f"{path} needs the package h5py: pip install 'force-field[hdf5]'") from None
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, dict[str, Any]] = {}

            def visit(name: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset):
                    group, _, leaf = name.rpartition("/")
                    text = h5py.check_string_dtype(item.dtype) is not None
                    found.setdefault(group, {})[leaf] = item.asstr()[()] if text else item[()]

            file.visititems(visit)
    except Exception as error:  # h5py raises various exceptions for damaged files
        raise DataError(f"{path} is damaged: {error!s:.200}") from None
    for group, arrays in found.items():
        if "positions" in arrays:
            yield from _frames_of_group(arrays, f"{path}, group {group or '/'}")


def _frames_of_group(arrays: dict[str, Any], where: str) -> Iterator[tuple[str, Atoms]]:
    numbers = np.asarray(arrays.get("numbers", 0.0))
    positions = np.asarray(arrays["positions"])
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or len(numbers) == 0:
        raise DataError(f"{where}: expected integers numbers of shape (atoms,), got {numbers.dtype} {numbers.shape}")
    if positions.dtype.kind not in "iuf" or positions.ndim != 3 or positions.shape[1:] != (len(numbers), 3):
        raise DataError(
            f"{where}: expected positions of shape (frames, {len(numbers)}, 3), got {positions.dtype} {positions.shape}"
        )
    cell, pbc = np.asarray(arrays.get("cell", np.zeros((3, 3)))), np.asarray(arrays.get("pbc", False))
    if cell.dtype.kind not in "iuf" or cell.shape not in ((3, 3), (len(positions), 3, 3)):
        raise DataError(f"{where}: expected a cell of shape (3, 3) or (frames, 3, 3), got {cell.dtype} {cell.shape}")
    if pbc.dtype.kind not in "biu" or pbc.shape not in ((), (3,)):
        raise DataError(f"{where}: expected three booleans in pbc, got {pbc.dtype} {pbc.shape}")
    others = {name: array for name, array in arrays.items() if name not in _STRUCTURE}
    for name, array in others.items():
        if len(np.atleast_1d(array)) != len(positions):
            raise DataError(f"{where}: {name} has {len(np.atleast_1d(array))} entries for {len(positions)} frames")
    for frame, x in enumerate(positions):
        box = cell if cell.ndim == 2 else cell[frame]
        atoms = Atoms(numbers=numbers, positions=x, cell=box, pbc=pbc)
        atoms.info = {name: np.atleast_1d(array)[frame] for name, array in others.items()}
        yield f"{where}, frame {frame}", atoms
