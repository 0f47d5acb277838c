"""The tensor product with the spherical harmonics of a direction, in a frame where each has a single component."""

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irrep, IrrepsArray, from_chunks
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._normalization import IrrepNormalization, product_scale
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import wide_dtype
from irreps_ops.signals._s2_irreps import s2_irreps

from ._aligned_frame import AlignedFrames, central, frame_factors, same_axes, vector_parity
from ._selection_rules import Keep, allowed_products


def tensor_product_with_spherical_harmonics(
    input: IrrepsArray | jax.Array,
    vector: IrrepsArray,
    degree: int,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
) -> IrrepsArray:
    """Return the tensor product with the spherical harmonics of a vector of degrees 0, ..., `degree`.

    This equals ``tensor_product(input, spherical_harmonics(range(degree + 1), vector, True))`` and has the same
    derivatives, also along the axes and at the vector zero, where only the products with degree 0 are not zero. The
    harmonics are never computed: each product with a degree l costs :math:`(2l + 1)^2` operations for each channel
    instead of the :math:`(2l + 1)^3` of dense Clebsch-Gordan coefficients. docs/products.md says when it is faster.

    Args:
        input: data of shape (..., irreps.dim).
        vector: a vector 1o or a pseudovector 1e, of shape (..., 3); its length does not matter. Leading axes broadcast.
        degree: the highest degree of the harmonics, which have "component" normalization.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: see :func:`tensor_product`.

    Returns:
        Data of shape (..., irreps_out.dim), each irrep once.

    Raises:
        TypeError: `vector` is not an IrrepsArray.
        ValueError: `vector` is not a single vector, `degree` is not an integer of 0 or more, or unknown normalization.

    Source: Passaro and Zitnick, Reducing SO(3) Convolutions to SO(2) for Efficient Equivariant GNNs (2023),
    arXiv:2302.03655.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("2x0e", jnp.array([1.0, 10.0]))
        >>> v = irr.IrrepsArray("1o", jnp.array([0.0, 5.0, 0.0]))
        >>> irr.tensor_product_with_spherical_harmonics(x, v, 1)
        2x0e+2x1o [ 1. 10.  0.  1.73  0.  0. 17.32 0. ]
    """
    name = "tensor_product_with_spherical_harmonics"
    parity = vector_parity(name, vector)
    degree = check.count(name, "degree", degree, 0)
    x, v = floating(input, vector)
    dtype = x.dtype
    x, v = (a.astype(wide_dtype(dtype)) for a in (x.regroup(), v))
    x, v, leading = same_axes(x, v)
    pairs = ((i, l) for i in range(len(x.irreps)) for l in range(degree + 1))
    degrees_of: dict[tuple[Irrep, int], list[int]] = {}
    for i, l, ir in allowed_products(x.irreps, s2_irreps(degree, 1, parity), pairs, filter_ir_out):
        degrees_of.setdefault((ir, i), []).append(l)
    degrees_of = dict(sorted(degrees_of.items()))

    frames, rotated = AlignedFrames.with_data(x, v.array, degrees_of)
    chunks = []
    for (ir, i), degrees in degrees_of.items():
        dim, chunk, in_frame = x.irreps[i].ir.dim, x.chunks[i], rotated[i]
        if chunk is None or in_frame is None:
            chunks.append(None)
            continue
        factors = {
            l: product_scale(irrep_normalization, dim, 2 * l + 1, ir.dim) * frame_factors(dim // 2, l, ir.l)
            for l in degrees
        }
        parts = []
        if 0 in factors:
            # All factors are equal: this is a multiple of the data, also where the vector is zero.
            parts.append(jnp.broadcast_to(chunk * float(factors.pop(0)[0]), (*leading, *chunk.shape[-2:])))
        if factors:
            parts.append(frames.from_frames(_products(in_frame, factors, dim // 2 + ir.l), ir.l))
        chunks.append(jnp.concatenate(parts, axis=-2))
    irreps = [(x.irreps[i].mul * len(degrees), ir) for (ir, i), degrees in degrees_of.items()]
    return from_chunks(irreps, chunks, leading, x.dtype).simplify().astype(dtype)


def _products(x: jax.Array, factors: dict[int, np.ndarray], total: int) -> jax.Array:
    """Return the products with each degree in the frames, one after another, of shape (..., degrees * mul, orders).

    Args:
        x: data of shape (..., mul, orders or more).
        factors: for each degree of the harmonics the factors c_m.
        total: sum of the degrees of the input and of the output.
    """
    table = np.stack(list(factors.values()))
    x = x[..., central(x.shape[-1] // 2, table.shape[-1] // 2)]
    odd = np.array([(l + total) % 2 for l in factors])[:, None]
    terms = [
        factor[..., None, :, :] * jnp.asarray(part, x.dtype).reshape((1,) * (x.ndim - 2) + (len(part), 1, -1))
        for factor, part in ((x, table * (1 - odd)), (x[..., ::-1], table * odd))
        if part.any()
    ]
    z = sum(terms[1:], terms[0])
    return z.reshape((*z.shape[:-3], z.shape[-3] * z.shape[-2], z.shape[-1]))
