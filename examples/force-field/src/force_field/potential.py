"""From training data to a new force field, and from a checkpoint to a trained one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from flax import nnx

import irreps_ops as irr
from irreps_flax.nnx import binding

from . import checkpoint, pretrained
from .data import force_scale, reference_energies
from .derivatives import Potential
from .graphs import GraphData, graph_sizes, to_graphs
from .model import ForceField, ModelConfig, Scaling
from .pretrained.config import PublicConfig, maker


def scaling_of(
    frames: Sequence[Atoms],
    graphs: Sequence[irr.Graph],
    elements: Sequence[int],
    isolated: Mapping[int, float] | None = None,
) -> Scaling:
    """Return the scaling that training configurations and their graphs determine.

    Args:
        frames: the configurations.
        graphs: their graphs.
        elements: atomic numbers that the model knows.
        isolated: known energies of isolated atoms, by atomic number.
    """
    atoms, edges = graph_sizes(graphs).sum(axis=0).tolist()
    return Scaling(
        reference_energies=tuple(reference_energies(frames, elements, isolated).tolist()),
        energy_scale=force_scale(frames),
        neighbors=max(edges / atoms, 1.0),
    )


def relative_to(graphs: Sequence[irr.Graph], reference_energies: Sequence[float]) -> list[irr.Graph]:
    """Return graphs whose energies are relative to the reference energies of their atoms."""
    reference = np.array(reference_energies)

    def relative(data: GraphData, species: np.ndarray) -> GraphData:
        return data._replace(energy=data.energy - float(np.sum(reference[species])))

    return [g._replace(globals=relative(g.globals, g.nodes.species)) for g in graphs]


def relative_graphs(frames: Sequence[Atoms], model: Potential, source: str) -> list[irr.Graph]:
    """Return the graphs of configurations, with energies relative to the reference energies of their atoms."""
    return relative_to(to_graphs(frames, model.elements, model.cutoff, source), model.reference_energies)


def fingerprint(atoms: Atoms) -> str:
    """Return a short identifier of a configuration, computed from its elements and positions."""
    positions = np.round(atoms.positions, 5) + 0.0
    return hashlib.sha256(atoms.numbers.astype("<i8").tobytes() + positions.astype("<f8").tobytes()).hexdigest()[:12]


def model_config(header: dict[str, Any]) -> ModelConfig | PublicConfig:
    """Return the model configuration of a checkpoint."""
    if "family" in header["model"]:
        return PublicConfig(**{**header["model"], "elements": tuple(header["model"]["elements"])})
    return ModelConfig(**{**header["model"], "elements": tuple(header["model"]["elements"])})


def scaling(header: dict[str, Any]) -> Scaling:
    """Return the scaling of a checkpoint."""
    saved = header["scaling"]
    return Scaling(**{**saved, "reference_energies": tuple(saved["reference_energies"])})


def as_json(config: Any) -> dict[str, Any]:
    """Return a configuration as it is after writing and reading JSON."""
    return json.loads(json.dumps(asdict(config)))


def load_model(path: Path, dtype: str) -> tuple[Potential, dict[str, Any]]:
    """Read a trained force field, with averaged parameters.

    Args:
        path: checkpoint, or folder of a training run.
        dtype: dtype of the parameters; "float64" needs the JAX option jax_enable_x64.

    Returns:
        The force field, and the header of its checkpoint.

    Raises:
        checkpoint.CheckpointError: the file is not a checkpoint, or belongs to another model.
    """
    path = checkpoint.locate(path)
    saved = checkpoint.load_run(path, dtype)
    return binding.from_trees(abstract_model(saved, path, dtype), saved.parameters), saved.header


def load_any(path: Path, dtype: str) -> tuple[Potential, dict[str, Any]]:
    """Read a trained force field or a published model.

    Args:
        path: checkpoint, folder of a training run, or file of a published model.
        dtype: dtype of the parameters.

    Returns:
        The potential; and the entry `data` of the header of its checkpoint, which for a published model names no data.

    Raises:
        checkpoint.CheckpointError, pretrained.PretrainedError: the file cannot be used.
    """
    if pretrained.recognize(path) is not None:
        return pretrained.load(path, dtype), {"source": [], "trained_on": []}
    model, header = load_model(path, dtype)
    return model, header["data"]


def abstract_model(saved: checkpoint.Checkpoint, path: Path, dtype: str) -> Potential:
    """Return the force field of a checkpoint with abstract parameters: shapes and dtypes alone.

    Raises:
        checkpoint.CheckpointError: the header describes no model, or another one than the parameters.
    """
    try:
        config, sizes = model_config(saved.header), scaling(saved.header)
        if len(sizes.reference_energies) != len(config.elements):
            raise ValueError(f"{len(config.elements)} elements with {len(sizes.reference_energies)} reference energies")
        model = _abstract(config, sizes, dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(
            f"{path} holds the model ({checkpoint.describe(saved.header['model'])}), expected one with "
            f"({', '.join(ModelConfig.__dataclass_fields__)}): it is damaged or of another version ({error!s:.200})"
        ) from None
    try:
        irr.bindings.check_tree(saved.parameters, binding.to_trees(model)[0])
    except ValueError as error:
        raise checkpoint.CheckpointError(f"{path}: {error}") from None
    return model


def _abstract(config: ModelConfig | PublicConfig, sizes: Scaling, dtype: str) -> Potential:
    if isinstance(config, PublicConfig):
        make = maker(config)
        return nnx.eval_shape(lambda: make(nnx.Rngs(0), dtype))
    return nnx.eval_shape(lambda: ForceField(config, sizes, rngs=nnx.Rngs(0), dtype=dtype))
