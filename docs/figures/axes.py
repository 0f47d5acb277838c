"""Draws axes.svg: the axes and angles of irreps. Run ``python docs/figures/axes.py``."""

from math import cos, pi, sin
from pathlib import Path

Point = tuple[float, float, float]
WIDTH, HEIGHT, UNIT = 520, 360, 150
CENTRE = (220, 240)
ALPHA, BETA = 1.15, 0.85
INK, FAINT, RED, BLUE = "#222222", "#999999", "#c0392b", "#1f5fa8"


def project(p: Point) -> tuple[float, float]:
    """Where a point (x, y, z) is on the page, seen from above, between x and z: y up, x to the right."""
    x, y, z = p
    turn, tilt = pi / 5, pi / 9
    right = x * cos(turn) - z * sin(turn)
    depth = x * sin(turn) + z * cos(turn)
    up = y * cos(tilt) - depth * sin(tilt)
    return round(CENTRE[0] + UNIT * right, 1), round(CENTRE[1] - UNIT * up, 1)


def direction(alpha: float, beta: float, length: float = 1.0) -> Point:
    """Ry(alpha) Rx(beta) applied to the pole (0, 1, 0)."""
    return length * sin(beta) * sin(alpha), length * cos(beta), length * sin(beta) * cos(alpha)


def line(points: list[Point], colour: str, style: str = "", arrow: bool = False) -> str:
    """A line through points, with an arrowhead if wanted."""
    path = " ".join(f"{x},{y}" for x, y in map(project, points))
    head = f' marker-end="url(#{colour[1:]})"' if arrow else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {style}{head}/>'


def text(p: Point, words: str, colour: str, shift: tuple[int, int] = (0, 0)) -> str:
    """Words beside a point."""
    x, y = project(p)
    return f'<text x="{x + shift[0]}" y="{y + shift[1]}" fill="{colour}">{words}</text>'


def arrowhead(colour: str) -> str:
    """The marker that lines of this colour end with."""
    return (
        f'<marker id="{colour[1:]}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" markerHeight="6" '
        f'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{colour}"/></marker>'
    )


def picture() -> str:
    """The whole picture."""
    origin: Point = (0.0, 0.0, 0.0)
    r, foot = direction(ALPHA, BETA), direction(ALPHA, pi / 2, sin(BETA))
    steps = [i / 40 for i in range(41)]
    dashed = 'stroke-dasharray="5 4"'
    shapes = [
        line([direction(2 * pi * t, pi / 2) for t in steps], FAINT, dashed),
        line([direction(ALPHA, pi / 2 * t) for t in steps], FAINT, dashed),
        *(line([origin, tip], INK, arrow=True) for tip in [(1.45, 0.0, 0.0), (0.0, 1.45, 0.0), (0.0, 0.0, 1.45)]),
        line([origin, foot], FAINT, dashed),
        line([foot, r], FAINT, dashed),
        line([origin, r], INK, 'stroke-linecap="round"', arrow=True),
        line([direction(ALPHA * t, pi / 2, 0.5) for t in steps], RED, arrow=True),
        line([direction(ALPHA, BETA * t, 0.6) for t in steps], BLUE, arrow=True),
        text((1.45, 0.0, 0.0), "x  (textbook Y)", INK, (-20, 26)),
        text((0.0, 1.45, 0.0), "y  (textbook Z), the polar axis", INK, (10, 8)),
        text((0.0, 0.0, 1.45), "z  (textbook X)", INK, (-50, 24)),
        text(r, "r", INK, (8, 0)),
        text(direction(ALPHA / 2, pi / 2, 0.5), "α (φ)", RED, (-18, 22)),
        text(direction(ALPHA, BETA / 2, 0.6), "β (θ)", BLUE, (-64, -2)),
    ]
    heads = "".join(map(arrowhead, (INK, RED, BLUE)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="15"><defs>{heads}</defs><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    from irreps_ops.checkpoint import write_file  # imports JAX, which the picture does not need

    write_file(Path(__file__).parent / "axes.svg", picture())
