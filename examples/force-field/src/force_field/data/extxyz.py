"""Extended XYZ, with exact error messages."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from force_field.errors import DataError

_DEFAULT_COLUMNS = "species:S:1:pos:R:3"
_TYPES = ("R", "I", "S", "L")
_LONGEST_COMMENT = 1_000_000  # characters


def read_extxyz(path: Path, content: bytes, forces: Sequence[str]) -> Iterator[tuple[str, Atoms]]:
    """Yield the frames of an extended-XYZ file; before each, its place in words.

    Args:
        path: of the file, for messages.
        content: of the file.
        forces: names of columns that must have three numbers.

    Raises:
        DataError: the file is truncated, or a frame is malformed or has an unknown element.
    """
    for number, (line, lines) in enumerate(_split(path, content)):
        where = f"{path}, frame {number} (line {line})"
        yield where, _parse(lines, forces, where)


def _lines(path: Path, content: bytes) -> list[str]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file: expected extended XYZ") from None
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Not splitlines, which also splits at characters that are not ends of lines. A byte-order mark is left out, also
    # in the middle, where files were joined.
    return [line.removeprefix("\ufeff") for line in text.split("\n")]


def _split(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and lines of each frame, so that messages can locate errors."""
    lines = _lines(path, content)
    while lines and not lines[-1].strip():
        lines.pop()
    start, number = 0, 0
    while start < len(lines):
        where = f"{path}, frame {number} (line {start + 1})"
        if not re.fullmatch("[0-9]{1,15}", lines[start].strip(), re.ASCII):
            raise DataError(f"{where}: expected the number of atoms, got {lines[start][:60]!r}")
        count = int(lines[start].strip())
        if count < 1:
            raise DataError(f"{where}: expected at least one atom, got {count}")
        end = start + count + 2
        if end > len(lines):
            found = max(len(lines) - start - 2, 0)
            raise DataError(f"{where} is truncated: it announces {count} atoms, but {found} lines of atoms follow")
        yield start + 1, lines[start:end]
        start, number = end, number + 1


def _parse(lines: list[str], forces: Sequence[str], where: str) -> Atoms:
    """Return the frame of some lines: the number of atoms, a comment, and the atoms."""
    # Control characters, and spaces of other kinds, separate words as a space does.
    comment, rows = re.sub(r"[\s\x00-\x1f\x7f-\x9f]", " ", lines[1]), lines[2:]
    _check_columns(comment, rows, forces, where)
    text = "\n".join([str(len(rows)), comment, *(" ".join(row.split()) for row in rows), ""])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ASE, about names that it does not know
            atoms = ase.io.read(io.StringIO(text), format="extxyz")
    except KeyError as error:
        raise DataError(f"{where}: {error.args[0]!r:.60} is not a chemical element") from None
    except Exception as error:  # ase raises various exceptions for malformed frames
        raise DataError(f"{where} is malformed: {error!s:.200}") from None
    if not isinstance(atoms, Atoms):
        raise DataError(f"{where}: expected one frame, got {type(atoms).__name__}")
    return atoms


def _check_columns(comment: str, rows: list[str], forces: Sequence[str], where: str) -> None:
    """Check that each line of an atom has the columns that `Properties` announces; ase would ignore further ones."""
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
    for name, columns in (("species", 1), ("Z", 1), ("pos", 3), *((name, 3) for name in forces)):
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
