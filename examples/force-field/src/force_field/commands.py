"""The commands `force-field train`, `evaluate`, `md` and `use`."""

import argparse
import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from irreps_ops.bindings import tree_leaves
from irreps_ops.checkpoint import write_file

from . import checkpoint, data, outputs, plots, pretrained, report
from .calculator import ForceFieldCalculator
from .dynamics import set_temperature, simulate
from .evaluation import Parameters, Predictor, equivariance_error, errors, errors_by_molecule
from .graphs import Batches, to_graphs
from .model import SIZES, ForceField, ModelConfig
from .potential import (
    abstract_model,
    as_json,
    fingerprint,
    load_any,
    relative_graphs,
    relative_to,
    scaling,
    scaling_of,
)
from .settings import SettingsError, read_settings
from .training import Report, Trainer, TrainingConfig

DEFAULT = data.BUILT_IN
SAVE_EVERY = 20.0  # seconds between two checkpoints
_PLOTS = ("learning-curve.png", "parity.png")
LARGE_FROM = 10.0  # minutes of training from which a larger network is better
_SECTIONS = {
    "data": ("files", "train", "valid"),
    "model": ("size", *(f.name for f in fields(ModelConfig) if f.name != "elements")),
    "training": tuple(f.name for f in fields(TrainingConfig)),
}


class UsageError(ValueError):
    """Options that contradict each other or are out of range."""


def load(sources: Sequence[str], targets: bool = True) -> list[Atoms]:
    """Return the configurations of all sources."""
    return [atoms for source in sources for atoms in data.load(source, targets)]


@dataclass(frozen=True)
class Plan:
    """Everything that determines a training run."""

    model: ModelConfig
    training: TrainingConfig
    sources: list[str]
    frames: list[Atoms]
    train: list[int]
    valid: list[int]


def _given(options: argparse.Namespace, config: type) -> dict[str, Any]:
    """Return the fields of a configuration that the command line sets."""
    values = {f.name: getattr(options, f.name, None) for f in fields(config)}
    return {name: value for name, value in values.items() if value is not None}


