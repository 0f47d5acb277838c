"""Where a training run begins that does not begin with random parameters."""

from dataclasses import dataclass
from pathlib import Path

from force_field import checkpoint, pretrained
from force_field.derivatives import Potential
from force_field.model import Scaling
from force_field.potential import abstract_model, load_model, model_config, scaling
from force_field.pretrained.config import PublicConfig, public_config
from force_field.settings import ModelConfig
from irreps_flax.nnx import binding


@dataclass(frozen=True)
class Start:
    """A trained model.

    Attributes:
        model: the force field with its parameters.
        config: its network.
        scaling: its scaling.
    """

    model: Potential
    config: ModelConfig | PublicConfig
    scaling: Scaling


def start_from(path: Path, dtype: str) -> Start:
    """Return the trained model of a checkpoint, of a folder of a training run, or of a file of a public model.

    Raises:
        InputError: the file cannot be used.
    """
    if pretrained.recognize(path) is not None:
        model = pretrained.load(path, dtype)
        return Start(model, public_config(model), Scaling(tuple(model.reference_energies), 1.0, 1.0))
    model, header = load_model(path, dtype)
    return Start(model, model_config(header), scaling(header))


def resumed(saved: checkpoint.Checkpoint, path: Path, dtype: str) -> Start:
    """Return the trained model with which the run of a checkpoint began: with low-rank changes, before them.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    parameters = checkpoint.cast(saved.state.get("base", saved.parameters), dtype)
    model = binding.from_trees(abstract_model(saved, path, dtype), parameters)
    return Start(model, model_config(saved.header), scaling(saved.header))
