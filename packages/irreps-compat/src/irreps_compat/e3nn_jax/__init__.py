"""e3nn-jax's names: ``import irreps_compat.e3nn_jax as e3nn`` runs programs written for e3nn-jax.

All public names of release 0.21, and of earlier releases, back to 0.4, what programs use: `IrrepsData`,
`full_tensor_product`, `FunctionalTensorProduct`, `util`, the Haiku modules at the top (`Linear`, ...). Most are ours,
which have the same names and arguments; what differs is adapted here. docs/coming-from-e3nn-jax.md maps each name and
says what is computed otherwise.

Haiku, Flax and Equinox are imported when one of their modules is asked for, and not before.

Example:
    >>> import jax.numpy as jnp
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> x = e3nn.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
    >>> e3nn.tensor_product("2x0e + 1o", "1o").dim, e3nn.norm(x).irreps
    (15, 2x0e+1x0e)
"""

from irreps_core import Irrep as Irrep
from irreps_core import IrrepsArray as IrrepsArray
from irreps_core import MulIrrep as MulIrrep
from irreps_core import angles_to_axis_angle as angles_to_axis_angle
from irreps_core import angles_to_log_coordinates as angles_to_log_coordinates
from irreps_core import angles_to_matrix as angles_to_matrix
from irreps_core import angles_to_quaternion as angles_to_quaternion
from irreps_core import angles_to_xyz as angles_to_xyz
from irreps_core import as_irreps_array as as_irreps_array
from irreps_core import axis_angle_to_angles as axis_angle_to_angles
from irreps_core import axis_angle_to_log_coordinates as axis_angle_to_log_coordinates
from irreps_core import axis_angle_to_matrix as axis_angle_to_matrix
from irreps_core import compose_angles as compose_angles
from irreps_core import compose_axis_angle as compose_axis_angle
from irreps_core import compose_log_coordinates as compose_log_coordinates
from irreps_core import compose_quaternion as compose_quaternion
from irreps_core import concatenate as concatenate
from irreps_core import cross as cross
from irreps_core import dot as dot
from irreps_core import from_chunks as from_chunks
from irreps_core import inverse_angles as inverse_angles
from irreps_core import inverse_quaternion as inverse_quaternion
from irreps_core import log_coordinates_to_angles as log_coordinates_to_angles
from irreps_core import log_coordinates_to_axis_angle as log_coordinates_to_axis_angle
from irreps_core import log_coordinates_to_matrix as log_coordinates_to_matrix
from irreps_core import log_coordinates_to_quaternion as log_coordinates_to_quaternion
from irreps_core import matrix_to_angles as matrix_to_angles
from irreps_core import matrix_to_axis_angle as matrix_to_axis_angle
from irreps_core import matrix_to_log_coordinates as matrix_to_log_coordinates
from irreps_core import matrix_to_quaternion as matrix_to_quaternion
from irreps_core import matrix_x as matrix_x
from irreps_core import matrix_y as matrix_y
from irreps_core import matrix_z as matrix_z
from irreps_core import mean as mean
from irreps_core import norm as norm
from irreps_core import ones as ones
from irreps_core import ones_like as ones_like
from irreps_core import quaternion_to_angles as quaternion_to_angles
from irreps_core import quaternion_to_axis_angle as quaternion_to_axis_angle
from irreps_core import quaternion_to_log_coordinates as quaternion_to_log_coordinates
from irreps_core import quaternion_to_matrix as quaternion_to_matrix
from irreps_core import rotation_angle_from_angles as rotation_angle_from_angles
from irreps_core import rotation_angle_from_axis_angle as rotation_angle_from_axis_angle
from irreps_core import rotation_angle_from_log_coordinates as rotation_angle_from_log_coordinates
from irreps_core import rotation_angle_from_matrix as rotation_angle_from_matrix
from irreps_core import rotation_angle_from_quaternion as rotation_angle_from_quaternion
from irreps_core import stack as stack
from irreps_core import sum as sum
from irreps_core import vmap as vmap
from irreps_core import where as where
from irreps_core import xyz_to_angles as xyz_to_angles
from irreps_core import zeros as zeros
from irreps_core import zeros_like as zeros_like
from irreps_ops import SO3Signal as SO3Signal
from irreps_ops import SphericalSignal as SphericalSignal
from irreps_ops import bessel as bessel
from irreps_ops import betas_to_spherical_signal as betas_to_spherical_signal
from irreps_ops import from_s2grid as from_s2grid
from irreps_ops import get_s2fft_grid_resolution as get_s2fft_grid_resolution
from irreps_ops import grad as grad
from irreps_ops import legendre as legendre
from irreps_ops import legendre_transform_from_s2grid as legendre_transform_from_s2grid
from irreps_ops import legendre_transform_to_s2grid as legendre_transform_to_s2grid
from irreps_ops import m0_values_to_irrepsarray as m0_values_to_irrepsarray
from irreps_ops import normalize_function as normalize_function
from irreps_ops import poly_envelope as poly_envelope
from irreps_ops import radius_graph as radius_graph
from irreps_ops import reduced_antisymmetric_tensor_product_basis as reduced_antisymmetric_tensor_product_basis
from irreps_ops import reduced_tensor_product_basis as reduced_tensor_product_basis
from irreps_ops import s2_dirac as s2_dirac
from irreps_ops import s2_irreps as s2_irreps
from irreps_ops import soft_envelope as soft_envelope
from irreps_ops import soft_odd as soft_odd
from irreps_ops import sus as sus
from irreps_ops import tensor_product_with_spherical_harmonics as tensor_product_with_spherical_harmonics
from irreps_ops import to_s2grid as to_s2grid
from irreps_ops import to_s2point as to_s2point

