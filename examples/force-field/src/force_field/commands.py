"""The command `force-field evaluate`."""

import argparse
from collections.abc import Sequence
from typing import Any

from ase import Atoms
from rich.console import Console

from . import data, report
from .errors import DataError, UsageError
from .evaluation import Predictor, equivariance_error, errors_by_molecule
from .potential import fingerprint, load_any, relative_graphs


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
    sources = sources_of(options, header)
    given = {name: getattr(options, f"{name}_key") for name in ("energy", "forces", "stress")}
    saved = header.get("keys", {}) if options.data is None else {}
    keys = data.Keys(**{**saved, **{name: key for name, key in given.items() if key is not None}})
    frames = data.load_set(sources, keys).frames
    name = ", ".join(sources)
    data.check_elements(frames, model.elements, name)
    known = set(header["trained_on"])
    unseen = [atoms for atoms in frames if fingerprint(atoms) not in known][: options.frames]
    if not unseen:
        raise DataError(f"{name}: expected frames that the model was not trained on, got none: give other --data")
    graphs = relative_graphs(unseen, model, name)
    predictor = Predictor(model, options.dtype)
    table = errors_by_molecule(unseen, graphs, predictor(graphs), model.elements)
    left_out = len(frames) - len([atoms for atoms in frames if fingerprint(atoms) not in known])
    console.print(report.error_table(table, f"{name}: {len(unseen)} frames; {left_out} training frames are left out"))
    some = unseen[:: max(1, len(unseen) // 3)][:3]
    for dtype in ("float32", "float64"):
        error = equivariance_error(predictor if dtype == options.dtype else Predictor(model, dtype), some)
        console.print(f"equivariance error in {dtype}: {error:.1e} (rotations and mirrors, relative)", highlight=False)
    return 0
