"""Training: one compiled step, a learning rate that follows progress, averaged parameters, and a resumable state."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import irreps_ops as irr
from force_field import checkpoint
from force_field.derivatives import evaluate, graph_energies
from force_field.errors import CheckpointError
from force_field.evaluation import Parameters
from force_field.graphs import Batches
from force_field.model import ForceField
from force_field.settings import TrainingConfig, check_types, is_number
from irreps_flax.nnx import binding


@dataclass
class Progress:
    """The progress of a run: everything except arrays that resuming it needs."""

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    seconds: float = 0.0
    validated: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check the values, which may come from a file."""
        check_types(self)
        columns = {"step", "seconds", "loss", "energy_mae", "forces_mae"}
        lines = self.history if isinstance(self.history, list) else [None]
        if not all(
            isinstance(line, dict) and columns <= {*line} and all(map(is_number, line.values())) for line in lines
        ):
            raise ValueError(f"expected a history of {', '.join(sorted(columns))}, got {self.history!r:.100}")
        if min(self.epoch, self.batch, self.steps, self.seconds) < 0:
            raise ValueError(f"expected progress not below zero, got {self!r:.100}")


@dataclass(frozen=True)
class Report:
    """The result of a step.

    Attributes:
        fraction: completed fraction of the run, 0 to 1.
        loss: loss of the batch.
        force_error: root mean square error of the force components of the batch, eV/Å.
        validation: the last entry of the history if a validation followed the step, else None.
    """

    fraction: float
    loss: float
    force_error: float
    validation: dict[str, float] | None


def loss(model: ForceField, batch: irr.GraphBatch, config: TrainingConfig) -> tuple[jax.Array, jax.Array]:
    """Return the weighted sum of the mean errors of energies per atom, force components and stress.

    The errors are in units of the force scale times 1 Å. The error of a stress is multiplied by the volume, which makes
    it the derivative of the energy by strain.

    Returns:
        Loss, and the root mean square error of the force components in eV/Å.
    """
    scale, targets = model.scaling.energy_scale, batch.globals
    energies, forces, strain_derivatives = evaluate(model, batch)

    def error(found: jax.Array, wanted: jax.Array, mask: jax.Array) -> jax.Array:
        return jnp.where(mask, found - wanted, 0) / scale

    def mean(errors: jax.Array, count: jax.Array) -> jax.Array:
        return jnp.sum(errors) / jnp.maximum(count, 1)

    atoms = graph_energies(batch.node_mask.astype(forces.dtype), batch)
    atoms = jnp.maximum(atoms, 1)
    graphs, has_stress = batch.graph_mask, batch.graph_mask & targets.has_stress
    energy = error(graph_energies(energies, batch), targets.energy, graphs)
    energy_loss = mean(penalty(energy / jnp.sqrt(atoms), config.huber), jnp.sum(graphs))
    force = error(forces, batch.nodes.forces, batch.node_mask[:, None])
    force_loss = mean(penalty(force, config.huber), 3 * jnp.sum(batch.node_mask))
    wanted = targets.stress * targets.volume[:, None, None]
    strain = error(strain_derivatives, wanted, has_stress[:, None, None])
    strain_loss = mean(penalty(strain / jnp.sqrt(atoms)[:, None, None], config.huber), 9 * jnp.sum(has_stress))
    total = config.energy_weight * energy_loss + config.forces_weight * force_loss + config.stress_weight * strain_loss
    return total, jnp.sqrt(mean(force**2, 3 * jnp.sum(batch.node_mask))) * scale


def penalty(errors: jax.Array, huber: float) -> jax.Array:
    """Return the squares of errors or, with `huber` above zero, twice the Huber loss: its tangent beyond `huber`."""
    return 2 * optax.huber_loss(errors, delta=huber) if huber > 0 else errors**2


def learning_rate(config: TrainingConfig, fraction: float, steps: int) -> float:
    """Return the learning rate: linear warm-up over 200 steps, then half a cosine to zero at the end of the run."""
    return config.learning_rate * min(1.0, (steps + 1) / 200) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


