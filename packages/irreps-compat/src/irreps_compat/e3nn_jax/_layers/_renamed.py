"""Layers of irreps_ops under the argument names of e3nn-jax."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_compat.e3nn_jax._irreps_data import for_irreps_data
from irreps_core import IntoIrreps
from irreps_ops.bindings import Scope


class Renamed:
    """Base of layers that pass their fields to another layer under other names.

    Attributes:
        layer: the class of the other layer.
        names: for each field that has another name there, that name.
    """

    layer: ClassVar[type]
    names: ClassVar[Mapping[str, str]]

    def __post_init__(self) -> None:
        """Convert the fields as the other layer does, which also refuses wrong arguments."""
        made = self._layer()
        for field in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            object.__setattr__(self, field.name, getattr(made, self.names.get(field.name, field.name)))

    def _layer(self) -> Any:
        own = [field.name for field in fields(self)]  # type: ignore[arg-type]  # subclasses are dataclasses
        return self.layer(**{self.names.get(name, name): getattr(self, name) for name in own})

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        return self._layer().example(*irreps_in, dtype=dtype)


@dataclass(frozen=True)
class MessagePassingConvolutionHaiku(Renamed):
    """:class:`irreps_ops.PointConvolution` with edge vectors from the sender to the receiver, as in e3nn-jax."""

    layer = irr.PointConvolution
    names = MappingProxyType(
        {"target_irreps": "irreps_out", "mlp_neurons": "list_neurons", "mlp_activation": "act"},
    )

    target_irreps: IntoIrreps
    radial_basis: Callable[[jax.Array], jax.Array] | float
    _: KW_ONLY
    avg_num_neighbors: float
    sh_lmax: int = 3
    num_radial_basis: int = 8
    mlp_neurons: Sequence[int] = (64,)
    mlp_activation: Any = jax.nn.gelu

    def __call__(
        self, scope: Scope, positions: Any, node_feats: Any, senders: Any, receivers: Any, edges: Any = None
    ) -> Any:
        """Apply the layer, see :class:`irreps_ops.PointConvolution`."""
        return self._layer()(scope, -positions, node_feats, senders, receivers, edges)


@dataclass(frozen=True)
class Transformer(Renamed):
    """:class:`irreps_ops.Transformer`, which accepts IrrepsData."""

    layer = irr.Transformer
    names = MappingProxyType({"irreps_node_output": "irreps_out"})

    irreps_node_output: IntoIrreps
    list_neurons: Sequence[int]
    act: Any
    num_heads: int = 1

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
        """Apply the layer, see :class:`irreps_ops.Transformer`."""
        inputs = edge_src, edge_dst, edge_weight_cutoff, edge_attr, node_feat, edges
        return for_irreps_data(self._layer().__call__)(scope, *inputs)
