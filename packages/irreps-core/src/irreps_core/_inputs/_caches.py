"""A registry of all caches of the irreps packages: one limit of their memory, and one call that empties them."""

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

# Bytes that all caches of `cached` hold together. If there would be more, the largest cache is emptied.
LIMIT = 2**28
_LOOKED_INTO = 500
_clear_functions: list[Callable[[], Any]] = []
_held: dict["_Cache", int] = {}
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # not on Windows; a child never inherits a lock that nobody will release
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
P = ParamSpec("P")
T = TypeVar("T")


def cached(maxsize: int = 4096) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache the results of a function of hashable arguments, up to a limit, until :func:`clear_caches` is called.

    NumPy arrays in a result, also inside tuples, lists and dictionaries, become read-only, because all callers share
    them. The results of all cached functions together take at most 256 MiB of memory: if there are more, the cache that
    holds most is emptied, and a result that is larger than that is not kept.

    Args:
        maxsize: the largest number of results to keep. The least recently used one is dropped first.

    Returns:
        A decorator.

    Example:
        >>> from irreps_core import cached
        >>> @cached(maxsize=16)
        ... def powers(base, count):
        ...     print("computing")
        ...     return tuple(base**n for n in range(count))
        >>> powers(2, 4)
        computing
        (1, 2, 4, 8)
        >>> powers(2, 4)
        (1, 2, 4, 8)
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cache = _Cache(function, maxsize)

        @functools.wraps(function)
        def caching(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return cache.lookup(*args, **kwargs)
            except _TooLarge as error:
                return error.result

        register_cache(cache.clear)
        return caching

    return decorate


class _Cache:
    """The cache of one function, which accounts for the memory of its results."""

    def __init__(self, function: Callable[..., Any], maxsize: int) -> None:
        self.function = function
        self.lookup = functools.lru_cache(maxsize)(self._compute)

    def _compute(self, *args: Any, **kwargs: Any) -> Any:
        result = self.function(*args, **kwargs)
        _make_read_only(result)
        size = size_in_memory(result)
        if size > LIMIT:
            raise _TooLarge(result)
        with _lock:
            # This counts results that the cache has dropped, too, so it may be emptied early.
            _held[self] = _held.get(self, 0) + size
            while sum(_held.values()) > LIMIT:
                largest = max(_held, key=lambda cache: _held[cache])
                largest.clear()
                if largest is self:
                    _held[self] = size
                    break
        return result

    def clear(self) -> None:
        """Forget all results."""
        with _lock:
            self.lookup.cache_clear()
            _held.pop(self, None)


class _TooLarge(Exception):
    """A result that takes more memory than all caches may; `lru_cache` does not keep what is raised."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


def size_in_memory(value: object) -> int:
    """Return about how many bytes a result takes: its arrays, and 64 for each other object.

    Only the first objects are looked into, because large results that are not arrays have very many small parts.
    """
    seen: set[int] = set()
    size, rest = 0, [value]
    while rest:
        item = rest.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            size += item.nbytes
        elif isinstance(item, (str, bytes)):
            size += len(item)
        elif len(seen) > _LOOKED_INTO:
            size += 64 * len(item) if isinstance(item, (tuple, list, set, frozenset, dict)) else 0
        elif isinstance(item, (tuple, list, set, frozenset)):
            rest.extend(item)  # not +=, which irreps define for lists
        elif isinstance(item, dict):
            rest += [*item.keys(), *item.values()]
        elif not isinstance(item, type) and type(item).__module__.startswith("irreps"):
            slots = [name for cls in type(item).__mro__ for name in getattr(cls, "__slots__", ())]
            rest += [*getattr(item, "__dict__", {}).values(), *(getattr(item, name, None) for name in slots)]
        elif isinstance(getattr(item, "nbytes", None), int):  # an array of JAX
            size += item.nbytes  # type: ignore[attr-defined]
        size += 64
    return size


def _make_read_only(result: object) -> None:
    if isinstance(result, np.ndarray):
        result.flags.writeable = False
    elif isinstance(result, (tuple, list)):
        for item in result:
            _make_read_only(item)
    elif isinstance(result, dict):
        for item in result.values():
            _make_read_only(item)


def register_cache(clear: Callable[[], Any]) -> None:
    """Let :func:`clear_caches` call a function that empties a cache; :func:`cached` registers its own.

    Args:
        clear: the function. It is kept for the life of the process.

    Example:
        >>> from irreps_core import clear_caches, register_cache
        >>> tables = {}
        >>> register_cache(tables.clear)
        >>> tables["l = 1"] = [0.5]
        >>> clear_caches()
        >>> tables
        {}
    """
    _clear_functions.append(clear)


def clear_caches() -> None:
    """Empty every cache of irreps_core and of the packages that use it.

    They hold Clebsch-Gordan coefficients, constants of Wigner D matrices, parsed irreps, polynomials, the list of
    plugins, and more. Results are computed again when they are needed.

    Example:
        >>> from irreps_core import clear_caches
        >>> clear_caches()
    """
    for clear in _clear_functions:
        clear()
