"""The options of the commands that use a model."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from force_field.sources import PUBLIC_MODELS

from . import ENSEMBLES, OPTIMIZERS


def add_division(command: argparse.ArgumentParser, positive: Callable[[type], Any]) -> None:
    """Add the options that divide a system.

    Args:
        command: the parser of a command.
        positive: see :func:`add`.
    """
    command.add_argument(
        "--devices",
        type=positive(int),
        default=1,
        metavar="N",
        help="number of devices among which the atoms of a large system are divided, 0: all (default: 1)",
    )
    command.add_argument(
        "--atoms-per-part",
        type=positive(int),
        metavar="N",
        help="largest number of atoms that a device computes at once, which limits its memory (default: no limit)",
    )


def add(commands: Any, positive: Callable[[type], Any]) -> None:
    """Add the parsers of `md`, `relax`, `phonons`, `export` and `use`.

    Args:
        commands: the result of ``add_subparsers``.
        positive: from a type to a function that reads a number of it which is not negative.
    """
    md = _command(commands, positive, "md", "simulate at constant energy, temperature or pressure", "initial structure")
    md.add_argument(
        "--ensemble",
        choices=ENSEMBLES,
        default="nve",
        help="nve: constant energy; nvt: constant temperature, Langevin; npt: also constant pressure, "
        "Martyna-Tobias-Klein (default: nve)",
    )
    md.add_argument("--steps", type=positive(int), default=4000, metavar="N", help="number of steps (default: 4000)")
    md.add_argument(
        "--timestep", type=positive(float), default=0.5, metavar="FS", help="time step in fs (default: 0.5)"
    )
    md.add_argument(
        "--temperature",
        type=positive(float),
        default=300.0,
        metavar="K",
        help="initial temperature, and that of the thermostat (default: 300)",
    )
    md.add_argument("--pressure", type=float, default=0.0, metavar="GPA", help="of npt, in GPa (default: 0)")
    md.add_argument("--friction", type=positive(float), default=10.0, metavar="N", help="of nvt, in 1/ps (default: 10)")
    md.add_argument(
        "--interval", type=positive(int), default=10, metavar="N", help="steps from frame to frame (default: 10)"
    )
    md.add_argument("--seed", type=positive(int), default=0, metavar="N", help="seed of the velocities (default: 0)")
    _output(md, "trajectory", "trajectory.extxyz")
    add_division(md, positive)

    relax = _command(commands, positive, "relax", "relax positions, and with --cell the cell", "structure")
    relax.add_argument("--optimizer", choices=OPTIMIZERS, default="fire", help="method, of ASE (default: fire)")
    relax.add_argument(
        "--fmax", type=positive(float), default=0.01, metavar="N", help="largest force at the end, eV/Å (default: 0.01)"
    )
    relax.add_argument(
        "--steps", type=positive(int), default=500, metavar="N", help="largest number of steps (default: 500)"
    )
    relax.add_argument("--cell", action="store_true", help="relax the cell as well, in its periodic directions")
    relax.add_argument("--pressure", type=float, default=0.0, metavar="GPA", help="on the cell, in GPa (default: 0)")
    _output(relax, "structure", "relaxed.extxyz")
    add_division(relax, positive)

    phonons = _command(
        commands, positive, "phonons", "frequencies of vibration, from exact second derivatives", "structure"
    )
    phonons.add_argument(
        "--supercell",
        type=positive(int),
        nargs=3,
        default=(1, 1, 1),
        metavar="N",
        help="numbers of cells; the supercell should be twice as wide as the interaction (default: 1 1 1)",
    )
    phonons.add_argument("--path", metavar="POINTS", help="special points, as GXWKGL (default: that of the lattice)")
    phonons.add_argument(
        "--points", type=positive(int), default=100, metavar="N", help="wave vectors on the path (default: 100)"
    )
    phonons.add_argument(
        "--mesh",
        type=positive(int),
        default=8,
        metavar="N",
        help="wave vectors in each direction, for the density of states (default: 8)",
    )
    _output(phonons, "table; a plot is written beside it", "phonons.csv")

    export = commands.add_parser("export", help="write a model as a file that JAX alone runs, for any number of atoms")
    _checkpoint(export)
    _output(export, "program", "model.program")

    use = commands.add_parser("use", help="compute with a public model, from the file that its authors published")
    use.add_argument("model", choices=PUBLIC_MODELS, metavar="MODEL", help=f"{' or '.join(PUBLIC_MODELS)}")
    use.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="FILE",
        help="the published file: *.pth of SevenNet, *.nqx; or a converted one of MACE",
    )
    use.add_argument("--data", nargs="+", metavar="FILE", help="extended-XYZ files whose frames are computed")
    use.add_argument("--out", type=Path, metavar="FILE", help="extended-XYZ file for energies, forces and stresses")
    use.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="dtype of the computation")
    add_division(use, positive)


def _command(
    commands: Any, positive: Callable[[type], Any], name: str, text: str, structure: str
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=f"{text}, with a trained force field or a public model")
    _checkpoint(made)
    made.add_argument("--data", nargs="+", metavar="FILE", help=f"file of the {structure} (default: the training data)")
    made.add_argument("--frame", type=positive(int), default=0, metavar="N", help="which of its frames (default: 0)")
    return made


def _checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="file or folder of a training run, or public model"
    )


def _output(command: argparse.ArgumentParser, text: str, name: str) -> None:
    command.add_argument(
        "--out", type=Path, metavar="FILE", help=f"file of the {text} (default: {name} in the folder of CHECKPOINT)"
    )
    command.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="dtype of the computation")
