"""The layer `LinearSHTP`: a linear map of the product with spherical harmonics, with a weight for each order."""

from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, from_chunks, frozen
from irreps_ops.products._linear_with_harmonics import HarmonicPath, HarmonicProduct
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, example_inputs


@frozen
class LinearSHTP:
    r"""Linear map of the tensor product with the spherical harmonics of a direction, without computing the product.

    .. math:: z = \sum_l W_l \, (x \otimes Y_l(v / |v|)), \qquad l = 0, 1, 2, \ldots

    The layer represents the same maps as the product followed by a :class:`Linear`, with as many weights. The weights
    belong to the frame of the direction: a pair of items of degrees :math:`l_1` and :math:`l_3` has one weight for each
    order m instead of one for each degree l from :math:`|l_1 - l_3|` to :math:`l_1 + l_3`. A pair costs
    :math:`(2 l_1 + 1) + (2 l_3 + 1)` multiplications for each channel and :math:`2 \min(l_1, l_3) + 1` for each pair of
    channels, independent of the number of degrees. Where the vector is zero only the degree 0 contributes, as in
    :func:`tensor_product_with_spherical_harmonics`.

    Args:
        irreps_out: irreps of the output; those that no path reaches are zero. Without `mix`: the irreps to compute.
        mix: whether channels are mixed. If not, each weight has one channel and the output keeps the pairs apart: for
            each irrep, in order, the contributions of all items of the input.

    Raises:
        TypeError: the direction is not an IrrepsArray.
        ValueError: the direction is not a single vector, 1o or 1e.

    Source: Passaro and Zitnick, Reducing SO(3) Convolutions to SO(2) for Efficient Equivariant GNNs (2023),
    arXiv:2302.03655; with mirrors, names and shapes of parameters as in e3nn-jax.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> x, v = irr.ones("2x0e + 3x1o"), irr.ones("1o")
        >>> layer = irr.LinearSHTP("4x0e + 2x1o")
        >>> params = irr.init(layer, jax.random.key(0), x, v)
        >>> {name: w.shape for name, w in params.items()}
        {'0_0_S0e0e': (1, 2, 4), '1_0_S1o0e': (1, 3, 4), '0_1_S0e1o': (1, 2, 2), '1_1_S1o1o': (2, 3, 2)}
        >>> irr.apply(layer, params, x, v).irreps
        4x0e+2x1o
    """

    irreps_out: IntoIrreps = converted(Irreps)
    mix: bool = True

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract data and directions, which determine the shapes of the parameters."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any, direction: IrrepsArray) -> IrrepsArray:
        """Return the weighted products, of shape (..., irreps_out.dim).

        Args:
            scope: supplies the parameters.
            x: data of shape (..., irreps.dim).
            direction: vectors 1o or 1e of shape (..., 3), whose length does not matter. Leading axes broadcast.
        """
        irreps_out = Irreps(self.irreps_out) if self.mix else Irreps(self.irreps_out).regroup()
        product = HarmonicProduct("LinearSHTP", x, direction, irreps_out)
        weighted = [(path, self._weights(scope, path, irreps_out, product.dtype)) for path in product.paths]
        if not self.mix:
            chunks = [product([(path, w)], "...ui,iu->...ui") for path, w in weighted]
            irreps = [(path.mul, path.ir_out) for path, _ in weighted]
            return from_chunks(irreps, chunks, product.leading, product.x.dtype).simplify().astype(product.dtype)
        chunks = []
        for i_out in range(len(irreps_out)):
            terms = [(path, w) for path, w in weighted if path.i_out == i_out]
            fan_in = max(sum(path.mul for path, _ in terms), 1)
            chunks.append(product(terms, "...ui,iuv->...vi") / fan_in**0.5 if terms else None)
        return from_chunks(irreps_out, chunks, product.leading, product.x.dtype).astype(product.dtype)

    def _weights(self, scope: Scope, path: HarmonicPath, irreps_out: Irreps, dtype: Any) -> jax.Array:
        shape = (path.orders, path.mul, *[irreps_out[path.i_out].mul] * self.mix)
        kind = "A" if path.odd else "S"
        name = f"{path.i_in}_{path.i_out}_{kind}{path.ir_in}{path.ir_out}"
        return scope.parameter(name, shape, dtype, Normal(1.0))