def _with_settings(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options of the command line and, where it has none, those of the file of settings."""
    if options.config is None:
        return options
    given = read_settings(options.config, _SECTIONS)
    chosen = given["data"]
    if "files" in chosen:
        chosen["data"] = chosen.pop("files")
        if not isinstance(chosen["data"], list) or not all(isinstance(name, str) for name in chosen["data"]):
            raise SettingsError(f"{options.config}: expected files to be a list of names, got {chosen['data']!r:.100}")
    for name in ("train", "valid"):
        if type(chosen.get(name, 0)) is not int or chosen.get(name, 0) < 0:
            raise SettingsError(
                f"{options.config}: expected {name} to be a number of frames, got {chosen[name]!r:.100}"
            )
    if given["model"].get("size", "S") not in list(SIZES):
        sizes = " or ".join(SIZES)
        raise SettingsError(f"{options.config}: expected size to be {sizes}, got {given['model']['size']!r:.100}")
    from_file = {**chosen, **given["model"], **given["training"]}
    from_line = {name: value for name, value in vars(options).items() if value is not None}
    return argparse.Namespace(**{**vars(options), **from_file, **from_line})


def _plan(options: argparse.Namespace, saved: checkpoint.Checkpoint | None, path: Path) -> Plan:
    """Combine defaults, the checkpoint that is resumed, and the command line."""
    header: dict[str, Any] = saved.header if saved else {"data": {}, "training": {}, "model": {}}
    model, training = _given(options, ModelConfig), _given(options, TrainingConfig)
    if options.size:
        model = {**SIZES[options.size], **model}
    chosen = {"source": options.data, "train": options.train, "valid": options.valid}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    fixed = {name: value for name, value in training.items() if name not in ("epochs", "minutes")}
    checkpoint.check_same("model", header["model"], model, path)
    checkpoint.check_same("training", header["training"], fixed, path)
    checkpoint.check_same("data", header["data"], chosen, path)
    chosen = {"source": list(DEFAULT), "train": None, "valid": None, **header["data"], **chosen}
    try:
        config = TrainingConfig(**{**header["training"], **training})
        frames = load(chosen["source"])
        elements = tuple(sorted({z for atoms in frames for z in atoms.numbers.tolist()}))
        size = "M" if config.minutes <= 0 or config.minutes >= LARGE_FROM else "S"
        asked = ModelConfig(**{"elements": elements, **SIZES[size], **header["model"], **model})
    except TypeError as error:
        raise checkpoint.CheckpointError(f"{path} was written by another version of force-field: {error}") from None
    except data.DataError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    train, valid = data.split(len(frames), chosen["train"], chosen["valid"], config.seed)
    plan = Plan(replace(asked, elements=elements), config, chosen["source"], frames, train.tolist(), valid.tolist())
    if saved:
        checkpoint.check_same("model", header["model"], as_json(plan.model), path)
        checkpoint.check_same("data", header["data"], _data_header(plan), path)
    return plan


def _data_header(plan: Plan) -> dict[str, Any]:
    return {
        "source": plan.sources,
        "train": len(plan.train),
        "valid": len(plan.valid),
        "trained_on": [fingerprint(plan.frames[i]) for i in plan.train],
    }


def train(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field train` and return the exit code."""
    options = _with_settings(options)
    sources = options.data or list(DEFAULT)
    folder = options.out or Path("runs") / "-".join(Path(s).stem for s in sources)
    path = folder / checkpoint.NAME
    saved = checkpoint.load_run(path) if options.resume else None
    if saved:
        abstract_model(saved, path, "float32")  # before anything is computed with its numbers
    plan = _plan(options, saved, path)
    outputs.check_writable(path, *(folder / name for name in _PLOTS))
    run = _Run(plan, saved, path, console)
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


class _Run:
    """One run of `force-field train`."""

    def __init__(self, plan: Plan, saved: checkpoint.Checkpoint | None, path: Path, console: Console) -> None:
        self.plan, self.path, self.console = plan, path, console
        self.train_frames = [plan.frames[i] for i in plan.train]
        self.valid_frames = [plan.frames[i] for i in plan.valid]
        name, elements, config = ", ".join(plan.sources), plan.model.elements, plan.training
        train, valid = (
            to_graphs(frames, elements, plan.model.cutoff, name) for frames in (self.train_frames, self.valid_frames)
        )
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
        self.header = {"model": as_json(plan.model), "scaling": asdict(sizes), "data": _data_header(plan)}

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


def _sources(options: argparse.Namespace, header: dict[str, Any]) -> list[str]:
    """Return the data that the command line names, or those that the model was trained on."""
    sources = options.data or header["source"]
    if not sources:
        raise UsageError(f"{options.checkpoint} does not say which data it was trained on: give --data")
    return sources


def evaluate(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field evaluate` and return the exit code."""
    model, header = load_any(options.checkpoint, options.dtype)
    sources = _sources(options, header)
    frames = load(sources)
    name = ", ".join(sources)
    data.check_elements(frames, model.elements, name)
    known = set(header["trained_on"])
    unseen = [atoms for atoms in frames if fingerprint(atoms) not in known][: options.frames]
    if not unseen:
        raise data.DataError(f"{name}: expected frames that the model was not trained on, got none: give other --data")
    graphs = relative_graphs(unseen, model, name)
    predictor = Predictor(model, options.dtype)
    table = errors_by_molecule(unseen, graphs, predictor(graphs), model.elements)
    left_out = len(frames) - len([atoms for atoms in frames if fingerprint(atoms) not in known])
    console.print(report.error_table(table, f"{name}: {len(unseen)} frames; {left_out} training frames are left out"))
    some = unseen[:: max(1, len(unseen) // 3)][:3]
    for dtype in ("float32", "float64"):
        error = equivariance_error(predictor if dtype == options.dtype else Predictor(model, dtype), some)
        console.print(f"equivariance error in {dtype}: {error:.1e} (rotations and mirrors, relative)", highlight=False)
    return 0


def md(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field md` and return the exit code."""
    model, header = load_any(options.checkpoint, options.dtype)
    if options.steps < 2 or options.timestep <= 0:
        raise UsageError(
            f"expected at least 2 --steps and a --timestep above zero, got {options.steps} and {options.timestep}"
        )
    sources = _sources(options, header)
    frames = load(sources, targets=False)
    if options.frame >= len(frames):
        raise data.DataError(
            f"{', '.join(sources)} has {len(frames)} frames: expected --frame below that number, got {options.frame}"
        )
    atoms = frames[options.frame]
    data.check_elements([atoms], model.elements, f"{', '.join(sources)} from frame {options.frame}")
    atoms.calc = ForceFieldCalculator(model, options.dtype)
    set_temperature(atoms, options.temperature, options.seed)
    path = options.out or checkpoint.locate(options.checkpoint).parent / "trajectory.extxyz"
    outputs.check_writable(path)
    columns = (TextColumn("dynamics"), BarColumn(), TextColumn("step {task.completed:.0f}"), TimeElapsedColumn())
    with outputs.interruptible() as caught, Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=options.steps)

        def on_step(number: int) -> bool:
            bar.update(task, completed=number)
            return not caught

        found = simulate(atoms, options.steps, options.timestep, path, on_step=on_step)
    if caught:
        console.print("Interrupted: the results are those of the steps so far.")
    console.print(
        f"{atoms.get_chemical_formula()}, {found.picoseconds:.2f} ps at constant energy, "
        f"{options.timestep} fs per step, {options.dtype}, mean temperature {found.temperature:.0f} K\n"
        f"energy drift {found.drift:+.4f} meV/atom/ps, fluctuation {found.fluctuation:.3f} meV/atom\n"
        f"trajectory: {path}",
        highlight=False,
        soft_wrap=True,
    )
    return outputs.exit_code(caught)


def use(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field use` and return the exit code."""
    model = pretrained.load(options.checkpoint, options.dtype, options.model)
    calculator = ForceFieldCalculator(model, options.dtype)
    count = sum(leaf.size for _, leaf in tree_leaves(calculator.predictor.parameters))
    console.print(
        f"{options.checkpoint}: {options.model}, {count:,} parameters, {len(model.elements)} elements, "
        f"cutoff {model.cutoff} Å.\nAs a calculator of ASE:\n"
        "  from force_field.calculator import ForceFieldCalculator\n"
        "  from force_field.pretrained import load\n"
        f'  atoms.calc = ForceFieldCalculator(load("{options.checkpoint}"))\n'
        f"Or: force-field md {options.checkpoint} --data FILE",
        highlight=False,
        soft_wrap=True,
    )
    if options.data is None:
        return 0
    frames, name = load(options.data, targets=False), ", ".join(options.data)
    data.check_elements(frames, model.elements, name)
    if options.out is not None:
        outputs.check_writable(options.out)
    graphs = to_graphs(frames, model.elements, model.cutoff, name)
    predictions = calculator.predictor(graphs)
    for number, (atoms, graph, prediction) in enumerate(zip(frames, graphs, predictions, strict=True)):
        results = calculator.results_of(atoms, graph, prediction)
        atoms.calc = SinglePointCalculator(atoms, **results)
        largest = float(np.abs(results["forces"]).max())
        console.print(
            f"frame {number}: {atoms.get_chemical_formula()}, energy {results['energy']:.6f} eV, "
            f"largest force component {largest:.6f} eV/Å",
            highlight=False,
            soft_wrap=True,
        )
    if options.out is not None:
        text = io.StringIO()
        ase.io.write(text, frames, format="extxyz")
        write_file(options.out, text.getvalue())
        console.print(f"energies, forces and stresses: {options.out}", highlight=False, soft_wrap=True)
    return 0
