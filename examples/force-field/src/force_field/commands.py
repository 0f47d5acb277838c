"""The command `force-field evaluate`."""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from ase import Atoms
from rich.console import Console

from . import data, report
from .derivatives import Potential
from .errors import DataError, UsageError, usage_errors
from .evaluation import equivariance_error, errors_by_molecule
from .potential import fingerprint, load_any, relative_graphs
from .simulation import partition


def load(sources: Sequence[str], targets: bool = True) -> list[Atoms]:
    """Return the configurations of all sources."""
    return [atoms for source in sources for atoms in data.load(source, targets)]


def sources_of(options: argparse.Namespace, header: dict[str, Any]) -> list[str]:
    """Return the data that the command line names, or those that the model was trained on."""
    sources = options.data or header["source"]
    if not sources:
        raise UsageError(f"{options.checkpoint} does not say which data it was trained on: give --data")
    return sources


def evaluate(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field evaluate` and return the exit code."""
    model, header = load_any(options.checkpoint, options.dtype)
    unseen = unseen_frames(options, model, header)
    name = ", ".join(unseen.sources)
    graphs = relative_graphs(unseen.frames, model, name)
    with usage_errors():
        predictor = partition.predictor(model, options.dtype, options.devices, options.atoms_per_part)
    table = errors_by_molecule(unseen.frames, graphs, predictor(graphs), model.elements)
    title = f"{name}: {len(graphs)} frames; {unseen.left_out} training frames are left out"
    console.print(report.error_table(table, title))
    some = some_of(unseen.frames)
    for dtype in ("float32", "float64"):
        same = dtype == options.dtype
        other = predictor if same else partition.predictor(model, dtype, options.devices, options.atoms_per_part)
        error = equivariance_error(other, some)
        console.print(f"equivariance error in {dtype}: {error:.1e} (rotations and mirrors, relative)", highlight=False)
    return 0


class Unseen(NamedTuple):
    """Configurations that a model was not trained on.

    Attributes:
        frames: the configurations.
        sources: the names of the data.
        left_out: how many others the data have.
        summary: a description of all.
    """

    frames: list[Atoms]
    sources: list[str]
    left_out: int
    summary: str


def some_of(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return three configurations, or as many as there are, to measure the error of equivariance."""
    return list(frames[:: max(1, len(frames) // 3)][:3])


def unseen_frames(options: argparse.Namespace, model: Potential, header: dict[str, Any]) -> Unseen:
    """Return the configurations of the command's data that a model was not trained on, as many as it asks for.

    Args:
        options: of the command line.
        model: the model.
        header: the entry `data` of the header of its checkpoint.

    Raises:
        InputError: there are none, or they cannot be used.
    """
    sources = sources_of(options, header)
    given = {name: getattr(options, f"{name}_key") for name in ("energy", "forces", "stress")}
    saved = header.get("keys", {}) if options.data is None else {}
    keys = data.Keys(**{**saved, **{name: key for name, key in given.items() if key is not None}})
    found = data.load_set(sources, keys)
    frames = found.frames
    name = ", ".join(sources)
    data.check_elements(frames, model.elements, name)
    known = set(header["trained_on"])
    unseen = [atoms for atoms in frames if fingerprint(atoms) not in known][: options.frames]
    if not unseen:
        raise DataError(f"{name}: expected frames that the model was not trained on, got none: give other --data")
    left_out = len([atoms for atoms in frames if fingerprint(atoms) in known])
    return Unseen(unseen, sources, left_out, data.summary(frames, found.origin, found.isolated))
