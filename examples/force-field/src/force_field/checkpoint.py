"""Checkpoints: one npz file with the arrays and a JSON header, written at once or not at all. No pickles."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

FORMAT = "irreps-force-field"
VERSION = 1
NAME = "checkpoint.npz"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        header: configuration and progress, what JSON can hold.
        arrays: by name.
    """

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


def locate(path: Path) -> Path:
    """The checkpoint file: `path` itself, or the one in that folder."""
    return path / NAME if path.is_dir() else path


def save(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a checkpoint; a process that is killed meanwhile leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, "version": VERSION, **header})
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, header=np.frombuffer(text.encode(), np.uint8), **arrays)  # pyright: ignore[reportArgumentType]  (names are free)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: no such file, not a checkpoint, damaged, or of another format version.
    """
    path = locate(path)
    try:
        if path.exists() and not zipfile.is_zipfile(path):
            raise CheckpointError(f"{path} is not a checkpoint of `force-field train`, or is damaged: no npz file")
        with np.load(path, allow_pickle=False) as file:
            if "header" not in file:
                raise CheckpointError(f"{path} is not a checkpoint of `force-field train`: it has no header")
            header = json.loads(file["header"].tobytes())
            _check_format(header, path)
            return Checkpoint(header, {name: file[name] for name in file.files if name != "header"})
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: `force-field train` writes it") from None
    except CheckpointError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is not a checkpoint of `force-field train`, or is damaged: {error}") from None


def _check_format(header: Any, path: Path) -> None:
    found = (header.get("format"), header.get("version")) if isinstance(header, dict) else (None, None)
    if found != (FORMAT, VERSION):
        raise CheckpointError(
            f"{path} has format {found[0]!r} version {found[1]!r}, expected {FORMAT!r} version {VERSION}: "
            "use the version of force-field that wrote it, or train again"
        )


def flatten(prefix: str, tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree by name, each name the prefix and the path to the leaf."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {f"{prefix}:{jax.tree_util.keystr(path)}": np.asarray(leaf) for path, leaf in leaves}


def unflatten(prefix: str, template: Any, arrays: dict[str, np.ndarray], path: Path) -> Any:
    """The pytree of the template's structure, leaves taken by name.

    Raises:
        CheckpointError: a leaf is missing or has another shape.
    """

    def leaf(key: Any, expected: Any) -> jax.Array:
        name = f"{prefix}:{jax.tree_util.keystr(key)}"
        if name not in arrays:
            raise CheckpointError(f"{path} lacks {name}: it was written for another model")
        if arrays[name].shape != expected.shape:
            raise CheckpointError(
                f"{path} holds {name} of shape {arrays[name].shape}, the model has {expected.shape}: "
                "it was written for another model"
            )
        return jax.numpy.asarray(arrays[name], expected.dtype)

    return jax.tree_util.tree_map_with_path(leaf, template)


def describe(configuration: dict[str, Any]) -> str:
    """A configuration in one line, for messages."""
    return ", ".join(f"{name}={value}" for name, value in configuration.items())


def check_same(what: str, saved: dict[str, Any], asked: dict[str, Any], path: Path) -> None:
    """Refuse to go on with another configuration; only what both name is compared.

    Raises:
        CheckpointError: naming both configurations.
    """
    different = [name for name in asked if name in saved and saved[name] != asked[name]]
    if different:
        raise CheckpointError(
            f"{path} cannot be resumed: its {what} is ({describe(saved)}), the command asks for "
            f"({describe({**saved, **asked})}). They differ in {', '.join(different)}: leave these options out, "
            "or start afresh in another folder with --out"
        )
