"""The command `force-field train`."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from . import checkpoint, outputs, plots, report
from .evaluation import Parameters, Predictor, errors, errors_by_molecule
from .graphs import Batches, to_graphs
from .model import ForceField
from .plan import Plan, data_header, make_plan
from .potential import abstract_model, as_json, relative_to, scaling, scaling_of
from .training import Report, Trainer

SAVE_EVERY = 20.0  # seconds between two checkpoints
_PLOTS = ("learning-curve.png", "parity.png")


def train(options: argparse.Namespace, folder: Path, console: Console) -> int:
    """Run `force-field train` in a folder that is locked, and return the exit code."""
    path = folder / checkpoint.NAME
    saved = None
    if options.resume and path.exists():
        saved = checkpoint.load_run(path)
        abstract_model(saved, path, "float32")  # before anything is computed with its numbers
    elif options.resume:
        console.print(f"{folder}: the run was stopped before its first checkpoint. It starts again.", soft_wrap=True)
    plan = make_plan(options, saved, path)
    outputs.remove_unfinished(folder)
    outputs.check_writable(path, *(folder / name for name in _PLOTS))
    run = Run(plan, saved, path, console)
    if saved is None and path.exists():
        path.replace(folder / f"previous-{checkpoint.NAME}")
    with outputs.interruptible() as caught:
        try:
            finished = run.fit(caught)
        except SystemExit:  # rich raises it when nobody reads the output any more
            run.save()
            raise
        if not finished:
            console.print(
                f"Interrupted: saved {path}. The same command with --resume continues the run.", soft_wrap=True
            )
            return outputs.exit_code(caught)
    run.finish(folder)
    return 0


class Run:
    """One run of `force-field train`.

    Args:
        plan: what determines it.
        saved: the checkpoint that it continues, if it does.
        path: where checkpoints are written.
        console: where its progress is shown.
    """

    def __init__(self, plan: Plan, saved: checkpoint.Checkpoint | None, path: Path, console: Console) -> None:
        """See the class."""
        self.plan, self.path, self.console = plan, path, console
        self.train_frames, self.valid_frames = ([plan.frames[i] for i in part] for part in (plan.train, plan.valid))
        elements, config = plan.model.elements, plan.training
        graphs = to_graphs(plan.frames, elements, plan.model.cutoff, plan.names)
        train, valid = ([graphs[i] for i in part] for part in (plan.train, plan.valid))
        sizes = scaling(saved.header) if saved else scaling_of(self.train_frames, train, elements)
        self.train_graphs, self.valid_graphs = (
            relative_to(graphs, sizes.reference_energies) for graphs in (train, valid)
        )
        model = ForceField(plan.model, sizes, rngs=nnx.Rngs(config.seed), dtype=config.dtype)
        self.predictor = Predictor(model, config.dtype, 4 * config.batch_size)
        batches = Batches(self.train_graphs, config.batch_size, config.dtype)
        self.trainer = Trainer(model, config, batches, self._validate)
        if saved:
            self.trainer.restore(saved, path)
        self.header = {"model": as_json(plan.model), "scaling": asdict(sizes), "data": data_header(plan)}

    def _validate(self, params: Parameters) -> dict[str, float]:
        found = errors(self.valid_graphs, self.predictor(self.valid_graphs, params), self.plan.model.elements)
        return {"energy_mae": found.energy_mae, "forces_mae": found.forces_mae}

    def fit(self, caught: list[int]) -> bool:
        """Train to the end, and return False if interrupted. The state is saved in both cases, and before the start."""
        self.save()  # a disk without space for it is noticed before compilation
        counts = f"{len(self.train_frames)} training and {len(self.valid_frames)} validation configurations"
        shape = self.plan.model
        network = f"{shape.network}, {shape.layers} layers of {shape.channels} channels, degrees 0 to {shape.lmax}"
        self.console.print(
            f"{', '.join(self.plan.sources)}: {counts}.\n{network}; the first steps wait for compilation.",
            soft_wrap=True,
        )
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        last = time.perf_counter()
        with Progress(*columns, console=self.console, refresh_per_second=4) as bar:
            task = bar.add_task("", total=1.0)
            for step in self.trainer.steps():
                bar.update(task, completed=step.fraction, description=self._line(step))
                if step.validation:
                    bar.console.print(self._validation_line(step), highlight=False)
                if caught or time.perf_counter() - last > SAVE_EVERY:
                    self.save()
                    last = time.perf_counter()
                if caught:
                    return False
        self.save()
        return True

    def save(self) -> None:
        """Write the state of the run."""
        self.trainer.save(self.path, self.header)

    def _line(self, step: Report) -> str:
        seconds = self.trainer.progress.seconds
        left = seconds * max(0.0, 1 / step.fraction - 1) if step.fraction > 0 else 0.0
        force_error = f"forces (RMSE) {1e3 * step.force_error:5.1f} meV/Å"
        return f"loss {step.loss:.4f}, {force_error}, {left // 60:.0f}:{left % 60:02.0f} left"

    def _validation_line(self, step: Report) -> str:
        found = step.validation or {}
        return (
            f"{100 * min(step.fraction, 1):4.0f} %  step {found['step']:6d}  validation: "
            f"forces {found['forces_mae']:6.1f} meV/Å, energy {found['energy_mae']:6.1f} meV"
        )

    def finish(self, folder: Path) -> None:
        """Print errors and explanations, and write the plots."""
        average, elements = self.trainer.average, self.plan.model.elements
        predictions = self.predictor(self.valid_graphs, average)
        table = errors_by_molecule(self.valid_frames, self.valid_graphs, predictions, elements)
        overall = list(table.values())[-1]
        some = self.train_graphs[: len(self.valid_graphs)]
        training = errors(some, self.predictor(some, average), elements)
        curve, parity = (folder / name for name in _PLOTS)
        plots.learning_curve(curve, self.trainer.progress.history)
        mean = (overall.energy_mae, overall.forces_mae)
        plots.parity(parity, self.valid_graphs, predictions, mean)
        self.console.print(report.error_table(table, "Validation errors"))
        self.console.print(report.in_words(overall, training, len(self.train_frames)), highlight=False)
        self.console.print(
            f"\nIn {folder}: {checkpoint.NAME}, {', '.join(_PLOTS)}. Next:\n"
            f"  force-field evaluate {folder}\n  force-field md {folder}",
            highlight=False,
            soft_wrap=True,
        )
