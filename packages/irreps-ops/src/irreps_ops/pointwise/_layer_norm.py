"""Layer normalization: normalization over channels by invariant sizes, for each element of the batch by itself."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating, split_items, split_last_axis
from irreps_ops._inputs._precision import inverse_root, rounded_to, size_for_squares, widened
from irreps_ops.compute._tiled_map import map_in_tiles

LayerNormalization: TypeAlias = Literal["component", "norm"]


def layer_norm(
    input: IrrepsArray,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    eps: float = 1e-5,
    normalization: LayerNormalization = "component",
) -> IrrepsArray:
    r"""Scale each item of the irreps to size 1, the root mean square over its channels.

    .. math:: y_{um} = a_u \frac{x_{um} - \bar x}{\sqrt{s^2 + \epsilon}} + b_u, \qquad
              s^2 = \frac{1}{n} \sum_{u=1}^n \sum_m (x_{um} - \bar x)^2 / d

    Here n is the multiplicity and :math:`d = 2l + 1` the dimension of an item; u counts channels, m components. Only
    scalars 0e are centred, with :math:`\bar x` their mean over the channels, and have a bias. For all other irreps both
    are zero, because adding a constant is not equivariant. So for scalars this is the usual layer normalization.

    Each element of the leading axes is normalized by itself, so that padding and masks do not influence the others.
    Squares do not overflow; float16 and bfloat16 are computed in float32.

    Args:
        input: data of shape (..., irreps.dim).
        scale: a, a factor for each irrep, of shape (irreps.num_irreps,). Default: 1.
        bias: b, a number for each scalar 0e, of shape (irreps.count("0e"),). Default: 0.
        eps: ε, so that zeros stay zeros and have derivatives.
        normalization: ``"component"``: d as above, so that components have mean square 1; ``"norm"``: :math:`d = 1`, so
            that norms have mean square 1.

    Returns:
        Data of the same shape and irreps.

    Raises:
        ValueError: `scale` or `bias` of a wrong shape, an `eps` that is not positive, or an unknown normalization.

    Source: Liao and Smidt, Equiformer (2023), arXiv:2206.11990, section 4.1, after Ba et al., Layer Normalization
    (2016), arXiv:1607.06450.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = irr.IrrepsArray("2x0e + 2x1o", jnp.array([1.0, 3.0, 0.0, 0.0, 2.0, 0.0, 4.0, 0.0]))
        >>> irr.layer_norm(x)
        2x0e+2x1o [-1.     1.     0.     0.     1.095  0.     2.191  0.   ]
        >>> irr.layer_norm(x, scale=jnp.array([1.0, 1.0, 10.0, 0.0]), bias=jnp.array([5.0, 5.0]))
        2x0e+2x1o [ 4.    6.    0.    0.   10.95  0.    0.    0.  ]
    """
    if normalization not in ("component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {normalization!r}")
    eps = check.positive("layer_norm", "eps", eps)
    (x,) = floating(input)
    scales = _of_items("scale", scale, x, [mul for mul, _ in x.irreps])
    biases = _of_items("bias", bias, x, [mul if ir.is_scalar() else 0 for mul, ir in x.irreps])
    y = map_in_tiles(lambda tile: _normalized(tile, scales, biases, eps, normalization), x)
    return IrrepsArray(
        x.irreps,
        y.array,
        zero_flags=[
            zero and not (ir.is_scalar() and bias is not None)
            for zero, (_, ir) in zip(x.zero_flags, x.irreps, strict=True)
        ],
    )


def _of_items(name: str, values: jax.Array | None, x: IrrepsArray, sizes: Sequence[int]) -> Sequence[jax.Array | None]:
    """Return the part of `values` that belongs to each item."""
    if values is None:
        return [None] * len(sizes)
    values = jnp.asarray(values, x.dtype)
    if values.shape != (sum(sizes),):
        raise ValueError(f"layer_norm of {x.irreps} expects {name} of shape ({sum(sizes)},), got {values.shape}")
    return split_last_axis(values, sizes)


def _normalized(
    x: IrrepsArray,
    scales: Sequence[jax.Array | None],
    biases: Sequence[jax.Array | None],
    eps: float,
    normalization: LayerNormalization,
) -> IrrepsArray:
    pieces = [x.array[..., :0]]
    for (mul, ir), piece, scale, bias in zip(x.irreps, split_items(x.array, x.irreps), scales, biases, strict=True):
        if mul == 0:
            continue

        def of_channels(a: jax.Array, mul: int = mul) -> jax.Array:
            return a.reshape((1,) * (x.ndim - 1) + (mul, 1))

        chunk = widened(piece).reshape(*x.shape[:-1], mul, ir.dim)
        size = size_for_squares(chunk, (-2, -1), eps)
        chunk = chunk / size
        if ir.is_scalar():
            chunk = chunk - jnp.mean(chunk, axis=-2, keepdims=True)
        square = jnp.sum(chunk**2, axis=(-2, -1), keepdims=True) / (
            mul * (ir.dim if normalization == "component" else 1)
        )
        chunk = chunk * inverse_root(square, eps, size)
        if scale is not None:
            chunk = chunk * of_channels(widened(scale))
        if bias is not None and ir.is_scalar():
            chunk = chunk + of_channels(widened(bias))
        pieces.append(rounded_to(x.dtype, chunk.reshape(piece.shape)))
    return IrrepsArray(x.irreps, jnp.concatenate(pieces, axis=-1))
