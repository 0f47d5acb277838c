"""The layer `MessagePassingConvolution`: nodes of a graph sum what their neighbours send, as in NequIP and MACE."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.graphs._edge_convolution import edge_convolution
from irreps_ops.graphs._edge_index import EdgeIndex
from irreps_ops.products._tensor_product import tensor_product
from irreps_ops.scope._functional import apply
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs
from irreps_ops.scope._specs import parameters_of

from ._linear import Linear
from ._multi_layer_perceptron import Activation, MultiLayerPerceptron


@dataclass(frozen=True)
class MessagePassingConvolution:
    r"""Convolution over the edges of a graph: features times harmonics, weighted by a radial network.

    With x' a linear map of the features, Y the harmonics of the edges and w the outputs of a perceptron,

    .. math:: z_n = L \, \frac{1}{\sqrt{N}} \sum_{e \to n} w(\rho_e) \, x'_{s(e)} \otimes Y_e

    one weight for each irrep of the product; L is a linear map, N the average number of neighbours, :math:`\rho_e`
    the features of an edge's length. Messages and weights are never stored, see :func:`edge_convolution`.

    It is the convolution of a layer of NequIP or MACE, to which belong a self-connection, say ``Linear(...,
    num_indexed_weights=species)``, and :class:`Gate` or :class:`SymmetricContraction`. Its parameters are
    `linear_up`, `multi_layer_perceptron` and `linear_down`. :class:`PointConvolution` makes the harmonics and the
    features of the lengths itself, of positions.

    Args:
        irreps_out: irreps of the output, and of the messages; those that no message can have are dropped.
        list_neurons: hidden layers of the radial network.
        act: its activation.
        avg_num_neighbors: N.

    Raises:
        ValueError: a number of neighbours that is not positive, or shapes that do not fit each other.

    Source: Batzner et al., NequIP, Nat. Commun. 13, 2453 (2022), arXiv:2101.03164; Batatia et al., MACE, NeurIPS
    2022, arXiv:2206.07697.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> edges = irr.EdgeIndex.from_edges(senders=[0, 1, 2], receivers=[1, 0, 1], num_nodes=3)
        >>> vectors = ic.normal("1o", jax.random.key(0), (3,))
        >>> Y = irr.spherical_harmonics([0, 1, 2], vectors, normalize=True)
        >>> radial = irr.radial_basis(ic.norm(vectors).array[:, 0], 4.0, 8)
        >>> x = ic.ones("4x0e", (3,))
        >>> layer = irr.MessagePassingConvolution("4x0e + 4x1o", [64], jax.nn.silu, avg_num_neighbors=1.0)
        >>> params = irr.init(layer, jax.random.key(1), x, Y, radial, edges)
        >>> irr.apply(layer, params, x, Y, radial, edges).irreps
        4x0e+4x1o
        >>> sorted(params)
        ['linear_down', 'linear_up', 'multi_layer_perceptron']
    """

    irreps_out: IntoIrreps
    list_neurons: Sequence[int]
    act: Activation | None
    _: KW_ONLY
    avg_num_neighbors: float

    def __post_init__(self) -> None:
        """Read the arguments, and check them."""
        object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))
        object.__setattr__(self, "list_neurons", tuple(self.list_neurons))
        number = check.positive("MessagePassingConvolution", "avg_num_neighbors", self.avg_num_neighbors)
        object.__setattr__(self, "avg_num_neighbors", number)
        self._radial_network(1)  # for its refusals

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one node with one edge: of irreps of the features and harmonics, and radial features."""
        x, harmonics, radial = example_inputs(*irreps_in, dtype=dtype)
        rows = [
            IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype))
            if isinstance(a, IrrepsArray)
            else jax.ShapeDtypeStruct((1, *a.shape[-1:]), a.dtype)
            for a in (x, harmonics, radial)
        ]
        return (*rows, (jax.ShapeDtypeStruct((1,), jnp.int32),) * 2)

    def __call__(
        self,
        scope: Scope,
        x: IrrepsArray,
        harmonics: IrrepsArray,
        radial: jax.Array | IrrepsArray,
        edges: EdgeIndex | tuple[Any, Any],
    ) -> IrrepsArray:
        """Data of shape (nodes, irreps_out.dim), but for irreps that are dropped.

        Args:
            scope: supplies the parameters.
            x: features of the nodes, of shape (nodes, irreps).
            harmonics: of the edges, of shape (edges, irreps): say :func:`spherical_harmonics` of their vectors.
            radial: of the edges, of shape (edges, n): say :func:`radial_basis` of their lengths, or scalars (0e).
            edges: an :class:`EdgeIndex`, made once for all layers; or a pair (senders, receivers) of integer arrays.
                Edges from or to what is no node are padding, and count for nothing.
        """
        x, harmonics = floating(x, harmonics)
        (radial,) = floating(radial)
        if radial.irreps.dim > 0 and not radial.irreps.is_scalar():
            raise ValueError(
                f"{describe_layer(scope, self)} expects radial features that are scalars (0e), got {radial.irreps}"
            )
        if x.ndim != 2 or harmonics.ndim != 2 or radial.shape[:-1] != harmonics.shape[:-1]:
            raise ValueError(
                f"{describe_layer(scope, self)} expects x of shape (nodes, irreps), harmonics of shape (edges, irreps) and "
                f"radial of shape (edges, n), got {x.shape}, {harmonics.shape} and {radial.shape}; use jax.vmap"
            )
        irreps_out = Irreps(self.irreps_out)
        x = Linear(x.irreps)(scope.child("linear_up"), x)
        messages = tensor_product(x.irreps, harmonics.irreps, filter_ir_out=irreps_out).regroup()
        if messages.dim > 0:
            network = self._radial_network(messages.num_irreps)
            parameters = parameters_of(scope.child("multi_layer_perceptron"), network, radial.array)
            summed = edge_convolution(
                x,
                harmonics,
                lambda radial: apply(network, parameters, radial),
                edges,
                edge_data=radial.array,
                num_nodes=None if isinstance(edges, EdgeIndex) else len(x),
                filter_ir_out=irreps_out,
            )
            # Without zero flags: a graph without edges has the parameters of every other.
            x = IrrepsArray(summed.irreps, summed.array)
        else:
            x = x.filter(messages)
        return Linear(irreps_out)(scope.child("linear_down"), x / self.avg_num_neighbors**0.5)

    def _radial_network(self, num_weights: int) -> MultiLayerPerceptron:
        return MultiLayerPerceptron((*self.list_neurons, num_weights), self.act, output_activation=False)
