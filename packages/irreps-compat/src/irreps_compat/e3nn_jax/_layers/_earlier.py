"""Layers with the arguments and defaults that they had in earlier releases of e3nn-jax."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from irreps_compat.e3nn_jax._irreps_data import of_irreps
from irreps_core import IntoIrreps, frozen
from irreps_ops.bindings import Scope

from . import _configured, _haiku


@frozen
class Linear(_haiku.Linear):
    """:class:`irreps_ops.Linear` as before 0.19: outputs that Schur's lemma forbids are zero, and not dropped."""

    force_irreps_out: bool = True


@dataclass(frozen=True)
class Convolution(_configured.ConvolutionHaiku):
    """:class:`irreps_ops.VoxelConvolution` as in releases 0.6 to 0.17.

    Args:
        irreps_in: irreps of a field that is given as a plain array.
        steps: distances of neighbouring voxels; or a tuple of those that determine the size of the filter and those
            that its values are computed with. The latter may be traced; later releases take them in the call.
    """

    _: KW_ONLY
    irreps_in: IntoIrreps = None

    def __post_init__(self) -> None:
        """Separate the two kinds of steps."""
        given: Any = self.steps
        static, traced = given if isinstance(given[0], Sequence) else (given, None)
        object.__setattr__(self, "steps", static)
        object.__setattr__(self, "_traced_steps", traced)
        super().__post_init__()  # type: ignore[misc]  # made by irreps_core.frozen

    def __call__(self, scope: Scope, input: Any) -> Any:  # type: ignore[override]  # the constructor takes the steps
        """Apply the layer, see :class:`irreps_ops.VoxelConvolution`."""
        traced: Any = object.__getattribute__(self, "_traced_steps")
        return super().__call__(scope, of_irreps(self.irreps_in, input), traced)
