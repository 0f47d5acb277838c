"""Checks of degrees l = 0, 1, 2, ... and spins j = 0, 1/2, 1, ..."""

import operator
from typing import SupportsFloat, SupportsIndex

import numpy as np

from irreps_core._inputs._shown import shown


def check_degree(name: str, degree: SupportsIndex) -> int:
    """Return the degree as an int.

    Args:
        name: name of the argument, for the error message.
        degree: the degree.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is negative.

    Example:
        >>> check_degree("l1", -1)
        Traceback (most recent call last):
        ValueError: l1 must be a degree 0, 1, 2, ..., got -1
    """
    try:
        if isinstance(degree, (bool, np.bool_)):
            raise TypeError("a bool is not a degree")
        value = operator.index(degree)
    except TypeError:
        raise TypeError(f"{name} must be an integer degree 0, 1, 2, ..., got {shown(degree)}") from None
    if value < 0:
        raise ValueError(f"{name} must be a degree 0, 1, 2, ..., got {shown(degree)}")
    return value


def check_spin(name: str, spin: SupportsFloat) -> int:
    """Return twice the spin, as an int.

    Args:
        name: name of the argument, for the error message.
        spin: the spin.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not 0, 1/2, 1, 3/2, ...

    Example:
        >>> check_spin("j", 1.5)
        3
    """
    try:
        if isinstance(spin, (bool, np.bool_, str, bytes)):
            raise TypeError("neither a bool nor a string is a spin")
        twice = 2 * float(spin)
    except TypeError:
        raise TypeError(f"{name} must be a spin 0, 1/2, 1, 3/2, ..., got {shown(spin)}") from None
    if not twice.is_integer() or twice < 0:
        raise ValueError(f"{name} must be a spin 0, 1/2, 1, 3/2, ..., got {shown(spin)}")
    return int(twice)
