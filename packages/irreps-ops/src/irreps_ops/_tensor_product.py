"""Tensor products of irreps, reduced to irreps by Clebsch-Gordan coefficients."""

from collections.abc import Callable, Iterable
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

Keep = str | Irrep | Iterable[str | Irrep] | None


def _without_arrays(*inputs: Any) -> bool:
    return all(isinstance(x, (str, Irrep, MulIrrep, Irreps)) for x in inputs)


def _irreps_of(function: Callable[..., IrrepsArray], *irreps: IntoIrreps) -> Irreps:
    """The irreps that a function of IrrepsArrays returns, found without computing anything."""
    inputs = [
        IrrepsArray(ir, jax.ShapeDtypeStruct((Irreps(ir).dim,), jnp.float32)) for ir in map(Irreps, irreps)
    ]
    return jax.eval_shape(function, *inputs).irreps


def _kept(filter_ir_out: Keep) -> Callable[[Irrep], bool]:
    if filter_ir_out is None:
        return lambda ir: True
    if isinstance(filter_ir_out, (str, Irrep)):
        wanted = {ir for _, ir in Irreps(filter_ir_out)}
    else:
        wanted = {Irrep(ir) for ir in filter_ir_out}
    return lambda ir: ir in wanted


def _coefficients(
    ir1: Irrep, ir2: Irrep, ir_out: Irrep, normalization: IrrepNormalization, dtype: Any
) -> jax.Array:
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
            lambda x, y: tensor_product(x, y, filter_ir_out=filter_ir_out, regroup_output=regroup_output),
            input1,
            input2,
        )
    x, y = floating(input1, input2)
    if regroup_output:
        x, y = x.regroup(), y.regroup()
    leading, (x, y) = broadcast_leading(x, y)
    keep = _kept(filter_ir_out)
    items, chunks = [], []
    for (mul1, ir1), a in zip(x.irreps, x.chunks, strict=True):
        for (mul2, ir2), b in zip(y.irreps, y.chunks, strict=True):
            for ir in filter(keep, ir1 * ir2):
                items.append((mul1 * mul2, ir))
                C = _coefficients(ir1, ir2, ir, irrep_normalization, x.dtype)
                chunks.append(_product("...ui,...vj,ijk->...uvk", a, b, C, (*leading, mul1 * mul2, ir.dim)))
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
            lambda x, y: elementwise_tensor_product(x, y, filter_ir_out=filter_ir_out), input1, input2
        )
    x, y = floating(input1, input2)
    if x.irreps.num_irreps != y.irreps.num_irreps:
        raise ValueError(
            f"elementwise_tensor_product expects equally many irreps, got {x.irreps} with "
            f"{x.irreps.num_irreps} and {y.irreps} with {y.irreps.num_irreps}"
        )
    leading, (x, y) = broadcast_leading(*align(x, y))
    keep = _kept(filter_ir_out)
    items, chunks = [], []
    for (mul, ir1), a, (_, ir2), b in zip(x.irreps, x.chunks, y.irreps, y.chunks, strict=True):
        for ir in filter(keep, ir1 * ir2):
            items.append((mul, ir))
            C = _coefficients(ir1, ir2, ir, irrep_normalization, x.dtype)
            chunks.append(_product("...ui,...uj,ijk->...uk", a, b, C, (*leading, mul, ir.dim)))
    return from_chunks(items, chunks, leading, x.dtype, backend=jnp)
