"""The command `force-field train`."""

import argparse
import signal
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import jax
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from irreps_flax.nnx import binding
from irreps_ops.bindings import tree_leaves
from irreps_ops.checkpoint import write_file

from . import checkpoint, outputs, plots, report
from .commands import some_of
from .data import summary
from .errors import UsageError
from .evaluation import Parameters, Prediction, Predictor, equivariance_error, errors, errors_by_molecule
from .graphs import Batches, Bucket, to_graphs
from .model import ForceField, Scaling
from .plan import Plan, data_header, make_plan
from .potential import abstract_model, as_json, relative_to, scaling, scaling_of
from .pretrained.config import PublicConfig
from .reports.page import Content, page
from .settings import ModelConfig, TrainingConfig
from .training import DivergedError, Report, Trainer, logs
from .training.devices import in_any_process, join_processes
from .training.low_rank import LowRank

_PLOTS = ("learning-curve.png", "parity.png")
_REPORT = "report.html"


def train(options: argparse.Namespace, folder: Path, console: Console) -> int:
    """Run `force-field train` in a folder that is locked, and return the exit code."""
    if options.processes > 1:
        join_processes(options.coordinator, options.processes, options.process)
    first = jax.process_index() == 0  # the other processes write nothing
    path = folder / checkpoint.NAME
    saved = None
    if options.resume and path.exists():
        saved = checkpoint.load_run(path)
        abstract_model(saved, path, "float32")  # before anything is computed with its numbers
    elif options.resume:
        console.print(f"{folder}: the run was stopped before its first checkpoint. It starts again.", soft_wrap=True)
    plan = make_plan(options, saved, path)
    if options.processes > 1 and plan.training.minutes > 0:
        raise UsageError("several processes must end at one step: give a limit of --epochs instead of --minutes")
    writer = logs.tensorboard_writer() if plan.training.tensorboard else None
    if first:
        outputs.remove_unfinished(folder)
        outputs.check_writable(path, *(folder / name for name in (*_PLOTS, _REPORT)))
    run = Run(plan, saved, path, console)
    for name in (checkpoint.NAME, logs.NAME):
        if first and saved is None and (folder / name).exists():
            (folder / name).replace(folder / f"previous-{name}")
    run.save()  # a disk without space for it is noticed before compilation
    log = logs.Log(folder, run.trainer.progress.steps, writer) if first else nullcontext()
    with outputs.interruptible() as caught, log as run.log:
        try:
            finished = run.fit(caught)
        except SystemExit:  # rich raises it when nobody reads the output any more
            run.save()
            raise
        except DivergedError as error:
            run.save()  # the state before the step
            raise DivergedError(
                f"{error}. {path} keeps the state before it. Check these configurations, or start again with a lower "
                "--learning-rate"
            ) from None
        if not finished:
            console.print(
                f"Interrupted: saved {path}. The same command with --resume continues the run.", soft_wrap=True
            )
            return outputs.exit_code(caught or [signal.SIGTERM])  # which another process received
    if first:
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
        self.train_frames, self.valid_frames = (
            [plan.data.frames[i] for i in part] for part in (plan.train, plan.valid)
        )
        elements, config = plan.model.elements, plan.training
        graphs = to_graphs(plan.data.frames, elements, plan.model.cutoff, plan.data.names)
        train, valid = ([graphs[i] for i in part] for part in (plan.train, plan.valid))
        begun = plan.start.scaling if plan.start else None
        sizes = (
            scaling(saved.header)
            if saved
            else begun or scaling_of(self.train_frames, train, elements, plan.data.isolated)
        )
        self.train_graphs, self.valid_graphs = (
            relative_to(graphs, sizes.reference_energies) for graphs in (train, valid)
        )
        model, low_rank = plan.start.model if plan.start else _new(plan.model, sizes, config), None
        if config.lora_rank > 0:
            low_rank = LowRank(binding.to_trees(model)[0], config.lora_rank, config.lora_scale, config.seed)
        self.predictor = Predictor(model, config.dtype, 4 * config.batch_size)
        names = [plan.data.names[i] for i in plan.train]
        batches = Batches(self.train_graphs, config.batch_size, config.dtype, names)
        self.trainer = Trainer(model, config, batches, self._validate, low_rank=low_rank)
        if saved:
            self.trainer.restore(saved, path)
        self.log: logs.Log | None = None
        self.header = {"model": as_json(plan.model), "scaling": asdict(sizes), "data": data_header(plan)}

    def _validate(self, params: Parameters) -> dict[str, float]:
        found = errors(self.valid_graphs, self.predictor(self.valid_graphs, params), self.plan.model.elements)
        return {"energy_mae": found.energy_mae, "forces_mae": found.forces_mae}

    def fit(self, caught: list[int]) -> bool:
        """Train to the end, and return False if interrupted. The state is saved in both cases."""
        counts = f"{len(self.train_frames)} training and {len(self.valid_frames)} validation configurations"
        trainer, network = self.trainer, str(self.plan.model)
        if self.plan.origin:
            count = sum(leaf.size for _, leaf in tree_leaves(trainer.params))
            network += f", from {self.plan.origin}; {count:,} parameters are trained"
        found = self.plan.data
        self.console.print(
            f"{', '.join(self.plan.sources)}: {summary(found.frames, found.origin, found.isolated)}\n"
            f"{counts}.\n{network}.",
            highlight=False,
            soft_wrap=True,
        )
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        last = time.perf_counter()
        with Progress(*columns, console=self.console, refresh_per_second=4) as bar:
            task = bar.add_task("", total=1.0)
            trainer.on_compile = _Compilation(bar, task, len(set(trainer.data.buckets)))
            for step in trainer.steps():
                bar.update(task, completed=step.fraction, description=self._line(step))
                if self.log is not None:
                    self.log.write(trainer.progress.steps, trainer.progress.seconds, step)
                if step.validation:
                    bar.console.print(self._validation_line(step), highlight=False)
                # A process that stopped alone would let the others wait for it without end.
                stopped = in_any_process(bool(caught))
                if stopped or time.perf_counter() - last > self.plan.training.save_every:
                    self.save()
                    last = time.perf_counter()
                if stopped:
                    return False
        self.save()
        if trainer.has_stalled():
            self.console.print(f"Stopped early: {trainer.config.patience} validations brought no smaller error.")
        return True

    def save(self) -> None:
        """Write the state of the run, and the log up to it."""
        if self.log is not None:
            self.log.flush()
        if jax.process_index() == 0:
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
        average, elements = self.trainer.result(), self.plan.model.elements
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
        words = report.in_words(overall, training, len(self.train_frames))
        self.console.print(words, highlight=False)
        self._write_report(folder, average, predictions, words)
        self.console.print(
            f"\nIn {folder}: {checkpoint.NAME}, {', '.join((*_PLOTS, _REPORT))}. Next:\n"
            f"  force-field evaluate {folder}\n  force-field md {folder}",
            highlight=False,
            soft_wrap=True,
        )

    def _write_report(self, folder: Path, parameters: Parameters, predictions: list[Prediction], words: str) -> None:
        """Write the report as HTML."""
        plan, found = self.plan, self.plan.data
        self.predictor.parameters = parameters
        start = time.perf_counter()
        self.predictor(self.valid_graphs)  # compiled before
        seconds = time.perf_counter() - start
        content = Content(
            name=folder.name,
            model=str(plan.model),
            words=words,
            data=f"{', '.join(plan.sources)}: {summary(found.frames, found.origin, found.isolated)}",
            frames=self.valid_frames,
            graphs=self.valid_graphs,
            predictions=predictions,
            elements=plan.model.elements,
            history=self.trainer.progress.history,
            seconds=seconds / sum(map(len, self.valid_frames)),
            equivariance={plan.training.dtype: equivariance_error(self.predictor, some_of(self.valid_frames))},
            settings={"Network": as_json(plan.model), "Training": asdict(plan.training)},
        )
        write_file(folder / _REPORT, page(content))


