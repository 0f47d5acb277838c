"""Settings: files of them, and checks of those that a file, the command line or a checkpoint gives."""

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any


class SettingsError(ValueError):
    """A file of settings that cannot be used; the message names the file, the place and the reason."""


def read_settings(path: Path, sections: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Read a file of settings, in TOML.

    Args:
        path: the file.
        sections: the names that each section may have.

    Returns:
        The settings of each section, which may be empty; the types of their values are not checked.

    Raises:
        SettingsError: the file is missing or malformed, or has an unknown section or name; the message suggests the
            nearest valid one.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: expected a file of settings in TOML") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not a file of settings in TOML: {error!s:.200}") from None
    for section, content in found.items():
        _check_name(section, list(sections), f"{path}: unknown section [{section:.60}]")
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: expected the section [{section}], got {section} = {content!r:.60}")
        for name in content:
            _check_name(name, sections[section], f"{path}: unknown name {name!r:.60} in [{section}]")
    return {section: dict(found.get(section, {})) for section in sections}


def _check_name(name: str, valid: Sequence[str], problem: str) -> None:
    if name not in valid:
        nearest = difflib.get_close_matches(name, valid, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(valid)}"
        raise SettingsError(f"{problem}: {hint}")


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
