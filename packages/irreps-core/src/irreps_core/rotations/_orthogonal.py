"""Check that matrices are orthogonal: at once where their numbers are known, later where JAX traces them."""

from typing import Any

import numpy as np

from irreps_core._inputs._namespace import is_jax

TOLERANCE = 0.01  # more than rounding to three digits; matrices that are wrong deviate by more


def orthogonal(R: Any, *, mirrors: bool) -> Any:
    """Return matrices after checking that they are orthogonal.

    Matrices that JAX traces get a name in the program instead, by which ``irreps_ops.checked`` finds and checks them.
    The name costs nothing when the program runs.

    Args:
        R: floating array of shape ``(..., 3, 3)``.
        mirrors: whether the determinant may be -1.

    Raises:
        ValueError: an entry of R R^T - I exceeds 0.01, or eight times the precision of a narrow dtype; or the
            determinant is negative, which `mirrors` excludes. The message gives the deviation.
    """
    if is_jax(R):
        from jax.ad_checkpoint import checkpoint_name  # optional; the array is JAX's
        from jax.core import Tracer

        if isinstance(R, Tracer):
            return checkpoint_name(R, "irreps: orthogonal matrices" if mirrors else "irreps: rotation matrices")
    precision = float(np.spacing(np.ones((), R.dtype)))  # also of bfloat16
    matrices = np.asarray(R).astype(np.float64).reshape(-1, 3, 3)
    with np.errstate(all="ignore"):  # infinite numbers are found below
        deviations = np.max(np.abs(matrices @ np.swapaxes(matrices, -1, -2) - np.eye(3)), axis=(-2, -1), initial=0)
        determinants = np.linalg.det(matrices)
    wrong = ~(deviations <= max(TOLERANCE, 8 * precision))  # true for NaN
    if not wrong.any() and (mirrors or not (determinants < 0).any()):
        return R
    place = int(np.argmax(wrong if wrong.any() else determinants < 0))
    which = f" {place} of {len(matrices)}" if R.ndim > 2 else ""
    kinds = "rotations or mirrors" if mirrors else "rotations"
    if wrong.any():
        reason = f"is not orthogonal: R R^T differs from the identity by {deviations[place]:.3g}"
    else:
        reason = f"is a mirror, of determinant {determinants[place]:.3g}"
    raise ValueError(f"expected the matrices of {kinds}, but matrix{which} {reason}")