def _new(config: ModelConfig | PublicConfig, sizes: Scaling, training: TrainingConfig) -> ForceField:
    """Return a force field with random parameters."""
    if not isinstance(config, ModelConfig):
        raise TypeError(f"expected the settings of a network, got {config}")
    return ForceField(config, sizes, rngs=nnx.Rngs(training.seed), dtype=training.dtype)


class _Compilation:
    """Show that a program is compiled, and how long it took."""

    def __init__(self, bar: Progress, task: TaskID, programs: int) -> None:
        self.bar, self.task, self.programs = bar, task, programs
        self.number, self.start, self.sizes = 0, 0.0, ""

    def __call__(self, bucket: Bucket | None) -> None:
        if bucket is None:
            seconds = time.perf_counter() - self.start
            self.bar.console.print(
                f"compiled program {self.number} of {self.programs}, for batches of {self.sizes}: {seconds:.0f} s",
                highlight=False,
                soft_wrap=True,
            )
            return
        self.number, self.start = self.number + 1, time.perf_counter()
        self.sizes = f"{bucket.graphs} configurations, {bucket.atoms} atoms and {bucket.edges} edges"
        text = f"compiling program {self.number} of {self.programs}, for batches of {self.sizes}"
        self.bar.update(self.task, description=text, refresh=True)
