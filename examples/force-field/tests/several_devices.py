"""Print the losses of short trainings with some numbers of devices, as JSON: `several_devices.py DEVICES...`."""

import json
import sys

import jax
import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from flax import nnx

from force_field.graphs import Batches, to_graphs
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.settings import TrainingConfig
from force_field.training import Trainer


def frames() -> list[Atoms]:
    """Seven waters: with batches of five, some devices have nothing to do."""
    rng, found = np.random.default_rng(0), []
    for _ in range(7):
        atoms = molecule("H2O")
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
        forces = rng.normal(size=atoms.positions.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=forces)
        atoms.info["config_weight"] = float(rng.uniform(0.5, 2.0))
        found.append(atoms)
    return found


def losses(devices: int) -> list[float]:
    """Return the losses of eight steps and, at the end, a validation's number."""
    config = TrainingConfig(
        batch_size=5, epochs=4, minutes=0, warmup=0, dtype="float64", per_element=True, devices=devices
    )
    shape = ModelConfig((1, 8), channels=2, layers=1, lmax=0, radial_basis=4, radial_hidden=4)
    model = ForceField(shape, Scaling((0.0, 0.0), 1.0, 2.0), rngs=nnx.Rngs(0), dtype="float64")
    batches = Batches(to_graphs(frames(), (1, 8), 3.0, "test"), 5, np.float64)
    trainer = Trainer(model, config, batches, lambda params: {"forces_mae": float(np.sum(params["offsets"]))})
    found = [value for step in trainer.steps() for value in (step.loss, step.force_error)]
    return [*found, trainer.progress.history[-1]["forces_mae"]]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(json.dumps([losses(int(count)) for count in sys.argv[1:]]))
