"""Smooth functions for formulas that are singular at the identity, with exact derivatives for JAX arrays.

The values are in :mod:`._analytic_values`, the derivative rules for JAX in :mod:`._analytic_derivatives`.
"""

from types import ModuleType
from typing import Any

from irreps_core._inputs._namespace import is_jax

from . import _analytic_values


def cos_sqrt(t: Any) -> Any:
    """Return cos(sqrt(t)) for t >= 0, with exact derivatives of every order."""
    return _implementation(t).bessel(-1, t)


def sinc_sqrt(t: Any) -> Any:
    """Return sin(sqrt(t)) / sqrt(t) for t >= 0, with exact derivatives of every order."""
    return _implementation(t).bessel(0, t)


def arc_ratio(s: Any) -> Any:
    """Return arcsin(sqrt(s)) / sqrt(s (1 - s)) for 0 <= s <= 1/2, with exact derivatives of every order."""
    return _implementation(s).arc(0, s)


def _implementation(x: Any) -> ModuleType:
    """Return the module for the kind of array `x`: for JAX, the one with derivative rules."""
    if is_jax(x):
        from . import _analytic_derivatives  # imports JAX, which is optional

        return _analytic_derivatives
    return _analytic_values
