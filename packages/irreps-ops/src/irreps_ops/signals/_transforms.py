"""Transformations of signals on the sphere through their coefficients: resampling, rotations, mirrors."""

from collections.abc import Callable
from typing import TypeVar

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check

from ._base import SignalBase
from ._grid import Quadrature, checked_quadrature
from ._grid_harmonics import Expansion
from ._s2_irreps import s2_irreps
from ._sphere_transform import from_grid, to_grid

Signal = TypeVar("Signal", bound=SignalBase)


def resampled(signal: Signal, res_beta: int, res_alpha: int, lmax: int, quadrature: Quadrature | None) -> Signal:
    """Return the signal on another grid; see :meth:`SphericalSignal.resample`."""
    quadrature = signal.quadrature if quadrature is None else checked_quadrature(quadrature)
    values = to_grid(coefficients(signal, lmax).array, expansion(lmax, res_beta, res_alpha, quadrature))
    return type(signal)(values, quadrature, p_val=signal.p_val, p_arg=signal.p_arg)


def transformed(signal: Signal, lmax: int, transform: Callable[[IrrepsArray], IrrepsArray]) -> Signal:
    """Return the signal with transformed coefficients."""
    coeffs = transform(coefficients(signal, lmax))
    return signal.replace_values(to_grid(coeffs.array, expansion(lmax, *signal.grid_resolution, signal.quadrature)))


def coefficients(signal: SignalBase, lmax: int) -> IrrepsArray:
    """Return the coefficients of all degrees up to `lmax`, with "integral" normalization."""
    values = check.float_array("SphericalSignal", signal.grid_values)
    coeffs = from_grid(values, expansion(lmax, *signal.grid_resolution, signal.quadrature))
    return IrrepsArray(s2_irreps(lmax, signal.p_val, signal.p_arg), coeffs)


def expansion(lmax: int, res_beta: int, res_alpha: int, quadrature: Quadrature) -> Expansion:
    """Return the expansion in all degrees up to `lmax` on a grid."""
    degrees = tuple(range(check.count("SphericalSignal", "lmax", lmax, 0) + 1))
    res_beta = check.count("SphericalSignal", "res_beta", res_beta)
    res_alpha = check.count("SphericalSignal", "res_alpha", res_alpha)
    return Expansion(degrees, (1.0,) * len(degrees), res_beta, res_alpha, quadrature)
