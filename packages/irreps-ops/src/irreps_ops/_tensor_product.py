"""Tensor products of irreps, reduced to irreps by Clebsch-Gordan coefficients."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, overload

import jax
import jax.numpy as jnp

from irreps_core import (
    IntoIrreps,
    Irrep,
    Irreps,
    IrrepsArray,
    MulIrrep,
    align,
    clebsch_gordan,
    from_chunks,
)

from ._normalization import IrrepNormalization, product_scale
from ._operands import broadcast_leading, floating

Keep = IntoIrreps | Iterable[str | Irrep]


def _without_arrays(*inputs: Any) -> bool:
    """Whether all inputs are irreps alone.

    Raises:
        TypeError: some are and some are not.
    """
    alone = [isinstance(x, (str, Irrep, MulIrrep, Irreps)) for x in inputs]
    if any(alone) and not all(alone):
        raise TypeError(f"expected data twice or irreps twice, got irreps {inputs[alone.index(True)]} with data")
    return all(alone)


def _irreps_of(function: Callable[..., IrrepsArray], *irreps: IntoIrreps) -> Irreps:
    """The irreps that a function of IrrepsArrays returns, found without computing anything."""
    inputs = [IrrepsArray(ir, jax.ShapeDtypeStruct((Irreps(ir).dim,), jnp.float32)) for ir in map(Irreps, irreps)]
    return jax.eval_shape(function, *inputs).irreps


def _paths(
    irreps1: Irreps, irreps2: Irreps, pairs: Iterable[tuple[int, int]], filter_ir_out: Keep
) -> list[tuple[int, int, Irrep]]:
    """Places of two items and an irrep of their product, for all that are wanted."""
    paths = [(i, j, ir) for i, j in pairs for ir in irreps1[i].ir * irreps2[j].ir]
    wanted = Irreps([(1, ir) for _, _, ir in paths]).filter_mask(filter_ir_out)
    return list(itertools.compress(paths, wanted))


def _coefficients(ir1: Irrep, ir2: Irrep, ir_out: Irrep, normalization: IrrepNormalization, dtype: Any) -> jax.Array:
    scale = product_scale(normalization, ir1.dim, ir2.dim, ir_out.dim)
    # Made in float64, rounded once.
    return jnp.asarray(scale * clebsch_gordan(ir1.l, ir2.l, ir_out.l), dtype)


@overload
def tensor_product(
    input1: str | Irrep | MulIrrep | Irreps,
    input2: str | Irrep | MulIrrep | Irreps,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
    regroup_output: bool = True,
) -> Irreps: ...
@overload
def tensor_product(
    input1: IrrepsArray | jax.Array,
    input2: IrrepsArray | jax.Array,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
    regroup_output: bool = True,
) -> IrrepsArray: ...
def tensor_product(
    input1: Any,
    input2: Any,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
    regroup_output: bool = True,
) -> IrrepsArray | Irreps:
    """Full tensor product: every irrep of one with every irrep of the other, reduced to irreps.

    z[u v, k] = scale * sum_ij C[i, j, k] x[u, i] y[v, j], C the Clebsch-Gordan coefficients, one z for each
    pair of items and each irrep allowed by the selection rules.

    Args:
        input1: data of shape (..., irreps1.dim), or irreps alone.
        input2: data of shape (..., irreps2.dim), or irreps alone; leading axes broadcast.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: ``"component"`` (components of variance 1 give components of variance 1),
            ``"norm"`` or ``"none"`` (the bare coefficients, of Frobenius norm 1).
        regroup_output: sort and merge the irreps of the inputs and of the result.

    Returns:
        Data of shape (..., irreps_out.dim); for two irreps without data, irreps_out.

    Raises:
        ValueError: unknown normalization.
        TypeError: irreps alone with data.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> x = ic.IrrepsArray("1o", jnp.array([2.0, 0.0, 0.0]))
        >>> y = ic.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0]))
        >>> io.tensor_product(x, y, filter_ir_out="0e + 1e")
        1x0e+1x1e [0.    0.   0.   2.83]
        >>> io.tensor_product("1o", "2x1o + 0e")
        2x0e+1x1o+2x1e+2x2e
    """
    if _without_arrays(input1, input2):
        return _irreps_of(
            partial(
                tensor_product,
                filter_ir_out=filter_ir_out,
                irrep_normalization=irrep_normalization,
                regroup_output=regroup_output,
            ),
            input1,
            input2,
        )
    x, y = floating(input1, input2)
    if regroup_output:
        x, y = x.regroup(), y.regroup()
    leading, (x, y) = broadcast_leading(x, y)
    items, chunks = [], []
    x_chunks, y_chunks = x.chunks, y.chunks
    pairs = itertools.product(range(len(x.irreps)), range(len(y.irreps)))
    for i, j, ir in _paths(x.irreps, y.irreps, pairs, filter_ir_out):
        (mul1, ir1), (mul2, ir2) = x.irreps[i], y.irreps[j]
        C = _coefficients(ir1, ir2, ir, irrep_normalization, x.dtype)
        shape = (*leading, mul1 * mul2, ir.dim)
        items.append((mul1 * mul2, ir))
        chunks.append(_product("...ui,...vj,ijk->...uvk", x_chunks[i], y_chunks[j], C, shape))
    out = from_chunks(items, chunks, leading, x.dtype, backend=jnp).sort()
    return out.simplify() if regroup_output else out


def _product(formula: str, a: Any, b: Any, C: jax.Array, shape: tuple[int, ...]) -> Any:
    if a is None or b is None:
        return None
    return jnp.einsum(formula, a, b, C, precision=jax.lax.Precision.HIGHEST).reshape(shape)


@overload
def elementwise_tensor_product(
    input1: str | Irrep | MulIrrep | Irreps,
    input2: str | Irrep | MulIrrep | Irreps,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
) -> Irreps: ...
@overload
def elementwise_tensor_product(
    input1: IrrepsArray | jax.Array,
    input2: IrrepsArray | jax.Array,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
) -> IrrepsArray: ...
def elementwise_tensor_product(
    input1: Any,
    input2: Any,
    *,
    filter_ir_out: Keep = None,
    irrep_normalization: IrrepNormalization = "component",
) -> IrrepsArray | Irreps:
    """Tensor product of the first irrep with the first, the second with the second, and so on.

    Args:
        input1: data of shape (..., irreps1.dim), or irreps alone.
        input2: data of as many irreps, or irreps alone; leading axes broadcast.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: see :func:`tensor_product`.

    Returns:
        Data of shape (..., irreps_out.dim), not sorted; for irreps without data, irreps_out.

    Raises:
        ValueError: different numbers of irreps, or unknown normalization.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> x = ic.IrrepsArray("2x1o", jnp.arange(6.0))
        >>> s = ic.IrrepsArray("0e + 0o", jnp.array([2.0, 3.0]))
        >>> io.elementwise_tensor_product(x, s)
        1x1o+1x1e [ 0.  2.  4.  9. 12. 15.]
    """
    if _without_arrays(input1, input2):
        return _irreps_of(
            partial(
                elementwise_tensor_product,
                filter_ir_out=filter_ir_out,
                irrep_normalization=irrep_normalization,
            ),
            input1,
            input2,
        )
    x, y = floating(input1, input2)
    if x.irreps.num_irreps != y.irreps.num_irreps:
        raise ValueError(
            f"elementwise_tensor_product expects equally many irreps, got {x.irreps} with "
            f"{x.irreps.num_irreps} and {y.irreps} with {y.irreps.num_irreps}"
        )
    leading, (x, y) = broadcast_leading(*align(x, y))
    items, chunks = [], []
    x_chunks, y_chunks = x.chunks, y.chunks
    pairs = ((i, i) for i in range(len(x.irreps)))
    for i, _, ir in _paths(x.irreps, y.irreps, pairs, filter_ir_out):
        (mul, ir1), (_, ir2) = x.irreps[i], y.irreps[i]
        C = _coefficients(ir1, ir2, ir, irrep_normalization, x.dtype)
        items.append((mul, ir))
        chunks.append(_product("...ui,...uj,ijk->...uk", x_chunks[i], y_chunks[i], C, (*leading, mul, ir.dim)))
    return from_chunks(items, chunks, leading, x.dtype, backend=jnp)
