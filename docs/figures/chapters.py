"""Draws chapters.svg: the packages and their chapters, each on a floor above those that it imports.

Run ``python docs/figures/chapters.py``. Floors follow from the imports in the sources.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
from public_names import SOURCES, source

WIDTH, FLOOR, BOX, GAP, LEFT = 760, 58, 44, 10, 16
INK, FAINT = "#222222", "#777777"
# Of each package: the colour of its boxes, and a few words for each chapter.
PACKAGES = {
    "irreps_ops": (
        "#dbe9f6",
        {
            "_inputs": "checks of arguments",
            "compute": "polynomials, executors",
            "scope": "what a layer asks for",
            "harmonics": "spherical harmonics",
            "pointwise": "gate, radial functions",
            "signals": "functions on the sphere",
            "products": "products, linear maps",
            "graphs": "edge convolution",
            "fields": "gradients, voxels",
            "layers": "layers without a framework",
            "bindings": "registry, module classes",
            "checkpoint": "weights in files",
            "testing": "conformance kit",
            "plots": "pictures",
        },
    ),
    "irreps_core": (
        "#e4f0dc",
        {
            "_inputs": "caches, NumPy or JAX",
            "rotations": "angles, quaternions, ...",
            "coupling": "Clebsch-Gordan",
            "representations": "Wigner D",
            "harmonics": "spherical harmonics",
            "irreps": "Irrep, Irreps",
            "irrep": "irreps by name",
            "arrays": "IrrepsArray",
            "perm": "permutations",
            "plugins": "entry points",
            "tensors": "Cartesian tensors",
            "testing": "equivariance",
        },
    ),
}
ABOVE = [
    ("irreps-haiku", "Haiku modules"),
    ("irreps-flax", "Flax modules"),
    ("irreps-compat", "e3nn, e3nn-jax"),
    ("irreps-llvm", "machine code"),
    ("your plugin", "layer, binding, executor"),
]


def imports(package: str) -> dict[str, set[str]]:
    """Return for each chapter of a package the other chapters that it imports."""
    folder = SOURCES[package]
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        chapter, *rest = path.relative_to(folder).with_suffix("").parts
        if not chapter.startswith("__"):
            found.setdefault(chapter, set()).update(imported(package, [chapter, *rest], path))
            found[chapter].discard(chapter)
    return found


def imported(package: str, parts: list[str], path: Path) -> Iterator[str]:
    """Yield the chapters that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = [package, *parts][: -node.level] if node.level else []
            names = [*base, *(node.module.split(".") if node.module else [])]
            if names == [package]:  # from irreps_ops import layers
                yield from (alias.name for alias in node.names if source(f"{package}.{alias.name}"))
            elif names[:1] == [package]:
                yield names[1]


def floors(package: str) -> list[list[str]]:
    """Return the chapters of a package floor by floor, lowest first: each above all that it imports."""
    found = imports(package)

    @cache
    def floor(chapter: str) -> int:
        return max((floor(below) + 1 for below in found[chapter]), default=0)

    order = list(PACKAGES[package][1])
    chapters = sorted(found, key=lambda chapter: (floor(chapter), order.index(chapter)))
    return [[c for c in chapters if floor(c) == n] for n in range(max(map(floor, chapters)) + 1)]


def box(x: float, y: float, width: float, name: str, words: str, colour: str) -> str:
    """Return a box with a name and a few words."""
    middle = x + width / 2
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="6" fill="{colour}" stroke="{FAINT}"/>'
        f'<text x="{middle:.0f}" y="{y + 19:.0f}" font-weight="bold">{name}</text>'
        f'<text x="{middle:.0f}" y="{y + 36:.0f}" font-size="13" fill="{INK}">{words}</text>'
    )


def row(y: float, boxes: list[tuple[str, str]], colour: str) -> list[str]:
    """Return the boxes of a floor, side by side."""
    width = (WIDTH - 2 * LEFT - GAP * (len(boxes) - 1)) / len(boxes)
    return [box(LEFT + n * (width + GAP), y, width, *words, colour) for n, words in enumerate(boxes)]


def picture() -> str:
    """Return the whole picture."""
    shapes, y = row(12, ABOVE, "#f6ecd6"), 12 + FLOOR
    for package, (colour, words) in PACKAGES.items():
        shapes.append(f'<text x="{LEFT}" y="{y + 26}" text-anchor="start" font-size="17">{package}</text>')
        y += 36
        for chapters in reversed(floors(package)):
            shapes += row(y, [(c, words[c]) for c in chapters], colour)
            y += FLOOR
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 4}" font-family="sans-serif" '
        f'font-size="15" text-anchor="middle" fill="{INK}"><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    from irreps_ops.checkpoint import write_file  # imports JAX, which the picture does not need

    write_file(Path(__file__).parent / "chapters.svg", picture())
