"""Prefetching: the next item is made while the present one is used."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def prefetched(make: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each item and what `make` returns for it, in order; a thread makes the next one meanwhile.

    Example:
        >>> list(prefetched(abs, [1, -2]))
        [(1, 1), (-2, 2)]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetching") as pool:
        following = pool.submit(make, items[0]) if items else None
        for number, item in enumerate(items):
            present = following
            following = pool.submit(make, items[number + 1]) if number + 1 < len(items) else None
            if present is not None:
                yield item, present.result()
