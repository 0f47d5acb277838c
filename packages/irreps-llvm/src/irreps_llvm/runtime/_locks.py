"""Locks that a fork waits for: a child process never inherits one that nobody will release."""

import os
import threading
from typing import Any


def fork_safe_lock() -> Any:
    """Return a reentrant lock that a forking thread holds while it forks.

    A fork acquires the locks in the reverse order of their creation, so code that needs several must do the same.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
