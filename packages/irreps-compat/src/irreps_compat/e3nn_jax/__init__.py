"""e3nn-jax's names: ``import irreps_compat.e3nn_jax as e3nn`` runs programs written for e3nn-jax.

All public names of release 0.21, and those of earlier releases back to 0.4 that programs use: `IrrepsData`,
`full_tensor_product`, `FunctionalTensorProduct`, `util`, and the Haiku modules of the package (`Linear`, ...). Most are
those of irreps_core and irreps_ops, which have the same names and arguments; the others are adapted here.
docs/coming-from-e3nn-jax.md maps each name, and says where results differ.

Haiku, Flax and Equinox are imported when one of their modules is first used.

Example:
    >>> import jax.numpy as jnp
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> x = e3nn.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
    >>> e3nn.tensor_product("2x0e + 1o", "1o").dim, e3nn.norm(x).irreps
    (15, 2x0e+1x0e)
"""

import inspect as _inspect
from importlib import import_module as _import_module

from irreps_core import (
    angles_to_axis_angle,
    angles_to_log_coordinates,
    angles_to_matrix,
    angles_to_quaternion,
    angles_to_xyz,
    as_irreps_array,
    axis_angle_to_angles,
    axis_angle_to_log_coordinates,
    axis_angle_to_matrix,
    compose_angles,
    compose_axis_angle,
    compose_log_coordinates,
    compose_quaternion,
    concatenate,
    cross,
    dot,
    from_chunks,
    inverse_angles,
    inverse_quaternion,
    log_coordinates_to_angles,
    log_coordinates_to_axis_angle,
    log_coordinates_to_matrix,
    log_coordinates_to_quaternion,
    matrix_to_angles,
    matrix_to_axis_angle,
    matrix_to_log_coordinates,
    matrix_to_quaternion,
    matrix_x,
    matrix_y,
    matrix_z,
    mean,
    norm,
    ones,
    ones_like,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    quaternion_to_matrix,
    rotation_angle_from_angles,
    rotation_angle_from_axis_angle,
    rotation_angle_from_log_coordinates,
    rotation_angle_from_matrix,
    rotation_angle_from_quaternion,
    stack,
    sum,
    where,
    xyz_to_angles,
    zeros,
    zeros_like,
)
from irreps_ops import (
    SO3Signal,
    SphericalSignal,
    bessel,
    betas_to_spherical_signal,
    from_s2grid,
    get_s2fft_grid_resolution,
    legendre_transform_from_s2grid,
    legendre_transform_to_s2grid,
    m0_values_to_irrepsarray,
    normalize_function,
    poly_envelope,
    radius_graph,
    reduced_antisymmetric_tensor_product_basis,
    reduced_tensor_product_basis,
    s2_dirac,
    s2_irreps,
    soft_envelope,
    soft_odd,
    sus,
    tensor_product_with_spherical_harmonics,
    to_s2grid,
    to_s2point,
)
from irreps_ops import grad as _grad

from . import _src as _src
from . import equinox, experimental, flax, haiku, irrep, legacy, perm, util, utils
from ._config import (
    config,
)
from ._earlier_signals import (
    pad_to_plot_on_s2grid,
    s2_sum_of_diracs,
    s2grid,
    s2grid_vectors,
)
from ._functional import (
    FunctionalFullyConnectedTensorProduct,
    FunctionalLinear,
    FunctionalTensorProduct,
    Instruction,
)
from ._irreps import (
    Irrep,
    Irreps,
    MulIrrep,
)
from ._irreps_array import (
    IrrepsArray,
    of_functions,
    own_results,
)
from ._irreps_data import (
    IrrepsData,
)
from ._layers import _configured, _earlier, _tensor_square
from ._layers._lookup import classes_of, module_lookup
from ._layers._tensor_square import FunctionalTensorSquare
from ._operations import (
    elementwise_tensor_product,
    full_tensor_product,
    gate,
    index_add,
    norm_activation,
    normal,
    reduced_symmetric_tensor_product_basis,
    scalar_activation,
    scatter_max,
    scatter_mean,
    scatter_sum,
    sh,
    soft_normalization,
    soft_one_hot_linspace,
    spherical_harmonics,
    tensor_product,
    tensor_square,
)
from ._rotations import (
    axis_angle_to_quaternion,
    identity_angles,
    identity_log_coordinates,
    identity_quaternion,
    inverse_log_coordinates,
    rand_angles,
    rand_axis_angle,
    rand_log_coordinates,
    rand_matrix,
    rand_quaternion,
    wigner_D,
    wigner_rot_y,
)
from ._tables import (
    clebsch_gordan,
    generators,
    su2_clebsch_gordan,
    su2_generators,
    wigner_3j,
    wigner_generator_x,
    wigner_generator_y,
    wigner_generator_z,
)
from .utils import vmap

