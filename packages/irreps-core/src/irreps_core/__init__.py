"""The mathematics of rotations and mirrors in three dimensions, the group O(3).

* :class:`Irrep`, :class:`MulIrrep`, :class:`Irreps`: representations, the types of equivariant data;
* :class:`IrrepsArray` and functions of it: an array with its irreps, which checks equivariance;
* Clebsch-Gordan coefficients, generators and Wigner D matrices of any degree.

NumPy arrays in give NumPy arrays out, JAX arrays JAX arrays. Importing this package imports NumPy alone; JAX
is imported, where it is installed, at the first use of :class:`IrrepsArray`, which JAX has to know.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._angles import angles_to_axis_angle as angles_to_axis_angle
from ._angles import angles_to_log_coordinates as angles_to_log_coordinates
from ._angles import angles_to_matrix as angles_to_matrix
from ._angles import angles_to_quaternion as angles_to_quaternion
from ._angles import compose_angles as compose_angles
from ._angles import inverse_angles as inverse_angles
from ._angles import rotation_angle_from_angles as rotation_angle_from_angles
from ._axis_angle import axis_angle_to_angles as axis_angle_to_angles
from ._axis_angle import axis_angle_to_log_coordinates as axis_angle_to_log_coordinates
from ._axis_angle import axis_angle_to_matrix as axis_angle_to_matrix
from ._axis_angle import axis_angle_to_quaternion as axis_angle_to_quaternion
from ._axis_angle import compose_axis_angle as compose_axis_angle
from ._axis_angle import inverse_axis_angle as inverse_axis_angle
from ._axis_angle import rotation_angle_from_axis_angle as rotation_angle_from_axis_angle
from ._block_diagonal import block_diagonal as block_diagonal
from ._caches import clear_caches as clear_caches
from ._cartesian import CartesianTensor as CartesianTensor
from ._change_of_basis import change_of_basis as change_of_basis
from ._change_of_basis import clebsch_gordan_sign as clebsch_gordan_sign
from ._clebsch_gordan import change_basis_real_to_complex as change_basis_real_to_complex
from ._clebsch_gordan import clebsch_gordan as clebsch_gordan
from ._clebsch_gordan import clebsch_gordan_sparse as clebsch_gordan_sparse
from ._clebsch_gordan import generators as generators
from ._identity_rotations import identity_angles as identity_angles
from ._identity_rotations import identity_axis_angle as identity_axis_angle
from ._identity_rotations import identity_log_coordinates as identity_log_coordinates
from ._identity_rotations import identity_matrix as identity_matrix
from ._identity_rotations import identity_quaternion as identity_quaternion
from ._irrep import Irrep as Irrep
from ._irrep import MulIrrep as MulIrrep
from ._irreps import IntoIrreps as IntoIrreps
from ._irreps import Irreps as Irreps
from ._log_coordinates import compose_log_coordinates as compose_log_coordinates
from ._log_coordinates import inverse_log_coordinates as inverse_log_coordinates
from ._log_coordinates import log_coordinates_to_angles as log_coordinates_to_angles
from ._log_coordinates import log_coordinates_to_axis_angle as log_coordinates_to_axis_angle
from ._log_coordinates import log_coordinates_to_matrix as log_coordinates_to_matrix
from ._log_coordinates import log_coordinates_to_quaternion as log_coordinates_to_quaternion
from ._log_coordinates import rotation_angle_from_log_coordinates as rotation_angle_from_log_coordinates
from ._matrix import compose_matrix as compose_matrix
from ._matrix import inverse_matrix as inverse_matrix
from ._matrix import matrix_to_angles as matrix_to_angles
from ._matrix import matrix_to_axis_angle as matrix_to_axis_angle
from ._matrix import matrix_to_log_coordinates as matrix_to_log_coordinates
from ._matrix import matrix_to_quaternion as matrix_to_quaternion
from ._matrix import matrix_x as matrix_x
from ._matrix import matrix_y as matrix_y
from ._matrix import matrix_z as matrix_z
from ._matrix import rotation_angle_from_matrix as rotation_angle_from_matrix
from ._quaternion import compose_quaternion as compose_quaternion
from ._quaternion import inverse_quaternion as inverse_quaternion
from ._quaternion import quaternion_to_angles as quaternion_to_angles
from ._quaternion import quaternion_to_axis_angle as quaternion_to_axis_angle
from ._quaternion import quaternion_to_log_coordinates as quaternion_to_log_coordinates
from ._quaternion import quaternion_to_matrix as quaternion_to_matrix
from ._quaternion import rotation_angle_from_quaternion as rotation_angle_from_quaternion
from ._random_rotations import rand_angles as rand_angles
from ._random_rotations import rand_axis_angle as rand_axis_angle
from ._random_rotations import rand_log_coordinates as rand_log_coordinates
from ._random_rotations import rand_matrix as rand_matrix
from ._random_rotations import rand_quaternion as rand_quaternion
from ._sphere_angles import angles_to_xyz as angles_to_xyz
from ._sphere_angles import xyz_to_angles as xyz_to_angles
from ._su2 import su2_clebsch_gordan as su2_clebsch_gordan
from ._su2 import su2_generators as su2_generators
from ._voigt import from_voigt as from_voigt
from ._voigt import to_voigt as to_voigt
from ._wigner import wigner_D_blocks as wigner_D_blocks
from ._wigner import wigner_D_from_angles as wigner_D_from_angles
from ._wigner import wigner_D_from_axis_angle as wigner_D_from_axis_angle
from ._wigner import wigner_D_from_log_coordinates as wigner_D_from_log_coordinates
from ._wigner import wigner_D_from_matrix as wigner_D_from_matrix
from ._wigner import wigner_D_from_quaternion as wigner_D_from_quaternion

if TYPE_CHECKING:
    from . import irrep as irrep
    from ._combining import concatenate as concatenate
    from ._combining import stack as stack
    from ._combining import where as where
    from ._creation import as_irreps_array as as_irreps_array
    from ._creation import from_chunks as from_chunks
    from ._creation import normal as normal
    from ._creation import ones as ones
    from ._creation import ones_like as ones_like
    from ._creation import zeros as zeros
    from ._creation import zeros_like as zeros_like
    from ._irreps_array import IrrepsArray as IrrepsArray
    from ._rearranging import align as align
    from ._reducing import cross as cross
    from ._reducing import dot as dot
    from ._reducing import mean as mean
    from ._reducing import norm as norm
    from ._reducing import sum as sum
    from ._vmap import vmap as vmap

__version__ = "0.1.0"

# What is imported at its first use: it brings JAX, or is not for everybody.
_LAZY = {
    "_combining": ("concatenate", "stack", "where"),
    "_creation": ("as_irreps_array", "from_chunks", "normal", "ones", "ones_like", "zeros", "zeros_like"),
    "_irreps_array": ("IrrepsArray",),
    "_rearranging": ("align",),
    "_reducing": ("cross", "dot", "mean", "norm", "sum"),
    "_vmap": ("vmap",),
}
_MODULES = ("irrep", "perm", "plugins", "testing")
_HOME = {name: module for module, names in _LAZY.items() for name in names}

_IMPORTED = {name for name in globals() if not name.startswith("_")} - {"import_module", "TYPE_CHECKING", "Any"}
# One list of names is kept by hand, the imports above; this is made of it.
__all__ = sorted({*_IMPORTED, *_HOME, *_MODULES})  # pyright: ignore[reportUnsupportedDunderAll]  (made, not written)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
