"""The convolution of points of e3nn-jax 0.4.1 to 0.15, `experimental.point_convolution.Convolution`."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from math import cos, pi, sin, sqrt
from typing import Any

import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_compat.e3nn_jax._config import default
from irreps_compat.e3nn_jax._irreps_data import for_irreps_data
from irreps_core import Irreps, IrrepsArray, converted, frozen
from irreps_ops import FunctionalTensorProduct
from irreps_ops.bindings import Scope, example_inputs

from ._configured import FullyConnectedTensorProduct, MultiLayerPerceptron
from ._earlier import Linear


@frozen
class Convolution:
    r"""Messages along edges, each a tensor product with the attributes of the edge, mixed with the receiver's features.

    With :math:`x'` and :math:`x''` linear maps of the node features, :math:`a_e` the attributes of edge e, W the "uvu"
    tensor product with weights :math:`w_e`, N the number of neighbours and L another linear map,

    .. math:: z_n = \cos\theta \, x''_n + \sin\theta \, L\Big( \frac{1}{\sqrt N} \sum_{e \to n}
              W(w_e; x'_{s(e)}, a_e) \Big)

    The weights :math:`w_e` are parameters or, with `fc_neurons`, linear in the outputs of a perceptron of the edge's
    scalars. With node attributes, each linear map is a fully connected tensor product with them instead.
    :class:`irreps_ops.PointConvolution` is the present form; it never stores the messages.

    Args:
        irreps_node_output: irreps of the output.
        fc_neurons: layer sizes of the perceptron; without any, all edges share their weights.
        num_neighbors: the number N.
        mixing_angle: the angle θ in radians (default: π/8).
        mixing: :math:`\sin^2 θ`; overrides the angle.

    Raises:
        ValueError: no product of features and attributes is a scalar or an irrep of the output; or a perceptron without
            scalars of the edges.
    """

    irreps_node_output: Irreps = converted(Irreps)
    fc_neurons: Sequence[int] | None = converted(lambda neurons: tuple(neurons or ()))
    num_neighbors: float
    mixing_angle: float | None = None
    _: KW_ONLY
    mixing: float | None = None

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs of one node and one edge, from the irreps of their features and attributes."""
        x, edge_attr = (
            IrrepsArray(a.irreps, jax.ShapeDtypeStruct((1, a.irreps.dim), a.dtype))
            for a in example_inputs(*irreps_in, dtype=dtype)
        )
        return (x, *[jax.ShapeDtypeStruct((1,), jnp.int32)] * 2, edge_attr)

    def __call__(
        self,
        scope: Scope,
        node_input: Any,
        edge_src: Any,
        edge_dst: Any,
        edge_attr: Any,
        node_attr: Any = None,
        edge_scalar_attr: Any = None,
    ) -> Any:
        """Apply the layer.

        Args:
            scope: supplies the parameters.
            node_input: features of the nodes, of shape (nodes, irreps.dim).
            edge_src: index of the sender of each edge, of shape (edges,).
            edge_dst: index of the receiver of each edge, of shape (edges,).
            edge_attr: attributes of the edges (such as spherical harmonics), of shape (edges, irreps.dim).
            node_attr: attributes of the nodes, of shape (nodes, irreps.dim).
            edge_scalar_attr: scalars of the edges for the perceptron, of shape (edges, n).

        Returns:
            Data of shape (nodes, irreps_node_output.dim).
        """
        inputs = node_input, edge_src, edge_dst, edge_attr, node_attr, edge_scalar_attr
        return for_irreps_data(self._convolve)(scope, *inputs)

    def _convolve(
        self, scope: Scope, x: IrrepsArray, src: Any, dst: Any, edge_attr: IrrepsArray, node_attr: Any, scalars: Any
    ) -> IrrepsArray:
        out = self.irreps_node_output
        both = _mixed(scope, "", x.irreps + out, x, node_attr)
        sent, kept = both.slice_by_chunk[: len(x.irreps)], both.slice_by_chunk[len(x.irreps) :]
        product = self._product(x.irreps, edge_attr.irreps)
        messages = product(self._weights(scope, product, x.dtype, scalars), sent[src], edge_attr)
        messages = messages.remove_zero_chunks().simplify()
        received = irr.scatter_sum(messages, dst=dst, output_size=len(x)) / self.num_neighbors**0.5
        angle = pi / 8 if self.mixing_angle is None else self.mixing_angle
        mixing = (cos(angle), sin(angle)) if self.mixing is None else (sqrt(1 - self.mixing), sqrt(self.mixing))
        return mixing[0] * kept + mixing[1] * _mixed(scope, "_1", out, received, node_attr)

    def _product(self, irreps: Irreps, attributes: Irreps) -> FunctionalTensorProduct:
        """Return the "uvu" product of all items, for the irreps of the output and scalars."""
        wanted = {ir for _, ir in self.irreps_node_output} | {irr.Irrep("0e")}
        paths = [
            (i, j, mul, ir)
            for i, (mul, ir_in) in enumerate(irreps)
            for j, (_, ir_attribute) in enumerate(attributes)
            for ir in ir_in * ir_attribute
            if ir in wanted
        ]
        if not paths:
            raise ValueError(
                f"Convolution: no product of {irreps} and {attributes} is a scalar or in {self.irreps_node_output}"
            )
        middle, place, _ = Irreps([(mul, ir) for _, _, mul, ir in paths]).sort()
        return FunctionalTensorProduct(
            irreps,
            attributes,
            middle,
            [(i, j, place[k], "uvu", True) for k, (i, j, _, _) in enumerate(paths)],
            irrep_normalization=default("irrep_normalization", None),
            path_normalization=default("path_normalization", None),
            gradient_normalization=default("gradient_normalization", None),
        )

    def _weights(self, scope: Scope, product: FunctionalTensorProduct, dtype: Any, scalars: Any) -> list[jax.Array]:
        """Return the weights of each instruction, with an edge axis if a perceptron computes them."""
        shape: tuple[int, ...] = ()
        hidden = None
        if self.fc_neurons:
            if scalars is None:
                raise ValueError("Convolution with fc_neurons needs edge_scalar_attr, the scalars of the edges")
            hidden = MultiLayerPerceptron(self.fc_neurons, jax.nn.gelu)(scope.child("multi_layer_perceptron"), scalars)
            hidden = hidden.array if isinstance(hidden, IrrepsArray) else hidden
            hidden = hidden / hidden.shape[-1] ** 0.5
            shape = (hidden.shape[-1],)
        weights = []
        for ins in product.weighted:
            initializer = jax.nn.initializers.normal(ins.weight_std)
            w = scope.parameter(product.parameter_name(ins), (*shape, *ins.path_shape), dtype, initializer)
            weights.append(w if hidden is None else jnp.einsum("x...,ex->e...", w, hidden))
        return weights


def _mixed(scope: Scope, suffix: str, irreps: Irreps, x: IrrepsArray, attributes: Any) -> IrrepsArray:
    """Return a linear map of `x`, or its fully connected product with the attributes, in exactly these irreps."""
    if attributes is None:
        mixed = Linear(irreps)(scope.child(f"linear{suffix}"), x)
    else:
        layer = FullyConnectedTensorProduct(irreps)
        mixed = layer(scope.child(f"fully_connected_tensor_product{suffix}"), x, attributes)
    return mixed.rechunk(irreps)
