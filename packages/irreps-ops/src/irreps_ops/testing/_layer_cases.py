"""What the conformance kit tries layers on: each with irreps that it is built for, and with data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray, normal, plugins
from irreps_ops.bindings._registry import LAYERS, layer, layers
from irreps_ops.layers._batch_norm import BatchNorm
from irreps_ops.layers._dropout import Dropout
from irreps_ops.layers._embedding import Embedding
from irreps_ops.layers._fully_connected_tensor_product import FullyConnectedTensorProduct
from irreps_ops.layers._gate import Gate
from irreps_ops.layers._layer_norm import LayerNorm
from irreps_ops.layers._linear import Linear
from irreps_ops.layers._linear_with_harmonics import LinearSHTP
from irreps_ops.layers._message_passing_convolution import MessagePassingConvolution
from irreps_ops.layers._multi_layer_perceptron import MultiLayerPerceptron
from irreps_ops.layers._point_convolution import PointConvolution
from irreps_ops.layers._symmetric_contraction import SymmetricContraction
from irreps_ops.layers._symmetric_tensor_product import SymmetricTensorProduct
from irreps_ops.layers._tensor_product import TensorProduct
from irreps_ops.layers._transformer import Transformer
from irreps_ops.layers._voxel_convolution import VoxelConvolution
from irreps_ops.layers._voxel_pooling import VoxelPooling

_ROWS = 3


@dataclass(frozen=True, eq=False)
class LayerCase:
    """A layer and what it is tried on.

    Attributes:
        layer: the layer.
        irreps_in: of its inputs, as `layer.example` takes them.
        inputs: data to call it with, its first axis that of a batch. Default: random data like the example.
        name: what the case is called (default: the name of the layer).
        equivariant: whether it is; a layer on a grid, say, need not be.
        shared: which inputs (counted from 0) have no axis of a batch.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops.testing import LayerCase
        >>> case = LayerCase(irr.Linear("0e"), ("2x0e + 1o",))
        >>> case.name, [x.shape for x in case.inputs]
        ('Linear', [(3, 5)])
    """

    layer: Any
    irreps_in: tuple[Any, ...]
    inputs: tuple[Any, ...] = ()
    name: str = ""
    equivariant: bool = True
    shared: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Draw the data that is not given."""
        object.__setattr__(self, "name", self.name or type(self.layer).__name__)
        if not self.inputs:
            examples = self.layer.example(*self.irreps_in, dtype=widest())
            object.__setattr__(self, "inputs", tuple(_drawn(x, self.name) for x in examples))

    def astype(self, dtype: Any) -> "LayerCase":
        """The same with data of another precision."""
        inputs, irreps_in = (as_dtype(given, dtype) for given in (self.inputs, self.irreps_in))
        layer = replace(self.layer, dtype=dtype) if hasattr(self.layer, "dtype") else self.layer
        return replace(self, layer=layer, inputs=inputs, irreps_in=irreps_in)

    def empty(self) -> tuple[Any, ...]:
        """The inputs of a batch of no rows."""

        def none_of(x: Any) -> Any:
            return jax.tree.map(lambda a: a[:0] if a.ndim else a, x)

        return tuple(x if n in self.shared else none_of(x) for n, x in enumerate(self.inputs))


def as_dtype(tree: Any, dtype: Any) -> Any:
    """A tree whose floating-point arrays have another precision."""

    def cast(a: Any) -> Any:
        return a.astype(dtype) if hasattr(a, "dtype") and jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(cast, tree)


def widest() -> Any:
    """float64, or float32 where JAX has that switched off."""
    return jax.dtypes.canonicalize_dtype(jnp.float64)


def layer_cases(name: str) -> list[LayerCase]:
    """The cases of a layer of that name, ours or a plugin's.

    A plugin's layer class says what it is tried on by a class method `cases`, which yields :class:`LayerCase`.

    Raises:
        irreps_core.plugins.PluginLoadError: there is no such layer, or it is broken.
        ValueError: the layer has no such method.
    """
    if name in LAYERS.builtin:
        return [case for case in _cases() if type(case.layer) is LAYERS.builtin[name]]
    found = layer(name)
    make: Callable[[], Iterator[LayerCase]] | None = getattr(found, "cases", None)
    if make is None:
        raise ValueError(
            f"the layer {name!r} does not say what to try it on: give its class a class method `cases` that yields "
            "irreps_ops.testing.LayerCase, or call check_layer with a LayerCase"
        )
    return list(make())


def layers_with_cases() -> list[str]:
    """All layers but those of plugins that are broken or do not say what to try them on.

    Example:
        >>> from irreps_ops.testing import layers_with_cases
        >>> "Linear" in layers_with_cases()
        True
    """
    found = []
    for name in layers():
        try:
            layer_cases(name)
        except (plugins.PluginLoadError, TypeError, ValueError):
            continue
        found.append(name)
    return found


