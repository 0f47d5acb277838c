"""Write figures of matplotlib as files that do not change from run to run."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from irreps_ops.checkpoint import write_file

FOLDER = Path(__file__).parent
# Text stays text, so that files are small and browsers choose the font; identifiers do not depend on chance.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "irreps", "font.size": 11}


def svg(figure: Figure) -> str:
    """Return a figure as SVG."""
    with mpl.rc_context(STYLE):
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def save_png(figure: Figure, name: str, dpi: int = 160) -> None:
    """Write a figure as PNG with few colours beside the scripts."""
    from PIL import Image  # matplotlib requires it

    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    small = Image.open(out).convert("RGB").quantize(255, dither=Image.Dither.NONE)
    out = io.BytesIO()
    small.save(out, format="png", optimize=True)
    write_file(FOLDER / name, out.getvalue())
