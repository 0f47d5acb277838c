"""The names of e3nn-jax's private modules, and what stands behind each."""

from types import MappingProxyType

_LINEAR = "FunctionalLinear linear_indexed linear_mixed linear_mixed_per_channel linear_vanilla"
_TEST = "assert_equivariant=utils.assert_equivariant equivariance_test=utils.equivariance_test"
_TEST += " assert_output_dtype_matches_input_dtype=utils.assert_output_dtype_matches_input_dtype"
_FORMS = ("angles", "matrix", "quaternion", "axis_angle", "log_coordinates")
_ROTATIONS = [f"{a}_to_{b}" for a in _FORMS for b in _FORMS if a != b]
_ROTATIONS += [f"rand_{a}" for a in _FORMS] + [f"rotation_angle_from_{a}" for a in _FORMS]
_ROTATIONS += [f"identity_{a}" for a in ("angles", "quaternion", "log_coordinates")]
_ROTATIONS += [f"inverse_{a}" for a in ("angles", "quaternion", "log_coordinates")]
_ROTATIONS += [f"compose_{a}" for a in ("angles", "quaternion", "axis_angle", "log_coordinates")]

# Modules of release 0.21, then those of earlier releases. "a=b" is the name a for b; b is looked up in the module with
# the helpers, else in `irreps_compat.e3nn_jax`.
MODULES = MappingProxyType(
    {
        "activation": "is_zero_in_zero key_value_activation norm_activation normalize_function normalspace "
        "parity_function scalar_activation soft_normalization soft_odd",
        "basic": "as_irreps_array concatenate cross dot from_chunks mean norm normal ones ones_like stack sum_=sum "
        "where zeros zeros_like _align_two_irreps_arrays=align",
        "batchnorm": "BatchNorm=haiku.BatchNorm",
        "batchnorm.bn_flax": "BatchNorm=flax.BatchNorm",
        "batchnorm.bn_haiku": "BatchNorm=haiku.BatchNorm",
        "config": "config __default_conf=DEFAULTS",
        "dropout_haiku": "Dropout=haiku.Dropout",
        "fc_tp_haiku": "FullyConnectedTensorProduct=haiku.FullyConnectedTensorProduct",
        "gate": "gate",
        "grad": "grad",
        "irreps": "Irrep Irreps MulIrrep",
        "irreps_array": "IrrepsArray",
        "legacy": "",
        "legacy.core_tensor_product": "FunctionalTensorProduct Instruction",
        "legacy.functional_fully_connected_tensor_product": "FunctionalFullyConnectedTensorProduct",
        "linear": f"{_LINEAR} Instruction=LinearInstruction parse_gradient_normalization "
        "validate_inputs_for_instructions",
        "linear_equinox": f"Linear=equinox.Linear {_LINEAR}",
        "linear_flax": f"Linear=flax.Linear {_LINEAR}",
        "linear_haiku": f"Linear=haiku.Linear {_LINEAR}",
        "mlp_flax": "MultiLayerPerceptron=flax.MultiLayerPerceptron",
        "mlp_haiku": "MultiLayerPerceptron=haiku.MultiLayerPerceptron",
        "radial": "bessel poly_envelope soft_envelope soft_one_hot_linspace solve_polynomial sus u",
        "radius_graph": "radius_graph",
        "reduced_tensor_product": "reduced_antisymmetric_tensor_product_basis reduced_symmetric_tensor_product_basis "
        "reduced_tensor_product_basis",
        "rotation": " ".join(["matrix_x matrix_y matrix_z angles_to_xyz xyz_to_angles", *_ROTATIONS]),
        "s2grid": "SphericalSignal betas_to_spherical_signal from_s2grid get_s2fft_grid_resolution "
        "legendre_transform_from_s2grid legendre_transform_to_s2grid m0_values_to_irrepsarray s2_dirac s2_irreps "
        "to_s2grid to_s2point _expand_matrix=expand_matrix _irfft=irfft _quadrature_weights=quadrature_weights "
        "_quadrature_weights_soft=quadrature_weights_soft _rfft=rfft _rollout_sh=rollout_sh _s2grid=s2_grid "
        "_s2grid_vectors=s2grid_vectors _spherical_harmonics_s2grid=spherical_harmonics_s2grid "
        "irfft rfft s2_grid s2grid s2grid_vectors",
        "scatter": "index_add scatter_max scatter_mean scatter_sum _distinct_but_small=distinct_but_small",
        "so3": "change_basis_real_to_complex clebsch_gordan generators",
        "so3grid": "SO3Signal",
        "spherical_harmonics": "sh spherical_harmonics",
        "spherical_harmonics.legendre": "legendre legendre_spherical_harmonics _sh_alpha=sh_alpha _sh_beta=sh_beta",
        "su2": "su2_clebsch_gordan su2_generators",
        "symmetric_tensor_product_haiku": "SymmetricTensorProduct=haiku.SymmetricTensorProduct",
        "tensor_product_with_spherical_harmonics": "tensor_product_with_spherical_harmonics",
        "tensor_products": "elementwise_tensor_product tensor_product tensor_square naive_broadcast_decorator",
        "utils": "",
        "utils.decorators": "overload_for_irreps_without_array=util.decorators.overload_for_irreps_without_array",
        "utils.dtype": "get_pytree_dtype",
        "utils.einsum": "einsum",
        "utils.jit": "jit_code",
        "utils.sum_tensors": "sum_tensors",
        "utils.test": _TEST,
        "utils.vmap": "vmap",
        "core_tensor_product": "FunctionalTensorProduct Instruction _sum_tensors=sum_tensors",
        "dropout": "Dropout=haiku.Dropout",
        "symmetric_tensor_product": "SymmetricTensorProduct=haiku.SymmetricTensorProduct",
        "util": "",
        "util.decorators": "overload_for_irreps_without_array=util.decorators.overload_for_irreps_without_array "
        "overload_for_irreps_without_data=util.decorators.overload_for_irreps_without_data",
        "util.dtype": "get_pytree_dtype",
        "util.einsum": "einsum",
        "util.jit": "jit_code",
        "util.sum_tensors": "sum_tensors",
        "util.test": _TEST,
    }
)
