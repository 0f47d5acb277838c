"""What rebuilds a public model without its file: fine-tuned ones are saved in checkpoints of our own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from flax import nnx

import irreps_ops as irr
from force_field.derivatives import Potential

from .mace import Mace, MaceConfig
from .nequix import Nequix, check
from .sevennet import SevenNet, SevenNetConfig

_CLASSES: dict[str, tuple[type, type]] = {"sevennet": (SevenNet, SevenNetConfig), "mace": (Mace, MaceConfig)}


@dataclass(frozen=True)
class PublicConfig:
    """The configuration of a public model.

    Attributes:
        elements: atomic numbers that it knows, in its order.
        family: "sevennet", "nequix" or "mace".
        cutoff: in Å.
        network: everything else, as JSON represents it.
    """

    elements: tuple[int, ...]
    family: str
    cutoff: float
    network: Mapping[str, Any]

    def __str__(self) -> str:
        """Return a few words for users."""
        return f"{self.family}, {len(self.elements)} elements, cutoff {self.cutoff} Å"


def public_config(model: Potential) -> PublicConfig:
    """Return the configuration of a public model."""
    if isinstance(model, Nequix):
        shift = model.config["shift"]
        network = {"config": dict(model.config), "energies": [e - shift for e in model.reference_energies]}
        return PublicConfig(tuple(model.elements), "nequix", model.cutoff, network)
    family = next(name for name, (network, _) in _CLASSES.items() if isinstance(model, network))
    config: Any = model.config  # pyright: ignore[reportAttributeAccessIssue]  (each class has one)
    network = {field.name: _plain(getattr(config, field.name)) for field in fields(config)}
    return PublicConfig(tuple(model.elements), family, model.cutoff, network)


def _plain(value: Any) -> Any:
    if isinstance(value, irr.Irreps):
        return str(value)
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def maker(config: PublicConfig) -> Callable[[nnx.Rngs, str], Potential]:
    """Return a function that makes the network with random parameters of a dtype.

    Raises:
        ValueError, KeyError, TypeError: the configuration is damaged.
    """
    network = dict(config.network)
    if config.family == "nequix":
        check(network["config"])
        energies = np.array(network["energies"], float)
        return lambda rngs, dtype: Nequix(network["config"], energies, rngs=rngs, dtype=dtype)
    if config.family not in _CLASSES:
        raise ValueError(f"expected the family {', '.join(_CLASSES)} or nequix, got {config.family!r:.60}")
    made, of_config = _CLASSES[config.family]
    values = {f.name: network[f.name] for f in fields(of_config)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    values["features"] = tuple(map(irr.Irreps, values["features"]))
    found = of_config(**values)
    return lambda rngs, dtype: made(found, rngs=rngs, dtype=dtype)
