"""Train an equivariant force field on quantum chemistry, or take a public one; evaluate it, and simulate with it."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from . import lock
from .errors import InputError, UsageError
from .settings import CHOICES, LARGE_FROM, SIZES, TRAINING_CHOICES, ModelConfig, TrainingConfig
from .settings.merging import with_settings
from .simulation import options as simulation_options
from .sources import BUILT_IN, CHECKPOINT, check_checkpoint, check_data

_DATA = (
    f"files with energies (eV) and forces (eV/Å), in extended XYZ, HDF5 or a database of ASE, or {', '.join(BUILT_IN)}"
)
_CHECKPOINT = "file or folder of a training run, or file of a public model"

# Option, type and help. The defaults are those of the configurations, or of the checkpoint that is resumed.
_MODEL_OPTIONS = (
    ("channels", int, "features of each degree"),
    ("layers", int, "number of interactions"),
    ("lmax", int, "highest degree"),
    ("cutoff", float, "radius of the neighbourhood of an atom, in Å"),
)
_TRAINING_OPTIONS = (
    ("epochs", int, "stop after this number of passes over the data, 0: no limit"),
    ("minutes", float, "stop after this number of minutes, 0: no limit"),
    ("batch-size", int, "configurations per step"),
    ("learning-rate", float, "highest learning rate"),
    ("energy-weight", float, "weight of energies in the loss"),
    ("forces-weight", float, "weight of forces in the loss"),
    ("stress-weight", float, "weight of stress in the loss, where the data have it"),
    ("huber", float, "error from which the loss is linear, in units of the force scale, 0: nowhere"),
    ("patience", int, "stop after this number of validations without a smaller error, 0: never"),
    ("save-every", float, "seconds between two checkpoints"),
    ("lora-rank", int, "with --from: train changes of this rank of linear layers alone, 0: all parameters"),
    ("lora-scale", float, "scale of these changes"),
    ("devices", int, "number of devices among which each batch is divided, 0: all"),
    ("seed", int, "seed of all random numbers"),
)


def _positive(kind: type) -> type:
    def parse(text: str) -> float:
        number = kind(text)
        if not 0 <= number < float("inf"):
            raise ValueError(text)
        return number

    parse.__name__ = f"positive {kind.__name__}"
    return parse  # pyright: ignore[reportReturnType]  (argparse takes any callable)


def _add_keys(command: argparse.ArgumentParser) -> None:
    """Add the options that name the targets in the files."""
    for name in ("energy", "forces", "stress"):
        text = f"name of {name} in the files (default: REF_{name} or the like if there is one, else {name})"
        command.add_argument(f"--{name}-key", metavar="NAME", help=text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="force-field", description=__doc__)
    commands_ = top.add_subparsers(dest="command", required=True)
    train = commands_.add_parser("train", help="train a force field on energies and forces")
    train.add_argument("--data", nargs="+", metavar="FILE", help=f"{_DATA} (default: {' '.join(BUILT_IN)})")
    _add_keys(train)
    train.add_argument(
        "--train", type=_positive(int), metavar="N", help="training configurations (default: all others)"
    )
    train.add_argument(
        "--valid", type=_positive(int), metavar="N", help="validation configurations (default: a fifth, at most 200)"
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default: runs/NAME)")
    train.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="MODEL",
        help=f"begin with a trained model: {_CHECKPOINT}; then the defaults of --optimizer and --learning-rate differ",
    )
    train.add_argument("--resume", action="store_true", help="continue from the checkpoint in the folder")
    train.add_argument(
        "--config", type=Path, metavar="FILE", help="settings in TOML, which the options of the command line overrule"
    )
    train.add_argument("--network", choices=CHOICES["network"], help="kind of network (default: nequip)")
    size_help = f"size of the network (default: S, or M from {LARGE_FROM:.0f} minutes)"
    train.add_argument("--size", choices=tuple(SIZES), help=size_help)
    train.add_argument("--dtype", choices=("float32", "float64"), help="dtype of the computation (default: float32)")
    choices = TRAINING_CHOICES["optimizer"]
    train.add_argument(
        "--optimizer", choices=choices, help="method of optimization (default: muon, or amsgrad with --from)"
    )
    train.add_argument(
        "--tensorboard", action="store_const", const=True, help="also write the files of TensorBoard (tensorboardX)"
    )
    several = train.add_argument_group("several processes", "each runs the same command, with its own --process")
    several.add_argument("--processes", type=_positive(int), default=1, metavar="N", help="their number (default: 1)")
    several.add_argument("--process", type=_positive(int), default=0, metavar="N", help="number of this one, from 0")
    several.add_argument(
        "--coordinator",
        default="localhost:29500",
        metavar="HOST:PORT",
        help="address of process 0 (default: localhost:29500)",
    )
    for group, config, options in (
        ("training", TrainingConfig, _TRAINING_OPTIONS),
        ("model", ModelConfig, _MODEL_OPTIONS),
    ):
        section = train.add_argument_group(group)
        for name, kind, text in options:
            field = name.replace("-", "_")
            default = "by --size" if field in SIZES["S"] else config.__dataclass_fields__[field].default
            section.add_argument(f"--{name}", type=_positive(kind), metavar="N", help=f"{text} (default: {default})")
    report = commands_.add_parser("report", help="write errors, plots and settings of a model as one HTML file")
    report.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the folder of CHECKPOINT")
    evaluate = commands_.add_parser("evaluate", help="report errors and equivariance of a trained force field")
    for command in (report, evaluate):
        command.add_argument(
            "checkpoint", type=Path, metavar="CHECKPOINT", help="file or folder of a training run, or public model"
        )
        command.add_argument("--data", nargs="+", metavar="FILE", help=f"{_DATA} (default: the training data)")
        _add_keys(command)
        command.add_argument(
            "--frames", type=_positive(int), metavar="N", help="use only the first N frames that were not trained on"
        )
        command.add_argument(
            "--dtype", choices=("float32", "float64"), default="float32", help="dtype of the predictions"
        )
    simulation_options.add_division(evaluate, _positive)
    simulation_options.add(commands_, _positive)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    It is 0, 1 for a diverged training or a relaxation that has not converged, 2 for bad input or output that cannot be
    written, 130 after Ctrl-C, 143 after SIGTERM.
    """
    options, console = parser().parse_args(argv), Console()
    try:
        code = _run(options, console)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"force-field {options.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # the disk is full, or nobody reads the output any more
        place = f": {error.filename}" if error.filename else ""
        print(f"force-field {options.command}: {error.strerror or error}{place}", file=sys.stderr)
        with contextlib.suppress(OSError, ValueError):  # what is left in the buffer would fail again at the end
            if error.filename is None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):  # as JAX says it
            raise
        hint = "use a smaller --batch-size or network, or smaller systems"
        print(f"force-field {options.command}: the memory does not suffice: {hint}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"force-field {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"force-field {options.command}: interrupted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, console: Console) -> int:
    """Run a command. What can be wrong with its options is found before JAX is loaded, which takes seconds."""
    if options.command == "train":
        options = with_settings(options)
    check_data(getattr(options, "data", None) or ())
    if options.command != "train":
        origin = {"use": "expected a file that SevenNet or Nequix published, or one converted from MACE"}
        check_checkpoint(options.checkpoint, origin.get(options.command, "`force-field train` writes it"))
        return _command(options.command)(options, console)
    folder = options.out or Path("runs") / "-".join(Path(source).stem for source in options.data or BUILT_IN)
    if options.start is not None:
        check_checkpoint(options.start)
    if options.resume and not lock.was_killed(folder):
        check_checkpoint(folder / CHECKPOINT)
    if not options.process < max(options.processes, 1):
        raise UsageError(f"expected --process below --processes, {options.processes}, got {options.process}")
    if options.process > 0:  # the first process has the lock, and writes
        return _command("train")(options, folder, Console(quiet=True))
    with lock.locked(folder):
        return _command("train")(options, folder, console)


def _command(name: str) -> Callable[..., int]:
    """Return the function of a command."""
    import jax  # here, because it takes seconds

    from . import commands, train
    from .export import command as exporting
    from .reports import command as reporting
    from .simulation import commands as simulation

    jax.config.update("jax_enable_x64", True)  # each command sets its dtype
    return {
        "train": train.train,
        "evaluate": commands.evaluate,
        "report": reporting.write,
        "md": simulation.md,
        "relax": simulation.relax,
        "phonons": simulation.phonons,
        "export": exporting.export,
        "use": simulation.use,
    }[name]


if __name__ == "__main__":
    sys.exit(main())
