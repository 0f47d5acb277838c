"""Equivariant operations and framework-free layers on JAX arrays.

* Operations take and give :class:`irreps_core.IrrepsArray`: :func:`spherical_harmonics`, :func:`tensor_product`,
  :func:`linear`, :func:`gate`, :func:`scatter_sum`, ...; radial functions are of plain arrays: :func:`bessel`, ...
* Layers are frozen dataclasses called with a scope that supplies parameters: :class:`Linear`, ... They work
  without a framework (:func:`init`, :func:`apply`) and in every framework that has a binding.
"""

from ._activation import Activation as Activation
from ._activation import key_value_activation as key_value_activation
from ._activation import norm_activation as norm_activation
from ._activation import normalize_function as normalize_function
from ._activation import scalar_activation as scalar_activation
from ._activation import soft_normalization as soft_normalization
from ._activation import soft_odd as soft_odd
from ._batch_norm import BatchNorm as BatchNorm
from ._bindings import Binding as Binding
from ._bindings import Layer as Layer
from ._bindings import binding as binding
from ._bindings import layer as layer
from ._bindings import layers as layers
from ._cutoffs import cosine_cutoff as cosine_cutoff
from ._cutoffs import poly_envelope as poly_envelope
from ._cutoffs import soft_envelope as soft_envelope
from ._cutoffs import sus as sus
from ._cutoffs import xplor_cutoff as xplor_cutoff
from ._dirac import s2_dirac as s2_dirac
from ._dropout import Dropout as Dropout
from ._edge_convolution import edge_convolution as edge_convolution
from ._edge_index import EdgeIndex as EdgeIndex
from ._edge_softmax import edge_softmax as edge_softmax
from ._embedding_layer import Embedding as Embedding
from ._executors import Executor as Executor
from ._executors import Task as Task
from ._executors import cheapest as cheapest
from ._executors import executors as executors
from ._executors import why_not as why_not
from ._fully_connected_tensor_product_layer import FullyConnectedTensorProduct as FullyConnectedTensorProduct
from ._functional_tensor_product import FunctionalFullyConnectedTensorProduct as FunctionalFullyConnectedTensorProduct
from ._functional_tensor_product import FunctionalTensorProduct as FunctionalTensorProduct
from ._functional_tensor_product import Instruction as Instruction
from ._gate import gate as gate
from ._gate_layer import Gate as Gate
from ._gaunt_tensor_product import gaunt_tensor_product as gaunt_tensor_product
from ._gradients import curl as curl
from ._gradients import divergence as divergence
from ._gradients import grad as grad
from ._gradients import hessian as hessian
from ._graphs import Graph as Graph
from ._graphs import GraphBatch as GraphBatch
from ._graphs import batch_graphs as batch_graphs
from ._graphs import bucket_size as bucket_size
from ._harmonics_polynomial import harmonics_polynomial as harmonics_polynomial
from ._layer_norm import layer_norm as layer_norm
from ._layer_norm_layer import LayerNorm as LayerNorm
from ._layer_specs import KeySpec as KeySpec
from ._layer_specs import ParameterSpec as ParameterSpec
from ._layer_specs import StateSpec as StateSpec
from ._layer_specs import layer_specs as layer_specs
from ._layer_specs import parameter_specs as parameter_specs
from ._legendre import legendre as legendre
from ._legendre_transforms import betas_to_spherical_signal as betas_to_spherical_signal
from ._legendre_transforms import legendre_transform_from_s2grid as legendre_transform_from_s2grid
from ._legendre_transforms import legendre_transform_to_s2grid as legendre_transform_to_s2grid
from ._legendre_transforms import m0_values_to_irrepsarray as m0_values_to_irrepsarray
from ._linear import FunctionalLinear as FunctionalLinear
from ._linear import LinearPath as LinearPath
from ._linear import linear as linear
from ._linear_layer import Linear as Linear
from ._linear_shtp import LinearSHTP as LinearSHTP
from ._linear_shtp import shtp as shtp
from ._message_passing_convolution_layer import MessagePassingConvolution as MessagePassingConvolution
from ._module_class import describe_call as describe_call
from ._module_class import layer_arguments as layer_arguments
from ._module_class import layer_for as layer_for
from ._module_class import make_all as make_all
from ._module_class import module_class as module_class
from ._module_class import module_lookup as module_lookup
from ._multi_layer_perceptron import MultiLayerPerceptron as MultiLayerPerceptron
from ._neighbour_list import Neighbours as Neighbours
from ._neighbour_list import edge_vectors as edge_vectors
from ._neighbour_list import neighbour_list as neighbour_list
from ._no_framework import apply as apply
from ._no_framework import init as init
from ._no_framework import init_state as init_state
from ._parameter_trees import check_tree as check_tree
from ._parameter_trees import tree_leaves as tree_leaves
from ._parameter_trees import tree_of_leaves as tree_of_leaves
from ._point_convolution_layer import PointConvolution as PointConvolution
from ._point_convolution_layer import radial_basis as radial_basis
from ._polynomial import Coefficients as Coefficients
from ._polynomial import Operand as Operand
from ._polynomial import Path as Path
from ._polynomial import Polynomial as Polynomial
from ._polynomial import simplified as simplified
from ._primitive import evaluate as evaluate
from ._radial import bessel as bessel
from ._radial import chebyshev_basis as chebyshev_basis
from ._radial import exponential_bernstein_basis as exponential_bernstein_basis
from ._radial import gaussian_basis as gaussian_basis
from ._radial import soft_one_hot_linspace as soft_one_hot_linspace
from ._radius_graph import radius_graph as radius_graph
from ._reduced_tensor_product import (
    reduced_antisymmetric_tensor_product_basis as reduced_antisymmetric_tensor_product_basis,
)
from ._reduced_tensor_product import reduced_symmetric_tensor_product_basis as reduced_symmetric_tensor_product_basis
from ._reduced_tensor_product import reduced_tensor_product_basis as reduced_tensor_product_basis
from ._s2_irreps import s2_irreps as s2_irreps
from ._s2fft import get_s2fft_grid_resolution as get_s2fft_grid_resolution
from ._scatter import index_add as index_add
from ._scatter import scatter_max as scatter_max
from ._scatter import scatter_mean as scatter_mean
from ._scatter import scatter_sum as scatter_sum
from ._scope import Initializer as Initializer
from ._scope import Parameters as Parameters
from ._scope import Scope as Scope
from ._scope import check_inputs as check_inputs
from ._scope import check_irreps as check_irreps
from ._scope import check_parameter as check_parameter
from ._scope import example_inputs as example_inputs
from ._scope import find_parameter as find_parameter
from ._scope import named_key as named_key
from ._scope import where as where
from ._so3_signal import SO3Signal as SO3Signal
from ._sphere_grid import s2_grid as s2_grid
from ._sphere_plugins import SphereTransform as SphereTransform
from ._spherical_harmonics import sh as sh
from ._spherical_harmonics import spherical_harmonics as spherical_harmonics
from ._spherical_harmonics_product import (
    tensor_product_with_spherical_harmonics as tensor_product_with_spherical_harmonics,
)
from ._spherical_signal import SphericalSignal as SphericalSignal
from ._spherical_transforms import from_s2grid as from_s2grid
from ._spherical_transforms import to_s2grid as to_s2grid
from ._spherical_transforms import to_s2point as to_s2point
from ._symmetric_contraction import FunctionalSymmetricContraction as FunctionalSymmetricContraction
from ._symmetric_contraction import SymmetricPath as SymmetricPath
from ._symmetric_contraction import symmetric_contraction as symmetric_contraction
from ._symmetric_contraction_layer import SymmetricContraction as SymmetricContraction
from ._symmetric_tensor_product import SymmetricTensorProduct as SymmetricTensorProduct
from ._tensor_product import elementwise_tensor_product as elementwise_tensor_product
from ._tensor_product import tensor_product as tensor_product
from ._tensor_product import tensor_square as tensor_square
from ._tensor_product_layer import TensorProduct as TensorProduct
from ._transformer_layer import Transformer as Transformer
from ._use_executor import checked as checked
from ._use_executor import use_executor as use_executor
from ._voxel_convolution_layer import VoxelConvolution as VoxelConvolution
from ._voxel_pooling_layer import VoxelPooling as VoxelPooling
from ._voxels import interpolate_nearest as interpolate_nearest
from ._voxels import interpolate_trilinear as interpolate_trilinear
from ._voxels import zoom as zoom

__version__ = "0.1.0"
