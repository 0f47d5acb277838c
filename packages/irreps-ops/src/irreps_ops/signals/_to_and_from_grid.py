"""Transformations between signals on the sphere and coefficients of spherical harmonics."""

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating
from irreps_ops.harmonics._spherical import sh

from ._grid import Quadrature, checked_quadrature
from ._grid_harmonics import Expansion
from ._plugins import NamedTransform, from_grid_by, to_grid_by
from ._s2_irreps import degree_scales, distinct_degrees, parities, per_component
from ._sphere_transform import from_grid, to_grid
from ._spherical_signal import SphericalSignal


def to_s2grid(
    coeffs: IrrepsArray,
    res_beta: int,
    res_alpha: int,
    *,
    quadrature: Quadrature,
    normalization: str = "integral",
    fft: bool | None = None,
    p_val: int | None = None,
    p_arg: int | None = None,
    use_s2fft: bool = False,
    transform: NamedTransform | None = None,
) -> SphericalSignal:
    r"""Return the signal of a function, given its coefficients of spherical harmonics.

    .. math:: f(x) = \sum_l n_l \sum_m c_{lm} Y_{lm}(x)

    with harmonics of "component" normalization (each of mean square 1). The inverse is :func:`from_s2grid`.

    Args:
        coeffs: coefficients, of shape (..., irreps.dim), each degree once, with parities
            :math:`p_\text{val} \, p_\text{arg}^l`.
        res_beta: number of rings of the grid; see :func:`s2_grid`.
        res_alpha: number of points on each ring.
        quadrature: "soft" or "gausslegendre".
        normalization: with L the highest degree,
            "integral": :math:`n_l = 1`, so :math:`c_{00}` is the mean of f;
            "component": :math:`n_l = 1 / \sqrt{(2l + 1)(L + 1)}`, so f has variance 1 if all coefficients have variance
            1; "norm": :math:`n_l = 1 / \sqrt{L + 1}`, so f has variance 1 if each degree has norm 1.
        fft: True for an FFT over alpha, False for a matrix product with the same result, None for the faster one. An
            FFT requires ``res_alpha > 2 * L``; otherwise the matrix product is used.
        p_val: parity of the values; needed, with `p_arg`, if the irreps do not determine it.
        p_arg: parity of the argument.
        use_s2fft: the same as ``transform="s2fft"``.
        transform: a plugin that computes the transformation, by name or as an object, see :class:`SphereTransform`.
            "s2fft" requires that package, the "soft" quadrature and the resolution of
            :func:`get_s2fft_grid_resolution`.

    Returns:
        The signal, of shape (..., res_beta, res_alpha).

    Raises:
        ValueError: a degree occurs twice; parities that contradict each other or are not determined; an unknown
            quadrature or normalization; resolutions that are not positive or that the `transform` does not support.
        PluginLoadError: the `transform` is not installed.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.to_s2grid(ic.IrrepsArray("0e + 1o", jnp.array([1.0, 0.0, 1.0, 0.0])), 3, 4, quadrature="soft")
        SphericalSignal(shape=(3, 4), quadrature='soft', p_val=1, p_arg=-1)
        [[-0.5 -0.5 -0.5 -0.5]
         [ 1.   1.   1.   1. ]
         [ 2.5  2.5  2.5  2.5]]
    """
    (coeffs,) = floating(coeffs)
    degrees = distinct_degrees(coeffs.irreps)
    val, arg = parities(coeffs.irreps, p_val, p_arg)
    if val is None or arg is None:
        raise ValueError(f"the irreps {coeffs.irreps} do not determine p_val and p_arg of the signal: pass both")
    scales = degree_scales(degrees, max(degrees, default=0), normalization)
    res_beta = check.count("to_s2grid", "res_beta", res_beta)
    res_alpha = check.count("to_s2grid", "res_alpha", res_alpha)
    expansion = Expansion(degrees, scales, res_beta, res_alpha, checked_quadrature(quadrature))
    if use_s2fft or transform is not None:
        values = to_grid_by("s2fft" if transform is None else transform, coeffs.array, expansion)
    else:
        values = to_grid(coeffs.array, expansion, fft)
    return SphericalSignal(values, quadrature, p_val=val, p_arg=arg)


