"""Files of settings, in TOML."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from force_field.errors import SettingsError


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
        check_name(section, list(sections), f"{path}: unknown section [{section:.60}]")
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: expected the section [{section}], got {section} = {content!r:.60}")
        for name in content:
            check_name(name, sections[section], f"{path}: unknown name {name!r:.60} in [{section}]")
    return {section: dict(found.get(section, {})) for section in sections}


def check_name(name: str, valid: Sequence[str], problem: str) -> None:
    """Refuse a name that is not valid; the message is the problem and the nearest valid name."""
    if name not in valid:
        nearest = difflib.get_close_matches(name, valid, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(valid)}"
        raise SettingsError(f"{problem}: {hint}")
