"""The layer `SymmetricTensorProduct`: weighted equivariant polynomials of each channel."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops.products._symmetric_contraction import FunctionalSymmetricContraction, contraction_orders
from irreps_ops.products._symmetric_polynomials import equivariant_polynomials
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, example_inputs


def irreps_to_keep(keep: Any) -> Irreps | None:
    """Return sorted irreps without repetitions, from irreps or a set of them."""
    if keep is None:
        return None
    items = [(1, ir) for ir in keep] if isinstance(keep, (set, frozenset)) else Irreps(keep)
    return Irreps([(1, ir) for ir in sorted({ir for _, ir in Irreps(items)})])


@frozen
class SymmetricTensorProduct:
    r"""Weighted symmetric powers of the data, in each channel: see :class:`FunctionalSymmetricContraction`.

    .. math:: y_{ck} = \sum_n \frac{1}{M_n} \sum_{m=1}^{M_n} w^{(n)}_{mc} \, B_{nm}(x_c)_k

    with all equivariant polynomials :math:`B_{n1}, B_{n2}, ...` of order n. The parameters are ``w{order}_{irrep}``, of
    shape (:math:`M_n`, channels) and with initial variance 1.

    Args:
        orders: the orders, for example (1, 2, 3).
        keep_irrep_out: the irreps of the output (default: all that occur); those that no polynomial has are dropped.
        get_parameter: ``get_parameter(name, shape, dtype)`` returns the weights, in place of the scope.

    Raises:
        ValueError: orders that are not distinct positive integers, data without a channel axis, or data of whose
            polynomials none has an irrep of `keep_irrep_out`.

    Source: see :class:`FunctionalSymmetricContraction`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("0e + 1o", jnp.ones((10, 8, 4)))
        >>> layer = irr.SymmetricTensorProduct((1, 2), "0e + 1o")
        >>> params = irr.init(layer, jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, params)
        {'w1_0e': (1, 8), 'w1_1o': (1, 8), 'w2_0e': (2, 8), 'w2_1o': (1, 8)}
        >>> irr.apply(layer, params, x).shape
        (10, 8, 4)
    """

    orders: Iterable[int] = converted(contraction_orders)
    keep_irrep_out: Any = converted(irreps_to_keep, default=None)
    get_parameter: Callable[[str, tuple[int, ...], Any], jax.Array] | None = None

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs: data with channels as it is, irreps as data of one channel."""
        return example_inputs(*(with_channel(x, dtype) for x in irreps_in), dtype=dtype)

    def __call__(self, scope: Scope, x: Any) -> IrrepsArray:
        """Return data of shape (..., channels, irreps_out.dim) for data of shape (..., channels, irreps.dim)."""
        (x,) = floating(x)
        contraction = contraction_of(x, self.orders, self.keep_irrep_out)
        weights = {}
        # The highest order first, as in e3nn-jax: the same random key then yields the same parameters in Haiku.
        for path in sorted(contraction.weights, key=lambda path: -path.order):
            shape = (path.multiplicity, x.shape[-2])
            if self.get_parameter is not None:
                weights[path.name] = self.get_parameter(path.name, shape, x.dtype)
            else:
                weights[path.name] = scope.parameter(path.name, shape, x.dtype, Normal(1.0))
        return contraction(weights, x)


def with_channel(x: Any, dtype: Any) -> Any:
    """Return irreps as abstract data of one channel, and data as it is."""
    if hasattr(x, "shape"):
        return x
    irreps = Irreps(x)
    return IrrepsArray(irreps, jax.ShapeDtypeStruct((1, irreps.dim), dtype))


def contraction_of(x: IrrepsArray, orders: Any, keep: IntoIrreps | None) -> FunctionalSymmetricContraction:
    """Return the contraction of this data to those of the irreps `keep` that its polynomials have."""
    if x.ndim < 2:
        raise ValueError(f"x must have shape (..., channels, {x.irreps.dim}), got {tuple(x.shape)}")
    if keep is not None:
        wanted = frozenset(ir for _, ir in Irreps(keep))
        made = {ir for n in orders for ir in equivariant_polynomials(x.irreps, n, wanted)}
        keep = [(1, ir) for ir in sorted(made)] or keep
    return FunctionalSymmetricContraction(x.irreps, orders, keep)