def from_s2grid(
    x: SphericalSignal,
    irreps: IntoIrreps,
    *,
    normalization: str = "integral",
    lmax_in: int | None = None,
    fft: bool | None = None,
    use_s2fft: bool = False,
    transform: NamedTransform | None = None,
) -> IrrepsArray:
    r"""Return the coefficients of spherical harmonics of a signal, by quadrature.

    .. math:: c_{lm} = \frac{1}{n_l} \frac{1}{4\pi} \int f \, Y_{lm} \, d\Omega

    The inverse of :func:`to_s2grid`, exact on grids that are fine enough, see :func:`s2_grid`.

    Args:
        x: the signal, of shape (..., res_beta, res_alpha).
        irreps: of the coefficients, each degree once, with parities :math:`p_\text{val} \, p_\text{arg}^l`.
        normalization: :math:`n_l` as in :func:`to_s2grid`.
        lmax_in: the highest degree L of the signal for "component" and "norm" (default: that of `irreps`).
        fft: as there.
        use_s2fft: as there.
        transform: as there.

    Returns:
        The coefficients, of shape (..., irreps.dim).

    Raises:
        ValueError, PluginLoadError: as there.

    Example:
        >>> import irreps_ops as irr
        >>> signal = irr.SphericalSignal.from_function(lambda v: 1 + v[2], 10, 9, "gausslegendre")
        >>> irr.from_s2grid(signal, "0e + 1o").array.round(3) + 0
        Array([1.   , 0.   , 0.   , 0.577], dtype=float...)
    """
    irreps = Irreps(irreps)
    degrees = distinct_degrees(irreps)
    parities(irreps, x.p_val, x.p_arg)
    (values,) = (a.array for a in floating(x.grid_values))
    lmax = max(degrees, default=0) if lmax_in is None else lmax_in
    expansion = Expansion(degrees, degree_scales(degrees, lmax, normalization), *x.grid_resolution, x.quadrature)
    if use_s2fft or transform is not None:
        return IrrepsArray(irreps, from_grid_by("s2fft" if transform is None else transform, values, expansion))
    return IrrepsArray(irreps, from_grid(values, expansion, fft))


def to_s2point(coeffs: IrrepsArray, point: IrrepsArray, *, normalization: str = "integral") -> IrrepsArray:
    """Return the values of a function at any points, given its coefficients of spherical harmonics.

    Args:
        coeffs: coefficients, of shape (*shape1, irreps.dim), as in :func:`to_s2grid`.
        point: vectors 1o (or 1e), of shape (*shape2, 3) and any length. For a zero vector all harmonics of degree 1 or
            more are zero, as in :func:`spherical_harmonics`.
        normalization: as in :func:`to_s2grid`.

    Returns:
        Scalars 0e (or 0o), of shape (*shape1, *shape2, 1).

    Raises:
        TypeError: `point` is not an IrrepsArray.
        ValueError: the irreps of `point` are not one vector; a degree occurs twice; parities contradict each other.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = ic.IrrepsArray("0e + 1o", jnp.array([1.0, 0.0, 1.0, 0.0]))
        >>> irr.to_s2point(x, ic.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0])))
        1x0e [2.732]
    """
    if not isinstance(point, IrrepsArray):
        raise TypeError(f"to_s2point expects points as an IrrepsArray of 1o or 1e, got {type(point).__name__}")
    if point.irreps.simplify() not in ("1o", "1e"):
        raise ValueError(f"to_s2point expects points of irreps 1o or 1e, got {point.irreps}")
    coeffs, point = floating(coeffs, point)
    degrees = distinct_degrees(coeffs.irreps)
    p_val, _ = parities(coeffs.irreps, None, 1 if point.irreps.simplify() == "1e" else -1)
    harmonics = sh(degrees, point.array, True)
    scales = degree_scales(degrees, max(degrees, default=0), normalization)
    factors = jnp.asarray(per_component(degrees, scales), coeffs.dtype)
    scaled = coeffs.array * jnp.broadcast_to(factors, coeffs.shape)
    values = jnp.tensordot(scaled, harmonics, (-1, -1), precision=jax.lax.Precision.HIGHEST)
    return IrrepsArray("0o" if p_val == -1 else "0e", values[..., None])
