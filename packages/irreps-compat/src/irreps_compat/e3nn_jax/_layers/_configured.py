"""Layers of irreps_ops with the defaults of `config`, which accept and return IrrepsData."""

from functools import partial
from typing import Any

import jax

import irreps_ops as irr
from irreps_compat.e3nn_jax._config import default
from irreps_compat.e3nn_jax._irreps_array import own, to_core
from irreps_compat.e3nn_jax._irreps_data import for_irreps_data, of_irreps
from irreps_core import Irreps, converted, frozen
from irreps_ops.bindings import Scope


def _default(name: str) -> Any:
    """Declare a keyword argument whose default is that of `config`."""
    return converted(partial(default, name), default=None, kw_only=True)


@frozen
class Linear(irr.Linear):
    """:class:`irreps_ops.Linear` with the defaults of `config`.

    `instructions` count the items of `irreps_out` without those that the input has no irreps for.
    """

    path_normalization: Any = _default("path_normalization")
    gradient_normalization: Any = _default("gradient_normalization")

    def validate(self) -> None:
        """Drop the items that the input has no irreps for, and refuse arguments that exclude one another."""
        if self.instructions is not None and self.irreps_in is not None and not self.force_irreps_out:
            object.__setattr__(self, "irreps_out", Irreps(self.irreps_out).filter(keep=self.irreps_in))
        super().validate()

    def _chosen(self, maps: jax.Array, indices: jax.Array) -> jax.Array:
        """Return the map of each index: the last one for an index that is too large, as in e3nn-jax."""
        return jax.numpy.asarray(maps)[indices]

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.Linear`."""
        inputs = *inputs[:-1], of_irreps(self.irreps_in, inputs[-1])
        return for_irreps_data(super().__call__)(scope, *inputs)


@frozen
class MultiLayerPerceptron(irr.MultiLayerPerceptron):
    """:class:`irreps_ops.MultiLayerPerceptron` with the defaults of `config`."""

    gradient_normalization: Any = _default("gradient_normalization")

    def __call__(self, scope: Scope, x: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.MultiLayerPerceptron`."""
        return for_irreps_data(super().__call__)(scope, x)


@frozen
class LinearSHTP(irr.LinearSHTP):
    """:class:`irreps_ops.LinearSHTP`, whose output is sorted and merged."""

    def __call__(self, scope: Scope, x: Any, direction: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.LinearSHTP`."""
        return own(super().__call__(scope, to_core(x), to_core(direction)).regroup())


@frozen
class FullyConnectedTensorProduct(irr.FullyConnectedTensorProduct):
    """:class:`irreps_ops.FullyConnectedTensorProduct` with the defaults of `config`."""

    irrep_normalization: Any = _default("irrep_normalization")
    path_normalization: Any = _default("path_normalization")
    gradient_normalization: Any = _default("gradient_normalization")

    def __call__(self, scope: Scope, x1: Any, x2: Any, **options: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.FullyConnectedTensorProduct`; `options` have no effect."""
        inputs = of_irreps(self.irreps_in1, x1), of_irreps(self.irreps_in2, x2)
        return for_irreps_data(super().__call__)(scope, *inputs)


@frozen
class BatchNorm(irr.BatchNorm):
    """:class:`irreps_ops.BatchNorm` with the defaults of `config`."""

    normalization: Any = _default("irrep_normalization")

    def __call__(self, scope: Scope, input: Any, is_training: bool = True, mask: Any = None) -> Any:
        """Apply the layer, see :class:`irreps_ops.BatchNorm`."""
        return for_irreps_data(super().__call__)(scope, of_irreps(self.irreps, input), is_training, mask)


@frozen
class Dropout(irr.Dropout):
    """:class:`irreps_ops.Dropout`, called with a random key."""

    def __call__(  # type: ignore[override]  # with the argument names of e3nn-jax
        self, scope: Scope, rng: jax.Array, x: Any, is_training: bool = True
    ) -> Any:
        """Apply the layer, see :class:`irreps_ops.Dropout`."""
        return for_irreps_data(super().__call__)(scope, rng, of_irreps(self.irreps, x), is_training=is_training)


@frozen
class SymmetricTensorProduct(irr.SymmetricTensorProduct):
    """:class:`irreps_ops.SymmetricTensorProduct`."""

    def __call__(self, scope: Scope, x: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.SymmetricTensorProduct`."""
        return for_irreps_data(super().__call__)(scope, x)


@frozen
class ConvolutionHaiku(irr.VoxelConvolution):
    """:class:`irreps_ops.VoxelConvolution` under e3nn-jax's name."""

    def __call__(self, scope: Scope, input: Any, steps: Any = None) -> Any:
        """Apply the layer, see :class:`irreps_ops.VoxelConvolution`."""
        return for_irreps_data(super().__call__)(scope, input, steps)
