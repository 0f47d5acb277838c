"""Sizes of axes: integers, or the symbols that stand for them while ``jax.export`` traces a program for any size."""

from typing import Any

import jax
import jax.export


def is_known(size: Any) -> bool:
    """Tell whether the size of an axis is a number, so that it can be compared with others.

    Sums and products of symbolic sizes can be computed like those of numbers; only a few comparisons can be decided.
    """
    return not jax.export.is_symbolic_dim(size)
