"""The command `force-field export`."""

import argparse
from pathlib import Path

from rich.console import Console

from force_field import checkpoint, outputs
from force_field.potential import load_any

from . import loader
from .program import export as export_model


def export(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field export` and return the exit code."""
    model, _ = load_any(options.checkpoint, options.dtype)
    path = options.out or checkpoint.locate(options.checkpoint).parent / "model.program"
    outputs.check_writable(path)
    export_model(model, path, options.dtype)
    console.print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, {len(model.elements)} elements, cutoff {model.cutoff} Å, "
        f"{options.dtype}, for any number of atoms.\nTo run it with JAX alone, copy the file {Path(loader.__file__)}.",
        highlight=False,
        soft_wrap=True,
    )
    return 0