from . import _earlier_layers, _layers, _tensor_square
from . import equinox as equinox
from . import experimental as experimental
from . import flax as flax
from . import haiku as haiku
from . import irrep as irrep
from . import legacy as legacy
from . import perm as perm
from . import util as util
from . import utils as utils
from ._config import config as config
from ._earlier_signals import pad_to_plot_on_s2grid as pad_to_plot_on_s2grid
from ._earlier_signals import s2_sum_of_diracs as s2_sum_of_diracs
from ._earlier_signals import s2grid as s2grid
from ._earlier_signals import s2grid_vectors as s2grid_vectors
from ._functional import FunctionalFullyConnectedTensorProduct as FunctionalFullyConnectedTensorProduct
from ._functional import FunctionalLinear as FunctionalLinear
from ._functional import FunctionalTensorProduct as FunctionalTensorProduct
from ._functional import Instruction as Instruction
from ._irreps import Irreps as Irreps
from ._irreps_data import IrrepsData as IrrepsData
from ._modules import lookup, named
from ._operations import elementwise_tensor_product as elementwise_tensor_product
from ._operations import full_tensor_product as full_tensor_product
from ._operations import gate as gate
from ._operations import index_add as index_add
from ._operations import norm_activation as norm_activation
from ._operations import normal as normal
from ._operations import reduced_symmetric_tensor_product_basis as reduced_symmetric_tensor_product_basis
from ._operations import scalar_activation as scalar_activation
from ._operations import scatter_max as scatter_max
from ._operations import scatter_mean as scatter_mean
from ._operations import scatter_sum as scatter_sum
from ._operations import sh as sh
from ._operations import soft_normalization as soft_normalization
from ._operations import soft_one_hot_linspace as soft_one_hot_linspace
from ._operations import spherical_harmonics as spherical_harmonics
from ._operations import tensor_product as tensor_product
from ._operations import tensor_square as tensor_square
from ._rotations import axis_angle_to_quaternion as axis_angle_to_quaternion
from ._rotations import identity_angles as identity_angles
from ._rotations import identity_log_coordinates as identity_log_coordinates
from ._rotations import identity_quaternion as identity_quaternion
from ._rotations import inverse_log_coordinates as inverse_log_coordinates
from ._rotations import rand_angles as rand_angles
from ._rotations import rand_axis_angle as rand_axis_angle
from ._rotations import rand_log_coordinates as rand_log_coordinates
from ._rotations import rand_matrix as rand_matrix
from ._rotations import rand_quaternion as rand_quaternion
from ._rotations import wigner_D as wigner_D
from ._rotations import wigner_rot_y as wigner_rot_y
from ._tables import clebsch_gordan as clebsch_gordan
from ._tables import generators as generators
from ._tables import su2_clebsch_gordan as su2_clebsch_gordan
from ._tables import su2_generators as su2_generators
from ._tables import wigner_3j as wigner_3j
from ._tables import wigner_generator_x as wigner_generator_x
from ._tables import wigner_generator_y as wigner_generator_y
from ._tables import wigner_generator_z as wigner_generator_z
from ._tensor_square import FunctionalTensorSquare as FunctionalTensorSquare

# Haiku modules that releases before 0.16 had here.
_HAIKU = named(
    "haiku",
    _layers.BatchNorm,
    _layers.Dropout,
    _layers.FullyConnectedTensorProduct,
    _earlier_layers.Linear,
    _layers.MultiLayerPerceptron,
    _layers.SymmetricTensorProduct,
    _tensor_square.TensorSquare,
)
__getattr__ = lookup(__name__, _HAIKU)
