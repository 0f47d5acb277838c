"""Spherical harmonics and signals on the sphere."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from irreps_core import IntoIrreps, IrrepsArray, shown
from irreps_core import spherical_harmonics as harmonics
from irreps_ops.signals._grid import s2_grid
from irreps_ops.signals._plot import closed
from irreps_ops.signals._s2_irreps import distinct_degrees
from irreps_ops.signals._spherical_signal import SphericalSignal

from ._axes import INK, NEGATIVE, POSITIVE, axes, diverging, nonempty, plain
from ._surfaces import draw_directions, draw_surface, mesh

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIGHEST = 8  # degree; lobes of higher degrees are too thin for the mesh


def spherical_harmonics(irreps: IntoIrreps, ax: "Axes | None" = None) -> "Axes":
    r"""Draw real spherical harmonics.

    A row shows the components of an irrep, :math:`m = -l, ..., l` from left to right.

    A surface is at the distance :math:`|Y(r)|` from its centre in the direction r: blue where Y is
    positive, orange where it is negative. Each row has a scale of its own.

    Args:
        irreps: irreps of degrees up to 8. The multiplicities do not matter.
        ax: matplotlib axes. Default: those of a new figure.

    Returns:
        The axes, with a PolyCollection for each component. The component m of row i has its centre at (m, -i).

    Raises:
        ValueError: no irreps, or a degree above 8.
        ImportError: matplotlib is not installed.

    Example:
        >>> from irreps_ops import plots
        >>> ax = plots.spherical_harmonics("0e + 1o + 2e")
        >>> len(ax.collections), [label.get_text() for label in ax.get_yticklabels()]
        (9, ['0e', '1o', '2e'])
    """
    found = nonempty("spherical_harmonics", "irreps", irreps)
    if found.lmax > _HIGHEST:
        raise ValueError(f"spherical_harmonics draws degrees up to {_HIGHEST}, got {found}")
    ax = axes("spherical_harmonics", ax, (1.1 * (2 * found.lmax + 1) + 0.8, 1.1 * len(found) + 0.6))
    directions = mesh()
    for row, (_, ir) in enumerate(found):
        values = harmonics(ir.l, directions, normalization="norm")
        values *= 0.48 / np.abs(values).max()
        for m in range(-ir.l, ir.l + 1):
            _draw_lobes(ax, directions, values[..., ir.l + m], (m, -row))
    ax.set_xticks(range(-found.lmax, found.lmax + 1), [f"{m}" for m in range(-found.lmax, found.lmax + 1)])
    ax.set_yticks([-row for row in range(len(found))], [str(ir) for _, ir in found])
    ax.set_xlabel("component m")
    ax.set_xlim(-found.lmax - 0.55, found.lmax + 0.55)
    ax.set_ylim(-len(found) + 0.45, 0.55)
    ax.set_aspect("equal")
    if found[0].ir.l < found.lmax:
        draw_directions(ax, (-found.lmax, -0.05), 0.3)
    plain(ax)
    return ax


def signal(
    x: IrrepsArray | SphericalSignal, ax: "Axes | None" = None, *, kind: Literal["sphere", "lobes", "map"] = "sphere"
) -> "Axes":
    r"""Draw a function on the sphere.

    Args:
        x: the function: a signal without leading axes, or coefficients c of harmonics, one row of irreps with distinct
            degrees, :math:`f(r) = \sum_{lm} c_{lm} Y_{lm}(r)` with harmonics of "component" normalization as in
            :func:`irreps_ops.to_s2grid`.
        ax: matplotlib axes. Default: those of a new figure.
        kind: "sphere": the values as colours on a sphere; "lobes": a surface at the distance
            :math:`|f(r)|`, blue where f is positive and orange where it is negative; "map": the values
            over both angles, in degrees.

    Returns:
        The axes.

    Raises:
        TypeError: `x` is neither a signal nor an IrrepsArray.
        ValueError: several functions at once, a degree that occurs twice, or an unknown kind.
        ImportError: matplotlib is not installed.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> from irreps_ops import plots
        >>> x = irr.IrrepsArray("0e + 1o", jnp.array([1.0, 0.0, 2.0, 0.0]))
        >>> plots.signal(x, kind="map").get_xlabel()
        'azimuth α around y, from z towards x (degrees)'
    """
    if kind not in ("sphere", "lobes", "map"):
        raise ValueError(f"signal expects kind 'sphere', 'lobes' or 'map', got {shown(kind)}")
    directions, values = _values(x)
    largest = float(np.abs(values).max()) or 1.0
    if kind == "map":
        return _draw_map(axes("signal", ax, (6.5, 3.6)), directions, values, largest)
    ax = axes("signal", ax, (4.4, 3.6))
    if kind == "lobes":
        _draw_lobes(ax, directions, values / largest)
    else:
        colours = diverging()(0.5 + 0.5 * values / largest)[..., :3]
        draw_surface(ax, directions, colours, gloss=0.1)
        _colour_bar(ax, largest)
    draw_directions(ax, (-1.1, -1.05), 0.25)
    ax.set_xlim(-1.45, 1.1)
    ax.set_ylim(-1.4, 1.1)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    plain(ax)
    return ax


def _values(x: IrrepsArray | SphericalSignal) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh of directions, of shape (n, k, 3), and the values there."""
    if isinstance(x, SphericalSignal):
        if x.ndim != 2:
            raise ValueError(f"signal draws one function, got leading axes {x.shape[:-2]}: index them")
        y, alpha, _ = s2_grid(*x.grid_resolution, x.quadrature)
        directions, values = closed(x.grid_values, y, alpha)
        return np.asarray(directions), np.asarray(values, np.float64)
    if not isinstance(x, IrrepsArray):
        raise TypeError(f"signal expects an IrrepsArray of coefficients or a SphericalSignal, got {type(x).__name__}")
    if x.ndim != 1:
        raise ValueError(f"signal draws one function, got leading axes {x.shape[:-1]}: index them")
    directions = mesh(90)
    return directions, harmonics(distinct_degrees(x.irreps), directions) @ np.asarray(x.array, np.float64)


