"""Layers of irreps_ops under the argument names of e3nn-jax."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Any

import jax

import irreps_ops as irr
from irreps_compat.e3nn_jax._irreps_array import own, to_core
from irreps_compat.e3nn_jax._irreps_data import for_irreps_data
from irreps_core import IntoIrreps
from irreps_ops.bindings import Scope

from ._adapted import Adapted


@dataclass(frozen=True)
class MessagePassingConvolutionHaiku(Adapted):
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
        inputs = to_core((-positions, node_feats, senders, receivers, edges))
        return own(self.adapted()(scope, *inputs))


@dataclass(frozen=True)
class Transformer(Adapted):
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
        return for_irreps_data(self.adapted())(scope, *inputs)
