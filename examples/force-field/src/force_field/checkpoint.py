"""Checkpoints of a training run: averaged parameters, the state of the training, and a header.

The file has the format of :mod:`irreps_ops.checkpoint`. Its parameters are those of the trained model.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

import irreps_ops as irr
from irreps_ops import checkpoint

from .errors import CheckpointError
from .sources import CHECKPOINT as NAME

VERSION = 6
# Version 5 had another network "mace", and version 4 also other functions of transformed distances; what has neither
# is the same.
_OTHER_MACE, _OTHER_TRANSFORM = 5, 4
_VERSION_KEY = "force_field"  # its entry in the header is the version

# The parts of the header that a training run writes, and the types of the entries that are read directly.
_PARTS: dict[str, dict[str, type]] = {
    "model": {},
    "scaling": {},
    "data": {"source": list, "keys": dict, "train": int, "valid": int, "trained_on": list},
    "training": {},
    "progress": {},
}

Checkpoint = checkpoint.Checkpoint


def locate(path: Path) -> Path:
    """Return the checkpoint file: `path` itself, or the file in this folder."""
    return path / NAME if path.is_dir() else path


def save(path: Path, parameters: dict[str, Any], state: dict[str, Any], header: dict[str, Any]) -> None:
    """Write a checkpoint. If the process is killed meanwhile, the previous file remains complete.

    Args:
        path: path of the file; its folder is created.
        parameters: a tree of names, the averaged parameters.
        state: a tree of names, the state of the training.
        header: configuration and progress, everything that JSON can represent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, parameters, state, about={**header, _VERSION_KEY: VERSION})


def load(path: Path, dtype: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: the file, or the folder of a training run.
        dtype: dtype of floating-point arrays (default: as in the file).

    Returns:
        Parameters, state and header, as given to :func:`save`.

    Raises:
        CheckpointError: the file does not exist, is not a checkpoint, is damaged, or has another version.
    """
    path = locate(path)
    try:
        found = checkpoint.load(path, dtype=dtype)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: `force-field train` writes it") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of `force-field train`, or is damaged: {error}") from None
    header = found.header["about"]
    version = header.get(_VERSION_KEY)
    if version is None:
        raise CheckpointError(
            f"{path} is not a checkpoint of `force-field train`: its header is {sorted(header)!s:.200}"
        )
    if version != VERSION and not _is_readable(version, header.get("model")):
        raise CheckpointError(
            f"{path} has version {version!r:.100}, expected version {VERSION}: use the release of force-field that "
            "wrote it, or train again"
        )
    return found._replace(header=header)


def _is_readable(version: Any, model: Any) -> bool:
    """Return whether a model of an earlier version is the same in this one."""
    if version not in (_OTHER_MACE, _OTHER_TRANSFORM) or not isinstance(model, dict):
        return False
    return model.get("network") != "mace" and (version == _OTHER_MACE or model.get("transform", "none") == "none")


def load_run(path: Path, dtype: str | None = None) -> Checkpoint:
    """Read a checkpoint of a training run; see :func:`load`.

    Raises:
        CheckpointError: as :func:`load`; or the header lacks a part, or a parameter is not finite.
    """
    found = load(path, dtype)
    path = locate(path)
    for part, entries in _PARTS.items():
        content = found.header.get(part)
        wrong = not isinstance(content, dict) or [n for n, kind in entries.items() if type(content.get(n)) is not kind]
        if wrong:
            raise CheckpointError(
                f"{path} is not a checkpoint of `force-field train`: the part {part!r} of its header "
                f"is {content!r:.200}"
            )
    about = found.header["data"]
    texts = [*about["source"], *about["trained_on"], *(key for key in about["keys"].values() if key is not None)]
    if not about["keys"].keys() <= {"energy", "forces", "stress"} or not all(isinstance(text, str) for text in texts):
        raise CheckpointError(
            f"{path}: expected names of files and of configurations in its header, got {texts!r:.200}"
        )
    for tree in (found.parameters, found.state):
        for name, leaf in irr.bindings.tree_leaves(tree):
            if jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact) and not np.all(np.isfinite(leaf)):
                raise CheckpointError(f"{path}: {name!r} has numbers that are not finite: train again")
    return found


def cast(tree: Any, dtype: str) -> Any:
    """Return a tree with floating-point arrays of this dtype."""
    return jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, dtype), tree)


def to_tree(pytree: Any) -> dict[str, Any]:
    """Return the leaves of a pytree as a tree of names, NumPy arrays named by their path."""
    leaves = jax.tree_util.tree_leaves_with_path(pytree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    return irr.bindings.tree_of_leaves({name: np.asarray(leaf) for name, (_, leaf) in zip(names, leaves, strict=True)})


def from_tree(template: Any, tree: dict[str, Any], path: Path) -> Any:
    """Return a pytree with the structure and dtypes of a template and the leaves of a tree: the inverse of `to_tree`.

    Args:
        template: pytree of arrays.
        tree: tree of names.
        path: the file, for messages.

    Raises:
        CheckpointError: a leaf is missing, superfluous or of another shape.
    """
    try:
        irr.bindings.check_tree(tree, to_tree(template))
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    leaves = dict(irr.bindings.tree_leaves(tree))

    def leaf(key: Any, expected: Any) -> jax.Array:
        name = jax.tree_util.keystr(key, simple=True, separator="/")
        return jax.numpy.asarray(leaves[name], expected.dtype)

    return jax.tree_util.tree_map_with_path(leaf, template)


def describe(configuration: dict[str, Any]) -> str:
    """Return a configuration as one line of at most 800 characters, for messages."""
    return f"{', '.join(f'{name:.40}={value!s:.200}' for name, value in configuration.items()):.800}"


def check_same(part: str, saved: dict[str, Any], requested: dict[str, Any], path: Path) -> None:
    """Check that a run is resumed with its own configuration; names that only one of both has are not compared.

    Args:
        part: name of this part of the configuration, for the message.
        saved: the configuration of the checkpoint.
        requested: the configuration of the command.
        path: the checkpoint.

    Raises:
        CheckpointError: the configurations differ; the message shows both.
    """
    different = [name for name in requested if name in saved and saved[name] != requested[name]]
    if different:
        raise CheckpointError(
            f"{path} cannot be resumed: its {part} is ({describe(saved)}), the command requests "
            f"({describe({**saved, **requested})}). They differ in {', '.join(different)}: omit these options, or "
            "start a new run in another folder with --out"
        )