def _draw_lobes(ax: "Axes", directions: np.ndarray, values: np.ndarray, centre: tuple[float, float] = (0, 0)) -> None:
    """Draw a surface at the distance of the absolute values."""
    from matplotlib.colors import to_rgb  # an optional dependency

    colours = np.where((values > 0)[..., None], to_rgb(POSITIVE), to_rgb(NEGATIVE))
    draw_surface(ax, np.abs(values)[..., None] * directions, colours, centre)


def _draw_map(ax: "Axes", directions: np.ndarray, values: np.ndarray, largest: float) -> "Axes":
    """Draw values over azimuth and polar angle."""
    equator = directions[len(directions) // 2]
    alpha = np.degrees(np.unwrap(np.arctan2(equator[:, 0], equator[:, 2])))
    beta = np.degrees(np.arccos(np.clip(directions[:, 0, 1], -1, 1)))
    ax.contourf(alpha, beta, values, 40, cmap=diverging(), vmin=-largest, vmax=largest)
    _colour_bar(ax, largest)
    ax.set_xlim(0, 360)
    ax.set_ylim(180, 0)
    ax.set_xticks(range(0, 361, 90))
    ax.set_yticks(range(0, 181, 45))
    ax.set_xlabel("azimuth α around y, from z towards x (degrees)")
    ax.set_ylabel("polar angle β from y (degrees)")
    return ax


def _colour_bar(ax: "Axes", largest: float) -> None:
    from matplotlib.cm import ScalarMappable  # an optional dependency
    from matplotlib.colors import Normalize  # an optional dependency

    bar = ax.figure.colorbar(ScalarMappable(Normalize(-largest, largest), diverging()), ax=ax, shrink=0.8)
    bar.outline.set_visible(False)
    bar.set_label("value", color=INK)
