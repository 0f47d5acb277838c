"""The layer `MessagePassingConvolution`: each node sums the messages of its neighbours, as in NequIP and MACE."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.graphs._edge_convolution import edge_convolution
from irreps_ops.graphs._edge_index import EdgeIndex
from irreps_ops.pointwise._activation import Activation
from irreps_ops.products._tensor_product import tensor_product
from irreps_ops.scope._functional import apply
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs
from irreps_ops.scope._specs import parameters_of

from ._linear import Linear
from ._multi_layer_perceptron import MultiLayerPerceptron


@frozen
class MessagePassingConvolution:
    r"""Convolution over the edges of a graph: features times harmonics, weighted by a radial network.

    With x' a linear map of the features, Y the harmonics of the edges and w the outputs of a perceptron,

    .. math:: z_n = L \, \frac{1}{\sqrt{N}} \sum_{e \to n} w(\rho_e) \, x'_{s(e)} \otimes Y_e

    There is one weight for each irrep of the product. L is a linear map, N the average number of neighbours,
    :math:`\rho_e` the radial features of an edge. Messages and weights are never stored, see
    :func:`edge_convolution`.

    This is the convolution of NequIP and MACE. A layer of these networks adds a self-connection, for example
    ``Linear(..., num_indexed_weights=species)``, and :class:`Gate` or :class:`SymmetricContraction`. The parameters are
    `linear_up`, `multi_layer_perceptron` and `linear_down`. :class:`PointConvolution` computes harmonics and radial
    features itself, from positions.

    Args:
        irreps_out: irreps of the output and of the messages; those that no message can have are dropped.
        list_neurons: hidden layers of the radial network.
        act: activation of the radial network.
        avg_num_neighbors: average number of neighbours, N.

    Raises:
        ValueError: a number of neighbours that is not positive, or shapes that do not match.

    Source: Batzner et al., NequIP, Nat. Commun. 13, 2453 (2022), arXiv:2101.03164; Batatia et al., MACE, NeurIPS
    2022, arXiv:2206.07697.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> edges = irr.EdgeIndex.from_edges(senders=[0, 1, 2], receivers=[1, 0, 1], num_nodes=3)
        >>> vectors = irr.normal("1o", jax.random.key(0), (3,))
        >>> Y = irr.spherical_harmonics([0, 1, 2], vectors, normalize=True)
        >>> radial = irr.radial_basis(irr.norm(vectors).array[:, 0], 4.0, 8)
        >>> x = irr.ones("4x0e", (3,))
        >>> layer = irr.MessagePassingConvolution("4x0e + 4x1o", [64], jax.nn.silu, avg_num_neighbors=1.0)
        >>> params = irr.init(layer, jax.random.key(1), x, Y, radial, edges)
        >>> irr.apply(layer, params, x, Y, radial, edges).irreps
        4x0e+4x1o
        >>> sorted(params)
        ['linear_down', 'linear_up', 'multi_layer_perceptron']
    """

    irreps_out: IntoIrreps = converted(Irreps)
    list_neurons: Sequence[int] = converted(tuple)
    act: Activation | None
    _: KW_ONLY
    avg_num_neighbors: float = converted(partial(check.positive, "MessagePassingConvolution", "avg_num_neighbors"))

    def validate(self) -> None:
        """Refuse arguments that do not describe a radial network."""
        self._radial_network(1)  # raises the error

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs of one node with one edge, for irreps of features, harmonics and radial features."""
        x, harmonics, radial = example_inputs(*irreps_in, dtype=dtype)
        inputs = [
            IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype))
            if isinstance(a, IrrepsArray)
            else jax.ShapeDtypeStruct((1, *a.shape[-1:]), a.dtype)
            for a in (x, harmonics, radial)
        ]
        return (*inputs, (jax.ShapeDtypeStruct((1,), jnp.int32),) * 2)

    def __call__(
        self,
        scope: Scope,
        x: IrrepsArray,
        harmonics: IrrepsArray,
        radial: jax.Array | IrrepsArray,
        edges: EdgeIndex | tuple[Any, Any],
    ) -> IrrepsArray:
        """Return features of shape (nodes, irreps_out.dim), without the irreps that are dropped.

        Args:
            scope: supplies the parameters.
            x: features of the nodes, of shape (nodes, irreps).
            harmonics: data of the edges, of shape (edges, irreps): :func:`spherical_harmonics` of their vectors.
            radial: radial features of the edges, of shape (edges, n), an array or scalars (0e), for example
                :func:`radial_basis` of their lengths.
            edges: an :class:`EdgeIndex`, which several layers can share; or a pair (senders, receivers) of integer
                arrays. Edges whose sender or receiver is out of range are padding, and contribute nothing.
        """
        x, harmonics = floating(x, harmonics)
        (radial,) = floating(radial)
        if radial.irreps.dim > 0 and not radial.irreps.is_scalar():
            raise ValueError(
                f"{describe_layer(scope, self)} expects radial features that are scalars (0e), got {radial.irreps}"
            )
        if x.ndim != 2 or harmonics.ndim != 2 or radial.shape[:-1] != harmonics.shape[:-1]:
            raise ValueError(
                f"{describe_layer(scope, self)} expects x of shape (nodes, irreps), harmonics of shape (edges, irreps) "
                f"and radial of shape (edges, n), got {x.shape}, {harmonics.shape} and {radial.shape}; use jax.vmap"
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
                num_nodes=None if isinstance(edges, EdgeIndex) else x.shape[0],
                filter_ir_out=irreps_out,
            )
            # Without zero flags: a graph without edges has the parameters of every other.
            x = IrrepsArray(summed.irreps, summed.array)
        else:
            x = x.filter(messages)
        return Linear(irreps_out)(scope.child("linear_down"), x / self.avg_num_neighbors**0.5)

    def _radial_network(self, num_weights: int) -> MultiLayerPerceptron:
        return MultiLayerPerceptron((*self.list_neurons, num_weights), self.act, output_activation=False)