def _drawn(example: Any, name: str) -> Any:
    key = jax.random.key(len(example.shape))
    if isinstance(example, IrrepsArray):
        return normal(example.irreps, key, (_ROWS, *example.shape[:-1]), dtype=example.dtype)
    if not jnp.issubdtype(example.dtype, jnp.floating):
        raise ValueError(f"{name}: integers cannot be drawn; give the case its inputs")
    return jax.random.uniform(key, (_ROWS, *example.shape), example.dtype, 0.2, 0.9)


def _data(irreps: str, *shape: int) -> IrrepsArray:
    return normal(irreps, jax.random.key(7), shape, dtype=widest())


def _cases() -> Iterator[LayerCase]:
    """Of our own layers, in alphabetical order; every layer has one, and one for each way of calling it."""
    x = _data("2x0e + 1o", _ROWS)
    edges = (jnp.array([0, 1, 2]), jnp.array([1, 0, 1]))
    several = _data("2x0e + 1o", _ROWS, 2)
    yield LayerCase(BatchNorm(), ("2x0e + 1o",), (x,))
    yield LayerCase(BatchNorm(instance=True), (several[0],), (several,), "BatchNorm, instance")
    yield LayerCase(Dropout(0.5), ("2x0e + 1o",))
    key = jax.random.key(1)
    yield LayerCase(Dropout(0.5), ("2x0e + 1o",), (key, x), "Dropout, with a key", shared=(0,))
    yield LayerCase(Embedding("4x0e", 3), (), (jnp.array([0, 2, 0]),))
    yield LayerCase(FullyConnectedTensorProduct("3x0e + 2x1o + 2e"), ("2x0e + 1o", "0e + 1o"))
    yield LayerCase(Gate(), ("2x0e + 1o",))
    yield LayerCase(Gate("2x0e + 0o + 1o"), ("2x0e + 0o + 1o",), name="Gate, linear")
    yield LayerCase(LayerNorm(), ("2x0e + 1o",))
    yield LayerCase(Linear("4x0e + 2x1o + 2e", biases=True), ("2x0e + 1o",))
    yield LayerCase(Linear("2x0e + 1o"), ("4x0e", "2x0e + 1o"), name="Linear, mixed")
    indices = jnp.array([0, 1, 0])
    indexed = Linear("2x0e + 1o", num_indexed_weights=2)
    yield LayerCase(indexed, ("2x0e + 1o",), (indices, x), "Linear, indexed")
    channels = Linear("0e + 1o", channel_out=5, force_irreps_out=True)
    yield LayerCase(channels, (several[0],), (several,), "Linear, channels")
    yield LayerCase(LinearSHTP("2x0e + 1o + 1e"), ("2x0e + 1o", "1o"))
    messages = MessagePassingConvolution("0e + 1o", (3,), jax.nn.silu, avg_num_neighbors=1.5)
    along = (x, _data("0e + 1o", _ROWS), _data("2x0e", _ROWS).array, edges)
    yield LayerCase(messages, ("2x0e + 1o", "0e + 1o", 2), along)
    yield LayerCase(MultiLayerPerceptron([4, 2], jax.nn.silu, with_bias=True), ("5x0e",))
    plain = MultiLayerPerceptron([4, 2], jnp.tanh, output_activation=False)
    yield LayerCase(plain, (5,), name="MultiLayerPerceptron, array")
    convolution = PointConvolution(
        "0e + 1o", 9.0, avg_num_neighbors=1.5, sh_lmax=1, num_radial_basis=2, list_neurons=(3,)
    )
    yield LayerCase(convolution, ("1o", "2x0e + 1o"), (_data("1o", _ROWS), x, *edges))
    contraction = SymmetricContraction("0e + 1o", (1, 2), 2)
    yield LayerCase(contraction, ("2x0e + 2x1o",), (indices, _data("2x0e + 2x1o", _ROWS)))
    copies = _data("0e + 1o", _ROWS, 2)
    yield LayerCase(SymmetricTensorProduct((1, 2), "0e + 1o"), (copies[0],), (copies,))
    instructions = (
        (0, 0, 0, "uvw", True),
        (0, 0, 0, "uuw", True),
        (1, 0, 1, "uvu", True, 2.0),
        (0, 1, 1, "uvu", False),
    )
    product = TensorProduct("2x0e + 2x1o", "2x0e + 1o", "3x0e + 2x1o", instructions)
    yield LayerCase(product, ("2x0e + 2x1o", "2x0e + 1o"))
    distances = jnp.linspace(0.2, 0.9, _ROWS, dtype=widest())
    attention = Transformer("2x0e + 2x1o", (3,), jax.nn.silu, 2)
    features = _data("2x0e + 2x1o", _ROWS)
    yield LayerCase(attention, ("2x0e + 1o", "2x0e + 2x1o"), (*edges, distances, x, features))
    voxels = _data("0e + 1o", _ROWS, 2, 2, 2)
    filters = VoxelConvolution("0e + 1o", "0e + 1o", 3.0, 1, (1, 1, 1))
    yield LayerCase(filters, ("0e + 1o",), (voxels,), equivariant=False)
    yield LayerCase(VoxelPooling(0.5), ("0e + 1o",), (voxels,), equivariant=False)
