"""The plan of a training run: everything that determines it."""

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from . import checkpoint, data
from .data import DataSet, Keys
from .errors import CheckpointError, UsageError, usage_errors
from .potential import as_json, fingerprint
from .pretrained.config import PublicConfig
from .settings import FREE, LARGE_FROM, SIZES, ModelConfig, TrainingConfig, is_number
from .sources import BUILT_IN
from .training.start import Start, resumed, start_from

# The defaults for a trained model. Muon makes steps of one size in all directions, also where nothing is to be changed.
CONTINUED = {"optimizer": "amsgrad", "learning_rate": 0.01}


@dataclass(frozen=True)
class Plan:
    """Everything that determines a training run.

    Attributes:
        model: the network.
        training: the settings of the training.
        sources: names of the data.
        keys: the names of the targets there.
        data: the configurations of all sources.
        train: indices of the training configurations.
        valid: indices of the validation configurations.
        start: the trained model with which the run begins, if it does.
        origin: its file.
    """

    model: ModelConfig | PublicConfig
    training: TrainingConfig
    sources: list[str]
    keys: Keys
    data: DataSet
    train: list[int]
    valid: list[int]
    start: Start | None = None
    origin: str | None = None


def _given(options: argparse.Namespace, config: type) -> dict[str, Any]:
    """Return the fields of a configuration that the command line sets."""
    values = {f.name: getattr(options, f.name, None) for f in fields(config)}
    return {name: value for name, value in values.items() if value is not None}


def _keys(options: argparse.Namespace) -> dict[str, str]:
    """Return the names of targets that the command line gives."""
    keys = {name: getattr(options, f"{name}_key") for name in ("energy", "forces", "stress")}
    return {name: key for name, key in keys.items() if key is not None}


def _training_config(given: dict[str, Any]) -> TrainingConfig:
    """Return the settings of training; the default limit of minutes is for runs without any limit."""
    epochs = given.get("epochs", 0)
    return TrainingConfig(**({"minutes": 0.0, **given} if is_number(epochs) and epochs > 0 else given))


def make_plan(options: argparse.Namespace, saved: checkpoint.Checkpoint | None, path: Path) -> Plan:
    """Combine defaults, the checkpoint that is resumed, and the command line.

    Args:
        options: of the command line and of the file of settings.
        saved: the checkpoint that is resumed, if one is.
        path: of this checkpoint, for messages.

    Raises:
        InputError: the data or the settings cannot be used, or are not those of the checkpoint.
    """
    if options.start is not None or (saved and saved.header["data"].get("from") is not None):
        return _continued(options, saved, path)
    header: dict[str, Any] = saved.header if saved else {"data": {}, "training": {}, "model": {}}
    model, training = _given(options, ModelConfig), _given(options, TrainingConfig)
    if options.size:
        model = {**SIZES[options.size], **model}
    keys = _keys(options)
    chosen = {"source": options.data, "train": options.train, "valid": options.valid}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    fixed = {name: value for name, value in training.items() if name not in FREE}
    checkpoint.check_same("model", header["model"], model, path)
    checkpoint.check_same("training", header["training"], fixed, path)
    checkpoint.check_same("data", header["data"], chosen, path)
    saved_keys = header["data"].get("keys", {})
    checkpoint.check_same("names of targets", saved_keys, keys, path)
    chosen = {"source": list(BUILT_IN), "train": None, "valid": None, **header["data"], **chosen}
    with _reported(path):
        config = _training_config({**header["training"], **training})
        if config.lora_rank > 0:
            raise UsageError("--lora-rank adapts a trained model: name it with --from")
        names = Keys(**{**saved_keys, **keys})
        found = data.load_set(chosen["source"], names)
        frames = found.frames
        elements = tuple(sorted({z for atoms in frames for z in atoms.numbers.tolist()}))
        size = "M" if config.minutes <= 0 or config.minutes >= LARGE_FROM else "S"
        asked = ModelConfig(**{"elements": elements, **SIZES[size], **header["model"], **model})
    train, valid = data.split(len(frames), chosen["train"], chosen["valid"], config.seed)
    model_config = replace(asked, elements=elements)
    plan = Plan(model_config, config, chosen["source"], names, found, train.tolist(), valid.tolist())
    if saved:
        checkpoint.check_same("model", header["model"], as_json(plan.model), path)
        checkpoint.check_same("data", header["data"], data_header(plan), path)
    return plan


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Let wrong settings be errors of usage, and settings that this version lacks errors of the checkpoint."""
    try:
        with usage_errors():
            yield
    except TypeError as error:
        raise CheckpointError(f"{path} was written by another version of force-field: {error}") from None


def _continued(options: argparse.Namespace, saved: checkpoint.Checkpoint | None, path: Path) -> Plan:
    """Return the plan of a run that begins with a trained model."""
    header: dict[str, Any] = saved.header if saved else {"data": {"from": str(options.start)}, "training": {}}
    if _given(options, ModelConfig) or options.size:
        raise UsageError(
            "the network of a trained model cannot be changed: omit --network, --size and the other options of models"
        )
    chosen = {"source": options.data, "train": options.train, "valid": options.valid}
    if options.start is not None:
        chosen["from"] = str(options.start)
    chosen = {name: value for name, value in chosen.items() if value is not None}
    training = _given(options, TrainingConfig)
    fixed = {name: value for name, value in training.items() if name not in FREE}
    checkpoint.check_same("training", header["training"], fixed, path)
    checkpoint.check_same("data", header["data"], chosen, path)
    keys, saved_keys = _keys(options), header["data"].get("keys", {})
    checkpoint.check_same("names of targets", saved_keys, keys, path)
    chosen = {"train": None, "valid": None, **header["data"], **chosen}
    if "source" not in chosen:
        raise UsageError("a trained model does not say which data it is to be trained on: give --data")
    with _reported(path):
        config = _training_config({**CONTINUED, **header["training"], **training})
        names = Keys(**{**saved_keys, **keys})
        found = data.load_set(chosen["source"], names)
    start = resumed(saved, path, config.dtype) if saved else start_from(Path(chosen["from"]), config.dtype)
    data.check_elements(found.frames, start.config.elements, ", ".join(chosen["source"]))
    train, valid = data.split(len(found.frames), chosen["train"], chosen["valid"], config.seed)
    plan = Plan(
        start.config, config, chosen["source"], names, found, train.tolist(), valid.tolist(), start, chosen["from"]
    )
    if saved:
        checkpoint.check_same("data", header["data"], data_header(plan), path)
    return plan


def data_header(plan: Plan) -> dict[str, Any]:
    """Return the description of the data in a checkpoint."""
    return {
        "source": plan.sources,
        "keys": asdict(plan.keys),
        "from": plan.origin,
        "train": len(plan.train),
        "valid": len(plan.valid),
        "trained_on": [fingerprint(plan.data.frames[i]) for i in plan.train],
    }
