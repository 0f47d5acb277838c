"""Logs of a run: a file of JSON lines, and TensorBoard's files."""

import contextlib
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from force_field.errors import UsageError
from irreps_ops.checkpoint import write_file

from .progress import Report

NAME = "log.jsonl"
TENSORBOARD = "tensorboard"


class Log:
    """The log of a run: a line for each step, with the errors of the validation that followed it.

    A resumed run continues at its checkpoint: lines of later steps, which it takes again, are removed.

    Args:
        folder: of the run.
        steps: the number of steps of the checkpoint that is resumed, 0 for a new run.
        writer: the class of TensorBoard's writers, see :func:`tensorboard_writer`; None for JSON lines alone.
    """

    def __init__(self, folder: Path, steps: int, writer: Any = None) -> None:
        """See the class."""
        path = folder / NAME
        write_file(path, "".join(_lines_until(path, steps)) if steps else "")
        self.file = path.open("a", encoding="utf-8")
        self.writer = writer and writer(str(folder / TENSORBOARD), purge_step=steps + 1 if steps else None)

    def __enter__(self) -> "Log":
        """Return the log."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files; that the disk is full was reported already."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self.writer is not None:
            with contextlib.suppress(OSError):
                self.writer.close()

    def write(self, step: int, seconds: float, report: Report) -> None:
        """Write what a step reports."""
        found = {
            "loss": report.loss,
            "forces_rmse": 1e3 * report.force_error,  # meV/Å
            "learning_rate": report.learning_rate,
            **{f"validation_{k}": v for k, v in (report.validation or {}).items() if k.endswith("_mae")},
        }
        line = {"step": step, "fraction": report.fraction, "seconds": round(seconds, 3), **found}
        with self._named():
            self.file.write(json.dumps(line) + "\n")
        if self.writer is not None:
            for name, value in found.items():
                self.writer.add_scalar(name.replace("validation_", "validation/"), value, step)

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        with self._named():
            self.file.flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error, such as that of a full disk, name the file."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.file.name) from None


def _lines_until(path: Path, steps: int) -> list[str]:
    """Return the lines of steps up to this one; the last line of a killed run may be incomplete."""
    kept = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if json.loads(line)["step"] > steps:
                break
            kept.append(line)
    return kept


def tensorboard_writer() -> Any:
    """Return the class of TensorBoard's writers.

    Raises:
        UsageError: tensorboardX is not installed.
    """
    try:
        return importlib.import_module("tensorboardX").SummaryWriter
    except ImportError:
        raise UsageError(
            "the setting tensorboard needs the package tensorboardX: pip install 'force-field[tensorboard]'"
        ) from None
