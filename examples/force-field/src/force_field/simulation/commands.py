"""The commands `force-field md`, `relax`, `phonons` and `use`, for trained force fields and public models."""

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from force_field import checkpoint, data, outputs, pretrained
from force_field.calculator import ForceFieldCalculator
from force_field.commands import load, sources_of
from force_field.derivatives import Potential
from force_field.errors import DataError, UsageError, usage_errors
from force_field.graphs import to_graphs
from force_field.potential import load_any
from irreps_ops.bindings import tree_leaves
from irreps_ops.checkpoint import write_file

from . import partition, phonon_report
from .dynamics import Ensemble, set_temperature, simulate
from .phonons import force_constants
from .relaxation import relax as relax_atoms

_PLAIN: Any = {"highlight": False, "soft_wrap": True}


def _start(options: argparse.Namespace) -> tuple[Potential, Atoms]:
    """Return the model and the chosen frame."""
    model, header = load_any(options.checkpoint, options.dtype)
    names = sources_of(options, header)
    frames = load(names, targets=False)
    if options.frame >= len(frames):
        raise DataError(
            f"{', '.join(names)} has {len(frames)} frames: expected --frame below that number, got {options.frame}"
        )
    atoms = frames[options.frame]
    data.check_elements([atoms], model.elements, f"{', '.join(names)} from frame {options.frame}")
    return model, atoms


def _calculator(model: Potential, options: argparse.Namespace) -> ForceFieldCalculator:
    return ForceFieldCalculator(model, options.dtype, devices=options.devices, atoms_per_part=options.atoms_per_part)


def _place(options: argparse.Namespace, name: str) -> Path:
    """Return the file for the results, by default in the folder of the model; check that it can be written."""
    path = options.out or checkpoint.locate(options.checkpoint).parent / name
    outputs.check_writable(path)
    return path


@contextmanager
def _steps(console: Console, title: str, total: int) -> Iterator[tuple[list[int], Callable[[int], bool]]]:
    """Show steps. Return the signals that arrive, and a function of a step's number, which is False after a signal."""
    columns = (TextColumn(title), BarColumn(), TextColumn("step {task.completed:.0f}"), TimeElapsedColumn())
    with outputs.interruptible() as caught, Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def on_step(number: int) -> bool:
            bar.update(task, completed=number)
            return not caught

        yield caught, on_step


def _write(path: Path, frames: Atoms | Sequence[Atoms]) -> None:
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    write_file(path, text.getvalue())


def md(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field md` and return the exit code."""
    if options.steps < 2 or options.interval < 1:
        raise UsageError(
            f"expected at least 2 --steps and an --interval of at least 1, got {options.steps} and {options.interval}"
        )
    model, atoms = _start(options)
    names = ("timestep", "temperature", "pressure", "friction", "seed")
    with usage_errors():
        ensemble = Ensemble(options.ensemble, **{name: getattr(options, name) for name in names})
        atoms.calc = _calculator(model, options)
        ensemble.integrator(atoms.copy())  # before anything is computed
    set_temperature(atoms, options.temperature, options.seed)
    path = _place(options, "trajectory.extxyz")
    with _steps(console, "dynamics", options.steps) as (caught, on_step):
        found = simulate(atoms, options.steps, ensemble, path, options.interval, on_step=on_step)
    if caught:
        console.print("Interrupted: the results are those of the steps so far.")
    kept = {"nve": "constant energy", "nvt": "constant temperature", "npt": "constant temperature and pressure"}
    lines = [
        f"{atoms.get_chemical_formula()}, {found.picoseconds:.2f} ps at {kept[ensemble.kind]}, "
        f"{options.timestep} fs per step, {options.dtype}, mean temperature {found.temperature:.0f} K"
    ]
    if found.drift is not None:
        energy = "energy" if ensemble.kind == "nve" else "conserved energy"
        lines.append(f"{energy} drift {found.drift:+.4f} meV/atom/ps, fluctuation {found.fluctuation:.3f} meV/atom")
    if ensemble.kind == "npt":
        lines.append(f"mean volume {found.volume:.2f} Å³")
    console.print("\n".join([*lines, f"trajectory: {path}"]), **_PLAIN)
    return outputs.exit_code(caught)


def relax(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field relax` and return the exit code."""
    model, atoms = _start(options)
    with usage_errors():
        atoms.calc = _calculator(model, options)
    path = _place(options, "relaxed.extxyz")
    names = ("optimizer", "fmax", "steps", "cell", "pressure")
    with _steps(console, "relaxation", options.steps) as (caught, on_step), usage_errors():
        found = relax_atoms(atoms, **{name: getattr(options, name) for name in names}, on_step=on_step)
    _write(path, atoms)
    state = "converged" if found.converged else "NOT CONVERGED"
    console.print(
        f"{atoms.get_chemical_formula()}: {state} after {found.steps} steps, largest force {found.force:.5f} eV/Å\n"
        f"energy {found.before:.6f} -> {found.after:.6f} eV\nstructure: {path}",
        **_PLAIN,
    )
    return outputs.exit_code(caught) or (0 if found.converged else 1)


def phonons(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field phonons` and return the exit code."""
    model, atoms = _start(options)
    path = _place(options, "phonons.csv")
    outputs.check_writable(path.with_suffix(".png"))
    with usage_errors(KeyError):
        constants = force_constants(model, atoms, options.supercell, options.dtype)
        bands = phonon_report.bands(constants, options.path, options.points)
    phonon_report.write(path, constants, bands, options.mesh)
    console.print(phonon_report.in_words(constants), **_PLAIN)
    console.print(f"frequencies: {path}, {path.with_suffix('.png').name}", **_PLAIN)
    return 0


def use(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field use` and return the exit code."""
    model = pretrained.load(options.checkpoint, options.dtype, options.model)
    calculator = ForceFieldCalculator(model, options.dtype)
    with usage_errors():
        predictor = partition.predictor(model, options.dtype, options.devices, options.atoms_per_part)
    count = sum(leaf.size for _, leaf in tree_leaves(predictor.parameters))
    console.print(
        f"{options.checkpoint}: {options.model}, {count:,} parameters, {len(model.elements)} elements, "
        f"cutoff {model.cutoff} Å.\nAs a calculator of ASE:\n"
        "  from force_field.calculator import ForceFieldCalculator\n"
        "  from force_field.pretrained import load\n"
        f'  atoms.calc = ForceFieldCalculator(load("{options.checkpoint}"))\n'
        f"Or: force-field md, relax, phonons or evaluate {options.checkpoint} --data FILE",
        **_PLAIN,
    )
    if options.data is None:
        return 0
    frames, name = load(options.data, targets=False), ", ".join(options.data)
    data.check_elements(frames, model.elements, name)
    if options.out is not None:
        outputs.check_writable(options.out)
    predictions = predictor(to_graphs(frames, model.elements, model.cutoff, name))
    for number, (atoms, prediction) in enumerate(zip(frames, predictions, strict=True)):
        results = calculator.results_of(atoms, prediction)
        atoms.calc = SinglePointCalculator(atoms, **results)
        largest = float(np.abs(results["forces"]).max())
        console.print(
            f"frame {number}: {atoms.get_chemical_formula()}, energy {results['energy']:.6f} eV, "
            f"largest force component {largest:.6f} eV/Å",
            **_PLAIN,
        )
    if options.out is not None:
        _write(options.out, frames)
        console.print(f"energies, forces and stresses: {options.out}", **_PLAIN)
    return 0
