"""Irreps by name: ``irrep.l1o``, see :mod:`irreps_core.irrep`."""

from irreps_core import irrep

from ._irreps import Irrep


def __getattr__(name: str) -> Irrep:
    return Irrep(getattr(irrep, name))
