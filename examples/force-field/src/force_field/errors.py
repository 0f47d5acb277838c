"""What a command refuses with exit code 2 and one sentence. These classes load nothing that takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Input that cannot be used, or output that cannot be written; the message is meant for users."""


class DataError(InputError):
    """A data file that cannot be used; the message states the frame, the reason and the remedy."""


class CheckpointError(InputError):
    """A checkpoint that cannot be used; the message states the reason and the remedy."""


class OutputError(InputError):
    """A place that cannot be written to; the message states it and the reason."""


class SettingsError(InputError):
    """Settings that cannot be used; the message names the file, the place and the reason."""


class UsageError(InputError):
    """Options that contradict each other or are out of range."""


@contextmanager
def usage_errors(*others: type[Exception]) -> Iterator[None]:
    """Let a ValueError, or an error of these other kinds, be a UsageError. An InputError stays what it is."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, *others) as error:
        raise UsageError(str(error)) from None
