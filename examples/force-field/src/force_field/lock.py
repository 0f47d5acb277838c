"""One training run in a folder at a time."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import OutputError

NAME = ".force-field-lock"


def was_killed(folder: Path) -> bool:
    """Return whether a run in this folder did not come to its end: its lock is still there, locked or not."""
    return (folder / NAME).exists()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a folder and lock it; at the end, remove the lock, and the folder if nothing was written in it.

    The operating system releases the lock of a process that dies.

    Raises:
        OutputError: the folder cannot be created, or another process has locked it.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / NAME)
        with contextlib.suppress(NotImplementedError):  # a file system without locks
            lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(
            f"{folder} is in use by another training run: wait for its end, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise OutputError(f"nothing can be written in {folder}: {error.strerror}; choose another with --out") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / NAME).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # until one is not empty
            for path in new:
                path.rmdir()
