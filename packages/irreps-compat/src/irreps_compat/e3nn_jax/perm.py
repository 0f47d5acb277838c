"""Permutations, see :mod:`irreps_core.perm`."""

from typing import Any

from irreps_core import perm


def __getattr__(name: str) -> Any:
    return getattr(perm, name)
