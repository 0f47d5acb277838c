"""Converters of the fields of layers."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def optional(converter: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return a converter that leaves None as it is.

    Example:
        >>> from irreps_ops.layers._fields import optional
        >>> optional(int)("3"), optional(int)(None)
        (3, None)
    """
    return lambda value: None if value is None else converter(value)
