"""Checks of the values of settings, which come from the command line, a file or a checkpoint."""

import math
from dataclasses import fields
from typing import Any


def check_types(settings: Any) -> None:
    """Check that fields of a dataclass have values of their type, int, float, bool or str, and that numbers are finite.

    Raises:
        ValueError: a value is of another type, which the message names.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.type is int and type(value) is not int:
            raise ValueError(f"expected {field.name} to be an integer, got {value!r:.100}")
        if field.type is float and not is_number(value):
            raise ValueError(f"expected {field.name} to be a finite number, got {value!r:.100}")
        if field.type is bool and type(value) is not bool:
            raise ValueError(f"expected {field.name} to be true or false, got {value!r:.100}")
        if field.type is str and not isinstance(value, str):
            raise ValueError(f"expected {field.name} to be a text, got {value!r:.100}")


def is_number(value: object) -> bool:
    """Return whether a value is a finite real number; a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
