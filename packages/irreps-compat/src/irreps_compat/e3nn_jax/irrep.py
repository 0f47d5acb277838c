"""Irreps by name, ``irrep.l1o``, see :mod:`irreps_core.irrep`."""

from typing import Any

from irreps_core import irrep


def __getattr__(name: str) -> Any:
    return getattr(irrep, name)
