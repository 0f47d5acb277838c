"""Check that matrices are orthogonal, where their numbers are known."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax

TOLERANCE = 0.01  # more than rounding to three digits; matrices that are wrong deviate by more


def check_orthogonal(R: Any, *, mirrors: bool) -> None:
    """Raise an error if matrices are not orthogonal; arrays that JAX traces are not checked.

    Args:
        R: floating array of shape ``(..., 3, 3)``.
        mirrors: whether the determinant may be -1.

    Raises:
        ValueError: an entry of R R^T - I exceeds 0.01, or eight times the precision of a narrow dtype; or the
            determinant is negative, which `mirrors` excludes. The message gives the deviation.
    """
    if is_jax(R):
        from jax.core import Tracer  # optional; the array is JAX's

        if isinstance(R, Tracer):
            return
    precision = float(array_namespace(R).finfo(R.dtype).eps)
    matrices = np.asarray(R).astype(np.float64).reshape(-1, 3, 3)
    with np.errstate(all="ignore"):  # infinite numbers are found below
        deviations = np.max(np.abs(matrices @ np.swapaxes(matrices, -1, -2) - np.eye(3)), axis=(-2, -1), initial=0)
        determinants = np.linalg.det(matrices)
    wrong = ~(deviations <= max(TOLERANCE, 8 * precision))  # true for NaN
    if not wrong.any() and (mirrors or not (determinants < 0).any()):
        return
    place = int(np.argmax(wrong if wrong.any() else determinants < 0))
    which = f" {place} of {len(matrices)}" if R.ndim > 2 else ""
    kinds = "rotations or mirrors" if mirrors else "rotations"
    if wrong.any():
        reason = f"is not orthogonal: R R^T differs from the identity by {deviations[place]:.3g}"
    else:
        reason = f"is a mirror, of determinant {determinants[place]:.3g}"
    raise ValueError(f"expected the matrices of {kinds}, but matrix{which} {reason}")
