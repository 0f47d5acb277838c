"""Databases of ASE in SQLite, ``*.db``."""

from collections.abc import Iterator
from pathlib import Path

import ase.db
from ase import Atoms

from force_field.errors import DataError


def read_database(path: Path) -> Iterator[tuple[str, Atoms]]:
    """Yield the rows of a database; before each, its place in words.

    Key-value pairs and the data of a row may hold targets, weights and types, as the second line of a frame does in
    extended XYZ.

    Raises:
        DataError: the file is damaged, or a row is.
    """
    last = 0
    try:
        for row in ase.db.connect(str(path), type="db").select():
            last, atoms = row.id, row.toatoms()
            atoms.info = {**row.key_value_pairs, **(row.data or {})}
            yield f"{path}, row {row.id}", atoms
    except DataError:
        raise
    except Exception as error:  # sqlite3, json and ase raise various exceptions for damaged files
        raise DataError(f"{path} is damaged, after row {last}: {error!s:.200}") from None
