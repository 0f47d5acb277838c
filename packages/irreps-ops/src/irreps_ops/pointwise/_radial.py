"""Radial functions: bases of functions of a distance."""

import math
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import computed_in_float32, rounded_to, widened

from ._cutoffs import soft_envelope, sus

SoftOneHotBasis: TypeAlias = Literal["gaussian", "cosine", "smooth_finite", "fourier"]


@computed_in_float32
def bessel(x: jax.Array, n: int, x_max: float = 1.0) -> jax.Array:
    r"""Return the spherical Bessel functions of degree 0 that vanish at the cutoff.

    .. math:: B_k(x) = \sqrt{2 / x_\text{max}} \, \frac{\sin(k \pi x / x_\text{max})}{x}, \qquad k = 1, \ldots, n

    They are orthonormal: the integral of :math:`x^2 B_j(x) B_k(x)` over :math:`[0, x_\text{max}]` is 1 for
    :math:`j = k` and 0 otherwise. They are even and analytic in x, also at 0. They are not cut off beyond
    :math:`x_\text{max}`: multiply them by an envelope, :func:`irreps_ops.poly_envelope`.

    Args:
        x: distances, any shape.
        n: number of functions, 1 or more.
        x_max: cutoff, in the unit of `x`.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: `n` is not a positive integer, or `x_max` is not positive.

    Source: Gasteiger et al., Directional Message Passing for Molecular Graphs (2020), arXiv:2003.03123, equation (7).

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.bessel(jnp.array([0.0, 0.25, 0.4]), 2)
        Array([[4.443, 8.886],
               [4.   , 5.657],
               [3.362, 2.078]], dtype=float...)
    """
    n = check.count("bessel", "n", n)
    x_max = check.positive("bessel", "x_max", x_max)
    x = check.float_array("bessel", x)
    k = np.arange(1, n + 1) * (math.pi / x_max)
    return math.sqrt(2 / x_max) * sine_basis(x, jnp.asarray(k, x.dtype))


@computed_in_float32
def sine_basis(x: jax.Array, frequencies: jax.Array) -> jax.Array:
    r"""Return :math:`\sin(k x) / x` for each of the frequencies k: Bessel functions of degree 0 that may be trained.

    For :math:`k = π/c, 2π/c, ...` they are those of :func:`bessel` for the cutoff c, divided by :math:`\sqrt{2/c}`.
    They are even and analytic in x, also at 0.

    Args:
        x: distances, any shape.
        frequencies: of shape (n,), in the inverse of the unit of `x`.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: `frequencies` is not one axis of numbers.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.sine_basis(jnp.array([0.0, 0.25]), jnp.array([jnp.pi, 2 * jnp.pi]))
        Array([[3.142, 6.283],
               [2.828, 4.   ]], dtype=float...)
    """
    x, k = check.float_array("sine_basis", x), check.float_array("sine_basis", frequencies)
    if k.ndim != 1:
        raise ValueError(f"sine_basis expects frequencies of shape (n,), got {k.shape}")
    k = k.astype(x.dtype).reshape((1,) * x.ndim + (-1,))
    return k * _sinc(k * x[..., None])


def _sinc(t: jax.Array) -> jax.Array:
    """Return sin(t)/t, near 0 by its power series, so that derivatives do not cancel there and exist at 0."""
    small = jnp.abs(t) < 1
    square = jnp.where(small, t, 0) ** 2
    # 16 terms: derivatives up to order 15 are exact to float64.
    series = jnp.zeros_like(t)
    for j in reversed(range(16)):
        series = series * square + (-1) ** j / math.factorial(2 * j + 1)
    large = jnp.where(small, 1, t)
    return jnp.where(small, series, jnp.sin(large) / large)


def _last_axis(values: np.ndarray, x: jax.Array) -> jax.Array:
    """Return a vector of constants in the dtype of `x`, on a new last axis."""
    return jnp.asarray(values.reshape((1,) * x.ndim + (-1,)), x.dtype)


