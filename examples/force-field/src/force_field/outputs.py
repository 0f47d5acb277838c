"""Results of long jobs: checked before the job starts, written in one step, and saved when the job is told to stop."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from irreps_ops.checkpoint import write_file

from .errors import OutputError

PROBE = 1 << 16  # bytes


def check_writable(*paths: Path) -> None:
    """Create the folders of files to come, and write and remove a small file in each.

    Raises:
        OutputError: a folder cannot be created, or nothing can be written in it, or a path is that of a folder or
            device.
    """
    for folder in dict.fromkeys(path.parent for path in paths):
        probe = folder / ".force-field-probe"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                write_file(probe, bytes(PROBE))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"nothing can be written in {folder}: {error.strerror}; choose another with --out"
            ) from None
    for path in paths:
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is not a file: choose another place with --out")


def remove_unfinished(folder: Path) -> None:
    """Remove what :func:`irreps_ops.checkpoint.write_file` left in a folder when its process was killed."""
    for path in folder.glob(".*.unfinished"):
        path.unlink(missing_ok=True)


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Collect SIGINT (Ctrl-C) and SIGTERM in a list, so that a job can save and stop; the second one stops at once."""
    caught: list[int] = []

    def handle(number: int, frame: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def exit_code(caught: Sequence[int]) -> int:
    """Return the exit code of a job that a signal stopped, as shells have it: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + caught[0] if caught else 0
