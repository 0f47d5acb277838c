"""Bands and density of states: as a table, as a plot, and in words."""

import io
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from force_field.plots import STYLE
from irreps_ops.checkpoint import write_file

from .phonons import INVERSE_CM, ForceConstants


class Bands(NamedTuple):
    """Frequencies along a path.

    Attributes:
        points: wave vectors of shape (points, 3), in units of the reciprocal lattice vectors.
        distances: of shape (points,), along the path, in 1/Å.
        frequencies: of shape (points, 3 n), in THz.
        ticks: the places of special points on the path.
        labels: their names.
    """

    points: np.ndarray
    distances: np.ndarray
    frequencies: np.ndarray
    ticks: np.ndarray
    labels: list[str]


def bands(constants: ForceConstants, path: str | None, count: int) -> Bands:
    """Return the bands along a path of special points, such as "GXWK,GL"; for molecules, those at its only point.

    Args:
        constants: the force constants.
        path: names of special points (default: the standard path of the lattice).
        count: number of wave vectors.

    Raises:
        ValueError, KeyError: an unknown special point.
    """
    if not constants.atoms.pbc.any():
        points = np.zeros((1, 3))
        return Bands(points, np.zeros(1), constants.frequencies(points), np.zeros(1), ["G"])
    found = constants.atoms.cell.bandpath(path, npoints=count, pbc=constants.atoms.pbc.tolist())
    distances, ticks, labels = found.get_linear_kpoint_axis()
    return Bands(found.kpts, distances, constants.frequencies(found.kpts), ticks, list(labels))


def write(path: Path, constants: ForceConstants, found: Bands, mesh: int) -> None:
    """Write the bands as a CSV file, and bands and density of states as a PNG file of the same name.

    Args:
        path: the CSV file.
        constants: the force constants.
        found: the bands.
        mesh: number of wave vectors in each periodic direction, for the density.
    """
    modes = [f"mode {k}, THz" for k in range(found.frequencies.shape[1])]
    rows = np.column_stack([found.points, found.frequencies])
    text = io.StringIO()
    np.savetxt(text, rows, fmt="%.6f", delimiter=",", header=",".join(["q1", "q2", "q3", *modes]), comments="")
    write_file(path, text.getvalue())
    low, high = min(found.frequencies.min(), 0.0), max(found.frequencies.max(), 1e-3)
    grid = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), 400)
    sizes = np.where(constants.atoms.pbc, mesh, 1).tolist()
    density = constants.density(sizes, 0.01 * (high - low), grid)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        marker = "_" if len(found.points) == 1 else ""
        left.plot(found.distances, found.frequencies, color="C0", linewidth=1, marker=marker)
        left.set_xticks(found.ticks, ["Γ" if label == "G" else label for label in found.labels])
        left.grid(axis="x", color="0.85")
        left.set_ylabel("frequency, THz")
        right.fill_betweenx(grid, density, color="C0", alpha=0.5, linewidth=0)
        right.set_xlabel("density of states, 1/THz")
        right.set_xlim(left=0)
        content = io.BytesIO()
        figure.savefig(content, format="png")
    write_file(path.with_suffix(".png"), content.getvalue())


def in_words(constants: ForceConstants) -> str:
    """Return the frequencies at the zone centre, and warnings."""
    center = constants.frequencies([[0.0, 0.0, 0.0]])[0]
    listed = "\n".join(f"  {f:9.4f} THz  {f * INVERSE_CM:9.2f} 1/cm" for f in center)
    repeats = " x ".join(map(str, constants.supercell))
    lines = [f"{constants.atoms.get_chemical_formula()}, supercell {repeats}; frequencies at Γ:", listed]
    lines.append(f"acoustic sum rule: imposed; before, the largest sum was {constants.acoustic_error:.1e} eV/Å²")
    if center[0] < -0.1:
        lines.append(
            "Negative numbers are imaginary frequencies: the structure is not a minimum; first run `force-field relax`."
        )
    return "\n".join(lines)
