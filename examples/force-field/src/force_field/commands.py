"""The commands `force-field evaluate`, `md` and `use`."""

import argparse
import io
from collections.abc import Sequence
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from irreps_ops.bindings import tree_leaves
from irreps_ops.checkpoint import write_file

from . import checkpoint, data, outputs, pretrained, report
from .calculator import ForceFieldCalculator
from .dynamics import set_temperature, simulate
from .errors import DataError, UsageError
from .evaluation import Predictor, equivariance_error, errors_by_molecule
from .graphs import to_graphs
from .potential import fingerprint, load_any, relative_graphs


def load(sources: Sequence[str], targets: bool = True) -> list[Atoms]:
    """Return the configurations of all sources."""
    return [atoms for source in sources for atoms in data.load(source, targets)]


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
        raise DataError(f"{name}: expected frames that the model was not trained on, got none: give other --data")
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
        raise DataError(
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
