"""Equivariant operations and framework-free layers on JAX arrays, for people who write models.

One import is enough: this module also has everything that a model needs of irreps_core, such as :class:`Irreps`,
:class:`IrrepsArray` and rotations. People who write executors or operations use :mod:`irreps_ops.compute`; people who
write layers or bindings use :mod:`irreps_ops.bindings` and :mod:`irreps_ops.testing`.
"""

from irreps_core import (
    CartesianTensor,
    IntoIrreps,
    Irrep,
    Irreps,
    IrrepsArray,
    MulIrrep,
    align,
    angles_to_axis_angle,
    angles_to_log_coordinates,
    angles_to_matrix,
    angles_to_quaternion,
    angles_to_xyz,
    as_irreps_array,
    axis_angle_to_angles,
    axis_angle_to_log_coordinates,
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    change_of_basis,
    clear_caches,
    clebsch_gordan,
    concatenate,
    cross,
    dot,
    from_chunks,
    from_voigt,
    log_coordinates_to_angles,
    log_coordinates_to_axis_angle,
    log_coordinates_to_matrix,
    log_coordinates_to_quaternion,
    matrix_to_angles,
    matrix_to_axis_angle,
    matrix_to_log_coordinates,
    matrix_to_quaternion,
    mean,
    norm,
    normal,
    ones,
    ones_like,
    quaternion_to_angles,
    quaternion_to_axis_angle,
    quaternion_to_log_coordinates,
    quaternion_to_matrix,
    rand_angles,
    rand_axis_angle,
    rand_log_coordinates,
    rand_matrix,
    rand_quaternion,
    stack,
    sum,
    to_voigt,
    vmap,
    where,
    wigner_D_from_angles,
    wigner_D_from_axis_angle,
    wigner_D_from_log_coordinates,
    wigner_D_from_matrix,
    wigner_D_from_quaternion,
    xyz_to_angles,
    zeros,
    zeros_like,
)

