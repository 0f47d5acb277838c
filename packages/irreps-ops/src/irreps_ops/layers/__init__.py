"""The layers, one in each file. They depend on no framework; :mod:`irreps_ops.bindings` makes modules of them."""

from ._batch_norm import BatchNorm
from ._dropout import Dropout
from ._embedding import Embedding
from ._fully_connected_tensor_product import FullyConnectedTensorProduct
from ._gate import Gate
from ._layer_norm import LayerNorm
from ._linear import Linear
from ._linear_with_harmonics import LinearSHTP
from ._message_passing_convolution import MessagePassingConvolution
from ._multi_layer_perceptron import MultiLayerPerceptron
from ._point_convolution import PointConvolution
from ._symmetric_contraction import SymmetricContraction
from ._symmetric_tensor_product import SymmetricTensorProduct
from ._tensor_product import TensorProduct
from ._transformer import Transformer
from ._voxel_convolution import VoxelConvolution
from ._voxel_pooling import VoxelPooling

# The one list of our layers: bindings, stubs and conformance tests read it.
__all__ = [
    "BatchNorm",
    "Dropout",
    "Embedding",
    "FullyConnectedTensorProduct",
    "Gate",
    "LayerNorm",
    "Linear",
    "LinearSHTP",
    "MessagePassingConvolution",
    "MultiLayerPerceptron",
    "PointConvolution",
    "SymmetricContraction",
    "SymmetricTensorProduct",
    "TensorProduct",
    "Transformer",
    "VoxelConvolution",
    "VoxelPooling",
]
