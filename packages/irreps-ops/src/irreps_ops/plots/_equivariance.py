"""The error of equivariance by degree of the output."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from irreps_core import Irreps, IrrepsArray
from irreps_core.testing import equivariance_error as measured

from ._axes import COLOURS, INK, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def equivariance_error(
    fun: Callable[..., IrrepsArray], rng: Any, *args: Any, ax: "Axes | None" = None, **options: Any
) -> "Axes":
    """Draw by how much :math:`f(g x)` differs from :math:`g f(x)`, for each degree of the output.

    The error is :func:`irreps_core.testing.equivariance_error` of the components of one degree: the largest difference
    over random rotations or mirrors g, divided by the largest of these components. A dashed line shows the precision
    of the dtype, to which errors of rounding are compared.

    Args:
        fun: a function that returns an IrrepsArray.
        rng: a JAX random key, a ``numpy.random.Generator`` or an integer seed.
        args: the arguments of `fun`; irreps stand for random data.
        ax: matplotlib axes. Default: those of a new figure.
        options: further arguments of :func:`irreps_core.testing.equivariance_error`, such as `positions` and `dtype`.

    Returns:
        The axes, with a line of markers for each kind of transformation, labelled "rotation", "mirror" or
        "translation". An error of 0 is drawn at a hundredth of the precision.

    Raises:
        TypeError: `fun` does not return an IrrepsArray.
        ImportError: matplotlib is not installed.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops import plots
        >>> ax = plots.equivariance_error(irr.tensor_product, 0, "1o + 2e", "1o")
        >>> [line.get_label() for line in ax.lines], ax.get_ylabel()
        (['rotation', 'mirror', 'precision of float...'], 'error / largest component')
    """
    seen: dict[str, Any] = {}

    def watched(*values: Any) -> IrrepsArray:
        y = fun(*values)
        if not isinstance(y, IrrepsArray):
            raise TypeError(
                f"equivariance_error expects a function with an IrrepsArray as output, got {type(y).__name__}"
            )
        seen.update(irreps=y.irreps, dtype=y.dtype)
        return y

    measured(watched, rng, *args, **{**options, "draws": 1})
    irreps: Irreps = seen["irreps"].remove_zero_multiplicities()
    degrees = sorted(set(irreps.ls))
    found = {l: measured(_of_degree(fun, l), rng, *args, **options) for l in degrees}
    precision = float(np.finfo(seen["dtype"]).eps)
    ax = axes("equivariance_error", ax, (5.5, 3.4))
    for kind, marker, colour in zip(("rotation", "mirror", "translation"), "os^", COLOURS[4::-2], strict=True):
        if kind in found[degrees[0]]:
            errors = [max(found[l][kind], precision / 100) for l in degrees]
            ax.plot(degrees, errors, marker, color=colour, label=kind, markersize=8, alpha=0.85)
    ax.axhline(precision, ls="--", color=INK, lw=1, label=f"precision of {seen['dtype'].name}")
    ax.set_yscale("log")
    ax.set_xticks(degrees)
    ax.set_xlim(degrees[0] - 0.5, degrees[-1] + 0.5)
    ax.set_xlabel("degree l of the output")
    ax.set_ylabel("error / largest component")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def _of_degree(fun: Callable[..., IrrepsArray], degree: int) -> Callable[..., IrrepsArray]:
    """Return the function that returns the components of one degree."""

    def part(*values: Any) -> IrrepsArray:
        y = fun(*values)
        return y.filter([ir for _, ir in y.irreps if ir.l == degree])

    return part
