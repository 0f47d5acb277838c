"""The layer `PointConvolution`: points in space send messages to their neighbours, weighted by distance."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen, norm
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.graphs._edge_index import EdgeIndex
from irreps_ops.graphs._neighbour_list import edge_vectors
from irreps_ops.graphs._neighbour_sum import message_irreps, neighbour_sum
from irreps_ops.harmonics._spherical import spherical_harmonics
from irreps_ops.pointwise._activation import Activation
from irreps_ops.pointwise._radial import radial_basis
from irreps_ops.scope._functional import apply
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs
from irreps_ops.scope._specs import parameters_of

from ._linear import Linear
from ._multi_layer_perceptron import MultiLayerPerceptron


@frozen
class PointConvolution:
    r"""Convolution of features at points in space: messages along edges, by harmonics and a radial network.

    With x' a linear map of the features, r the vector from receiver to sender (:func:`edge_vectors`), and w the outputs
    of a perceptron,

    .. math:: z_n = L \, \frac{1}{\sqrt{N}} \sum_{e \to n}
              w(b(|r_e|)) \, (x'_{s(e)} \oplus x'_{s(e)} \otimes Y_{1 \ldots l_{max}}(r_e / |r_e|))

    There is one weight for each irrep of the messages. L is a linear map, N the average number of neighbours, b the
    radial basis. The messages are never stored, see :func:`edge_convolution`.

    Args:
        irreps_out: irreps of the output and of the messages; those that no message can have are dropped.
        radial_basis: a function of distances, (edges,) -> (edges, n), which should vanish at the cutoff of the edges;
            or the cutoff, for `num_radial_basis` functions of :func:`radial_basis`.
        avg_num_neighbors: average number of neighbours, N.
        sh_lmax: highest degree of the harmonics.
        num_radial_basis: number of radial functions, if `radial_basis` is a cutoff.
        list_neurons: hidden layers of the radial network.
        act: activation of the radial network.

    Raises:
        ValueError: positions that are not vectors, features of another number of points, or numbers that are not
            positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> positions = irr.normal("1o", jax.random.key(0), (3,))
        >>> x = irr.ones("4x0e", (3,))
        >>> senders, receivers = jnp.array([0, 1, 2]), jnp.array([1, 0, 1])
        >>> layer = irr.PointConvolution("2x0e + 2x1o", radial_basis=4.0, avg_num_neighbors=1.5, sh_lmax=1)
        >>> params = irr.init(layer, jax.random.key(1), positions, x, senders, receivers)
        >>> irr.apply(layer, params, positions, x, senders, receivers).shape
        (3, 8)
        >>> sorted(params)
        ['linear_down', 'linear_up', 'multi_layer_perceptron']
    """

    irreps_out: IntoIrreps = converted(Irreps)
    radial_basis: Callable[[jax.Array], jax.Array] | float
    _: KW_ONLY
    avg_num_neighbors: float = converted(partial(check.positive, "PointConvolution", "avg_num_neighbors"))
    sh_lmax: int = 3
    num_radial_basis: int = 8
    list_neurons: Sequence[int] = converted(tuple, default=(64,))
    act: Activation | None = jax.nn.gelu

    def validate(self) -> None:
        """Refuse numbers that are not positive, and networks that cannot be."""
        name = "PointConvolution"
        check.count(name, "sh_lmax", self.sh_lmax, 0)
        check.count(name, "num_radial_basis", self.num_radial_basis)
        if not callable(self.radial_basis):
            check.positive(name, "radial_basis, a function or a cutoff,", self.radial_basis)
        self._radial_network(1)  # raises an error for wrong arguments

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs of one point with one edge, for irreps of [the positions and] the features."""
        *positions, x = irreps_in
        inputs = example_inputs(*(positions or ["1o"]), x, dtype=dtype)
        points = [IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype)) for a in inputs]
        return (*points, *[jax.ShapeDtypeStruct((1,), jnp.int32)] * 2)

    def __call__(
        self,
        scope: Scope,
        positions: IrrepsArray,
        x: IrrepsArray,
        senders: jax.Array,
        receivers: jax.Array,
        edges: EdgeIndex | None = None,
    ) -> IrrepsArray:
        """Return features of shape (nodes, irreps_out.dim), without the irreps that are dropped.

        Args:
            scope: supplies the parameters.
            positions: positions of the points, of shape (nodes, 3) and irreps 1o or 1e, in the unit of the cutoff.
            x: features of the points, of shape (nodes, irreps).
            senders: indices of the sending points, of shape (edges,). Edges whose sender or receiver is out of range
                are padding, and contribute nothing.
            receivers: indices of the receiving points, of shape (edges,).
            edges: index of the same edges, which several layers can share, made by :meth:`EdgeIndex.from_edges`.
        """
        positions, x = floating(positions, x)
        _check_points(describe_layer(scope, self), positions, x)
        if edges is None:
            edges = EdgeIndex.from_edges(senders, receivers, x.shape[0])
        vectors = IrrepsArray(positions.irreps, edge_vectors(positions, senders, receivers))
        harmonics = spherical_harmonics(list(range(1, self.sh_lmax + 1)), vectors, normalize=True)
        radial = self._radial(norm(vectors).array[..., 0])
        x = Linear(x.irreps)(scope.child("linear_up"), x)
        irreps_out = Irreps(self.irreps_out)
        irreps = message_irreps(x.irreps, harmonics.irreps, irreps_out)
        if irreps.dim > 0:
            network = self._radial_network(irreps.num_irreps)
            parameters = parameters_of(scope.child("multi_layer_perceptron"), network, radial)

            def weights(radial: jax.Array) -> jax.Array:
                return apply(network, parameters, radial)

            x = neighbour_sum(x, harmonics, weights, radial, edges, irreps_out)
        else:
            x = x.filter(irreps)
        return Linear(irreps_out)(scope.child("linear_down"), x / self.avg_num_neighbors**0.5)

    def _radial_network(self, num_weights: int) -> MultiLayerPerceptron:
        return MultiLayerPerceptron((*self.list_neurons, num_weights), self.act, output_activation=False)

    def _radial(self, r: jax.Array) -> jax.Array:
        if callable(self.radial_basis):
            found = self.radial_basis(r)
            radial = jnp.asarray(found.array if isinstance(found, IrrepsArray) else found, r.dtype)
        else:
            radial = radial_basis(r, self.radial_basis, self.num_radial_basis)
        if radial.shape[:-1] != r.shape:
            raise ValueError(
                f"PointConvolution expects a radial_basis that maps distances of shape {r.shape} to shape "
                f"({len(r)}, n), got {radial.shape}"
            )
        return radial


def _check_points(place: str, positions: IrrepsArray, x: IrrepsArray) -> None:
    if positions.irreps not in (Irreps("1o"), Irreps("1e")):
        raise ValueError(f"{place} expects positions of irreps 1o or 1e, got {positions.irreps}")
    if positions.ndim != 2 or x.ndim != 2 or positions.shape[0] != x.shape[0]:
        raise ValueError(
            f"{place} expects positions of shape (nodes, 3) and x of shape (nodes, irreps), got "
            f"{positions.shape} and {x.shape}; use jax.vmap for more axes"
        )
