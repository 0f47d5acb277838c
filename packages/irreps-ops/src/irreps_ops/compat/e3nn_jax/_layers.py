"""Our layers as e3nn-jax's modules: defaults of `config` when they are made, IrrepsData in and out."""

from dataclasses import dataclass
from typing import Any

import irreps_ops as io
from irreps_ops._scope import Scope

from ._config import default
from ._irreps_data import for_irreps_data


def _fill(layer: Any, *names: str) -> None:
    """Take from `config` what was not given."""
    for name in names:
        object.__setattr__(layer, name, default(name, getattr(layer, name)))


@dataclass(frozen=True)
class Linear(io.Linear):
    """:class:`irreps_ops.Linear` with the defaults of `config`."""

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "path_normalization", "gradient_normalization")
        super().__post_init__()

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """See :class:`irreps_ops.Linear`."""
        return for_irreps_data(super().__call__)(scope, *inputs)


@dataclass(frozen=True)
class MultiLayerPerceptron(io.MultiLayerPerceptron):
    """:class:`irreps_ops.MultiLayerPerceptron` with the defaults of `config`."""

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "gradient_normalization")
        super().__post_init__()

    def __call__(self, scope: Scope, x: Any) -> Any:
        """See :class:`irreps_ops.MultiLayerPerceptron`."""
        return for_irreps_data(super().__call__)(scope, x)


@dataclass(frozen=True)
class LinearSHTP(io.LinearSHTP):
    """:class:`irreps_ops.LinearSHTP`, its output sorted and merged."""

    def __call__(self, scope: Scope, x: Any, direction: Any) -> Any:
        """See :class:`irreps_ops.LinearSHTP`."""
        return super().__call__(scope, x, direction).regroup()


@dataclass(frozen=True)
class FullyConnectedTensorProduct(io.FullyConnectedTensorProduct):
    """:class:`irreps_ops.FullyConnectedTensorProduct` with the defaults of `config`."""

    irrep_normalization: Any = None

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "irrep_normalization", "path_normalization", "gradient_normalization")
        super().__post_init__()

    def __call__(self, scope: Scope, x: Any, y: Any) -> Any:
        """See :class:`irreps_ops.FullyConnectedTensorProduct`."""
        return for_irreps_data(super().__call__)(scope, x, y)


@dataclass(frozen=True)
class ConvolutionHaiku(io.VoxelConvolution):
    """:class:`irreps_ops.VoxelConvolution`, as e3nn-jax calls it."""

    def __call__(self, scope: Scope, input: Any, steps: Any = None) -> Any:
        """See :class:`irreps_ops.VoxelConvolution`."""
        return for_irreps_data(super().__call__)(scope, input, steps)
