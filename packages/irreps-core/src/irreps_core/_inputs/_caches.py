"""A registry of all caches of the irreps packages, so that one call empties them."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

_clear_functions: list[Callable[[], Any]] = []
P = ParamSpec("P")
T = TypeVar("T")


def cached(maxsize: int = 4096) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache the results of a function of hashable arguments, up to a limit, until :func:`clear_caches` is called.

    NumPy arrays in a result, also inside tuples, lists and dictionaries, become read-only, because all callers share
    them.

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
        @functools.lru_cache(maxsize=maxsize)
        @functools.wraps(function)
        def caching(*args: Any, **kwargs: Any) -> T:
            result = function(*args, **kwargs)
            _make_read_only(result)
            return result

        register_cache(caching.cache_clear)
        return cast(Callable[P, T], caching)

    return decorate


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
