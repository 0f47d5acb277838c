"""Options of the command line, completed by those of a file of settings."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from force_field.errors import SettingsError

from .files import read_settings
from .model import SIZES, ModelConfig
from .training import TrainingConfig

_KEYS = ("energy_key", "forces_key", "stress_key")
SECTIONS = {
    "data": ("files", "train", "valid", *_KEYS),
    "model": ("size", *(f.name for f in fields(ModelConfig) if f.name != "elements"), "from"),
    "training": tuple(f.name for f in fields(TrainingConfig)),
}


def with_settings(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options of the command line and, where it has none, those of the file of settings.

    Raises:
        SettingsError: the file cannot be used.
    """
    if options.config is None:
        return options
    given = read_settings(options.config, SECTIONS)
    from_file = {**_data(given["data"], options.config), **given["model"], **given["training"]}
    start = from_file.pop("from", None)
    if not isinstance(start, str | None):
        raise SettingsError(f"{options.config}: expected from to be the file of a model, got {start!r:.100}")
    if start is not None:
        from_file["start"] = Path(start)
    if given["model"].get("size", "S") not in list(SIZES):
        sizes = " or ".join(SIZES)
        raise SettingsError(f"{options.config}: expected size to be {sizes}, got {given['model']['size']!r:.100}")
    from_line = {name: value for name, value in vars(options).items() if value is not None}
    return argparse.Namespace(**{**vars(options), **from_file, **from_line})


def _data(given: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the options of the section [data], of which the files are called as on the command line."""
    if "files" in given:
        given["data"] = given.pop("files")
        if not isinstance(given["data"], list) or not all(isinstance(name, str) for name in given["data"]):
            raise SettingsError(f"{path}: expected files to be a list of names, got {given['data']!r:.100}")
        if not given["data"]:
            raise SettingsError(f"{path}: expected at least one name in files, got []")
    for name in ("train", "valid"):
        if type(given.get(name, 0)) is not int or given.get(name, 0) < 0:
            raise SettingsError(f"{path}: expected {name} to be a number of frames, got {given[name]!r:.100}")
    for name in _KEYS:
        if not isinstance(given.get(name, ""), str):
            raise SettingsError(f"{path}: expected {name} to be a text, got {given[name]!r:.100}")
    return given