def soft_one_hot_linspace(
    input: jax.Array,
    *,
    start: float,
    end: float,
    number: int,
    basis: SoftOneHotBasis | None = None,
    cutoff: bool | None = None,
    start_zero: bool | None = None,
    end_zero: bool | None = None,
) -> jax.Array:
    r"""Return a continuous one-hot encoding of a number: overlapping bumps with equally spaced centres.

    The functions are scaled such that their squares sum to about 1 anywhere between `start` and `end`.

    Args:
        input: numbers, any shape.
        start: start of the interval.
        end: end of the interval.
        number: number of functions.
        basis: ``"gaussian"``: :math:`\exp(-d^2) / 1.12`, where d is the distance to the centre in units of the spacing;
            ``"cosine"``: :math:`\cos(π d / 2)` for :math:`|d| < 1`; ``"smooth_finite"``: infinitely smooth, zero for
            :math:`|d| ≥ 1`; ``"fourier"``: sines (with a cutoff) or cosines over the whole interval.
        cutoff: value for both `start_zero` and `end_zero`.
        start_zero: whether the functions vanish at `start`. Then the centres begin one spacing after it, where
            Gaussians are :math:`e^{-1}`.
        end_zero: whether the functions vanish at `end`.

    Returns:
        Array of shape (..., number).

    Raises:
        ValueError: an unknown basis; neither `cutoff` nor both `start_zero` and `end_zero`, or all of them; too few
            functions; an empty interval; "fourier" with functions that vanish at one end only.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = jnp.array([0.0, 1.0, 1.5])
        >>> irr.soft_one_hot_linspace(x, start=0.0, end=3.0, number=2, basis="cosine", cutoff=True)
        Array([[0.    , 0.    ],
               [1.    , 0.    ],
               [0.7071, 0.7071]], dtype=float...)
    """
    zero = _ends(cutoff, start_zero, end_zero)
    least = 1 if any(zero) or basis == "fourier" else 2
    number = check.count("soft_one_hot_linspace", "number", number, least)
    if not start < end:
        raise ValueError(f"soft_one_hot_linspace expects start < end, got start={start!r}, end={end!r}")
    given = check.float_array("soft_one_hot_linspace", input)
    return rounded_to(given.dtype, _one_hot(widened(given), start, end, number, basis, zero))


def _one_hot(
    x: jax.Array, start: float, end: float, number: int, basis: SoftOneHotBasis | None, zero: tuple[bool, bool]
) -> jax.Array:
    if basis == "fourier":
        return _fourier((x - start) / (end - start), number, zero)
    centres, spacing = np.linspace(start, end, number + sum(zero), retstep=True)
    centres = centres[1 if zero[0] else 0 :][:number]
    d = (x[..., None] - _last_axis(centres, x)) / float(spacing)
    if basis == "gaussian":
        return jnp.exp(-(d**2)) / 1.12
    if basis == "cosine":
        inside = jnp.abs(d) < 1
        return jnp.where(inside, jnp.cos(math.pi / 2 * d), 0)
    if basis == "smooth_finite":
        return 1.14136 * math.exp(2) * sus(d + 1) * sus(1 - d)
    raise ValueError(f"basis must be 'gaussian', 'cosine', 'smooth_finite' or 'fourier', got {basis!r}")


def _ends(cutoff: bool | None, start_zero: bool | None, end_zero: bool | None) -> tuple[bool, bool]:
    given = f"cutoff={cutoff!r}, start_zero={start_zero!r}, end_zero={end_zero!r}"
    if cutoff is not None:
        if start_zero is not None or end_zero is not None:
            raise ValueError(f"soft_one_hot_linspace expects either cutoff or start_zero and end_zero, got {given}")
        return bool(cutoff), bool(cutoff)
    if start_zero is None or end_zero is None:
        raise ValueError(f"soft_one_hot_linspace expects cutoff, or both start_zero and end_zero, got {given}")
    return bool(start_zero), bool(end_zero)


def _fourier(u: jax.Array, number: int, zero: tuple[bool, bool]) -> jax.Array:
    if zero[0] != zero[1]:
        raise ValueError(
            f"soft_one_hot_linspace with basis='fourier' expects start_zero = end_zero, got {zero[0]} and {zero[1]}"
        )
    u, scale = u[..., None], 1 / math.sqrt(0.25 + number / 2)
    if not zero[0]:
        return scale * jnp.cos(math.pi * _last_axis(np.arange(number), u[..., 0]) * u)
    inside = (u > 0) & (u < 1)
    return jnp.where(inside, scale * jnp.sin(math.pi * _last_axis(np.arange(1, number + 1), u[..., 0]) * u), 0)


