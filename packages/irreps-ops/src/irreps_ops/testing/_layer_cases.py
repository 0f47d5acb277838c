"""The cases of the conformance kit: layers, the irreps that they are built for, and data to apply them to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray, cached, normal, plugins
from irreps_ops.bindings._registry import LAYERS, layer, layers
from irreps_ops.layers import (
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

_BATCH = 3
_MOST_CASES = 1000


class WrongCases(ValueError):
    """The error for a layer of a plugin whose test cases cannot be used."""


class LayerCase:
    """A layer and data to apply it to.

    Args:
        layer: the layer.
        irreps_in: irreps of the inputs, as `layer.example` takes them.
        inputs: inputs whose first axis is that of a batch (default: random data with the shapes of the example).
        name: name of the case (default: the name of the layer).
        equivariant: whether the layer is equivariant under all rotations; a layer on a grid is not.
        shared: indices of the inputs that have no batch axis.

    Raises:
        ValueError: no inputs are given, and the example has integers, which cannot be drawn.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops.testing import LayerCase
        >>> case = LayerCase(irr.Linear("0e"), ("2x0e + 1o",))
        >>> case.name, [x.shape for x in case.inputs]
        ('Linear', [(3, 5)])
    """

    def __init__(
        self,
        layer: Any,
        irreps_in: tuple[Any, ...],
        inputs: tuple[Any, ...] = (),
        name: str = "",
        equivariant: bool = True,
        shared: tuple[int, ...] = (),
    ) -> None:
        """See the class."""
        self.layer, self.irreps_in = layer, irreps_in
        self.name = name or type(layer).__name__
        self.equivariant, self.shared = equivariant, shared
        examples = () if inputs else layer.example(*irreps_in, dtype=widest_dtype())
        self.inputs = inputs or tuple(_drawn(x, self.name) for x in examples)

    def astype(self, dtype: Any) -> "LayerCase":
        """Return the case with layer and data of another dtype."""
        inputs, irreps_in = (as_dtype(given, dtype) for given in (self.inputs, self.irreps_in))
        layer = replace(self.layer, dtype=dtype) if hasattr(self.layer, "dtype") else self.layer
        return LayerCase(layer, irreps_in, inputs, self.name, self.equivariant, self.shared)

    def empty(self) -> tuple[Any, ...]:
        """Return the inputs of an empty batch."""

        def no_element(x: Any) -> Any:
            return jax.tree.map(lambda a: a[:0] if a.ndim else a, x)

        return tuple(x if n in self.shared else no_element(x) for n, x in enumerate(self.inputs))


def as_dtype(tree: Any, dtype: Any) -> Any:
    """Return a tree whose floating-point arrays have another dtype."""

    def cast(a: Any) -> Any:
        return a.astype(dtype) if hasattr(a, "dtype") and jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(cast, tree)


def widest_dtype() -> Any:
    """Return float64, or float32 where JAX has float64 disabled."""
    return jax.dtypes.canonicalize_dtype(jnp.float64)


def layer_cases(name: str) -> list[LayerCase]:
    """Return the cases of the layer of a name, ours or a plugin's.

    The layer class of a plugin provides its cases by a class method `cases()`, which yields at least one
    :class:`LayerCase` of an instance of the class, and at most 1000.

    Raises:
        irreps_core.plugins.PluginLoadError: the layer is not installed, or its plugin is broken.
        ValueError: the layer class has no method `cases`.
        WrongCases: it yields anything else, or raises an error; the message names the plugin, and the cause is chained.

    Example:
        >>> from irreps_ops.testing import layer_cases
        >>> [case.name for case in layer_cases("Gate")]
        ['Gate', 'Gate, linear']
    """
    if name in LAYERS.builtin:
        return [case for case in _own_cases(widest_dtype()) if type(case.layer) is LAYERS.builtin[name]]
    found = layer(name)
    make: Callable[[], Iterator[LayerCase]] | None = getattr(found, "cases", None)
    if make is None:
        raise ValueError(
            f"the layer {name!r} has no test cases: give its class a class method `cases` that yields "
            "irreps_ops.testing.LayerCase, or call check_layer with a LayerCase"
        )
    plugin = plugins.discover(LAYERS).get(name, f"the layer {name!r}")
    expected = (
        f"`cases` of {found.__name__} ({plugin}): expected a class method that yields irreps_ops.testing.LayerCase"
    )
    cases: list[LayerCase] = []
    try:
        for case in make():
            if not isinstance(case, LayerCase) or not isinstance(case.layer, found):
                shown = (
                    f"a LayerCase of {type(case.layer).__name__}"
                    if isinstance(case, LayerCase)
                    else type(case).__name__
                )
                raise WrongCases(f"{expected} of its own layers, but number {len(cases)} is {shown}")
            cases.append(case)
            if len(cases) > _MOST_CASES:
                raise WrongCases(f"{expected}, but there are more than {_MOST_CASES}")
    except (KeyboardInterrupt, WrongCases):
        raise
    except BaseException as error:  # a plugin may fail in any way
        raise WrongCases(f"{expected}, but case {len(cases)} raises {type(error).__name__}: {_text(error)}") from error
    if not cases:
        raise WrongCases(f"{expected}, but there is none")
    return cases


def _text(error: BaseException) -> str:
    """Return the message of an error, cut to a length."""
    try:
        text = str(error)
    except BaseException as wrong:  # a plugin's `__str__` may fail in any way
        if isinstance(wrong, KeyboardInterrupt):
            raise
        return "(an error without text)"
    return text if len(text) <= 300 else f"{text[:147]} ... {text[-147:]}"


def layers_with_cases() -> list[str]:
    """Return the names of all layers except those of plugins that are broken or have no method `cases`.

    A layer whose cases are wrong is among them, so that whoever runs its cases is told.

    Example:
        >>> from irreps_ops.testing import layers_with_cases
        >>> "Linear" in layers_with_cases()
        True
    """
    found = []
    for name in layers():
        try:
            if name not in LAYERS.builtin and not hasattr(layer(name), "cases"):
                continue
        except (plugins.PluginLoadError, TypeError):
            continue
        found.append(name)
    return found


def _drawn(example: Any, name: str) -> Any:
    key = jax.random.key(len(example.shape))
    if isinstance(example, IrrepsArray):
        return normal(example.irreps, key, (_BATCH, *example.shape[:-1]), dtype=example.dtype)
    if not jnp.issubdtype(example.dtype, jnp.floating):
        raise ValueError(f"{name}: integers cannot be drawn; pass inputs to the LayerCase")
    return jax.random.uniform(key, (_BATCH, *example.shape), example.dtype, 0.2, 0.9)


def _data(irreps: str, *shape: int) -> IrrepsArray:
    return normal(irreps, jax.random.key(7), shape, dtype=widest_dtype())


@cached()
def _own_cases(dtype: Any) -> tuple[LayerCase, ...]:
    """Return the cases of our own layers, drawn once for each dtype."""
    return tuple(_each_own_case())


def _each_own_case() -> Iterator[LayerCase]:
    """Yield the cases of our own layers in alphabetical order: at least one for each layer and signature."""
    x = _data("2x0e + 1o", _BATCH)
    edges = (jnp.array([0, 1, 2]), jnp.array([1, 0, 1]))
    several = _data("2x0e + 1o", _BATCH, 2)
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
    per_channel = Linear("0e + 1o", num_indexed_weights=2, weights_per_channel=True)
    yield LayerCase(per_channel, (several[0],), (indices, several), "Linear, per channel")
    yield LayerCase(LinearSHTP("2x0e + 1o + 1e"), ("2x0e + 1o", "1o"))
    messages = MessagePassingConvolution("0e + 1o", (3,), jax.nn.silu, avg_num_neighbors=1.5)
    along = (x, _data("0e + 1o", _BATCH), _data("2x0e", _BATCH).array, edges)
    yield LayerCase(messages, ("2x0e + 1o", "0e + 1o", 2), along)
    yield LayerCase(MultiLayerPerceptron([4, 2], jax.nn.silu, with_bias=True), ("5x0e",))
    plain = MultiLayerPerceptron([4, 2], jnp.tanh, output_activation=False)
    yield LayerCase(plain, (5,), name="MultiLayerPerceptron, array")
    convolution = PointConvolution(
        "0e + 1o", 9.0, avg_num_neighbors=1.5, sh_lmax=1, num_radial_basis=2, list_neurons=(3,)
    )
    yield LayerCase(convolution, ("1o", "2x0e + 1o"), (_data("1o", _BATCH), x, *edges))
    contraction = SymmetricContraction("0e + 1o", (1, 2), 2)
    yield LayerCase(contraction, ("2x0e + 2x1o",), (indices, _data("2x0e + 2x1o", _BATCH)))
    copies = _data("0e + 1o", _BATCH, 2)
    yield LayerCase(SymmetricTensorProduct((1, 2), "0e + 1o"), (copies[0],), (copies,))
    instructions = (
        (0, 0, 0, "uvw", True),
        (0, 0, 0, "uuw", True),
        (1, 0, 1, "uvu", True, 2.0),
        (0, 1, 1, "uvu", False),
    )
    product = TensorProduct("2x0e + 2x1o", "2x0e + 1o", "3x0e + 2x1o", instructions)
    yield LayerCase(product, ("2x0e + 2x1o", "2x0e + 1o"))
    distances = jnp.linspace(0.2, 0.9, _BATCH, dtype=widest_dtype())
    attention = Transformer("2x0e + 2x1o", (3,), jax.nn.silu, 2)
    features = _data("2x0e + 2x1o", _BATCH)
    yield LayerCase(attention, ("2x0e + 1o", "2x0e + 2x1o"), (*edges, distances, x, features))
    voxels = _data("0e + 1o", _BATCH, 2, 2, 2)
    filters = VoxelConvolution("0e + 1o", "0e + 1o", 3.0, 1, (1, 1, 1))
    yield LayerCase(filters, ("0e + 1o",), (voxels,), equivariant=False)
    yield LayerCase(VoxelPooling(0.5), ("0e + 1o",), (voxels,), equivariant=False)
