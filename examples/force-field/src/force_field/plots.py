"""The two plots of a training run."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import irreps_ops as irr
from irreps_ops.checkpoint import write_file

from .evaluation import Prediction

STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 150}


def learning_curve(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Plot validation errors against minutes of training, as a PNG file."""
    minutes = [line["seconds"] / 60 for line in history]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.semilogy(minutes, [line["forces_mae"] for line in history], "o-", label="forces, meV/Å")
        axes.semilogy(minutes, [line["energy_mae"] for line in history], "s--", label="energy, meV")
        axes.set_xlabel("minutes of training")
        axes.set_ylabel("mean absolute error in validation")
        axes.legend(frameon=False)
        _write(figure, path)


def parity(
    path: Path, graphs: Sequence[irr.Graph], predictions: Sequence[Prediction], errors: tuple[float, float]
) -> None:
    """Plot predicted against true energies and force components.

    Args:
        path: path of the PNG file.
        graphs: graphs with the true values; energies are shown relative to their mean.
        predictions: predictions for these graphs.
        errors: mean absolute errors of energy (meV) and force components (meV/Å), for the titles.
    """
    energy = np.array([[g.globals.energy, p.energy] for g, p in zip(graphs, predictions, strict=True)])
    truth = np.concatenate([g.nodes.forces.ravel() for g in graphs])
    forces = np.stack([truth, np.concatenate([p.forces.ravel() for p in predictions])], axis=1)
    titles = (f"energy: {errors[0]:.1f} meV", f"forces: {errors[1]:.1f} meV/Å")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        panels = zip(figure.subplots(1, 2), (energy - energy.mean(), forces), ("eV", "eV/Å"), titles, strict=True)
        for axes, points, unit, title in panels:
            ends = [points.min(), points.max()]
            axes.plot(ends, ends, color="0.7", linewidth=1)
            axes.plot(points[:, 0], points[:, 1], ".", markersize=2, alpha=0.4)
            axes.set_xlabel(f"quantum chemistry, {unit}")
            axes.set_ylabel(f"force field, {unit}")
            axes.set_title(f"mean absolute error, {title}", fontsize=9)
            axes.set_aspect("equal")
        _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_file(path, content.getvalue())
