"""Spherical harmonics as an operation: of irreps, with parities, on JAX arrays.

The mathematics, and its derivatives, are :func:`irreps_core.spherical_harmonics` and
:func:`irreps_core.solid_harmonics`.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

import irreps_core as ic
from irreps_core import HarmonicNormalization, IntoIrreps, Irrep, Irreps, IrrepsArray, MulIrrep, shown
from irreps_ops._inputs import _checks as check

Degrees: TypeAlias = IntoIrreps | int | Sequence[int]

_MSG_NO_PARITY = (
    "spherical_harmonics({irreps_out}, ...) of degrees alone needs a vector with a parity, got a plain array: pass "
    'IrrepsArray("1o", input) for vectors that a mirror turns, IrrepsArray("1e", input) for pseudovectors, or irreps '
    'such as "0e + 1o + 2e" instead of the degrees'
)


def spherical_harmonics(
    irreps_out: Degrees,
    input: IrrepsArray | jax.Array,
    normalize: bool,
    normalization: HarmonicNormalization | None = None,
) -> IrrepsArray:
    r"""Return the real spherical harmonics of vectors (x, y, z).

    Those of degree l are :math:`Y_{lm}`, :math:`m = -l, ..., l`; the polar axis is y:

    .. math::

        Y_{l, \pm m} = K_{lm} \, r^l P_{lm}(y / r) \, (\cos m\varphi, \sin m\varphi),
        \qquad z + i x = \sqrt{x^2 + z^2} \, e^{i\varphi}

    with P the associated Legendre functions without the Condon-Shortley phase and :math:`K > 0`. They are homogeneous
    polynomials of degree l, :math:`Y(s v) = s^l Y(v)`, and equivariant, :math:`Y(R v) = D(R) Y(v)`. For :math:`l = 1`
    they are (x, y, z) times a constant.

    The numbers are those of :func:`irreps_core.spherical_harmonics` (with `normalize`) and
    :func:`irreps_core.solid_harmonics` (without), which take degrees and return plain arrays.

    Args:
        irreps_out: irreps ("0e + 1o + 2e"), in any order and repetition, or a degree l, or degrees; of degrees the
            parity is :math:`p^l`, with p that of the vector.
        input: vectors, an IrrepsArray "1o" or "1e" or (with irreps) an array of shape (..., 3).
        normalize: evaluate at :math:`v / |v|` instead of v. By definition :math:`0 / |0|` is the constant 0: there
            :math:`Y_0` is its constant, and every other :math:`Y_l` and all derivatives are zero. (Vectors below the
            smallest normal number count as zero.)
        normalization: on the unit sphere,
            "component" (default): every component has mean square 1, :math:`|Y_l|^2 = 2l + 1`;
            "norm": :math:`|Y_l| = 1`;
            "integral": the integral of :math:`Y_{lm}^2` is 1, :math:`|Y_l|^2 = (2l + 1) / 4π`.

    Returns:
        IrrepsArray of shape (..., irreps_out.dim). Derivatives of every order are exact, forward and reverse.

    Raises:
        ValueError: `input` is not a single vector or its last axis does not have length 3; a parity that :math:`Y(v)`
            does not have; a negative degree; degrees among irreps; an unknown normalization.

    Accuracy in float32, relative to :math:`\sqrt{2l + 1}`, poles included: the polynomials 5e-7 up to :math:`l = 16`,
    2e-6 up to :math:`l = 64`; with `normalize`, whose rounding errors they multiply by l, 2e-6 and 1e-5. The error
    grows in proportion to l, and no degree overflows on the unit sphere; elsewhere, polynomials beyond the range of the
    dtype are infinite, with the right sign. float16 and bfloat16 are computed in float32.

    Source: NIST Digital Library of Mathematical Functions, 14.30.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> v = irr.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0]))
        >>> irr.spherical_harmonics([0, 1, 2], v, normalize=True, normalization="norm")
        1x0e+1x1o+1x2e [1. 0. 1. 0. 0. 0. 1. 0. 0.]
        >>> irr.spherical_harmonics("2e", v, normalize=False, normalization="norm")
        1x2e [0. 0. 4. 0. 0.]
    """
    normalization = "component" if normalization is None else normalization
    irreps = _parse(irreps_out, input)
    vectors = _vectors(irreps, input)
    evaluate = ic.spherical_harmonics if normalize else ic.solid_harmonics
    return IrrepsArray(irreps, evaluate(irreps.ls, vectors, normalization=normalization))


def sh(
    irreps_out: Degrees,
    input: jax.Array,
    normalize: bool,
    normalization: HarmonicNormalization | None = None,
) -> jax.Array:
    """Return :func:`spherical_harmonics` of plain arrays, without parities.

    Args:
        irreps_out: degrees, or irreps of even parity.
        input: vectors (x, y, z), shape (..., 3).
        normalize: as in :func:`spherical_harmonics`.
        normalization: as in :func:`spherical_harmonics`.

    Returns:
        Array of shape (..., components of all degrees).

    Raises:
        ValueError: as in :func:`spherical_harmonics`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.sh([0, 1], jnp.array([0.0, 3.0, 4.0]), normalize=True, normalization="norm")
        Array([1. , 0. , 0.6, 0.8], dtype=float...)
    """
    return spherical_harmonics(irreps_out, IrrepsArray("1e", jnp.asarray(input)), normalize, normalization).array


def _parse(irreps_out: Degrees, input: IrrepsArray | jax.Array) -> Irreps:
    if irreps_out is None or isinstance(irreps_out, (str, Irrep, MulIrrep, Irreps)):
        return Irreps(irreps_out)
    items: list[Any] = [irreps_out] if isinstance(irreps_out, (int, np.integer)) else list(irreps_out)
    degrees = [int(l) for l in items if isinstance(l, (int, np.integer)) and not isinstance(l, bool)]
    if degrees and len(degrees) < len(items):
        raise ValueError(f"spherical_harmonics expects either degrees or irreps, got both: {shown(items)}")
    if not degrees and items:
        return Irreps(items)
    if not isinstance(input, IrrepsArray):
        raise ValueError(_MSG_NO_PARITY.format(irreps_out=irreps_out))
    negative = [l for l in degrees if l < 0]
    if negative:
        raise ValueError(f"spherical_harmonics expects degrees of 0 or more, got {negative[0]}")
    p = _parity(input.irreps)
    return Irreps([(1, (l, p**l)) for l in degrees])


def _parity(irreps: Irreps) -> int:
    if irreps.num_irreps != 1 or irreps.dim != 3:
        raise ValueError(f"spherical_harmonics expects a single vector, 1o or 1e, got {irreps}")
    return next(ir.p for mul, ir in irreps if mul == 1)


def _vectors(irreps: Irreps, input: IrrepsArray | jax.Array) -> jax.Array:
    """Return the vectors as a floating array, after checking that they fit the irreps."""
    odd = {ir.p for _, ir in irreps if ir.l % 2 == 1}
    wrong = [ir for _, ir in irreps if ir.l % 2 == 0 and ir.p == -1]
    if wrong:
        raise ValueError(
            f"spherical_harmonics cannot give {wrong[0]} in {irreps}: even degrees do not change under a mirror: use "
            f"{wrong[0].l}e"
        )
    if len(odd) == 2:
        raise ValueError(f"spherical_harmonics expects one parity for all odd degrees, got {irreps}")
    if isinstance(input, IrrepsArray):
        p = _parity(input.irreps)
        if odd - {p}:
            raise ValueError(
                f"spherical_harmonics of {input.irreps} have parity {'eo'[p < 0]} for odd degrees, got {irreps}"
            )
        input = input.array
    vectors = check.float_array("spherical_harmonics", input)
    if vectors.ndim == 0 or vectors.shape[-1] != 3:
        raise ValueError(f"spherical_harmonics expects vectors of shape (..., 3), got shape {vectors.shape}")
    return vectors
