"""The mathematics of rotations and mirrors in three dimensions, the group O(3).

* :class:`Irrep`, :class:`MulIrrep` and :class:`Irreps` describe representations, the types of equivariant data.
* :class:`IrrepsArray` is an array together with its irreps, which refuses operations that are not equivariant.
* Clebsch-Gordan coefficients, generators, Wigner D matrices and spherical harmonics have any degree.
* Rotations convert between matrices, Euler angles, quaternions, axis and angle, and log coordinates.
* Cartesian tensors, index symmetries and Voigt notation connect irreps with the tensors of physics.

Functions of NumPy arrays return NumPy arrays, and functions of JAX arrays return JAX arrays. Importing this package
imports NumPy only. JAX, where it is installed, is imported when :class:`IrrepsArray` is first used, to register it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._inputs._caches import cached, clear_caches, register_cache
from ._inputs._frozen import converted, frozen
from ._inputs._modules import set_module
from ._inputs._shown import shown
from .coupling._clebsch_gordan import change_basis_real_to_complex, clebsch_gordan, clebsch_gordan_sparse, generators
from .coupling._su2 import su2_clebsch_gordan, su2_generators
from .harmonics._directions import unit_vectors
from .harmonics._legendre import legendre
from .harmonics._normalization import HarmonicNormalization, harmonic_scale
from .harmonics._spherical import solid_harmonics, spherical_harmonics
from .irreps._change_of_basis import change_of_basis, clebsch_gordan_sign
from .irreps._irrep import Irrep, MulIrrep
from .irreps._irreps import IntoIrreps, Irreps
from .representations._block_diagonal import block_diagonal
from .representations._wigner import (
    wigner_D_blocks,
    wigner_D_from_angles,
    wigner_D_from_axis_angle,
    wigner_D_from_log_coordinates,
    wigner_D_from_matrix,
    wigner_D_from_quaternion,
)
from .rotations._angles import (
    angles_to_axis_angle,
    angles_to_log_coordinates,
    angles_to_matrix,
    angles_to_quaternion,
    compose_angles,
    inverse_angles,
    rotation_angle_from_angles,
)
from .rotations._axis_angle import (
    axis_angle_to_angles,
    axis_angle_to_log_coordinates,
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    compose_axis_angle,
    inverse_axis_angle,
    rotation_angle_from_axis_angle,
)
from .rotations._identity import (
    identity_angles,
    identity_axis_angle,
    identity_log_coordinates,
    identity_matrix,
    identity_quaternion,
)
from .rotations._log_coordinates import (
    compose_log_coordinates,
    inverse_log_coordinates,
    log_coordinates_to_angles,
    log_coordinates_to_axis_angle,
    log_coordinates_to_matrix,
    log_coordinates_to_quaternion,
    rotation_angle_from_log_coordinates,
)
from .rotations._matrix import (
    compose_matrix,
    inverse_matrix,
    matrix_to_angles,
    matrix_to_axis_angle,
    matrix_to_log_coordinates,
    matrix_to_quaternion,
    matrix_x,
    matrix_y,
    matrix_z,
    rotation_angle_from_matrix,
)
from .rotations._quaternion import (
    compose_quaternion,
    inverse_quaternion,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    quaternion_to_matrix,
    rotation_angle_from_quaternion,
)
from .rotations._random import rand_angles, rand_axis_angle, rand_log_coordinates, rand_matrix, rand_quaternion
from .rotations._sphere_angles import angles_to_xyz, xyz_to_angles
from .tensors._basis import orthonormal_range, stack_basis
from .tensors._basis_size import check_basis_size
from .tensors._cartesian import CartesianTensor
from .tensors._index_symmetry import SymmetryGroup, parse_symmetry
from .tensors._product_basis import product_basis
from .tensors._symmetric_basis import symmetric_basis
from .tensors._voigt import from_voigt, to_voigt

if TYPE_CHECKING:
    from . import irrep, perm, plugins, testing
    from .arrays import (
        IrrepsArray,
        align,
        as_irreps_array,
        concatenate,
        cross,
        dot,
        from_chunks,
        mean,
        norm,
        normal,
        ones,
        ones_like,
        stack,
        sum,
        where,
        zeros,
        zeros_like,
    )
    from .arrays._vmap import vmap

__version__ = "0.1.0"

__all__ = [
    "CartesianTensor",
    "HarmonicNormalization",
    "IntoIrreps",
    "Irrep",
    "Irreps",
    "IrrepsArray",
    "MulIrrep",
    "SymmetryGroup",
    "align",
    "angles_to_axis_angle",
    "angles_to_log_coordinates",
    "angles_to_matrix",
    "angles_to_quaternion",
    "angles_to_xyz",
    "as_irreps_array",
    "axis_angle_to_angles",
    "axis_angle_to_log_coordinates",
    "axis_angle_to_matrix",
    "axis_angle_to_quaternion",
    "block_diagonal",
    "cached",
    "change_basis_real_to_complex",
    "change_of_basis",
    "check_basis_size",
    "clear_caches",
    "clebsch_gordan",
    "clebsch_gordan_sign",
    "clebsch_gordan_sparse",
    "compose_angles",
    "compose_axis_angle",
    "compose_log_coordinates",
    "compose_matrix",
    "compose_quaternion",
    "concatenate",
    "converted",
    "cross",
    "dot",
    "from_chunks",
    "from_voigt",
    "frozen",
    "generators",
    "harmonic_scale",
    "identity_angles",
    "identity_axis_angle",
    "identity_log_coordinates",
    "identity_matrix",
    "identity_quaternion",
    "inverse_angles",
    "inverse_axis_angle",
    "inverse_log_coordinates",
    "inverse_matrix",
    "inverse_quaternion",
    "irrep",
    "legendre",
    "log_coordinates_to_angles",
    "log_coordinates_to_axis_angle",
    "log_coordinates_to_matrix",
    "log_coordinates_to_quaternion",
    "matrix_to_angles",
    "matrix_to_axis_angle",
    "matrix_to_log_coordinates",
    "matrix_to_quaternion",
    "matrix_x",
    "matrix_y",
    "matrix_z",
    "mean",
    "norm",
    "normal",
    "ones",
    "ones_like",
    "orthonormal_range",
    "parse_symmetry",
    "perm",
    "plugins",
    "product_basis",
    "quaternion_to_angles",
    "quaternion_to_axis_angle",
    "quaternion_to_log_coordinates",
    "quaternion_to_matrix",
    "rand_angles",
    "rand_axis_angle",
    "rand_log_coordinates",
    "rand_matrix",
    "rand_quaternion",
    "register_cache",
    "rotation_angle_from_angles",
    "rotation_angle_from_axis_angle",
    "rotation_angle_from_log_coordinates",
    "rotation_angle_from_matrix",
    "rotation_angle_from_quaternion",
    "set_module",
    "shown",
    "solid_harmonics",
    "spherical_harmonics",
    "stack",
    "stack_basis",
    "su2_clebsch_gordan",
    "su2_generators",
    "sum",
    "symmetric_basis",
    "testing",
    "to_voigt",
    "unit_vectors",
    "vmap",
    "where",
    "wigner_D_blocks",
    "wigner_D_from_angles",
    "wigner_D_from_axis_angle",
    "wigner_D_from_log_coordinates",
    "wigner_D_from_matrix",
    "wigner_D_from_quaternion",
    "xyz_to_angles",
    "zeros",
    "zeros_like",
]

# Imported when first used, because IrrepsArray imports JAX where it is installed.
_ARRAYS = {
    "IrrepsArray",
    "align",
    "as_irreps_array",
    "concatenate",
    "cross",
    "dot",
    "from_chunks",
    "mean",
    "norm",
    "normal",
    "ones",
    "ones_like",
    "stack",
    "sum",
    "where",
    "zeros",
    "zeros_like",
}
_MODULES = {"irrep", "perm", "plugins", "testing"}


def __getattr__(name: str) -> Any:
    if name in _ARRAYS:
        value = getattr(import_module(f"{__name__}.arrays"), name)
    elif name == "vmap":
        value = import_module(f"{__name__}.arrays._vmap").vmap
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


set_module(__name__, [globals()[_name] for _name in set(__all__) - _ARRAYS - _MODULES - {"vmap"}])