class Trainer:
    """Training of a force field. Its attributes hold the whole state, which checkpoints save.

    Args:
        model: the force field with its initial parameters.
        config: the settings.
        data: the training batches; their energies are relative to the reference energies.
        validate: returns validation errors for parameters; called twenty times in a run.
    """

    def __init__(
        self,
        model: ForceField,
        config: TrainingConfig,
        data: Batches,
        validate: Callable[[Parameters], dict[str, float]],
    ) -> None:
        """See the class."""
        self.config, self.data, self.validate = config, data, validate
        self.model = model
        self.params: Parameters = binding.to_trees(model)[0]
        self.optimizer = optax.chain(optax.clip_by_global_norm(10.0), optax.scale_by_amsgrad())
        self.moments = self.optimizer.init(self.params)
        self.average = self.params
        self.progress = Progress()
        self.traces = 0  # the number of compilations
        self._step = jax.jit(self._update)

    def _update(
        self, params: Parameters, moments: Any, average: Parameters, batch: irr.GraphBatch, rate: Any, decay: Any
    ) -> tuple[Parameters, Any, Parameters, tuple[jax.Array, jax.Array]]:
        self.traces += 1

        def objective(params: Parameters) -> tuple[jax.Array, jax.Array]:
            return loss(binding.from_trees(self.model, params), batch, self.config)

        (value, error), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        update, moments = self.optimizer.update(gradient, moments, params)
        params = jax.tree.map(lambda p, u: p - rate.astype(p.dtype) * u, params, update)
        average = jax.tree.map(lambda a, p: a + (1 - decay.astype(p.dtype)) * (p - a), average, params)
        return params, moments, average, (value, error)

    def fraction(self) -> float:
        """Return the completed fraction of the run: of its epochs or of its time, whichever is larger."""
        p, c = self.progress, self.config
        epochs = (p.epoch + p.batch / max(len(self.data), 1)) / c.epochs if c.epochs > 0 else 0.0
        minutes = p.seconds / (60 * c.minutes) if c.minutes > 0 else 0.0
        return max(epochs, minutes)

    def steps(self) -> Iterator[Report]:
        """Train to the end of the run. Yield a report after each step; the state can be saved between two reports."""
        progress = self.progress
        while self.fraction() < 1:
            batches = self.data.indices(np.random.default_rng([self.config.seed, progress.epoch]))
            while progress.batch < len(batches) and self.fraction() < 1:
                start = time.perf_counter()
                bucket, indices = batches[progress.batch]
                value, error = self._advance(self.data.batch(bucket, indices))
                progress.batch += 1
                progress.seconds += time.perf_counter() - start
                start = time.perf_counter()
                validation = self._validate_if_due(value)
                progress.seconds += time.perf_counter() - start
                yield Report(self.fraction(), value, error, validation)
            if progress.batch >= len(batches):
                progress.epoch, progress.batch = progress.epoch + 1, 0

    def _advance(self, batch: irr.GraphBatch) -> tuple[float, float]:
        progress = self.progress
        rate = np.float32(learning_rate(self.config, self.fraction(), progress.steps))
        # Early parameters are poor: until the decay is reached, average over a tenth of the steps.
        decay = np.float32(min(self.config.ema, (1 + progress.steps) / (10 + progress.steps)))
        self.params, self.moments, self.average, out = self._step(
            self.params, self.moments, self.average, batch, rate, decay
        )
        progress.steps += 1
        value, error = float(out[0]), float(out[1])
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss became {value} at step {progress.steps}: lower --learning-rate, or check the data"
            )
        return value, error

    def _validate_if_due(self, value: float) -> dict[str, float] | None:
        progress, fraction = self.progress, self.fraction()
        if fraction < 1 and fraction < progress.validated + 0.05:
            return None
        line = {"step": progress.steps, "seconds": progress.seconds, "loss": value, **self.validate(self.average)}
        progress.history.append(line)
        progress.validated = fraction
        return line

    def save(self, path: Path, header: dict[str, Any]) -> None:
        """Write a checkpoint of the averaged parameters and of everything that resuming the run needs."""
        state = {"params": self.params, "moments": checkpoint.to_tree(self.moments)}
        header = {**header, "training": asdict(self.config), "progress": asdict(self.progress)}
        checkpoint.save(path, dict(self.average), state, header)

    def restore(self, saved: checkpoint.Checkpoint, path: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: the checkpoint belongs to another model, or its progress is malformed.
        """
        self.average = checkpoint.from_tree(self.average, saved.parameters, path)
        self.params = checkpoint.from_tree(self.params, saved.state.get("params", {}), path)
        self.moments = checkpoint.from_tree(self.moments, saved.state.get("moments", {}), path)
        try:
            self.progress = Progress(**saved.header["progress"])
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be resumed: {error}") from None
