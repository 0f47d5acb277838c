"""Configurations with energies, forces and stresses, checked, and refused with exact error messages.

Units: Å, eV, eV/Å, eV/Å^3. A configuration is an ``ase.Atoms`` whose calculator holds its energy and forces and, if it
is known, its stress, with the sign of ASE: positive if the cell would shrink.
"""

from force_field.errors import DataError
from force_field.sources import BUILT_IN

from .checks import check_elements
from .loading import DataSet, load, load_set, read
from .splitting import split
from .statistics import force_scale, loss_weights, reference_energies, summary
from .targets import Keys

__all__ = [
    "BUILT_IN",
    "DataError",
    "DataSet",
    "Keys",
    "check_elements",
    "force_scale",
    "load",
    "load_set",
    "loss_weights",
    "read",
    "reference_energies",
    "split",
    "summary",
]
