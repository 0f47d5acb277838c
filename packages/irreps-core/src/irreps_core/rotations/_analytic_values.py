"""Two families of analytic functions, closed under differentiation, for formulas that are singular at the identity.

cos(sqrt(t)) and sin(sqrt(t)) / sqrt(t) are entire functions of t, though the formulas are singular at t = 0. They
and all their derivatives are of the form f_n(t) = j_n(sqrt(t)) / sqrt(t)^n, j_n the spherical Bessel functions:
f_{-1} = cos(sqrt(t)), f_0 = sin(sqrt(t)) / sqrt(t), f_n' = -f_{n+1} / 2 (DLMF 10.47, 10.51).

arcsin(sqrt(s)) / sqrt(s (1 - s)) = 2F1(1, 1; 3/2; s) (DLMF 15.4.4), and its derivatives satisfy
s (1-s) F^(n+2) + (n (1-2s) + 3/2 - 3s) F^(n+1) - (n+1)^2 F^(n) = 0 (DLMF 15.10.1, differentiated n times).

Near zero they are evaluated by power series, elsewhere by recurrences.
"""

from typing import Any

from irreps_core._inputs._namespace import array_namespace

BESSEL_CUT, BESSEL_TERMS = 4.0, 16
ARC_CUT, ARC_TERMS = 0.2, 36


def bessel(n: int, t: Any) -> Any:
    """Return f_n(t) = j_n(sqrt(t)) / sqrt(t)^n, n >= -1."""
    xp = array_namespace(t)
    if n == -1:
        return xp.cos(xp.sqrt(t))
    near = t < BESSEL_CUT
    far_t = xp.where(near, 1, t)
    root = xp.sqrt(far_t)
    previous, far = xp.cos(root), xp.sin(root) / root
    for k in range(n):
        previous, far = far, ((2 * k + 1) * far - previous) / far_t
    near_t = xp.where(near, t, 0)
    series = xp.ones_like(t)
    for k in range(BESSEL_TERMS, 0, -1):
        series = 1 - near_t * series / (2 * k * (2 * n + 2 * k + 1))
    for k in range(1, n + 1):
        series = series / (2 * k + 1)
    return xp.where(near, series, far)


def arc(n: int, s: Any) -> Any:
    """Return the n-th derivative of 2F1(1, 1; 3/2; s) at 0 <= s <= 1/2."""
    xp = array_namespace(s)
    near = s < ARC_CUT
    far_s = xp.where(near, ARC_CUT, s)
    product = far_s * (1 - far_s)
    far = xp.arcsin(xp.sqrt(far_s)) / xp.sqrt(product)
    following = (1 - (1 - 2 * far_s) * far) / (2 * product)
    for k in range(n):
        slope = k * (1 - 2 * far_s) + 1.5 - 3 * far_s
        far, following = following, ((k + 1) ** 2 * far - slope * following) / product
    near_s = xp.where(near, s, 0)
    series = xp.ones_like(s)
    for k in range(ARC_TERMS - 1, -1, -1):
        series = 1 + near_s * series * ((1 + n + k) ** 2 / ((1.5 + n + k) * (1 + k)))
    for k in range(n):
        series = series * ((1 + k) ** 2 / (1.5 + k))
    return xp.where(near, series, far)
