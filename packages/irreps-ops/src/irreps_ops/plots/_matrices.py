"""Wigner D matrices and Clebsch-Gordan coefficients as pictures of matrices."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from irreps_core import IntoIrreps, Irrep, Irreps, shown
from irreps_core import clebsch_gordan as coefficients

from ._axes import INK, axes, diverging, nonempty, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST = 1000  # rows or columns


def wigner_D(irreps: IntoIrreps, matrix: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the matrix by which irreps transform under a rotation or a mirror.

    It is block diagonal: no block mixes two irreps. Orange is negative, white zero, blue positive.

    Args:
        irreps: the irreps, of at most 1000 components.
        matrix: an orthogonal matrix, of shape (3, 3).
        ax: matplotlib axes. Default: those of a new figure.

    Returns:
        The axes, with the matrix as an image.

    Raises:
        ValueError: no irreps, too many components, or `matrix` is not orthogonal or not of shape (3, 3).
        ImportError: matplotlib is not installed.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops import plots
        >>> ax = plots.wigner_D("0e + 1o + 2e", irr.angles_to_matrix(0.3, 0.4, 0.5))
        >>> ax.images[0].get_array().shape
        (9, 9)
    """
    found = nonempty("wigner_D", "irreps", irreps)
    _check_size("wigner_D", found.dim)
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape != (3, 3):
        raise ValueError(f"wigner_D expects one matrix of shape (3, 3), got shape {matrix.shape}")
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3):
        raise ValueError(f"wigner_D expects an orthogonal matrix, got {shown(matrix.tolist())}")
    full = np.zeros((found.dim, found.dim))
    starts = [0]
    for mul, ir in found:
        block = np.asarray(ir.D_from_matrix(matrix))
        for _ in range(mul):
            place = slice(starts[-1], starts[-1] + ir.dim)
            full[place, place] = block
            starts.append(place.stop)
    size = min(max(3.5, 0.22 * found.dim), 9.0)
    ax = axes("wigner_D", ax, (size + 0.8, size))
    _image(ax, full, 1.0)
    for a, b in pairwise(starts):
        ax.plot(np.array([a, b, b, a, a]) - 0.5, np.array([a, a, b, b, a]) - 0.5, color=INK, lw=1)
    middles = [(place.start + place.stop - 1) / 2 for place in found.slices()]
    names = [str(item.ir) if item.mul == 1 else str(item) for item in found]
    ax.set_xticks(middles, names, rotation=0 if len(names) < 6 else 55)
    ax.set_yticks(middles, names)
    ax.set_xlabel("component before")
    ax.set_ylabel("component after")
    ax.set_title(f"D of {found}", color=INK)
    return ax


def clebsch_gordan(
    ir1: Irrep | str, ir2: Irrep | str, irreps_out: IntoIrreps = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw which Clebsch-Gordan coefficients of a product are not zero.

    A row is a pair of components, :math:`m_1` of the first irrep and :math:`m_2` of the second; a column is a component
    m of an irrep of the product. Orange is negative, white zero, blue positive. The title counts the coefficients that
    are not zero.

    Args:
        ir1: the first irrep.
        ir2: the second irrep.
        irreps_out: the irreps of the product that are drawn. Default: all.
        ax: matplotlib axes. Default: those of a new figure.

    Returns:
        The axes, with the coefficients as an image, with a row for each pair of components of the inputs and a column
        for each of the output.

    Raises:
        ValueError: an irrep of `irreps_out` is not in the product; or there are more than 1000 rows or columns.
        ImportError: matplotlib is not installed.

    Example:
        >>> from irreps_ops import plots
        >>> plots.clebsch_gordan("1o", "1o").get_title()
        '1o ⊗ 1o: 20 of 81 coefficients are not zero'
    """
    first, second = Irrep(ir1), Irrep(ir2)
    possible = Irreps([(1, ir) for ir in first * second])
    out = possible if irreps_out is None else nonempty("clebsch_gordan", "irreps_out", irreps_out)
    extra = [str(ir) for _, ir in out if ir not in possible]
    if extra:
        raise ValueError(f"clebsch_gordan expects irreps of {first} ⊗ {second}, which are {possible}, got {extra}")
    _check_size("clebsch_gordan", max(first.dim * second.dim, out.dim))
    blocks = [np.asarray(coefficients(first.l, second.l, ir.l)) for mul, ir in out for _ in range(mul)]
    table = np.concatenate([block.reshape(-1, block.shape[-1]) for block in blocks], axis=1)
    rows, columns = table.shape
    size = min(max(3.5, 0.2 * max(rows, columns)), 10.0)
    ax = axes("clebsch_gordan", ax, (size * min(columns / rows, 1.5) + 1.5, size))
    _image(ax, table, float(np.abs(table).max()))
    for row in range(second.dim, rows, second.dim):
        ax.axhline(row - 0.5, color=INK, lw=0.8)
    bounds = np.cumsum([0, *(block.shape[-1] for block in blocks)])
    for column in bounds[1:-1]:
        ax.axvline(column - 0.5, color=INK, lw=0.8)
    ax.set_xticks((bounds[1:] + bounds[:-1] - 1) / 2, [str(ir) for mul, ir in out for _ in range(mul)])
    ax.set_yticks(
        second.dim * np.arange(first.dim) + (second.dim - 1) / 2, [f"{m}" for m in range(-first.l, first.l + 1)]
    )
    ax.set_xlabel("component of the output")
    ax.set_ylabel(f"components of {second} for each m of {first}")
    nonzero = int(np.count_nonzero(table))
    ax.set_title(f"{first} ⊗ {second}: {nonzero} of {table.size} coefficients are not zero", color=INK)
    return ax


def _check_size(function: str, size: int) -> None:
    if size > _LARGEST:
        raise ValueError(f"{function} draws at most {_LARGEST} components, got {size}: give fewer irreps")


def _image(ax: "Axes", matrix: np.ndarray, largest: float) -> None:
    """Draw a matrix, with a colour bar."""
    image = ax.imshow(matrix, cmap=diverging(), vmin=-largest, vmax=largest)
    plain(ax)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.outline.set_visible(False)
