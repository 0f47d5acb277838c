"""From data to a new force field, and from a checkpoint back to it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from flax import nnx

from . import checkpoint
from .data import force_scale, reference_energies
from .graphs import Graph, to_graphs
from .model import ForceField, ModelConfig, Scaling
from .parameters import Structure


def scaling_of(frames: Sequence[Atoms], graphs: Sequence[Graph], elements: Sequence[int]) -> Scaling:
    """What the training configurations say about sizes."""
    atoms, edges = sum(len(g.species) for g in graphs), sum(len(g.senders) for g in graphs)
    return Scaling(
        reference_energies=tuple(reference_energies(frames, elements).tolist()),
        energy_scale=force_scale(frames),
        neighbors=max(edges / atoms, 1.0),
    )


def relative_graphs(frames: Sequence[Atoms], model: ModelConfig, scaling: Scaling, source: str) -> list[Graph]:
    """Graphs whose energies are relative to the reference energies of their atoms."""
    reference = np.array(scaling.reference_energies)
    graphs = to_graphs(frames, model.elements, model.cutoff, source)
    return [g._replace(energy=g.energy - float(np.sum(reference[g.species]))) for g in graphs]


def fingerprint(atoms: Atoms) -> str:
    """A short name of a configuration by its elements and positions."""
    positions = np.round(atoms.positions, 5) + 0.0
    return hashlib.sha256(atoms.numbers.astype("<i8").tobytes() + positions.astype("<f8").tobytes()).hexdigest()[:12]


def model_config(header: dict[str, Any]) -> ModelConfig:
    """The model configuration in a checkpoint."""
    return ModelConfig(**{**header["model"], "elements": tuple(header["model"]["elements"])})


def scaling(header: dict[str, Any]) -> Scaling:
    """The scaling in a checkpoint."""
    saved = header["scaling"]
    return Scaling(**{**saved, "reference_energies": tuple(saved["reference_energies"])})


def as_json(config: Any) -> dict[str, Any]:
    """A configuration as JSON will give it back."""
    return json.loads(json.dumps(asdict(config)))


def load_model(path: Path, dtype: str) -> tuple[ForceField, dict[str, Any]]:
    """The trained force field, with averaged parameters, and the header of its checkpoint.

    Raises:
        checkpoint.CheckpointError: a file that is no checkpoint, or not one of this model.
    """
    path = checkpoint.locate(path)
    saved = checkpoint.load(path)
    try:
        config, sizes = model_config(saved.header), scaling(saved.header)
    except (KeyError, TypeError) as error:
        raise checkpoint.CheckpointError(
            f"{path} holds the model ({checkpoint.describe(saved.header.get('model', {}))}), expected one with "
            f"({', '.join(ModelConfig.__dataclass_fields__)}): it was written by another version ({error})"
        ) from None
    structure = Structure(nnx.eval_shape(lambda: ForceField(config, sizes, rngs=nnx.Rngs(0), dtype=dtype)))
    return structure.model(checkpoint.unflatten("average", structure.first, saved.arrays, path)), saved.header
