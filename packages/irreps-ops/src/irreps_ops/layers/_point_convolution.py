"""The layer `PointConvolution`: points in space send messages to their neighbours, weighted by their distance."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, norm
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.graphs._edge_index import EdgeIndex
from irreps_ops.graphs._neighbour_sum import message_irreps, neighbour_sum
from irreps_ops.harmonics._spherical import spherical_harmonics
from irreps_ops.pointwise._cutoffs import soft_envelope
from irreps_ops.pointwise._radial import bessel
from irreps_ops.scope._functional import apply
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs
from irreps_ops.scope._specs import parameters_of

from ._linear import Linear
from ._multi_layer_perceptron import Activation, MultiLayerPerceptron


def radial_basis(r: jax.Array, cutoff: float, num_radial_basis: int) -> jax.Array:
    """Bessel functions under a smooth envelope: bessel(r / cutoff, n) * soft_envelope(r / cutoff).

    Args:
        r: distances, any shape.
        cutoff: where they vanish.
        num_radial_basis: how many functions, n.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: a cutoff that is not positive, or no functions.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.radial_basis(jnp.array(1.0), 5.0, 2)
        Array([4.401, 7.122], dtype=float...)
    """
    cutoff = check.positive("radial_basis", "cutoff", cutoff)
    r = check.float_array("radial_basis", r) / cutoff
    return bessel(r, num_radial_basis) * soft_envelope(r)[..., None]


@dataclass(frozen=True)
class PointConvolution:
    r"""Convolution of features at points in space: messages along edges, by harmonics and a radial network.

    With x' a linear map of the features, r the vector from sender to receiver, and w the outputs of a perceptron,

    .. math:: z_n = L \, \frac{1}{\sqrt{N}} \sum_{e \to n}
              w(b(|r_e|)) \, (x'_{s(e)} \oplus x'_{s(e)} \otimes Y_{1 \ldots l_{max}}(r_e / |r_e|))

    one weight for each irrep of the sum; L is a linear map, N the average number of neighbours, b the radial basis.
    The messages are never stored, see :func:`edge_convolution`.

    Args:
        target_irreps: irreps of the output, and of the messages; those that no message can have are dropped.
        radial_basis: functions of the distances, (edges,) -> (edges, n), which should vanish at the cutoff of the
            edges. Or the cutoff, for `num_radial_basis` of the functions :func:`radial_basis`.
        avg_num_neighbors: N.
        sh_lmax: highest degree of the harmonics.
        num_radial_basis: how many radial functions, where `radial_basis` is a cutoff.
        mlp_neurons: hidden layers of the radial network.
        mlp_activation: its activation.

    Raises:
        ValueError: positions that are no vectors, features of another number of points, or numbers that are not
            positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> positions = ic.normal("1o", jax.random.key(0), (3,))
        >>> x = ic.ones("4x0e", (3,))
        >>> senders, receivers = jnp.array([0, 1, 2]), jnp.array([1, 0, 1])
        >>> layer = irr.PointConvolution("2x0e + 2x1o", radial_basis=4.0, avg_num_neighbors=1.5, sh_lmax=1)
        >>> params = irr.init(layer, jax.random.key(1), positions, x, senders, receivers)
        >>> irr.apply(layer, params, positions, x, senders, receivers).shape
        (3, 8)
        >>> sorted(params)
        ['linear_down', 'linear_up', 'multi_layer_perceptron']
    """

    target_irreps: IntoIrreps
    radial_basis: Callable[[jax.Array], jax.Array] | float
    _: KW_ONLY
    avg_num_neighbors: float
    sh_lmax: int = 3
    num_radial_basis: int = 8
    mlp_neurons: Sequence[int] = (64,)
    mlp_activation: Activation = jax.nn.gelu

    def __post_init__(self) -> None:
        """Read the irreps, and check what can be checked without input."""
        name = "PointConvolution"
        object.__setattr__(self, "target_irreps", Irreps(self.target_irreps))
        object.__setattr__(self, "mlp_neurons", tuple(self.mlp_neurons))
        check.positive(name, "avg_num_neighbors", self.avg_num_neighbors)
        check.count(name, "sh_lmax", self.sh_lmax, 0)
        check.count(name, "num_radial_basis", self.num_radial_basis)
        if not callable(self.radial_basis):
            check.positive(name, "radial_basis, a function or a cutoff,", self.radial_basis)
        MultiLayerPerceptron((*self.mlp_neurons, 1), self.mlp_activation)  # for its refusals

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one point with one edge: of the irreps of the features; before them, of the positions."""
        *positions, x = irreps_in
        inputs = example_inputs(*(positions or ["1o"]), x, dtype=dtype)
        points = [IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype)) for a in inputs]
        return (*points, *[jax.ShapeDtypeStruct((1,), jnp.int32)] * 2)

    def __call__(
        self,
        scope: Scope,
        positions: IrrepsArray,
        node_feats: IrrepsArray,
        senders: jax.Array,
        receivers: jax.Array,
        edges: EdgeIndex | None = None,
    ) -> IrrepsArray:
        """Data of shape (nodes, target_irreps.dim), but for irreps that are dropped.

        Args:
            scope: supplies the parameters.
            positions: of the points, of shape (nodes, 3) and irreps 1o or 1e.
            node_feats: their features, of shape (nodes, irreps).
            senders: for each edge the number of the point that sends; edges from or to what is no point are padding.
            receivers: for each edge the number of the point that receives.
            edges: both, made once for several layers by :meth:`EdgeIndex.from_edges`.
        """
        positions, x = floating(positions, node_feats)
        _check_points(describe_layer(scope, self), positions, x)
        if edges is None:
            edges = EdgeIndex.from_edges(senders, receivers, len(x))
        vectors = positions[jnp.asarray(receivers)] - positions[jnp.asarray(senders)]
        harmonics = spherical_harmonics(list(range(1, self.sh_lmax + 1)), vectors, normalize=True)
        radial = self._radial(norm(vectors).array[..., 0])
        x = Linear(x.irreps)(scope.child("linear_up"), x)
        target = Irreps(self.target_irreps)
        irreps = message_irreps(x.irreps, harmonics.irreps, target)
        if irreps.dim > 0:
            neurons = (*self.mlp_neurons, irreps.num_irreps)
            mlp = MultiLayerPerceptron(neurons, self.mlp_activation, output_activation=False)
            parameters = parameters_of(scope.child("multi_layer_perceptron"), mlp, radial)

            def weights(radial: jax.Array) -> jax.Array:
                return apply(mlp, parameters, radial)

            x = neighbour_sum(x, harmonics, weights, radial, edges, target)
        else:
            x = x.filter(irreps)
        return Linear(target)(scope.child("linear_down"), x / self.avg_num_neighbors**0.5)

    def _radial(self, r: jax.Array) -> jax.Array:
        if callable(self.radial_basis):
            found = self.radial_basis(r)
            radial = jnp.asarray(found.array if isinstance(found, IrrepsArray) else found, r.dtype)
        else:
            radial = radial_basis(r, self.radial_basis, self.num_radial_basis)
        if radial.shape[:-1] != r.shape:
            raise ValueError(
                f"PointConvolution expects a radial_basis from distances of shape {r.shape} to ({len(r)}, n), got "
                f"{radial.shape}"
            )
        return radial


def _check_points(place: str, positions: IrrepsArray, x: IrrepsArray) -> None:
    if positions.irreps not in (Irreps("1o"), Irreps("1e")):
        raise ValueError(f"{place} expects positions of irreps 1o or 1e, got {positions.irreps}")
    if positions.ndim != 2 or x.ndim != 2 or len(positions) != len(x):
        raise ValueError(
            f"{place} expects positions of shape (nodes, 3) and node_feats of shape (nodes, irreps), got "
            f"{positions.shape} and {x.shape}; use jax.vmap for more axes"
        )
