"""Our layers as e3nn-jax's modules: defaults of `config` when they are made, IrrepsData in and out."""

from dataclasses import dataclass
from typing import Any

import jax

import irreps_ops as irr
from irreps_core import Irreps
from irreps_ops.scope._scope import Scope

from ._config import default
from ._irreps_data import for_irreps_data, of_irreps


def _fill(layer: Any, *names: str) -> None:
    """Take from `config` what was not given."""
    for name in names:
        object.__setattr__(layer, name, default(name, getattr(layer, name)))


@dataclass(frozen=True)
class Linear(irr.Linear):
    """:class:`irreps_ops.Linear` with the defaults of `config`; instructions count the items that are not dropped."""

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "path_normalization", "gradient_normalization")
        if self.instructions is not None and self.irreps_in is not None and not self.force_irreps_out:
            object.__setattr__(self, "irreps_out", Irreps(self.irreps_out).filter(keep=self.irreps_in))
        super().__post_init__()

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """See :class:`irreps_ops.Linear`."""
        inputs = *inputs[:-1], of_irreps(self.irreps_in, inputs[-1])
        return for_irreps_data(super().__call__)(scope, *inputs)


@dataclass(frozen=True)
class MultiLayerPerceptron(irr.MultiLayerPerceptron):
    """:class:`irreps_ops.MultiLayerPerceptron` with the defaults of `config`."""

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "gradient_normalization")
        super().__post_init__()

    def __call__(self, scope: Scope, x: Any) -> Any:
        """See :class:`irreps_ops.MultiLayerPerceptron`."""
        return for_irreps_data(super().__call__)(scope, x)


@dataclass(frozen=True)
class LinearSHTP(irr.LinearSHTP):
    """:class:`irreps_ops.LinearSHTP`, its output sorted and merged."""

    def __call__(self, scope: Scope, x: Any, direction: Any) -> Any:
        """See :class:`irreps_ops.LinearSHTP`."""
        return super().__call__(scope, x, direction).regroup()


@dataclass(frozen=True)
class FullyConnectedTensorProduct(irr.FullyConnectedTensorProduct):
    """:class:`irreps_ops.FullyConnectedTensorProduct` with the defaults of `config`."""

    irrep_normalization: Any = None

    def __post_init__(self) -> None:
        """With defaults."""
        _fill(self, "irrep_normalization", "path_normalization", "gradient_normalization")
        super().__post_init__()

    def __call__(self, scope: Scope, x1: Any, x2: Any, **options: Any) -> Any:
        """See :class:`irreps_ops.FullyConnectedTensorProduct`; options, which said how to compute, have no effect."""
        inputs = of_irreps(self.irreps_in1, x1), of_irreps(self.irreps_in2, x2)
        return for_irreps_data(super().__call__)(scope, *inputs)


@dataclass(frozen=True)
class BatchNorm(irr.BatchNorm):
    """:class:`irreps_ops.BatchNorm` with the defaults of `config`."""

    def __post_init__(self) -> None:
        """With defaults."""
        object.__setattr__(self, "normalization", default("irrep_normalization", self.normalization))
        super().__post_init__()

    def __call__(self, scope: Scope, input: Any, is_training: bool = True, mask: Any = None) -> Any:
        """See :class:`irreps_ops.BatchNorm`."""
        return for_irreps_data(super().__call__)(scope, of_irreps(self.irreps, input), is_training, mask)


@dataclass(frozen=True)
class Dropout(irr.Dropout):
    """:class:`irreps_ops.Dropout`, called with a random key."""

    def __call__(  # type: ignore[override]  # with the names of e3nn-jax
        self, scope: Scope, rng: jax.Array, x: Any, is_training: bool = True
    ) -> Any:
        """See :class:`irreps_ops.Dropout`."""
        return for_irreps_data(super().__call__)(scope, rng, of_irreps(self.irreps, x), is_training=is_training)


@dataclass(frozen=True)
class SymmetricTensorProduct(irr.SymmetricTensorProduct):
    """:class:`irreps_ops.SymmetricTensorProduct`, as e3nn-jax calls it."""


@dataclass(frozen=True)
class MessagePassingConvolutionHaiku(irr.PointConvolution):
    """:class:`irreps_ops.PointConvolution`, as e3nn-jax calls it."""


@dataclass(frozen=True)
class Transformer(irr.Transformer):
    """:class:`irreps_ops.Transformer`, as e3nn-jax calls it."""

    def __call__(
        self,
        scope: Scope,
        edge_src: Any,
        edge_dst: Any,
        edge_weight_cutoff: Any,
        edge_attr: Any,
        node_feat: Any,
        edges: Any = None,
    ) -> Any:
        """See :class:`irreps_ops.Transformer`."""
        inputs = edge_src, edge_dst, edge_weight_cutoff, edge_attr, node_feat, edges
        return for_irreps_data(super().__call__)(scope, *inputs)


@dataclass(frozen=True)
class ConvolutionHaiku(irr.VoxelConvolution):
    """:class:`irreps_ops.VoxelConvolution`, as e3nn-jax calls it."""

    def __call__(self, scope: Scope, input: Any, steps: Any = None) -> Any:
        """See :class:`irreps_ops.VoxelConvolution`."""
        return for_irreps_data(super().__call__)(scope, input, steps)
