"""The convolution of points of e3nn-jax 0.4.1 to 0.15, `experimental.point_convolution.Convolution`."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from math import cos, pi, sin, sqrt
from typing import Any

import jax
import jax.numpy as jnp

import irreps_ops as irr
from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops.products._weighted import FunctionalTensorProduct
from irreps_ops.scope._scope import Scope, example_inputs

from ._config import default
from ._earlier_layers import Linear
from ._irreps_data import for_irreps_data
from ._layers import FullyConnectedTensorProduct, MultiLayerPerceptron


@dataclass(frozen=True)
class Convolution:
    r"""Messages along edges by products with the attributes of the edges, mixed with the features that the node had.

    With x' and x'' linear maps of the features of the nodes, a the attributes of the edges, W the product "uvu", and N
    the number of neighbours,

    .. math:: z_n = \cos\theta \, x''_n + \sin\theta \, L\Big( \frac{1}{\sqrt N} \sum_{e \to n}
              W(w_e; x'_{s(e)}, a_e) \Big)

    the weights w_e are parameters or, with `fc_neurons`, linear in the outputs of a perceptron of scalars of the edge.
    With attributes of the nodes the linear maps are fully connected products with them. Today's
    :class:`irreps_ops.PointConvolution` never stores the messages.

    Args:
        irreps_node_output: irreps of the output.
        fc_neurons: layers of the perceptron; none of them for weights that all edges share.
        num_neighbors: N.
        mixing_angle: the angle θ in radians.
        mixing: sin² θ, which is used instead of the angle if it is given.

    Raises:
        ValueError: no product of the features and attributes is a scalar or has irreps of the output, or a perceptron
            without scalars of the edges.
    """

    irreps_node_output: IntoIrreps
    fc_neurons: Sequence[int] | None
    num_neighbors: float
    mixing_angle: float | None = None
    _: KW_ONLY
    mixing: float | None = None

    def __post_init__(self) -> None:
        """Read the irreps and the layers of the perceptron."""
        object.__setattr__(self, "irreps_node_output", Irreps(self.irreps_node_output))
        object.__setattr__(self, "fc_neurons", tuple(self.fc_neurons or ()))

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one node with one edge: of the irreps of the features and of the edge's attributes."""
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
        """Data of shape (nodes, irreps_node_output.dim).

        Args:
            scope: supplies the parameters.
            node_input: features of the nodes, of shape (nodes, irreps).
            edge_src: for each edge the number of the node that sends.
            edge_dst: for each edge the number of the node that receives.
            edge_attr: attributes of the edges, of shape (edges, irreps), harmonics say.
            node_attr: attributes of the nodes, of shape (nodes, irreps).
            edge_scalar_attr: scalars of the edges, of shape (edges, n), for the perceptron.
        """
        inputs = node_input, edge_src, edge_dst, edge_attr, node_attr, edge_scalar_attr
        return for_irreps_data(self._convolve)(scope, *inputs)

    def _convolve(
        self, scope: Scope, x: IrrepsArray, src: Any, dst: Any, edge_attr: IrrepsArray, node_attr: Any, scalars: Any
    ) -> IrrepsArray:
        out = Irreps(self.irreps_node_output)
        sent, kept = _split(_mixed(scope, "", x.irreps + out, x, node_attr), len(x.irreps))
        product = self._product(x.irreps, edge_attr.irreps)
        messages = product(self._weights(scope, product, x.dtype, scalars), sent[src], edge_attr)
        messages = messages.remove_zero_chunks().simplify()
        received = irr.scatter_sum(messages, dst=dst, output_size=len(x)) / self.num_neighbors**0.5
        angle = pi / 8 if self.mixing_angle is None else self.mixing_angle
        mixing = (cos(angle), sin(angle)) if self.mixing is None else (sqrt(1 - self.mixing), sqrt(self.mixing))
        return mixing[0] * kept + mixing[1] * _mixed(scope, "_1", out, received, node_attr)

    def _product(self, irreps: Irreps, attributes: Irreps) -> FunctionalTensorProduct:
        """Every item with every attribute, multiplicities kept, for what the output or a scalar can use."""
        wanted = {ir for _, ir in Irreps(self.irreps_node_output)} | {Irreps("0e")[0].ir}
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
    """A linear map, or the product with the attributes; zeros where nothing can be."""
    if attributes is None:
        mixed = Linear(irreps)(scope.child(f"linear{suffix}"), x)
    else:
        layer = FullyConnectedTensorProduct(irreps)
        mixed = layer(scope.child(f"fully_connected_tensor_product{suffix}"), x, attributes)
    return mixed.rechunk(irreps)


def _split(x: IrrepsArray, n: int) -> tuple[IrrepsArray, IrrepsArray]:
    """The first n items, and the others."""
    return x.slice_by_chunk[:n], x.slice_by_chunk[n:]
