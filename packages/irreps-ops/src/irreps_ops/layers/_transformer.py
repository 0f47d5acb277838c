"""The layer `Transformer`: equivariant attention of the nodes of a graph to their neighbours."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import rounded_to, rows, widened
from irreps_ops.graphs._edge_index import EdgeIndex
from irreps_ops.graphs._edge_softmax import edge_softmax
from irreps_ops.graphs._neighbour_sum import message_irreps, messages, neighbour_sum
from irreps_ops.pointwise._activation import Activation
from irreps_ops.scope._functional import apply
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, example_inputs
from irreps_ops.scope._specs import parameters_of

from ._linear import Linear
from ._multi_layer_perceptron import MultiLayerPerceptron


@frozen
class Transformer:
    r"""Equivariant attention: each node sums the values of its neighbours, weighted by how well their keys match.

    Keys and values are the features x of the sender and their products with the attributes of the edge, times weights
    that a perceptron computes from the scalars (0e) of the attributes. With the attention weights :math:`\alpha` of
    :func:`edge_softmax`, for each head h,

    .. math:: l_{eh} = \sum W_h \, \langle x_{d(e)}, k_e \rangle, \qquad
              z_{nh} = \sum_{e \to n} \sqrt{\alpha_{eh}} \, v_{eh}

    where :math:`d(e)` is the receiver of the edge e, followed by a linear map of all heads. (With square roots,
    independent values of variance 1 have a sum of variance 1.) The values are never stored, see
    :func:`edge_convolution`.

    Args:
        irreps_out: irreps of the output and of the values; those that no value can have are dropped.
        list_neurons: hidden layers of the perceptrons.
        act: activation of the perceptrons.
        num_heads: number of heads, among which the multiplicities of the values are divided.

    Raises:
        ValueError: multiplicities of the values that `num_heads` does not divide, or shapes that do not match.

    Source: Fuchs et al., SE(3)-Transformers (2020), arXiv:2006.10503; in this form the Transformer of e3nn.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> senders, receivers = jnp.array([0, 1, 2]), jnp.array([1, 0, 1])
        >>> vectors = irr.normal("1o", jax.random.key(0), (3,))
        >>> r = irr.norm(vectors).array[:, 0]
        >>> attributes = irr.concatenate([irr.radial_basis(r, 4.0, 3), irr.spherical_harmonics("1o", vectors, True)])
        >>> x = irr.ones("4x0e + 2x1o", (3,))
        >>> layer = irr.Transformer("4x0e + 4x1o", [16], jax.nn.silu, num_heads=2)
        >>> inputs = (senders, receivers, irr.soft_envelope(r, 4.0), attributes, x)
        >>> params = irr.init(layer, jax.random.key(1), *inputs)
        >>> irr.apply(layer, params, *inputs).irreps
        4x0e+4x1o
    """

    irreps_out: IntoIrreps = converted(Irreps)
    list_neurons: Sequence[int] = converted(tuple)
    act: Activation | None
    num_heads: int = converted(partial(check.count, "Transformer", "num_heads"), default=1)

    def validate(self) -> None:
        """Refuse arguments that do not describe a perceptron."""
        self._perceptron(1)  # raises the error

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs of one node with one edge, for the irreps of the attributes and of the features."""
        attributes, x = example_inputs(*irreps_in, dtype=dtype)
        data = [IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype)) for a in (attributes, x)]
        return (*[jax.ShapeDtypeStruct((1,), jnp.int32)] * 2, jax.ShapeDtypeStruct((1,), x.dtype), *data)

    def __call__(
        self,
        scope: Scope,
        senders: jax.Array,
        receivers: jax.Array,
        cutoff: jax.Array,
        attributes: IrrepsArray,
        x: IrrepsArray,
        edges: EdgeIndex | None = None,
    ) -> IrrepsArray:
        """Return features of shape (nodes, irreps_out.dim), without the irreps that are dropped.

        Args:
            scope: supplies the parameters.
            senders: indices of the sending nodes, of shape (edges,). Edges whose sender or receiver is out of range are
                padding, and contribute nothing.
            receivers: indices of the receiving nodes, of shape (edges,).
            cutoff: weights of the edges in the attention, of shape (edges,), which should vanish at the cutoff, for
                example :func:`soft_envelope` of the lengths.
            attributes: data of the edges, of shape (edges, irreps): scalars, for example :func:`radial_basis` of the
                lengths, and spherical harmonics.
            x: features of the nodes, of shape (nodes, irreps).
            edges: index of the same edges, which several layers can share, made by :meth:`EdgeIndex.from_edges`.
        """
        attributes, x = floating(attributes, x)
        src, dst = jnp.asarray(senders), jnp.asarray(receivers)
        _check_shapes(src, dst, cutoff, attributes, x)
        if edges is None:
            edges = EdgeIndex.from_edges(senders, receivers, x.shape[0])
        real = (src >= 0) & (src < x.shape[0]) & (dst >= 0) & (dst < x.shape[0])
        attributes = IrrepsArray(
            attributes.irreps, jnp.where(real[:, None], attributes.array, 0), zero_flags=attributes.zero_flags
        )
        scalars, harmonics = attributes.filter("0e").array, attributes.filter(drop="0e")
        logits = self._logits(scope, x, src, dst, scalars, harmonics)
        alpha = edge_softmax(logits, dst, x.shape[0], weights=cutoff, mask=real)
        out = self._values(scope, x, _root(alpha), scalars, harmonics, edges)
        return Linear(Irreps(self.irreps_out))(scope.child("linear_out"), out)

    def _perceptron(self, num_irreps: int) -> MultiLayerPerceptron:
        return MultiLayerPerceptron((*self.list_neurons, num_irreps), self.act, output_activation=False)

    def _logits(
        self,
        scope: Scope,
        x: IrrepsArray,
        src: jax.Array,
        dst: jax.Array,
        scalars: jax.Array,
        harmonics: IrrepsArray,
    ) -> jax.Array:
        """Return a linear function of all scalar products of node and key, of shape (edges, heads)."""
        x = x.regroup()
        irreps = message_irreps(x.irreps, harmonics.irreps, x.irreps)
        pairs = [(item, key) for item in x.irreps for key in irreps if item.ir == key.ir]
        number = sum(a.mul * b.mul for a, b in pairs)
        logits = jnp.zeros((src.shape[0], self.num_heads), x.dtype)
        if number == 0:
            return logits
        # Also keys that are known to be zero have parameters, which depend on the irreps alone.
        mix = self._perceptron(irreps.num_irreps)(scope.child("mlp_key"), scalars)
        of_senders = IrrepsArray(x.irreps, rows(x.array, src), zero_flags=x.zero_flags)
        key = messages(of_senders, harmonics, x.irreps) * IrrepsArray([(irreps.num_irreps, "0e")], mix)
        name = f"w[0,0] {number}x0e,{self.num_heads}x0e"
        normal = Normal(1.0)
        weights = scope.child("linear_logit").parameter(name, (number, self.num_heads), x.dtype, normal)
        start = 0
        for a, b in pairs:
            stop = start + a.mul * b.mul
            w = weights[start:stop].reshape(a.mul, b.mul, self.num_heads)
            start = stop
            own, other = x.filter(a.ir).chunks[0], key.filter(b.ir).chunks[0]
            if own is None or other is None:
                continue
            # Apply the weights at the nodes, which are fewer than the edges.
            query = jnp.einsum("nui,uvh->nhvi", own, w, precision=jax.lax.Precision.HIGHEST)
            term = jnp.einsum("ehvi,evi->eh", rows(query, dst), other, precision=jax.lax.Precision.HIGHEST)
            logits = logits + term / math.sqrt(number * a.ir.dim)
        return logits

    def _values(
        self,
        scope: Scope,
        x: IrrepsArray,
        attention: jax.Array,
        scalars: jax.Array,
        harmonics: IrrepsArray,
        edges: EdgeIndex,
    ) -> IrrepsArray:
        """Return the sums of the values, of shape (nodes, irreps), each irrep once."""
        keep = Irreps(self.irreps_out)
        irreps = message_irreps(x.irreps, harmonics.irreps, keep)
        odd = [item for item in irreps if item.mul % self.num_heads]
        if odd:
            raise ValueError(
                f"Transformer expects values whose multiplicities are divisible by num_heads={self.num_heads}, got "
                f"{odd[0]} of {irreps}: these are the irreps of x and of its products with attributes"
            )
        if irreps.dim == 0:
            return x.filter(irreps)
        mlp = self._perceptron(irreps.num_irreps)
        parameters = parameters_of(scope.child("mlp_val"), mlp, scalars)
        # In each irrep, the first multiplicities belong to the first head.
        heads = np.concatenate([np.repeat(np.arange(self.num_heads), mul // self.num_heads) for mul, _ in irreps])

        def weights(data: tuple[jax.Array, jax.Array]) -> jax.Array:
            scalars, attention = data
            return apply(mlp, parameters, scalars) * jnp.take(attention, heads, axis=-1)

        return neighbour_sum(x, harmonics, weights, (scalars, attention), edges, keep)


def _root(alpha: jax.Array) -> jax.Array:
    """Return square roots with finite derivatives: values below the rounding error of the sum count as zero."""
    wide = widened(alpha)
    counted = wide > jnp.finfo(wide.dtype).eps ** 2
    return rounded_to(alpha.dtype, jnp.where(counted, jnp.sqrt(jnp.where(counted, wide, 1)), 0))


def _check_shapes(src: Any, dst: Any, weights: Any, attributes: IrrepsArray, x: IrrepsArray) -> None:
    edges = src.shape
    if len(edges) != 1 or dst.shape != edges or jnp.shape(weights) != edges or attributes.shape[:-1] != edges:
        raise ValueError(
            "Transformer expects senders, receivers and cutoff of shape (edges,) and attributes of shape "
            f"(edges, irreps), got {edges}, {dst.shape}, {jnp.shape(weights)} and {attributes.shape}"
        )
    if x.ndim != 2:
        raise ValueError(f"Transformer expects x of shape (nodes, irreps), got {x.shape}; use jax.vmap")
