"""Draws the pictures of the functions of irreps_ops.plots. Run ``uv run python docs/figures/gallery.py``."""

import jax.numpy as jnp
import numpy as np
from figure_files import FOLDER, save_png, svg
from matplotlib.figure import Figure

import irreps_core as ic
import irreps_ops as irr
from irreps_ops import plots
from irreps_ops.checkpoint import write_file


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def blocks() -> Figure:
    """Return a Wigner D matrix."""
    found = figure(4.6, 3.8)
    plots.wigner_D("2x0e + 1o + 2e + 3o", ic.angles_to_matrix(0.3, 0.4, 0.5), found.subplots())
    return found


def coefficients() -> Figure:
    """Return a table of Clebsch-Gordan coefficients."""
    found = figure(5.0, 3.9)
    plots.clebsch_gordan("1o", "2e", ax=found.subplots())
    return found


def signals() -> Figure:
    """Return one function in three ways."""
    x = irr.IrrepsArray("0e + 1o + 2e", np.array([0.5, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]))
    found = figure(11.0, 3.2)
    axes = found.subplots(1, 3, width_ratios=[1.2, 1, 1.6])
    for ax, kind in zip(axes, ("sphere", "lobes", "map"), strict=True):
        plots.signal(x, ax, kind=kind)
    return found


def errors() -> Figure:
    """Return the errors of a function that is not equivariant in degree 1."""

    def broken(x: irr.IrrepsArray) -> irr.IrrepsArray:
        y = irr.tensor_product(x, x)
        return irr.IrrepsArray(y.irreps, y.array + 0.01 * jnp.array([0, 1, 1, 1, 0, 0, 0, 0, 0], y.dtype))

    found = figure(5.6, 3.2)
    plots.equivariance_error(broken, 0, "1o", dtype=jnp.float32, ax=found.subplots())
    return found


def bar() -> Figure:
    """Return irreps as a bar."""
    found = figure(7.0, 1.4)
    plots.irreps("8x0e + 4x1o + 2x2e", found.subplots())
    return found


if __name__ == "__main__":
    save_png(blocks(), "blocks.png")
    save_png(coefficients(), "coefficients.png")
    save_png(signals(), "signals.png")
    write_file(FOLDER / "errors.svg", svg(errors()))
    write_file(FOLDER / "bar.svg", svg(bar()))
