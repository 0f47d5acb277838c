# Made from the layers by `python -m irreps_ops.stubs linen flax.linen.Module`; not to be edited.
# fmt: off

import flax.linen
import jax
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from irreps_core import IntoIrreps
from irreps_core import IrrepsArray
from irreps_ops._edge_index import EdgeIndex
from irreps_ops._layer_norm import LayerNormalization
from irreps_ops._multi_layer_perceptron import Activation
from irreps_ops._normalization import IrrepNormalization
from irreps_ops._normalization import Normalization
from irreps_ops._scope import Initializer
from irreps_ops._voxel_convolution_layer import OfDegree
from irreps_ops._voxels import Interpolation
from typing import Any
from typing import Literal
from typing import TypeVar
from typing import overload

_T = TypeVar("_T")

class _Metaclass(type(flax.linen.Module)):
    def __call__(cls: type[_T], *args: Any, **kwargs: Any) -> _T: ...

class _Module(flax.linen.Module, metaclass=_Metaclass): ...

class BatchNorm(_Module):
    """Equivariant batch normalization."""
    def __init__(self, parent: Any = ..., name: str | None = None, *, irreps: IntoIrreps = None, eps: float = 0.0001,
        momentum: float = 0.1, affine: bool = True, reduce: Literal['mean', 'max'] = 'mean', instance: bool = False,
        normalization: Literal['component', 'norm'] | None = None) -> None: ...
    def __call__(self, x: Any, is_training: bool = True, mask: Any = None) -> IrrepsArray: ...

class Dropout(_Module):
    """Equivariant dropout: y[z, a, c] = x[z, a, c] b[z, c] / (1 - p), for rows z, other axes a and irreps c."""
    def __init__(self, p: float, parent: Any = ..., name: str | None = None, *, irreps: IntoIrreps = None) -> None: ...
    def __call__(self, *inputs: Any, is_training: bool = True) -> IrrepsArray: ...

class Embedding(_Module):
    """Learned scalars for each species: row s of a table."""
    def __init__(self, irreps_out: IntoIrreps, num_species: int, parent: Any = ..., name: str | None = None, *,
        dtype: Any = None) -> None: ...
    def __call__(self, species: Any) -> IrrepsArray: ...

class FullyConnectedTensorProduct(_Module):
    """Fully connected tensor product of two inputs, with learned weights."""
    def __init__(self, irreps_out: IntoIrreps, parent: Any = ..., name: str | None = None, *,
        irreps_in1: IntoIrreps = None, irreps_in2: IntoIrreps = None,
        irrep_normalization: IrrepNormalization = 'component', path_normalization: Normalization | None = None,
        gradient_normalization: Normalization | None = None) -> None: ...
    def __call__(self, x: Any, y: Any) -> IrrepsArray: ...

class Gate(_Module):
    """Activate the scalars, and multiply everything else by activated scalars: the nonlinearity :func:`gate`."""
    def __init__(self, irreps_out: IntoIrreps = None, parent: Any = ..., name: str | None = None, *,
        even_act: Activation = ..., odd_act: Activation = ..., even_gate_act: Activation = ...,
        odd_gate_act: Activation = ..., normalize_act: bool = True) -> None: ...
    def __call__(self, x: IrrepsArray) -> IrrepsArray: ...

class LayerNorm(_Module):
    """Equivariant layer normalization: :func:`layer_norm` with learned factors and biases."""
    def __init__(self, parent: Any = ..., name: str | None = None, *, irreps: IntoIrreps = None, eps: float = 1e-05,
        affine: bool = True, normalization: LayerNormalization = 'component') -> None: ...
    def __call__(self, x: IrrepsArray) -> IrrepsArray: ...

class Linear(_Module):
    """Equivariant linear layer."""
    def __init__(self, irreps_out: IntoIrreps, channel_out: int | None = None, parent: Any = ...,
        name: str | None = None, *, irreps_in: IntoIrreps = None, biases: bool | Sequence[bool] = False,
        path_normalization: Normalization | None = None, gradient_normalization: Normalization | None = None,
        parameter_initializer: Callable[[], Initializer] | None = None,
        instructions: Sequence[tuple[int, int]] | None = None, num_indexed_weights: int | None = None,
        weights_per_channel: bool = False, force_irreps_out: bool = False,
        simplify_irreps_internally: bool = True) -> None: ...
    @overload
    def __call__(self, x: Any, /) -> IrrepsArray: ...
    @overload
    def __call__(self, weights_or_indices: Any, x: Any, /) -> IrrepsArray: ...

class LinearSHTP(_Module):
    """Linear map of the tensor product with the spherical harmonics of a direction, which is never computed."""
    def __init__(self, irreps_out: IntoIrreps, mix: bool = True, parent: Any = ...,
        name: str | None = None) -> None: ...
    def __call__(self, x: Any, direction: IrrepsArray) -> IrrepsArray: ...

