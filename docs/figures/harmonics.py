"""Draws harmonics.png: the components of the irreps 0e, 1o, 2e and 3o.

Run ``uv run python docs/figures/harmonics.py``.
"""

from figure_files import save_png
from matplotlib.figure import Figure

from irreps_ops import plots


def picture() -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(8.4, 5.0), layout="constrained")
    plots.spherical_harmonics("0e + 1o + 2e + 3o", figure.subplots())
    return figure


if __name__ == "__main__":
    save_png(picture(), "harmonics.png")