@computed_in_float32
def gaussian_basis(x: jax.Array, n: int, x_max: float = 1.0, width: float | None = None) -> jax.Array:
    r"""Return Gaussians with equally spaced centres c from 0 to `x_max`.

    .. math:: \exp\left(-\frac{(x - c)^2}{2 \, \text{width}^2}\right)

    Args:
        x: distances, any shape.
        n: number of functions, 2 or more.
        x_max: the last centre, in the unit of `x`.
        width: standard deviation; by default the distance between centres.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: `n` is not an integer above 1, or `x_max` or `width` is not positive.

    Source: Schütt et al., SchNet (2017), arXiv:1706.08566, section 4.1.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.gaussian_basis(jnp.array(1.0), 3, x_max=2.0)
        Array([0.6065, 1.    , 0.6065], dtype=float...)
    """
    n = check.count("gaussian_basis", "n", n, 2)
    x_max = check.positive("gaussian_basis", "x_max", x_max)
    width = check.positive("gaussian_basis", "width", x_max / (n - 1) if width is None else width)
    x = check.float_array("gaussian_basis", x)
    return jnp.exp(-(((x[..., None] - _last_axis(np.linspace(0, x_max, n), x)) / width) ** 2) / 2)


@computed_in_float32
def chebyshev_basis(x: jax.Array, n: int, x_max: float = 1.0) -> jax.Array:
    r"""Return the Chebyshev polynomials :math:`T_0, ..., T_{n-1}` of :math:`2 x / x_\text{max} - 1`.

    Args:
        x: distances, any shape.
        n: number of functions, 1 or more.
        x_max: end of the interval on which the functions stay between -1 and 1, in the unit of `x`.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: `n` is not a positive integer, or `x_max` is not positive.

    Source: NIST Digital Library of Mathematical Functions, 18.9.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.chebyshev_basis(jnp.array([0.0, 1.5, 2.0]), 3, x_max=2.0)
        Array([[ 1. , -1. ,  1. ],
               [ 1. ,  0.5, -0.5],
               [ 1. ,  1. ,  1. ]], dtype=float...)
    """
    n = check.count("chebyshev_basis", "n", n)
    x_max = check.positive("chebyshev_basis", "x_max", x_max)
    u = 2 * (check.float_array("chebyshev_basis", x) / x_max) - 1
    polynomials = [jnp.ones_like(u), u]
    while len(polynomials) < n:
        polynomials.append(2 * u * polynomials[-1] - polynomials[-2])
    return jnp.stack(polynomials[:n], axis=-1)


@computed_in_float32
def exponential_bernstein_basis(x: jax.Array, n: int, gamma: float = 0.5) -> jax.Array:
    r"""Return the Bernstein polynomials of :math:`e^{-γx}`, which are positive and sum to 1.

    .. math:: B_k(x) = \binom{n-1}{k} \, u^k (1 - u)^{n-1-k}, \qquad u = e^{-\gamma x}, \quad k = 0, \ldots, n-1

    Args:
        x: distances, any shape.
        n: number of functions, 1 or more.
        gamma: decay per unit of distance. The default is that of PhysNet and SpookyNet, in 1/Bohr.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: `n` is not a positive integer, or `gamma` is not positive.

    Source: Unke et al., SpookyNet (2021), arXiv:2105.00304, equation (13).

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.exponential_bernstein_basis(jnp.array([0.0, 1.0]), 3)
        Array([[0.    , 0.    , 1.    ],
               [0.1548, 0.4773, 0.3679]], dtype=float...)
    """
    n = check.count("exponential_bernstein_basis", "n", n)
    gamma = check.positive("exponential_bernstein_basis", "gamma", gamma)
    t = -gamma * check.float_array("exponential_bernstein_basis", x)
    near, far = jnp.exp(t), -jnp.expm1(t)

    def factor(k: int, i: int, j: int) -> jax.Array:
        return math.sqrt(math.comb(n - 1, k)) * near**i * far**j

    # Two factors, each about the square root, because binomial coefficients and powers leave the range of the floats.
    pairs = [(k // 2, (n - 1 - k) // 2) for k in range(n)]
    return jnp.stack([factor(k, i, j) * factor(k, k - i, n - 1 - k - j) for k, (i, j) in enumerate(pairs)], axis=-1)


@computed_in_float32
def radial_basis(r: jax.Array, cutoff: float, num_radial_basis: int) -> jax.Array:
    """Return Bessel functions times a smooth envelope.

    It is ``bessel(r / cutoff, n) * soft_envelope(r / cutoff)``, see :func:`bessel` and :func:`soft_envelope`.

    Args:
        r: distances, any shape.
        cutoff: distance at which the functions vanish, in the unit of `r`.
        num_radial_basis: number of functions, n.

    Returns:
        Array of shape (..., n).

    Raises:
        ValueError: a cutoff that is not positive, or no functions.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.radial_basis(jnp.array(1.0), 5.0, 2)
        Array([4.401, 7.122], dtype=float...)
    """
    cutoff = check.positive("radial_basis", "cutoff", cutoff)
    r = check.float_array("radial_basis", r) / cutoff
    return bessel(r, num_radial_basis) * soft_envelope(r)[..., None]
