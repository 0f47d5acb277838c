r"""The Gaunt tensor product: the product of functions on the sphere, as a product of irreps.

A function is Σ c_lm Y_lm. The coefficients of the product of two functions are sums over all pairs of degrees of their
Clebsch-Gordan products, times the coefficients <l1 0 l2 0 | l3 0>, which are not zero where l1 + l2 + l3 is even. They
are computed from values of the functions instead, on a grid on the sphere or, by FFT, on a torus.
"""

import itertools
from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp

from irreps_core import HarmonicNormalization, Irrep, Irreps, IrrepsArray, from_chunks, harmonic_scale
from irreps_ops._inputs._operands import floating, split_last_axis
from irreps_ops._inputs._precision import rounded_to, widened
from irreps_ops.signals._grid_harmonics import Expansion
from irreps_ops.signals._sphere_transform import from_grid, to_grid
from irreps_ops.signals._torus import Series, fast_size, from_torus, to_torus

from ._aligned_frame import same_axes
from ._selection_rules import Keep

Method: TypeAlias = Literal["grid", "fourier"]
Functions: TypeAlias = dict[int, tuple[Series, jax.Array]]


def gaunt_tensor_product(
    input1: IrrepsArray | jax.Array,
    input2: IrrepsArray | jax.Array,
    *,
    filter_ir_out: Keep = None,
    normalization: HarmonicNormalization = "component",
    method: Method = "grid",
) -> IrrepsArray:
    r"""Return the product of functions on the sphere that are given by their coefficients of spherical harmonics.

    .. math:: f(r) = \sum_{lm} x_{lm} Y_{lm}(r), \quad g(r) = \sum_{lm} y_{lm} Y_{lm}(r), \quad
              f(r) \, g(r) = \sum_{lm} z_{lm} Y_{lm}(r)

    So z is a sum of Clebsch-Gordan products of degrees :math:`l_1` and :math:`l_2` to :math:`l_3` for which
    :math:`l_1 + l_2 + l_3` is even, with the weights :math:`\sqrt{(2 l_1 + 1)(2 l_2 + 1)(2 l_3 + 1)} \, C_{000}` and
    the bare coefficients C (in "component" normalization). It costs :math:`O(L^3)` instead of :math:`O(L^6)`. But the
    result has each irrep once, the weights are fixed, and antisymmetric products such as the cross product are missing.
    To learn weights, scale the irreps of both inputs and of the result. docs/products.md says when it is faster, and
    with which method.

    Each channel is a function: all items of an input have the same multiplicity, and channels of both inputs are
    multiplied one by one; or one of the inputs has a single channel.

    Irreps that :math:`Y_{lm}` cannot have, such as 0o or 1e, belong to pseudoscalar functions, which change sign under
    the inversion of space, :math:`(I f)(r) = -f(-r)`. An input is the sum of an ordinary function (0e, 1o, 2e, ...) and
    of a pseudoscalar function (0o, 1e, 2o, ...). The product of two functions of one kind is ordinary, otherwise it is
    pseudoscalar.

    Args:
        input1: data of shape (..., irreps.dim); each irrep once.
        input2: data of shape (..., irreps.dim); each irrep once. Leading axes broadcast.
        filter_ir_out: the irreps to compute (default: all up to the sum of the highest degrees).
        normalization: normalization of the harmonics, see :func:`spherical_harmonics`.
        method: ``"grid"``: values on rings of a Gauss-Legendre grid, which integrates the product exactly;
            ``"fourier"``: Fourier coefficients on a torus, multiplied by FFT. Both are exact up to rounding.

    Returns:
        Data of shape (..., irreps_out.dim), sorted, each irrep once.

    Raises:
        ValueError: an irrep that occurs twice, multiplicities that differ, or an unknown normalization or method.

    Source: Luo, Chen and Krishnapriyan, Enabling Efficient Equivariant Operations in the Fourier Basis via Gaunt Tensor
    Products, ICLR 2024, arXiv:2401.10216.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("0e + 1o", jnp.array([1.0, 0.0, 2.0, 0.0]))
        >>> v = jnp.array([0.0, 0.6, 0.8])
        >>> values = lambda a: jnp.dot(a.array, irr.sh(sorted(a.irreps.ls), v, True))
        >>> bool(jnp.allclose(values(irr.gaunt_tensor_product(x, x)), values(x) ** 2))
        True
    """
    if method not in get_args(Method):
        raise ValueError(f"gaunt_tensor_product expects method 'grid' or 'fourier', got {method!r}")
    x, y, leading = same_axes(*(a.regroup() for a in floating(input1, input2)))
    dtype = x.dtype
    x, y = (IrrepsArray(a.irreps, widened(a.array), zero_flags=a.zero_flags) for a in (x, y))
    mul = _multiplicity(x.irreps, y.irreps)
    irreps = _irreps_out(x.irreps, y.irreps, filter_ir_out)
    f, g = _functions(x, normalization), _functions(y, normalization)
    out = {val: _series(degrees, normalization) for val, degrees in _by_parity(irreps).items()}
    products = (_on_torus if method == "fourier" else _on_grid)(f, g, out) if f and g and out else {}
    chunks: dict[tuple[int, int], jax.Array] = {}
    for val, z in products.items():
        z = rounded_to(dtype, jnp.broadcast_to(z, (*leading, mul, z.shape[-1])))
        degrees = out[val].degrees
        chunks |= zip(((l, val) for l in degrees), split_last_axis(z, [2 * l + 1 for l in degrees]), strict=True)
    return from_chunks(
        [(mul, ir) for ir in irreps], [chunks.get((ir.l, _parity_of_values(ir))) for ir in irreps], leading, dtype
    )


