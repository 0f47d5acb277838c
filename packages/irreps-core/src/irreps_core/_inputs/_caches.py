"""One list of every cache of the package, so that one call empties them all."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

_clearers: list[Callable[[], Any]] = []
P = ParamSpec("P")
T = TypeVar("T")


def cached(maxsize: int = 4096) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache a function of hashable arguments, bounded, and cleared by :func:`clear_caches`.

    NumPy arrays in the result are made read-only: whoever gets one shares it with everybody.

    Args:
        maxsize: how many results are kept (the least recently used goes first).

    Returns:
        A decorator.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.lru_cache(maxsize=maxsize)
        @functools.wraps(function)
        def frozen(*args: Any, **kwargs: Any) -> T:
            result = function(*args, **kwargs)
            _freeze(result)
            return result

        _clearers.append(frozen.cache_clear)
        return cast(Callable[P, T], frozen)

    return decorate


def _freeze(result: object) -> None:
    if isinstance(result, np.ndarray):
        result.flags.writeable = False
    elif isinstance(result, (tuple, list)):
        for item in result:
            _freeze(item)
    elif isinstance(result, dict):
        for item in result.values():
            _freeze(item)


def clear_caches() -> None:
    """Empty every cache of irreps_core (Clebsch-Gordan, Wigner D constants, parsed irreps, ...).

    Example:
        >>> import irreps_core
        >>> irreps_core.clear_caches()
    """
    for clear in _clearers:
        clear()