from . import bindings, compute
from .compute._dispatch import executors
from .compute._rewrite import checked, use_executor
from .fields._gradients import curl, divergence, grad, hessian
from .fields._voxels import interpolate_nearest, interpolate_trilinear, zoom
from .graphs._batching import Graph, GraphBatch, batch_graphs, bucket_size
from .graphs._edge_convolution import edge_convolution
from .graphs._edge_index import EdgeIndex
from .graphs._edge_softmax import edge_softmax
from .graphs._neighbour_list import Neighbours, edge_vectors, neighbour_list
from .graphs._radius_graph import radius_graph
from .graphs._scatter import index_add, scatter_max, scatter_mean, scatter_sum
from .harmonics._legendre import legendre
from .harmonics._polynomial import harmonics_polynomial
from .harmonics._spherical import sh, spherical_harmonics
from .layers import (
    BatchNorm,
    Dropout,
    Embedding,
    FullyConnectedTensorProduct,
    Gate,
    LayerNorm,
    Linear,
    LinearSHTP,
    MessagePassingConvolution,
    MultiLayerPerceptron,
    PointConvolution,
    SymmetricContraction,
    SymmetricTensorProduct,
    TensorProduct,
    Transformer,
    VoxelConvolution,
    VoxelPooling,
)
from .pointwise._activation import (
    Activation,
    key_value_activation,
    norm_activation,
    normalize_function,
    scalar_activation,
    soft_normalization,
    soft_odd,
)
from .pointwise._cutoffs import cosine_cutoff, poly_envelope, soft_envelope, sus, xplor_cutoff
from .pointwise._gate import gate
from .pointwise._layer_norm import layer_norm
from .pointwise._radial import (
    bessel,
    chebyshev_basis,
    exponential_bernstein_basis,
    gaussian_basis,
    radial_basis,
    soft_one_hot_linspace,
)
from .products._couplings import Coupling
from .products._gaunt import gaunt_tensor_product
from .products._linear import FunctionalLinear, LinearWeights, linear
from .products._linear_with_harmonics import shtp
from .products._reduced_basis import (
    reduced_antisymmetric_tensor_product_basis,
    reduced_symmetric_tensor_product_basis,
    reduced_tensor_product_basis,
)
from .products._symmetric_contraction import FunctionalSymmetricContraction, SymmetricWeights, symmetric_contraction
from .products._tensor_product import elementwise_tensor_product, tensor_product, tensor_square
from .products._weighted import FunctionalFullyConnectedTensorProduct, FunctionalTensorProduct
from .products._with_harmonics import tensor_product_with_spherical_harmonics
from .scope._functional import apply, init, init_state
from .signals._axisymmetric import (
    betas_to_spherical_signal,
    legendre_transform_from_s2grid,
    legendre_transform_to_s2grid,
    m0_values_to_irrepsarray,
)
from .signals._dirac import s2_dirac
from .signals._grid import s2_grid
from .signals._plugins import SphereTransform
from .signals._s2_irreps import s2_irreps
from .signals._s2fft import get_s2fft_grid_resolution
from .signals._so3_signal import SO3Signal
from .signals._spherical_signal import SphericalSignal
from .signals._to_and_from_grid import from_s2grid, to_s2grid, to_s2point

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "BatchNorm",
    "CartesianTensor",
    "Coupling",
    "Dropout",
    "EdgeIndex",
    "Embedding",
    "FullyConnectedTensorProduct",
    "FunctionalFullyConnectedTensorProduct",
    "FunctionalLinear",
    "FunctionalSymmetricContraction",
    "FunctionalTensorProduct",
    "Gate",
    "Graph",
    "GraphBatch",
    "IntoIrreps",
    "Irrep",
    "Irreps",
    "IrrepsArray",
    "LayerNorm",
    "Linear",
    "LinearSHTP",
    "LinearWeights",
    "MessagePassingConvolution",
    "MulIrrep",
    "MultiLayerPerceptron",
    "Neighbours",
    "PointConvolution",
    "SO3Signal",
    "SphereTransform",
    "SphericalSignal",
    "SymmetricContraction",
    "SymmetricTensorProduct",
    "SymmetricWeights",
    "TensorProduct",
    "Transformer",
    "VoxelConvolution",
    "VoxelPooling",
    "align",
    "angles_to_axis_angle",
    "angles_to_log_coordinates",
    "angles_to_matrix",
    "angles_to_quaternion",
    "angles_to_xyz",
    "apply",
    "as_irreps_array",
    "axis_angle_to_angles",
    "axis_angle_to_log_coordinates",
    "axis_angle_to_matrix",
    "axis_angle_to_quaternion",
    "batch_graphs",
    "bessel",
    "betas_to_spherical_signal",
    "bindings",
    "bucket_size",
    "change_of_basis",
    "chebyshev_basis",
    "checked",
    "clear_caches",
    "clebsch_gordan",
    "compute",
    "concatenate",
    "cosine_cutoff",
    "cross",
    "curl",
    "divergence",
    "dot",
    "edge_convolution",
    "edge_softmax",
    "edge_vectors",
    "elementwise_tensor_product",
    "executors",
    "exponential_bernstein_basis",
    "from_chunks",
    "from_s2grid",
    "from_voigt",
    "gate",
    "gaunt_tensor_product",
    "gaussian_basis",
    "get_s2fft_grid_resolution",
    "grad",
    "harmonics_polynomial",
    "hessian",
    "index_add",
    "init",
    "init_state",
    "interpolate_nearest",
    "interpolate_trilinear",
    "key_value_activation",
    "layer_norm",
    "legendre",
    "legendre_transform_from_s2grid",
    "legendre_transform_to_s2grid",
    "linear",
    "log_coordinates_to_angles",
    "log_coordinates_to_axis_angle",
    "log_coordinates_to_matrix",
    "log_coordinates_to_quaternion",
    "m0_values_to_irrepsarray",
    "matrix_to_angles",
    "matrix_to_axis_angle",
    "matrix_to_log_coordinates",
    "matrix_to_quaternion",
    "mean",
    "neighbour_list",
    "norm",
    "norm_activation",
    "normal",
    "normalize_function",
    "ones",
    "ones_like",
    "poly_envelope",
    "quaternion_to_angles",
    "quaternion_to_axis_angle",
    "quaternion_to_log_coordinates",
    "quaternion_to_matrix",
    "radial_basis",
    "radius_graph",
    "rand_angles",
    "rand_axis_angle",
    "rand_log_coordinates",
    "rand_matrix",
    "rand_quaternion",
    "reduced_antisymmetric_tensor_product_basis",
    "reduced_symmetric_tensor_product_basis",
    "reduced_tensor_product_basis",
    "s2_dirac",
    "s2_grid",
    "s2_irreps",
    "scalar_activation",
    "scatter_max",
    "scatter_mean",
    "scatter_sum",
    "sh",
    "shtp",
    "soft_envelope",
    "soft_normalization",
    "soft_odd",
    "soft_one_hot_linspace",
    "spherical_harmonics",
    "stack",
    "sum",
    "sus",
    "symmetric_contraction",
    "tensor_product",
    "tensor_product_with_spherical_harmonics",
    "tensor_square",
    "to_s2grid",
    "to_s2point",
    "to_voigt",
    "use_executor",
    "vmap",
    "where",
    "wigner_D_from_angles",
    "wigner_D_from_axis_angle",
    "wigner_D_from_log_coordinates",
    "wigner_D_from_matrix",
    "wigner_D_from_quaternion",
    "xplor_cutoff",
    "xyz_to_angles",
    "zeros",
    "zeros_like",
    "zoom",
]

for _name in __all__:
    if getattr(globals()[_name], "__module__", "").startswith("irreps_ops.") and not globals()[
        _name
    ].__module__.endswith("compute"):
        globals()[_name].__module__ = __name__  # the public home: for reprs, pickles and the documentation
