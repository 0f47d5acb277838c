"""Functions on the sphere that are symmetric about the axis y: coefficients of order 0, values on rings."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check

from ._grid import Quadrature, checked_quadrature
from ._grid_harmonics import Expansion, heights
from ._s2_irreps import degree_scales, s2_irreps
from ._spherical_signal import SphericalSignal


def legendre_transform_to_s2grid(
    coeffs: Any, res_beta: int, *, quadrature: Quadrature, normalization: str = "integral"
) -> jax.Array:
    r"""Return the values on the rings of a grid of a function, given its coefficients of order 0.

    .. math:: f(y) = \sum_l n_l \sqrt{2l+1} \, c_l P_l(y)

    Args:
        coeffs: coefficients, of shape (..., lmax+1).
        res_beta: number of rings.
        quadrature: "soft" or "gausslegendre", see :func:`s2_grid`.
        normalization: :math:`n_l` as in :func:`to_s2grid`.

    Returns:
        Array of shape (..., res_beta).

    Raises:
        ValueError: no coefficients, an unknown quadrature or normalization.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.legendre_transform_to_s2grid(jnp.array([1.0, 3**-0.5]), 3, quadrature="soft")
        Array([0.134, 1.   , 1.866], dtype=float...)
    """
    coeffs = check.float_array("legendre_transform_to_s2grid", coeffs)
    if coeffs.ndim == 0 or coeffs.shape[-1] == 0:
        raise ValueError(
            f"legendre_transform_to_s2grid expects coefficients of shape (..., lmax+1), got {coeffs.shape}"
        )
    lmax = coeffs.shape[-1] - 1
    res_beta = check.count("legendre_transform_to_s2grid", "res_beta", res_beta)
    expansion = _expansion(lmax, normalization, res_beta, quadrature)
    return _einsum("bl,...l->...b", heights(expansion, False, np.dtype(coeffs.dtype))[0], coeffs)


def legendre_transform_from_s2grid(
    x_beta: Any, lmax: int, res_beta: int, *, quadrature: Quadrature, normalization: str = "integral"
) -> jax.Array:
    r"""Return the coefficients of order 0 of a function, given its values on the rings of a grid, by quadrature.

    .. math:: c_l = \frac{1}{n_l} \frac{\sqrt{2l+1}}{2} \int_{-1}^{1} f(y) P_l(y) \, dy

    The inverse of :func:`legendre_transform_to_s2grid`, exact on grids that are fine enough.

    Args:
        x_beta: values, of shape (..., res_beta).
        lmax: highest degree.
        res_beta: number of rings.
        quadrature: "soft" or "gausslegendre".
        normalization: :math:`n_l` as in :func:`to_s2grid`.

    Returns:
        Array of shape (..., lmax+1).

    Raises:
        ValueError: not `res_beta` values, a negative `lmax`, an unknown quadrature or normalization.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.legendre_transform_from_s2grid(jnp.ones(4), 1, 4, quadrature="soft")
        Array([1., 0.], dtype=float...)
    """
    x_beta = check.float_array("legendre_transform_from_s2grid", x_beta)
    if x_beta.ndim == 0 or x_beta.shape[-1] != res_beta:
        raise ValueError(
            f"legendre_transform_from_s2grid expects values of shape (..., {res_beta}), got {x_beta.shape}"
        )
    lmax = check.count("legendre_transform_from_s2grid", "lmax", lmax, 0)
    expansion = _expansion(lmax, normalization, x_beta.shape[-1], quadrature)
    return _einsum("bl,...b->...l", heights(expansion, True, np.dtype(x_beta.dtype))[0], x_beta)


def betas_to_spherical_signal(
    x_beta: Any, res_alpha: int, *, quadrature: Quadrature, p_val: int = 1, p_arg: int = -1
) -> SphericalSignal:
    """Return the signal that is constant on each ring.

    Args:
        x_beta: values, of shape (..., res_beta).
        res_alpha: number of points on each ring.
        quadrature: "soft" or "gausslegendre".
        p_val: parity of the values.
        p_arg: parity of the argument.

    Returns:
        The signal, of shape (..., res_beta, res_alpha).

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.betas_to_spherical_signal(jnp.array([1.0, 2.0]), 3, quadrature="soft").grid_values
        Array([[1., 1., 1.],
               [2., 2., 2.]], dtype=float...)
    """
    x_beta = jnp.asarray(x_beta)
    res_alpha = check.count("betas_to_spherical_signal", "res_alpha", res_alpha)
    values = jnp.broadcast_to(x_beta[..., None], (*x_beta.shape, res_alpha))
    return SphericalSignal(values, quadrature, p_val=p_val, p_arg=p_arg)


def m0_values_to_irrepsarray(m0_values: Any, lmax: int, p_val: int, p_arg: int) -> IrrepsArray:
    """Return the coefficients of all orders of a function, given those of order 0; the others are zero.

    Args:
        m0_values: coefficients, of shape (..., lmax+1).
        lmax: highest degree.
        p_val: parity of the values.
        p_arg: parity of the argument.

    Returns:
        Data of :func:`s2_irreps`, of shape (..., (lmax+1)**2).

    Raises:
        ValueError: not lmax+1 coefficients.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.m0_values_to_irrepsarray(jnp.array([1.0, 2.0]), 1, 1, -1)
        1x0e+1x1o [1. 0. 2. 0.]
    """
    m0_values = check.float_array("m0_values_to_irrepsarray", m0_values)
    irreps = s2_irreps(lmax, p_val, p_arg)
    if m0_values.ndim == 0 or m0_values.shape[-1] != lmax + 1:
        raise ValueError(f"m0_values_to_irrepsarray expects shape (..., {lmax + 1}), got {m0_values.shape}")
    l = np.arange(lmax + 1)
    zeros = jnp.zeros((*m0_values.shape[:-1], irreps.dim), m0_values.dtype)
    return IrrepsArray(irreps, zeros.at[..., l * (l + 1)].set(m0_values))


def _expansion(lmax: int, normalization: str, res_beta: int, quadrature: Quadrature) -> Expansion:
    degrees = tuple(range(lmax + 1))
    scales = degree_scales(degrees, lmax, normalization)
    return Expansion(degrees, scales, res_beta, 1, checked_quadrature(quadrature))


_einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
