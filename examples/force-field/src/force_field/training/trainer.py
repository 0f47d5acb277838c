"""The loop of training: one compiled step, averaged parameters, and a state that can be saved between two steps."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from force_field import checkpoint
from force_field.derivatives import Potential
from force_field.errors import CheckpointError
from force_field.evaluation import Parameters
from force_field.graphs import Batches, Bucket
from force_field.settings import TrainingConfig
from irreps_flax.nnx import binding

from .devices import Devices
from .loss import Weights, loss
from .low_rank import LowRank
from .optimizer import learning_rate, loss_weights, make_optimizer
from .prefetching import prefetched
from .progress import DivergedError, Progress, Report

_NAMED = 10  # configurations in a message


class Trainer:
    """Training of a force field. Its attributes hold the whole state, which checkpoints save.

    Args:
        model: the force field with its initial parameters.
        config: the settings.
        data: the training batches; their energies are relative to the reference energies.
        validate: returns validation errors for parameters.
        on_compile: is called with the sizes of a batch before the first step with these sizes, and with None after it.
        low_rank: the adaptation whose factors alone are trained (default: all parameters are).
    """

    def __init__(
        self,
        model: Potential,
        config: TrainingConfig,
        data: Batches,
        validate: Callable[[Parameters], dict[str, float]],
        on_compile: Callable[[Bucket | None], None] = lambda bucket: None,
        low_rank: LowRank | None = None,
    ) -> None:
        """See the class."""
        self.config, self.data, self.validate, self.on_compile = config, data, validate, on_compile
        self.model, self.devices = model, Devices(config.devices)
        self.low_rank = low_rank
        self.base: Parameters = low_rank.base if low_rank else {}  # what is not trained
        self.params: Parameters = low_rank.initial if low_rank else binding.to_trees(model)[0]
        self.optimizer = make_optimizer(config)
        self.moments = self.optimizer.init(self.params)
        self.average = self.params
        self.best = self.params  # with the smallest error of forces in validation, if there is patience
        self.progress = Progress()
        self.rate = 0.0  # the learning rate of the last step
        self.traces = 0  # the number of compilations
        self._step = jax.jit(self._update)

    def whole(self, params: Parameters, base: Parameters | None = None) -> Parameters:
        """Return the parameters of the model that belong to those that are trained."""
        return self.low_rank.merge(params, self.base if base is None else base) if self.low_rank else params

    def _update(
        self,
        params: Parameters,
        base: Parameters,
        moments: Any,
        average: Parameters,
        batch: irr.GraphBatch,
        weights: Weights,
        rate: Any,
        decay: Any,
    ) -> tuple[Parameters, Any, Parameters, tuple[jax.Array, jax.Array, jax.Array]]:
        self.traces += 1

        def objective(params: Parameters, batch: irr.GraphBatch, constants: Any, total: Any) -> Any:
            weights, base = constants
            return loss(binding.from_trees(self.model, self.whole(params, base)), batch, self.config, weights, total)

        (value, error), gradient = self.devices.gradient(objective, params, batch, (weights, base))
        update, moments = self.optimizer.update(gradient, moments, params)
        params = jax.tree.map(lambda p, u: p + rate.astype(p.dtype) * u, params, update)
        average = jax.tree.map(lambda a, p: a + (1 - decay.astype(p.dtype)) * (p - a), average, params)
        return params, moments, average, (value, error, _norm(gradient))

    def fraction(self) -> float:
        """Return the completed fraction of the run: of its epochs or of its time, whichever is larger."""
        p, c = self.progress, self.config
        epochs = (p.epoch + p.batch / max(len(self.data), 1)) / c.epochs if c.epochs > 0 else 0.0
        minutes = p.seconds / (60 * c.minutes) if c.minutes > 0 else 0.0
        return max(epochs, minutes)

    def finished(self) -> bool:
        """Return whether the run has reached its limit, or has not improved for too long."""
        return self.fraction() >= 1 or self.has_stalled()

    def has_stalled(self) -> bool:
        """Return whether the last validations, as many as the patience, brought no smaller error of forces."""
        if self.config.patience == 0:
            return False
        errors = self._errors_of_stage()
        return bool(errors) and len(errors) - 1 - int(np.argmin(errors)) >= self.config.patience

    def _errors_of_stage(self) -> list[float]:
        """Return the errors of forces in the validations of the last stage."""
        start = self.config.second_stage
        return [line["forces_mae"] for line in self.progress.history if line["fraction"] >= start]

    def steps(self) -> Iterator[Report]:
        """Train to the end of the run. Yield a report after each step; the state can be saved between two reports."""
        progress, compiled = self.progress, set[Bucket]()
        everything = (self.params, self.base, self.moments, self.average)
        self.params, self.base, self.moments, self.average = self.devices.replicated(everything)
        while not self.finished():
            batches = self.data.indices(np.random.default_rng([self.config.seed, progress.epoch]))
            for (bucket, indices), batch in prefetched(self._batch, batches[progress.batch :]):
                start, new = time.perf_counter(), bucket not in compiled
                if new:
                    self.on_compile(bucket)
                try:
                    value, error = self._advance(batch)
                except DivergedError as found:
                    raise DivergedError(f"{found}, in the batch of {self._names(indices)}") from None
                if new:
                    compiled.add(bucket)
                    self.on_compile(None)
                progress.batch += 1
                if progress.batch == len(batches):  # before the state can be saved: a saved epoch is never full
                    progress.epoch, progress.batch = progress.epoch + 1, 0
                progress.seconds += time.perf_counter() - start
                start = time.perf_counter()
                validation = self._validate_if_due(value)
                progress.seconds += time.perf_counter() - start
                yield Report(self.fraction(), value, error, self.rate, validation)
                if self.finished():
                    break

    def _batch(self, chosen: tuple[Bucket, list[int]]) -> irr.GraphBatch:
        bucket, indices = chosen
        return self.devices.batch(self.data.chosen(indices), bucket, self.data.dtype)

    def _names(self, indices: list[int]) -> str:
        names = [self.data.names[i] for i in indices[:_NAMED]]
        return "; ".join(names) + (f" and {len(indices) - _NAMED} more" if len(indices) > _NAMED else "")

    def _advance(self, batch: irr.GraphBatch) -> tuple[float, float]:
        """Take a step. If its numbers are not finite, the state remains that before the step."""
        progress, fraction = self.progress, self.fraction()
        self.rate = learning_rate(self.config, fraction, progress.steps)
        weights = Weights(*(np.float32(w) for w in loss_weights(self.config, fraction)))
        # Early parameters are poor: until the decay is reached, average over a tenth of the steps.
        decay = np.float32(min(self.config.ema, (1 + progress.steps) / (10 + progress.steps)))
        *state, out = self._step(
            self.params, self.base, self.moments, self.average, batch, weights, np.float32(self.rate), decay
        )
        value, error, norm = (float(number) for number in out)
        if not (math.isfinite(value) and math.isfinite(norm)):
            name, number = ("loss", value) if not math.isfinite(value) else ("norm of the gradient", norm)
            raise DivergedError(f"the {name} became {number} at step {progress.steps + 1}")
        self.params, self.moments, self.average = state
        progress.steps += 1
        return value, error

    def _validate_if_due(self, value: float) -> dict[str, float] | None:
        progress, fraction = self.progress, self.fraction()
        if fraction < 1 and fraction < progress.validated + 1 / self.config.validations:
            return None
        found = self.validate(self.devices.on_host(self.whole(self.average)))
        if not all(map(math.isfinite, found.values())):
            raise DivergedError(f"the errors of validation became {found} at step {progress.steps}")
        line = {"step": progress.steps, "seconds": progress.seconds, "fraction": fraction, "loss": value, **found}
        progress.history.append(line)
        progress.validated = fraction
        errors = self._errors_of_stage() if self.config.patience > 0 else []
        if not errors or errors[-1] == min(errors):
            self.best = self.average
        return line

    def result(self) -> Parameters:
        """Return the averaged parameters of the model; with patience, those of the best validation."""
        best = self.config.patience > 0 and self.progress.history
        return self.devices.on_host(self.whole(self.best if best else self.average))

    def save(self, path: Path, header: dict[str, Any]) -> None:
        """Write a checkpoint of the parameters of the result and of everything that resuming the run needs."""
        state = {"params": self.params, "average": self.average, "moments": checkpoint.to_tree(self.moments)}
        if self.low_rank:
            state |= {"base": self.base, "best": self.best}
        header = {**header, "training": asdict(self.config), "progress": asdict(self.progress)}
        checkpoint.save(path, dict(self.result()), state, header)

    def restore(self, saved: checkpoint.Checkpoint, path: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: the checkpoint belongs to another model, or its progress is malformed.
        """
        best = saved.state.get("best", {}) if self.low_rank else saved.parameters
        self.best = checkpoint.from_tree(self.best, best, path)
        self.params = checkpoint.from_tree(self.params, saved.state.get("params", {}), path)
        self.average = checkpoint.from_tree(self.average, saved.state.get("average", {}), path)
        self.moments = checkpoint.from_tree(self.moments, saved.state.get("moments", {}), path)
        try:
            self.progress = Progress(**saved.header["progress"])
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be resumed: {error}") from None
        # Earlier versions could save the end of an epoch, which is the start of the next one.
        epochs, self.progress.batch = divmod(self.progress.batch, max(len(self.data), 1))
        self.progress.epoch += epochs


def _norm(tree: Parameters) -> jax.Array:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))
