"""Attributes under names that e3nn-jax renamed or removed, kept for programs written for it.

A class lists them in a table that its ``__getattr__`` reads, so that they work but do not appear in ``dir()`` and
``help()``. A type checker does not know them: it should point programs to today's names.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Renamed(NamedTuple):
    """An attribute under a former name.

    Attributes:
        release: the release of e3nn-jax that renamed or removed it.
        date: date of that release.
        today: how to write it today.
        attribute: its value in the namespace of a class: a function, a property, a static method.
    """

    release: str
    date: str
    today: str
    attribute: Any


def renamed_attribute(table: Mapping[str, Renamed], name: str, owner: type, instance: object = None) -> Any:
    """Return the attribute `name` of `instance`, or of the class `owner` itself if there is no instance.

    Raises:
        AttributeError: the table does not contain the name.
    """
    if name not in table:
        kind = f"type object {owner.__name__!r}" if instance is None else f"{owner.__name__!r} object"
        raise AttributeError(
            f"{kind} has no attribute {name!r}", name=name, obj=owner if instance is None else instance
        )
    return table[name].attribute.__get__(instance, owner)
