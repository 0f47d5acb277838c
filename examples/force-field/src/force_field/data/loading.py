"""Data sets from files of several formats, which their first bytes tell apart."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ase import Atoms

from force_field.errors import DataError
from force_field.sources import BUILT_IN, check_data

from .checks import check_structure
from .extxyz import read_extxyz
from .targets import Keys, choose_names, forces_names, is_isolated_atom, set_targets

_GZIP, _SQLITE, _HDF5 = b"\x1f\x8b", b"SQLite format 3\x00", b"\x89HDF\r\n\x1a\n"
_BINARY = {".db": "an ASE database", ".h5": "an HDF5 file", ".hdf5": "an HDF5 file"}


@dataclass(frozen=True)
class DataSet:
    """Configurations of one or more sources.

    Attributes:
        frames: the configurations; the calculator of each holds its energy, forces and, if it is known, its stress.
        names: of each configuration, its file and its place there.
        origin: for energy, forces and stress, the names that they have in the files.
        isolated: energies of isolated atoms, in eV by atomic number, which are not among the frames.
    """

    frames: list[Atoms]
    names: list[str]
    origin: dict[str, list[str]]
    isolated: dict[int, float]


def load_set(sources: Sequence[str], keys: Keys | None = None) -> DataSet:
    """Return the configurations of all sources, with targets.

    Args:
        sources: names of built-in data sets, or paths of files.
        keys: the names of the targets in the files.

    Raises:
        DataError: see :func:`read_frames`.
    """
    frames, names, origin, isolated = [], [], dict[str, list[str]](), {}
    for source in sources:
        found, used = read_frames(source, True, keys or Keys())
        for target, name in used.items():
            origin.setdefault(target, [])
            origin[target] += [name] if name not in origin[target] else []
        for where, atoms in found:
            if is_isolated_atom(atoms) and atoms.calc is not None:
                isolated[int(atoms.numbers[0])] = float(atoms.calc.results["energy"])
            else:
                frames.append(atoms)
                names.append(where)
    return DataSet(frames, names, origin, isolated)


def load(source: str, targets: bool = True, keys: Keys | None = None) -> list[Atoms]:
    """Return the configurations of a built-in data set ("ethanol", "aspirin") or of a file.

    Args:
        source: name of the data set, or path of the file.
        targets: whether each frame must have energy and forces.
        keys: the names of the targets in the file.

    Raises:
        DataError: see :func:`read_frames`.
    """
    return [atoms for _, atoms in read_frames(source, targets, keys or Keys())[0]]


def read(path: Path, targets: bool = True, keys: Keys | None = None) -> list[Atoms]:
    """Return the configurations of a file; see :func:`load`."""
    return [atoms for _, atoms in read_frames(str(path), targets, keys or Keys())[0]]


def read_frames(source: str, targets: bool, keys: Keys) -> tuple[list[tuple[str, Atoms]], dict[str, str]]:
    """Read and check every frame of a built-in data set or of a file.

    Args:
        source: name of the data set, or path of the file.
        targets: whether each frame must have energy and forces.
        keys: the names of the targets in the file.

    Returns:
        The frames, each with its place in words; and the names of the targets in the file.

    Raises:
        DataError: the file is missing, empty, damaged or truncated, or a frame lacks energy or forces, has numbers that
            are not finite, or has an unknown element. The message names file, frame and reason.
    """
    if source in BUILT_IN:
        path = Path(str(files("force_field") / "data" / f"{source}.extxyz"))
    else:
        check_data([source])
        path = Path(source)
    frames = list(_raw_frames(path, keys))
    if not frames:
        raise DataError(f"{path} is empty: expected a file with at least one frame, such as extended XYZ")
    names = choose_names([atoms for _, atoms in frames], keys) if targets else {}
    for where, atoms in frames:
        check_structure(atoms, where)
        if targets:
            set_targets(atoms, names, where)
        else:
            atoms.calc = None
    return frames, names


def _raw_frames(path: Path, keys: Keys) -> Iterator[tuple[str, Atoms]]:
    """Yield the frames of a file as they are, each with its place in words."""
    content = _content(path)
    if content.startswith(_SQLITE):
        from .ase_database import read_database  # here, because few need it

        return read_database(path)
    if content.startswith(_HDF5):
        from .hdf5 import read_hdf5  # here, because it needs an optional package

        return read_hdf5(path)
    if path.suffix in _BINARY and content:
        raise DataError(f"{path} is damaged: it is not {_BINARY[path.suffix]}")
    return read_extxyz(path, content, forces_names(keys))


def _content(path: Path) -> bytes:
    """Return the bytes of a file, decompressed; of a binary format, at least the first."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read: it is not a file")
    try:
        with path.open("rb") as file:
            start = file.read(16)
            if start.startswith((_SQLITE, _HDF5)):
                return start
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except EOFError:
        raise DataError(f"{path} is truncated: its compressed content ends early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    except MemoryError:
        raise DataError(f"{path} is too large for the memory: split it") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
