"""Irreps and normalization of the coefficients of a function on the sphere."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from irreps_core import Irrep, Irreps
from irreps_ops._inputs import _checks as check


def s2_irreps(lmax: int, p_val: int = 1, p_arg: int = -1) -> Irreps:
    r"""Return the irreps of the coefficients of a function on the sphere, each degree once.

    .. math:: f(x) = \sum_{l=0}^{l_\text{max}} \sum_{m=-l}^{l} c_{lm} Y_{lm}(x), \qquad
              (I f)(x) = p_\text{val} \, f(p_\text{arg} \, x)

    where I is the inversion of space, so degree l has the parity :math:`p_\text{val} \, p_\text{arg}^l`.

    Args:
        lmax: highest degree.
        p_val: parity of the values, 1 or -1.
        p_arg: parity of the argument, -1 for ordinary vectors, 1 for pseudovectors.

    Raises:
        ValueError: `lmax` is negative or not an integer, or a parity is neither 1 nor -1.

    Example:
        >>> import irreps_ops as irr
        >>> irr.s2_irreps(3)
        1x0e+1x1o+1x2e+1x3o
        >>> irr.s2_irreps(2, p_val=-1)
        1x0o+1x1e+1x2o
    """
    lmax = check.count("s2_irreps", "lmax", lmax, 0)
    p_val, p_arg = checked_parity("p_val", p_val), checked_parity("p_arg", p_arg)
    return Irreps([(1, (l, p_val * p_arg**l)) for l in range(lmax + 1)])


def checked_parity(name: str, parity: int) -> int:
    """Return `parity` as an int if it is 1 or -1, else raise a ValueError."""
    try:
        return Irrep(0, parity).p
    except ValueError:
        raise ValueError(f"{name} must be 1 or -1, got {parity!r}") from None


def distinct_degrees(irreps: Irreps) -> tuple[int, ...]:
    """Return the degrees of irreps, all of which must be different.

    Raises:
        ValueError: a degree occurs twice.
    """
    degrees = tuple(ir.l for mul, ir in irreps for _ in range(mul))
    if len(set(degrees)) < len(degrees):
        raise ValueError(f"coefficients of a signal on the sphere have each degree once, got {irreps}")
    return degrees


def parities(irreps: Irreps, p_val: int | None, p_arg: int | None) -> tuple[int | None, int | None]:
    """Return the parities of values and argument that follow from irreps and given parities; None if undetermined.

    Raises:
        ValueError: they contradict each other.
    """
    p_val = None if p_val is None else checked_parity("p_val", p_val)
    p_arg = None if p_arg is None else checked_parity("p_arg", p_arg)
    even = {ir.p for mul, ir in irreps if mul and ir.l % 2 == 0}
    odd = {ir.p for mul, ir in irreps if mul and ir.l % 2 == 1}
    candidates = [
        (val, arg)
        for val in (1, -1)
        for arg in (1, -1)
        if even <= {val} and odd <= {val * arg} and p_val in (val, None) and p_arg in (arg, None)
    ]
    if not candidates:
        raise ValueError(
            f"the parities of {irreps} are not p_val p_arg^l with p_val = {p_val or '1 or -1'} and "
            f"p_arg = {p_arg or '1 or -1'}"
        )
    values, arguments = {val for val, _ in candidates}, {arg for _, arg in candidates}
    return values.pop() if len(values) == 1 else None, arguments.pop() if len(arguments) == 1 else None


def degree_scales(degrees: Iterable[int], lmax: int, normalization: str) -> tuple[float, ...]:
    r"""Return the factors in f = Σ_l scale_l Σ_m c_lm Y_lm, where Y has "component" normalization.

    Args:
        degrees: the degrees of the factors.
        lmax: the highest degree of the function.
        normalization: "integral": 1. "component": 1 / sqrt((2l+1)(lmax+1)), so that f has variance 1 if the
            coefficients have mean 0 and variance 1. "norm": 1 / sqrt(lmax+1), so that f has variance 1 if the
            coefficients have mean 0 and each degree has norm 1.

    Raises:
        ValueError: unknown normalization.
    """
    if normalization == "integral":
        return tuple(1.0 for _ in degrees)
    if normalization == "norm":
        return tuple(1 / math.sqrt(lmax + 1) for _ in degrees)
    if normalization == "component":
        return tuple(1 / math.sqrt((2 * l + 1) * (lmax + 1)) for l in degrees)
    raise ValueError(f"normalization must be 'integral', 'component' or 'norm', got {normalization!r}")


def per_component(degrees: Sequence[int], scales: Sequence[float]) -> np.ndarray:
    """Return for each component the scale of its degree, of shape (sum of 2l+1,)."""
    return np.repeat(np.array(scales, dtype=float), [2 * l + 1 for l in degrees])
