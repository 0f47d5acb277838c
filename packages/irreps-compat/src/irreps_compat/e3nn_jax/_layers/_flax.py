"""Layers with the arguments of e3nn-jax's Flax modules, in their order, and with its parameter names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax

from irreps_core import IntoIrreps
from irreps_ops.bindings import Initializer, Scope

from . import _configured, _renamed
from ._adapted import Adapted

_NAMES = MappingProxyType(
    {
        # MultiLayerPerceptron
        "w": "kernel",
        "b": "bias",
        # BatchNorm
        "weight": "weights",
        "bias": "biases",
        "running_mean": "mean",
        "running_var": "var",
        # MessagePassingConvolutionFlax
        "multi_layer_perceptron": "MultiLayerPerceptron_0",
    }
)


class FlaxNames:
    """A scope whose parameters, state and branches have the names of e3nn_jax.flax.

    Args:
        scope: the scope that holds them.
    """

    def __init__(self, scope: Scope) -> None:
        """See the class."""
        self._scope = scope

    def parameter(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._scope.parameter(_NAMES.get(name, name), shape, dtype, initializer)

    def state(self, name: str, shape: tuple[int, ...], dtype: Any, initializer: Initializer) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._scope.state(_NAMES.get(name, name), shape, dtype, initializer)

    def set_state(self, name: str, value: jax.Array) -> None:
        """See :class:`irreps_ops.bindings.Scope`."""
        self._scope.set_state(_NAMES.get(name, name), value)

    def key(self, name: str) -> jax.Array:
        """See :class:`irreps_ops.bindings.Scope`."""
        return self._scope.key(name)

    def child(self, name: str) -> "FlaxNames":
        """See :class:`irreps_ops.bindings.Scope`."""
        return FlaxNames(self._scope.child(re.sub(r"^linear_(?=\d)", "Dense_", _NAMES.get(name, name))))


class FlaxLayer(Adapted):
    """Base of layers whose parameters have the names of e3nn_jax.flax."""

    def __call__(self, scope: Scope, *inputs: Any, **options: Any) -> Any:
        """Apply the layer."""
        return super().__call__(FlaxNames(scope), *inputs, **options)


@dataclass(frozen=True)
class Linear(FlaxLayer):
    """:class:`irreps_ops.Linear` with the defaults of `config` and the arguments of e3nn_jax.flax."""

    layer = _configured.Linear

    irreps_out: IntoIrreps
    irreps_in: IntoIrreps = None
    channel_out: int | None = None
    gradient_normalization: Any = None
    path_normalization: Any = None
    biases: bool = False
    parameter_initializer: Callable[[], Initializer] | None = None
    instructions: Sequence[tuple[int, int]] | None = None
    num_indexed_weights: int | None = None
    weights_per_channel: bool = False
    force_irreps_out: bool = False
    simplify_irreps_internally: bool = True


@dataclass(frozen=True)
class MultiLayerPerceptron(FlaxLayer):
    """:class:`irreps_ops.MultiLayerPerceptron` with the defaults of `config` and the arguments of e3nn_jax.flax."""

    layer = _configured.MultiLayerPerceptron

    list_neurons: Sequence[int]
    act: Any = None
    gradient_normalization: Any = None
    output_activation: Any = True
    with_bias: bool = False


@dataclass(frozen=True)
class BatchNorm(FlaxLayer):
    """:class:`irreps_ops.BatchNorm` with the defaults of `config` and the arguments of e3nn_jax.flax.

    `use_running_average`, given to the constructor or to the call, is the opposite of `is_training`; the default is
    False. Where it is True, the running averages do not change (those of e3nn-jax do).
    """

    layer = _configured.BatchNorm

    use_running_average: bool | None = None
    eps: float = 1e-4
    momentum: float = 0.1
    affine: bool = True
    reduce: Any = "mean"
    instance: bool = False
    normalization: Any = None

    def __call__(self, scope: Scope, input: Any, use_running_average: bool | None = None, mask: Any = None) -> Any:
        """Apply the layer, see :class:`irreps_ops.BatchNorm`.

        Raises:
            ValueError: running averages are asked of an instance normalization, which does not keep any.
        """
        given = self.use_running_average if use_running_average is None else use_running_average
        if given and self.instance:
            raise ValueError("BatchNorm with instance=True has no running averages: got use_running_average=True")
        return super().__call__(scope, input, not given, mask)


@dataclass(frozen=True)
class MessagePassingConvolutionFlax(FlaxLayer):
    """:class:`irreps_ops.PointConvolution` with the arguments of e3nn-jax's Flax module."""

    layer = _renamed.MessagePassingConvolutionHaiku

    target_irreps: IntoIrreps
    radial_basis: Callable[[jax.Array], jax.Array]
    avg_num_neighbors: float
    sh_lmax: int = 3
    num_radial_basis: int = 8
    mlp_neurons: Sequence[int] = (64,)
    mlp_activation: Any = jax.nn.gelu


@dataclass(frozen=True)
class ConvolutionFlax(FlaxLayer):
    """:class:`irreps_ops.VoxelConvolution` with the arguments of e3nn-jax's Flax module."""

    layer = _configured.ConvolutionHaiku

    irreps_out: IntoIrreps
    irreps_sh: IntoIrreps
    diameter: float
    num_radial_basis: int | Mapping[int, int] | Sequence[tuple[int, int]]
    steps: Sequence[float]
    relative_starts: float | Mapping[int, float] | Sequence[tuple[int, float]] = 0.0
    padding: str | Sequence[tuple[int, int]] = "SAME"
