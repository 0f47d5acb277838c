"""Databases of ASE in SQLite, ``*.db``."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import ase.db
from ase import Atoms

from force_field.errors import DataError


def read_database(path: Path) -> Iterator[tuple[str, Atoms]]:
    """Yield the rows of a database; before each, its place in words.

    Key-value pairs and the data of a row may hold targets, weights and types, as the second line of a frame does in
    extended XYZ.

    Raises:
        DataError: the file is damaged, or a row is, or it is a database of another program.
    """
    last = 0
    try:
        # ASE would add its tables to a database of another program.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'systems'").fetchall()
        if not tables:
            raise DataError(f"{path} is a database, but not one of ASE: it has no table of systems")
        connected: Any = ase.db.connect(str(path), type="db")
        with connected as database:
            for row in database.select():
                last, atoms = row.id, row.toatoms()
                atoms.info = {**row.key_value_pairs, **(row.data or {})}
                yield f"{path}, row {row.id}", atoms
    except DataError:
        raise
    except Exception as error:  # sqlite3, json and ase raise various exceptions for damaged files
        raise DataError(f"{path} is damaged, after row {last}: {error!s:.200}") from None
