"""Real spherical and solid harmonics of any degree, as plain arrays."""

from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from irreps_core._inputs._degrees import check_degree
from irreps_core._inputs._namespace import is_jax
from irreps_core._inputs._precision import rounded_to, widened
from irreps_core._inputs._shown import shown
from irreps_core._inputs._vectors import checked

from ._directions import unit_vectors, with_exact_length
from ._normalization import HarmonicNormalization, harmonic_scale
from ._solid_constants import Degrees
from ._solid_values import solid_product

# From this degree on the lengths of unit vectors are corrected; below, it would cost more than it gives.
_HIGH_DEGREE = 8


def spherical_harmonics(
    degrees: SupportsIndex | Iterable[SupportsIndex], r: Any, *, normalization: HarmonicNormalization = "component"
) -> Any:
    r"""Return the real spherical harmonics of the directions of vectors (x, y, z).

    Those of degree l are :math:`Y_{lm}`, :math:`m = -l, ..., l`:

    .. math::

        Y_{l, \pm m} = K_{lm} \, P_{lm}(y / r) \, (\cos m\varphi, \sin m\varphi),
        \qquad z + i x = \sqrt{x^2 + z^2} \, e^{i\varphi}

    with P the associated Legendre functions without the Condon-Shortley phase and :math:`K > 0`; the polar axis is y.
    They are equivariant, :math:`Y_l(R r) = D^l(R) Y_l(r)`, see :func:`wigner_D_from_matrix`. :math:`Y_1` is
    :math:`(x, y, z) / r` times a constant. For other software's conventions see :func:`change_of_basis`.

    :func:`irreps_ops.spherical_harmonics` is the operation for models: it takes irreps, checks the parity and returns
    an :class:`IrrepsArray` with the same numbers.

    Args:
        degrees: a degree l, or degrees in any order, such as ``range(4)`` or ``irreps.ls``.
        r: vectors of any length, a NumPy or JAX array of shape (..., 3).
        normalization: "component" (default), "norm" or "integral"; see :func:`harmonic_scale`.

    Returns:
        Array of shape (..., components of all degrees), of the same kind and floating dtype. :math:`Y_l(0)` is zero,
        except for the constant :math:`Y_0`, and so are all derivatives there. With JAX, derivatives of every order are
        exact, at the poles too.

    Raises:
        ValueError: a degree is negative, the last axis of `r` is not 3, `r` is complex, or the normalization is
            unknown.
        TypeError: a degree is not an integer.

    Accuracy in float32, relative to :math:`\sqrt{2l + 1}`: 2e-6 up to :math:`l = 16`, 1e-5 up to :math:`l = 64`, at the
    poles too; the error grows in proportion to l, and no degree overflows. Narrower dtypes are computed in float32.

    Source: NIST Digital Library of Mathematical Functions, 14.30.

    Example:
        >>> import numpy as np
        >>> from irreps_core import spherical_harmonics
        >>> spherical_harmonics([0, 1], np.array([0.0, 3.0, 4.0]), normalization="norm")
        array([1. , 0. , 0.6, 0.8])
        >>> spherical_harmonics(range(3), np.ones((10, 3))).shape
        (10, 9)
    """
    scaled = _scaled_degrees(degrees, normalization)
    (r,) = checked((3,), r=r)
    u = unit_vectors(widened(r))
    if max((l for l, _ in scaled), default=0) >= _HIGH_DEGREE:
        u = with_exact_length(u)
    return rounded_to(r.dtype, _solid(scaled, True, u))


def solid_harmonics(
    degrees: SupportsIndex | Iterable[SupportsIndex], r: Any, *, normalization: HarmonicNormalization = "component"
) -> Any:
    r"""Return the real solid harmonics :math:`|r|^l Y_{lm}(r / |r|)` of vectors :math:`r = (x, y, z)`.

    They are homogeneous polynomials of degree l in x, y and z, :math:`S(c r) = c^l S(r)`, and solve Laplace's equation.
    On the unit sphere they are the :func:`spherical_harmonics`.

    Args:
        degrees: a degree l, or degrees in any order.
        r: vectors, a NumPy or JAX array of shape (..., 3).
        normalization: on the unit sphere, as in :func:`spherical_harmonics`.

    Returns:
        Array of shape (..., components of all degrees), of the same kind and floating dtype. With JAX, derivatives of
        every order are exact.

    Raises:
        ValueError: as in :func:`spherical_harmonics`.
        TypeError: a degree is not an integer.

    Accuracy in float32, relative to :math:`\sqrt{2l + 1}` on the unit sphere: 5e-7 up to :math:`l = 16`, 2e-6 up to
    :math:`l = 64`; the error grows in proportion to l. Harmonics beyond the range of the dtype are infinite, with the
    right sign.

    Example:
        >>> import numpy as np
        >>> from irreps_core import solid_harmonics
        >>> solid_harmonics(2, np.array([0.0, 2.0, 0.0]), normalization="norm")
        array([0., 0., 4., 0., 0.])
    """
    scaled = _scaled_degrees(degrees, normalization)
    (r,) = checked((3,), r=r)
    return rounded_to(r.dtype, _solid(scaled, False, widened(r)))


def _scaled_degrees(degrees: SupportsIndex | Iterable[SupportsIndex], normalization: HarmonicNormalization) -> Degrees:
    harmonic_scale(0, normalization)  # raises an error for an unknown one, even if there are no degrees
    if isinstance(degrees, str) or hasattr(degrees, "ls"):
        raise TypeError(
            f"expected degrees such as [0, 1, 2], got {shown(degrees)}: the degrees of irreps are irreps.ls"
        )
    listed = degrees if isinstance(degrees, Iterable) else [degrees]
    return tuple((l, harmonic_scale(l, normalization)) for l in (check_degree("a degree", l) for l in listed))


def _solid(degrees: Degrees, is_unit: bool, v: Any) -> Any:
    if is_jax(v):
        from . import _derivatives  # imports JAX, which is optional

        return _derivatives.evaluate(degrees, is_unit, v)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # as with JAX, infinite if it overflows
        return solid_product(degrees, is_unit, v[..., 0:1], v[..., 1:2], v[..., 2:3])
