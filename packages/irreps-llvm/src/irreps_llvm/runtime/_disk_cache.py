"""Object code in files, in a directory that belongs to the user alone.

The code is executed, so a directory or file that another user can write to is not used. A file holds a digest of its
name and content, so a truncated or renamed file is not used either.
"""

import contextlib
import hashlib
import os
import secrets
import stat
import warnings
from collections.abc import Callable, Iterator

VARIABLE = "IRREPS_LLVM_CACHE_DIR"

_DIGEST = 32
_warned = False


def cached(name: str, compute: Callable[[], bytes]) -> bytes:
    """Return the content of the file of a name; compute it, and write the file, if there is none that can be trusted.

    There are no files unless the environment variable ``IRREPS_LLVM_CACHE_DIR`` names a directory, which is created if
    it is missing. The first reason in a process why a file is not used is given as a RuntimeWarning.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return compute()
    try:
        with _directory(path) as directory:
            content = _read(directory, name)
    except (OSError, ValueError) as error:
        _warn(path, error)
        content = None
    if content is not None:
        return content
    content = compute()
    try:
        with _directory(path) as directory:
            _write(directory, name, content)
    except (OSError, ValueError) as error:
        _warn(path, error)
    return content


def _warn(path: str, error: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        message = f"irreps_llvm does not use the cache {path!r} ({VARIABLE}), or a file in it: {error}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


@contextlib.contextmanager
def _directory(path: str) -> Iterator[int]:
    """Open the directory; all further access is relative to it, so that nobody can exchange it meanwhile."""
    if not hasattr(os, "getuid") or os.open not in os.supports_dir_fd:
        raise ValueError("this system does not tell who owns a file")
    os.makedirs(path, mode=0o700, exist_ok=True)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check_owner(directory, "the directory")
        yield directory
    finally:
        os.close(directory)


def _check_owner(descriptor: int, what: str) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.getuid():
        raise ValueError(f"{what} belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"{what} is writable by others; use `chmod go-w`")


def _read(directory: int, name: str) -> bytes | None:
    try:
        # Not blocking: the file may be a pipe.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except FileNotFoundError:
        return None
    with open(file, "rb") as stream:
        _check_owner(file, f"the file {name}")
        stored = stream.read()
    digest, content = stored[:_DIGEST], stored[_DIGEST:]
    if digest != _digest(name, content):
        raise ValueError(f"the file {name} is damaged; it is written again")
    return content


def _write(directory: int, name: str, content: bytes) -> None:
    """Write a file at once: readers see the old one or the new one, also after a crash."""
    temporary = f"{name}.{secrets.token_hex(8)}.tmp"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode=0o600, dir_fd=directory)
    try:
        with open(file, "wb") as stream:
            stream.write(_digest(name, content) + content)
            stream.flush()
            os.fsync(file)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