class MessagePassingConvolution(_Module):
    """Convolution over the edges of a graph: features times harmonics, weighted by a radial network."""
    def __init__(self, irreps_out: IntoIrreps, list_neurons: Sequence[int], act: Activation | None, parent: Any = ...,
        name: str | None = None, *, avg_num_neighbors: float) -> None: ...
    def __call__(self, x: IrrepsArray, harmonics: IrrepsArray, radial: jax.Array | IrrepsArray,
        edges: EdgeIndex | tuple[Any, Any]) -> IrrepsArray: ...

class MultiLayerPerceptron(_Module):
    """A plain neural network on scalars; it is equivariant because scalars do not change."""
    def __init__(self, list_neurons: Sequence[int], act: Activation | None, parent: Any = ..., name: str | None = None,
        *, gradient_normalization: Normalization | None = None, output_activation: Activation | bool = True,
        with_bias: bool = False) -> None: ...
    @overload
    def __call__(self, x: IrrepsArray) -> IrrepsArray: ...
    @overload
    def __call__(self, x: jax.Array) -> jax.Array: ...

class PointConvolution(_Module):
    """Convolution of features at points in space: messages along edges, by harmonics and a radial network."""
    def __init__(self, target_irreps: IntoIrreps, radial_basis: Callable[[jax.Array], jax.Array] | float,
        parent: Any = ..., name: str | None = None, *, avg_num_neighbors: float, sh_lmax: int = 3,
        num_radial_basis: int = 8, mlp_neurons: Sequence[int] = ..., mlp_activation: Activation = ...) -> None: ...
    def __call__(self, positions: IrrepsArray, node_feats: IrrepsArray, senders: jax.Array, receivers: jax.Array,
        edges: EdgeIndex | None = None) -> IrrepsArray: ...

class SymmetricContraction(_Module):
    """Weighted symmetric powers of the features, with weights of each species, then a linear map: MACE's product."""
    def __init__(self, irreps_out: IntoIrreps, orders: Iterable[int], num_species: int, parent: Any = ...,
        name: str | None = None) -> None: ...
    def __call__(self, species: Any, x: IrrepsArray) -> IrrepsArray: ...

class SymmetricTensorProduct(_Module):
    """Weighted symmetric powers of the data, in each channel: see :class:`FunctionalSymmetricContraction`."""
    def __init__(self, orders: Iterable[int], keep_irrep_out: Any = None,
        get_parameter: Callable[[str, tuple[int, ...], Any], jax.Array] | None = None, parent: Any = ...,
        name: str | None = None) -> None: ...
    def __call__(self, x: Any) -> IrrepsArray: ...

class TensorProduct(_Module):
    """Tensor product with given connections; the weights are parameters, or come with the data."""
    def __init__(self, irreps_in1: IntoIrreps, irreps_in2: IntoIrreps, irreps_out: IntoIrreps,
        instructions: Sequence[Sequence[Any]], parent: Any = ..., name: str | None = None, *,
        in1_var: Sequence[float] | None = None, in2_var: Sequence[float] | None = None,
        out_var: Sequence[float] | None = None, irrep_normalization: IrrepNormalization = 'component',
        path_normalization: Normalization | None = None, gradient_normalization: Normalization | None = None,
        convention: str = 'e3nn') -> None: ...
    def __call__(self, *inputs: Any) -> IrrepsArray: ...

class Transformer(_Module):
    """Equivariant attention: each node sums the values of its neighbours by the fit of their keys to itself."""
    def __init__(self, irreps_node_output: IntoIrreps, list_neurons: Sequence[int], act: Activation | None,
        num_heads: int = 1, parent: Any = ..., name: str | None = None) -> None: ...
    def __call__(self, edge_src: jax.Array, edge_dst: jax.Array, edge_weight_cutoff: jax.Array, edge_attr: IrrepsArray,
        node_feat: IrrepsArray, edges: EdgeIndex | None = None) -> IrrepsArray: ...

class VoxelConvolution(_Module):
    """Convolution of a field of irreps on a grid of voxels with a learned equivariant kernel."""
    def __init__(self, irreps_out: IntoIrreps, irreps_sh: IntoIrreps, diameter: float,
        num_radial_basis: int | Mapping[int, int] | tuple[tuple[int, int], ...], steps: Sequence[float],
        parent: Any = ..., name: str | None = None, *, relative_starts: OfDegree = 0.0,
        padding: str | Sequence[tuple[int, int]] = 'SAME') -> None: ...
    def __call__(self, x: IrrepsArray, steps: Any = None) -> IrrepsArray: ...

class VoxelPooling(_Module):
    """Resample a field of irreps on fewer voxels (or more): a Gaussian average, then :func:`zoom`."""
    def __init__(self, resize_rate: float | Sequence[float] | None = None, parent: Any = ..., name: str | None = None,
        *, output_size: Sequence[int] | None = None, interpolation: Interpolation = 'linear',
        smoothing: float = 0.5) -> None: ...
    def __call__(self, x: IrrepsArray) -> IrrepsArray: ...

binding: Any
__version__: str

def __getattr__(name: str) -> Any: ...  # the layers of plugins