__all__ = [
    "FunctionalFullyConnectedTensorProduct",
    "FunctionalLinear",
    "FunctionalTensorProduct",
    "FunctionalTensorSquare",
    "Instruction",
    "Irrep",
    "Irreps",
    "IrrepsArray",
    "IrrepsData",
    "MulIrrep",
    "SO3Signal",
    "SphericalSignal",
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
    "bessel",
    "betas_to_spherical_signal",
    "clebsch_gordan",
    "compose_angles",
    "compose_axis_angle",
    "compose_log_coordinates",
    "compose_quaternion",
    "concatenate",
    "config",
    "cross",
    "dot",
    "elementwise_tensor_product",
    "equinox",
    "experimental",
    "flax",
    "from_chunks",
    "from_s2grid",
    "full_tensor_product",
    "gate",
    "generators",
    "get_s2fft_grid_resolution",
    "grad",
    "haiku",
    "identity_angles",
    "identity_log_coordinates",
    "identity_quaternion",
    "index_add",
    "inverse_angles",
    "inverse_log_coordinates",
    "inverse_quaternion",
    "irrep",
    "legacy",
    "legendre",
    "legendre_transform_from_s2grid",
    "legendre_transform_to_s2grid",
    "log_coordinates_to_angles",
    "log_coordinates_to_axis_angle",
    "log_coordinates_to_matrix",
    "log_coordinates_to_quaternion",
    "m0_values_to_irrepsarray",
    "matrix_to_angles",
    "matrix_to_axis_angle",
    "matrix_to_log_coordinates",
    "matrix_to_quaternion",
    "matrix_x",
    "matrix_y",
    "matrix_z",
    "mean",
    "norm",
    "norm_activation",
    "normal",
    "normalize_function",
    "ones",
    "ones_like",
    "pad_to_plot_on_s2grid",
    "perm",
    "poly_envelope",
    "quaternion_to_angles",
    "quaternion_to_axis_angle",
    "quaternion_to_log_coordinates",
    "quaternion_to_matrix",
    "radius_graph",
    "rand_angles",
    "rand_axis_angle",
    "rand_log_coordinates",
    "rand_matrix",
    "rand_quaternion",
    "reduced_antisymmetric_tensor_product_basis",
    "reduced_symmetric_tensor_product_basis",
    "reduced_tensor_product_basis",
    "rotation_angle_from_angles",
    "rotation_angle_from_axis_angle",
    "rotation_angle_from_log_coordinates",
    "rotation_angle_from_matrix",
    "rotation_angle_from_quaternion",
    "s2_dirac",
    "s2_irreps",
    "s2_sum_of_diracs",
    "s2grid",
    "s2grid_vectors",
    "scalar_activation",
    "scatter_max",
    "scatter_mean",
    "scatter_sum",
    "sh",
    "soft_envelope",
    "soft_normalization",
    "soft_odd",
    "soft_one_hot_linspace",
    "spherical_harmonics",
    "stack",
    "su2_clebsch_gordan",
    "su2_generators",
    "sum",
    "sus",
    "tensor_product",
    "tensor_product_with_spherical_harmonics",
    "tensor_square",
    "to_s2grid",
    "to_s2point",
    "util",
    "utils",
    "vmap",
    "where",
    "wigner_3j",
    "wigner_D",
    "wigner_generator_x",
    "wigner_generator_y",
    "wigner_generator_z",
    "wigner_rot_y",
    "xyz_to_angles",
    "zeros",
    "zeros_like",
]

# The Haiku modules that releases before 0.16 had in the package itself.
_HAIKU = classes_of(
    "haiku",
    _configured.BatchNorm,
    _configured.Dropout,
    _configured.FullyConnectedTensorProduct,
    _earlier.Linear,
    _configured.MultiLayerPerceptron,
    _configured.SymmetricTensorProduct,
    _tensor_square.TensorSquare,
)
__getattr__ = module_lookup(__name__, _HAIKU)

__version__ = "0.21.0"  # the release of e3nn-jax whose names these are

grad = of_functions(_grad)
legendre = _import_module(f"{__name__}._src.spherical_harmonics.legendre")

for _name in __all__:
    _value = globals()[_name]
    if _inspect.isfunction(_value) and not _value.__module__.startswith(__name__):
        _value = globals()[_name] = own_results(_value)
    if _inspect.isfunction(_value) or _inspect.isclass(_value):
        _value.__module__ = __name__  # the public home: for reprs, pickles and the documentation
