"""Draws paths.svg: the paths of a tensor product. Run ``uv run python docs/figures/paths.py``."""

from figure_files import FOLDER, svg
from matplotlib.figure import Figure

from irreps_ops import plots
from irreps_ops.checkpoint import write_file


def picture() -> str:
    """Return the picture as SVG."""
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    plots.tensor_product("8x0e + 4x1o", "0e + 1o", figure.subplots())
    return svg(figure)


if __name__ == "__main__":
    write_file(FOLDER / "paths.svg", picture())
