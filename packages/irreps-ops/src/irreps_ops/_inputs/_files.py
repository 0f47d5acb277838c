"""Files that are written completely or not at all, and read within bounds."""

import contextlib
import errno
import os
import secrets
import stat
from typing import TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]

# What a file system answers that cannot synchronize folders, or a folder that must not be listed.
_CANNOT_SYNCHRONIZE = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM)


def write_file(path: PathLike, content: bytes | str) -> None:
    """Write a file in one step: at every moment, and after a crash, `path` has its old content or all of the new.

    The content goes to a new file of an unpredictable name in the same folder, which is synchronized with the disk and
    then renamed. So several processes can write one path; the last one wins. If anything fails, the new file is removed
    and `path` remains as it was. A symbolic link is replaced, never followed. An existing file keeps its permissions.

    Args:
        path: path of the file, in an existing folder.
        content: the bytes, or a text to be encoded as UTF-8.

    Raises:
        OSError: the file cannot be written; the error names `path`. In particular, `path` is a folder or a device.

    Example:
        >>> import os, tempfile
        >>> from irreps_ops.checkpoint import write_file
        >>> path = os.path.join(tempfile.mkdtemp(), "notes.txt")
        >>> write_file(path, "Wigner")
        >>> with open(path) as file:
        ...     file.read()
        'Wigner'
    """
    path = os.fspath(path)
    folder = os.path.dirname(path) or "."
    unfinished = os.path.join(folder, f".{secrets.token_hex(8)}.unfinished")
    try:
        mode = _mode(path)
        with open(unfinished, "xb") as file:  # x: fails if it exists, be it as a link
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(unfinished, mode)
        os.replace(unfinished, path)
        _synchronize(folder)
    except FileExistsError:  # another's file
        raise
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        if isinstance(error, OSError) and error.errno is not None:  # an error of write or fsync names no file
            raise OSError(error.errno, error.strerror, path) from None
        raise


def read_file(path: PathLike) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the path is that of a folder, pipe or device, or the file does not fit into memory.
    """
    # Before it is opened: to open a pipe waits for a writer.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{os.fspath(path)} is not a regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            return file.read(size)
        except (MemoryError, OverflowError):
            raise ValueError(f"{os.fspath(path)} has {size} bytes, more than memory holds") from None


def _mode(path: str) -> int | None:
    """Return the permissions of an existing file, None if there is a link or nothing; refuse folders and devices."""
    try:
        found = os.lstat(path).st_mode
        target = os.stat(path).st_mode
    except OSError:  # nothing there, or a link to nothing; if the folder is the trouble, opening the new file fails
        return None
    if stat.S_ISDIR(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(target):
        raise OSError(errno.EINVAL, "not a regular file", path)
    return stat.S_IMODE(found) if stat.S_ISREG(found) else None


def _synchronize(folder: str) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":  # folders cannot be opened there
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNCHRONIZE:
            raise
