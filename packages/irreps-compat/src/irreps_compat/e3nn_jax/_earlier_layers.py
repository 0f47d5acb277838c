"""Modules whose arguments or defaults were others in earlier releases of e3nn-jax."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from irreps_core import IntoIrreps
from irreps_ops.scope._scope import Scope

from . import _haiku_layers, _layers
from ._irreps_data import of_irreps


@dataclass(frozen=True)
class Linear(_haiku_layers.Linear):
    """:class:`irreps_ops.Linear` as before release 0.19: what Schur's lemma forbids is zero, and not left out."""

    force_irreps_out: bool = True


@dataclass(frozen=True)
class Convolution(_layers.ConvolutionHaiku):
    """:class:`irreps_ops.VoxelConvolution` as in releases 0.6 to 0.17.

    Args:
        irreps_in: irreps of a field that is a plain array.
        steps: distances of neighbouring voxels or, in a tuple, those that say how large the kernel is and those that
            it is computed with, which may be traced; today these are given when the module is called.
    """

    _: KW_ONLY
    irreps_in: IntoIrreps = None

    def __post_init__(self) -> None:
        """Keep the steps of a tuple apart."""
        pair: Any = self.steps
        static, traced = pair if isinstance(pair[0], Sequence) else (pair, None)
        object.__setattr__(self, "steps", static)
        object.__setattr__(self, "_traced_steps", traced)
        super().__post_init__()

    def __call__(self, scope: Scope, input: Any) -> Any:  # type: ignore[override]  # steps are given before
        """See :class:`irreps_ops.VoxelConvolution`."""
        traced: Any = object.__getattribute__(self, "_traced_steps")
        return super().__call__(scope, of_irreps(self.irreps_in, input), traced)
