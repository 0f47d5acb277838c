"""Tensor products without weights, reduced to irreps by Clebsch-Gordan coefficients: full, elementwise, square."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, overload

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irrep, Irreps, IrrepsArray, MulIrrep, align
from irreps_ops._inputs._normalization import IrrepNormalization, product_scale
from irreps_ops._inputs._operands import floating

from ._couplings import Coupling
from ._evaluate import evaluate_product
from ._selection_rules import Keep, all_pairs, allowed_products


def _are_irreps(*inputs: Any) -> bool:
    """Tell whether all inputs are irreps without data.

    Raises:
        TypeError: some are and some are not.
    """
    alone = [isinstance(x, (str, Irrep, MulIrrep, Irreps)) for x in inputs]
    if any(alone) and not all(alone):
        raise TypeError(f"expected data twice or irreps twice, got irreps {inputs[alone.index(True)]} with data")
    return all(alone)


def _irreps_of(function: Callable[..., IrrepsArray], *irreps: IntoIrreps) -> Irreps:
    """Return the irreps of the result of a function of IrrepsArrays, without computing anything."""
    inputs = [IrrepsArray(ir, jax.ShapeDtypeStruct((Irreps(ir).dim,), jnp.float32)) for ir in map(Irreps, irreps)]
    return jax.eval_shape(function, *inputs).irreps


def _sorted(items: list[tuple[int, Irrep]], couplings: list[Coupling]) -> tuple[Irreps, list[Coupling]]:
    """Return the items of an output in order, and the couplings that contribute to them."""
    irreps, places, _ = Irreps(items).sort()
    return irreps, [replace(c, i_out=places[c.i_out]) for c in couplings]


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
    r"""Return the full tensor product of two inputs, reduced to irreps.

    .. math:: z_{uv,k} = c \sum_{ij} C_{ijk} \, x_{ui} \, y_{vj}

    with the Clebsch-Gordan coefficients C, for each pair of items and each irrep that the selection rules allow; c
    depends on `irrep_normalization`.

    Args:
        input1: data of shape (..., irreps1.dim), or irreps without data.
        input2: data of shape (..., irreps2.dim), or irreps without data; leading axes broadcast.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: ``"component"`` (components of variance 1 give components of variance 1),
            ``"norm"`` or ``"none"`` (the bare coefficients, of Frobenius norm 1).
        regroup_output: whether to sort and merge the irreps of the inputs and of the result.

    Returns:
        Data of shape (..., irreps_out.dim); for two irreps without data, irreps_out.

    Raises:
        ValueError: unknown normalization.
        TypeError: one input is data, the other irreps without data.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([2.0, 0.0, 0.0]))
        >>> y = ic.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0]))
        >>> irr.tensor_product(x, y, filter_ir_out="0e + 1e")
        1x0e+1x1e [0.    0.   0.   2.83]
        >>> irr.tensor_product("1o", "2x1o + 0e")
        2x0e+1x1o+2x1e+2x2e
    """
    if _are_irreps(input1, input2):
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
    items, couplings = [], []
    pairs = all_pairs(x.irreps, y.irreps)
    for n, (i, j, ir) in enumerate(allowed_products(x.irreps, y.irreps, pairs, filter_ir_out)):
        (mul1, ir1), (mul2, ir2) = x.irreps[i], y.irreps[j]
        items.append((mul1 * mul2, ir))
        scale = product_scale(irrep_normalization, ir1.dim, ir2.dim, ir.dim)
        couplings.append(Coupling(i, j, n, "uvuv", path_weight=scale))
    out = evaluate_product(x, y, *_sorted(items, couplings))
    return out.simplify() if regroup_output else out


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
    """Return the tensor products of the first irrep with the first, the second with the second, and so on.

    Args:
        input1: data of shape (..., irreps1.dim), or irreps without data.
        input2: data with as many irreps, or irreps without data; leading axes broadcast.
        filter_ir_out: the irreps to compute (default: all).
        irrep_normalization: see :func:`tensor_product`.

    Returns:
        Data of shape (..., irreps_out.dim), its irreps not sorted; for irreps without data, irreps_out.

    Raises:
        ValueError: different numbers of irreps, or unknown normalization.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("2x1o", jnp.arange(6.0))
        >>> s = ic.IrrepsArray("0e + 0o", jnp.array([2.0, 3.0]))
        >>> irr.elementwise_tensor_product(x, s)
        1x1o+1x1e [ 0.  2.  4.  9. 12. 15.]
    """
    if _are_irreps(input1, input2):
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
    x, y = align(x, y)
    items, couplings = [], []
    pairs = ((i, i) for i in range(len(x.irreps)))
    for n, (i, _, ir) in enumerate(allowed_products(x.irreps, y.irreps, pairs, filter_ir_out)):
        (mul, ir1), (_, ir2) = x.irreps[i], y.irreps[i]
        items.append((mul, ir))
        scale = product_scale(irrep_normalization, ir1.dim, ir2.dim, ir.dim)
        couplings.append(Coupling(i, i, n, "uuu", path_weight=scale))
    return evaluate_product(x, y, Irreps(items), couplings)


@overload
def tensor_square(
    input: str | Irrep | MulIrrep | Irreps,
    *,
    irrep_normalization: IrrepNormalization = "component",
    normalized_input: bool = False,
    regroup_output: bool = True,
) -> Irreps: ...
@overload
def tensor_square(
    input: IrrepsArray | jax.Array,
    *,
    irrep_normalization: IrrepNormalization = "component",
    normalized_input: bool = False,
    regroup_output: bool = True,
) -> IrrepsArray: ...
def tensor_square(
    input: Any,
    *,
    irrep_normalization: IrrepNormalization = "component",
    normalized_input: bool = False,
    regroup_output: bool = True,
) -> IrrepsArray | Irreps:
    """Return the tensor product of data with itself, without products that are equal or zero by symmetry.

    Two different items are multiplied for every pair of multiplicities; an item is multiplied with itself for the pairs
    :math:`u < v`, and for :math:`u = v`, where only irreps of even degree are not zero.

    Args:
        input: data of shape (..., irreps.dim), or irreps without data.
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``, see :func:`tensor_product`. The products
            :math:`u = v` are normalized for independent, normally distributed components.
        normalized_input: whether each irrep of the input has norm 1. Then "component" gives components of variance 1
            over all directions, and "norm" irreps of norm 1.
        regroup_output: whether to sort and merge the irreps of the input and of the result.

    Returns:
        Data of shape (..., irreps_out.dim); for irreps without data, irreps_out.

    Raises:
        ValueError: unknown normalization.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> irr.tensor_square("1o")
        1x0e+1x2e
        >>> irr.tensor_square(ic.IrrepsArray("0e + 1o", jnp.array([10.0, 1.0, 2.0, 3.0])))
        2x0e+1x1o+1x2e [57.74  3.61 10.   20.   30.    3.    2.   -0.58  6.    4.  ]
    """
    if _are_irreps(input):
        square = partial(
            tensor_square,
            irrep_normalization=irrep_normalization,
            normalized_input=normalized_input,
            regroup_output=regroup_output,
        )
        return _irreps_of(square, input)
    (x,) = floating(input)
    if regroup_output:
        x = x.regroup()
    items: list[tuple[int, Irrep]] = []
    couplings = []

    def add(mul: int, ir: Irrep, i: int, j: int, mode: str, scale: float) -> None:
        couplings.append(Coupling(i, j, len(items), mode, path_weight=scale))
        items.append((mul, ir))

    for i, j in itertools.combinations_with_replacement(range(len(x.irreps)), 2):
        (mul1, ir1), (mul2, ir2) = x.irreps[i], x.irreps[j]
        for ir in ir1 * ir2:
            scale = product_scale(irrep_normalization, ir1.dim, ir2.dim, ir.dim)
            if normalized_input and irrep_normalization == "component":
                scale *= (ir1.dim * ir2.dim) ** 0.5
            if i != j:
                add(mul1 * mul2, ir, i, j, "uvuv", scale)
            else:
                if mul1 > 1:
                    add(mul1 * (mul1 - 1) // 2, ir, i, i, "uvu<v", scale)
                if ir.l % 2 == 0:
                    add(mul1, ir, i, i, "uuu", _square_scale(ir1, ir, irrep_normalization, normalized_input))
    out = evaluate_product(x, x, *_sorted(items, couplings), square=True)
    return out.simplify() if regroup_output else out


def _square_scale(ir1: Irrep, ir: Irrep, normalization: IrrepNormalization, normalized_input: bool) -> float:
    """Return the factor of the product of an irrep with itself.

    For independent normal components of variance 1, the mean square of the scalar x.x / sqrt(d) is d + 2, and that of
    the other irreps is 2, for all components together. For x on the unit sphere these are 1 / d and 2 / (d (d + 2)).
    """
    d, scale = ir1.dim, product_scale(normalization, ir1.dim, ir1.dim, ir.dim)
    if normalization == "none":
        return scale
    if normalized_input:
        components = ir.dim if normalization == "component" else 1
        return (d if ir.l == 0 else components * d * (d + 2) / 2) ** 0.5
    return scale / ((d + 2) ** 0.5 if ir.l == 0 else 2**0.5)