def _parity_of_values(ir: Irrep) -> int:
    """Return 1 for an irrep of ordinary functions, -1 for an irrep of pseudoscalar functions."""
    return ir.p * (-1) ** ir.l


def _multiplicity(*irreps: Irreps) -> int:
    """Return the number of functions, in both inputs or in the input that has more than one."""
    found = [{mul for mul, _ in items} for items in irreps]
    both = set().union(*found) - {1}
    if any(len(muls) > 1 for muls in found) or len(both) > 1:
        raise ValueError(
            "gaunt_tensor_product expects irreps of one multiplicity, the number of functions, equal in both inputs or "
            f"1 in one of them; got {irreps[0]} and {irreps[1]}"
        )
    return both.pop() if both else 1


def _irreps_out(irreps1: Irreps, irreps2: Irreps, filter_ir_out: Keep) -> list[Irrep]:
    """Return the irreps of the product, in order."""
    found = {
        Irrep(l, ir1.p * ir2.p)
        for _, ir1 in irreps1
        for _, ir2 in irreps2
        for l in range(abs(ir1.l - ir2.l), ir1.l + ir2.l + 1, 2)
    }
    return [ir for _, ir in Irreps([(1, ir) for ir in sorted(found)]).filter(filter_ir_out)]


def _by_parity(irreps: Iterable[Irrep]) -> dict[int, tuple[int, ...]]:
    """Return the degrees of the ordinary (1) and of the pseudoscalar (-1) functions, if there are any."""
    found: dict[int, list[int]] = {}
    for ir in irreps:
        found.setdefault(_parity_of_values(ir), []).append(ir.l)
    return {val: tuple(degrees) for val, degrees in found.items()}


def _series(degrees: tuple[int, ...], normalization: HarmonicNormalization) -> Series:
    return Series(degrees, tuple(harmonic_scale(l, normalization) for l in degrees))


def _functions(x: IrrepsArray, normalization: HarmonicNormalization) -> Functions:
    """Return the functions of each kind that are not known to be zero, with coefficients of shape (..., mul, dim)."""
    there = [(ir, chunk) for (_, ir), chunk in zip(x.irreps, x.chunks, strict=True) if chunk is not None]
    return {
        val: (
            _series(degrees, normalization),
            jnp.concatenate([c for ir, c in there if _parity_of_values(ir) == val], axis=-1),
        )
        for val, degrees in _by_parity(ir for ir, _ in there).items()
    }


def _highest(functions: Iterable[Series]) -> int:
    return max(series.lmax for series in functions)


def _on_grid(f: Functions, g: Functions, out: dict[int, Series]) -> dict[int, jax.Array]:
    """Return the coefficients of the products, from values on a grid.

    The grid integrates products of three harmonics exactly.
    """
    degree = sum(_highest(some) for some in (_series_of(f), _series_of(g), out.values()))

    def on_grid(series: Series) -> Expansion:
        return Expansion(series.degrees, series.scales, degree // 2 + 1, degree + 1, "gausslegendre")

    def values(functions: Functions) -> dict[int, jax.Array]:
        return {val: to_grid(coeffs, on_grid(series)) for val, (series, coeffs) in functions.items()}

    return {val: from_grid(z, on_grid(out[val])) for val, z in _products(values(f), values(g), out).items()}


def _on_torus(f: Functions, g: Functions, out: dict[int, Series]) -> dict[int, jax.Array]:
    """Return the coefficients of the products, from values on a torus that resolves their Fourier series."""
    l1, l2, l3 = (_highest(some) for some in (_series_of(f), _series_of(g), out.values()))
    # Around the axis, frequencies above l3 may alias.
    size = fast_size(2 * (l1 + l2) + 1), fast_size(max(l1 + l2 + l3, 2 * l1, 2 * l2) + 1)

    def values(functions: Functions) -> dict[int, jax.Array]:
        return {val: to_torus(coeffs, series, size) for val, (series, coeffs) in functions.items()}

    return {val: from_torus(z, out[val]) for val, z in _products(values(f), values(g), out).items()}


def _series_of(functions: Functions) -> list[Series]:
    return [series for series, _ in functions.values()]


def _products(f: dict[int, jax.Array], g: dict[int, jax.Array], wanted: Iterable[int]) -> dict[int, jax.Array]:
    """Return the values of the products, of ordinary and of pseudoscalar functions."""
    found: dict[int, jax.Array] = {}
    for (a, x), (b, y) in itertools.product(f.items(), g.items()):
        if a * b in wanted:
            found[a * b] = found[a * b] + x * y if a * b in found else x * y
    return found
