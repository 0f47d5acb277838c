"""Layers with the arguments that e3nn-jax's Flax modules have, in their order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import jax.numpy as jnp

from irreps_core import IntoIrreps
from irreps_ops._scope import Initializer, Scope

from . import _layers


class Reordered:
    """A layer, the class attribute `layer`, whose arguments have another order."""

    layer: type

    def __post_init__(self) -> None:
        """Refuse wrong arguments at once, and have them as the layer reads them."""
        made = self._made()
        for field in fields(self):  # type: ignore[arg-type]  # of the dataclasses below
            object.__setattr__(self, field.name, getattr(made, field.name, getattr(self, field.name)))

    def _made(self) -> Any:
        return self.layer(**{field.name: getattr(self, field.name) for field in fields(self)})  # type: ignore[arg-type]

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow."""
        return self._made().example(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, *inputs: Any, **options: Any) -> Any:
        """Compute."""
        return self._made()(scope, *inputs, **options)


@dataclass(frozen=True)
class Linear(Reordered):
    """:class:`irreps_ops.Linear` with the defaults of `config` and the order of arguments of e3nn_jax.flax."""

    layer = _layers.Linear

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
class MultiLayerPerceptron(Reordered):
    """:class:`irreps_ops.MultiLayerPerceptron` with the defaults of `config` and the arguments of e3nn_jax.flax."""

    layer = _layers.MultiLayerPerceptron

    list_neurons: Sequence[int]
    act: Any = None
    gradient_normalization: Any = None
    output_activation: Any = True
    with_bias: bool = False


@dataclass(frozen=True)
class ConvolutionFlax(Reordered):
    """:class:`irreps_ops.VoxelConvolution` with the arguments of e3nn-jax's Flax module."""

    layer = _layers.ConvolutionHaiku

    irreps_out: IntoIrreps
    irreps_sh: IntoIrreps
    diameter: float
    num_radial_basis: int | Mapping[int, int] | Sequence[tuple[int, int]]
    steps: Sequence[float]
    relative_starts: float | Mapping[int, float] | Sequence[tuple[int, float]] = 0.0
    padding: str | Sequence[tuple[int, int]] = "SAME"
