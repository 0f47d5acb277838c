"""Derivatives of the conversions of rotations and of Wigner D, where plain formulas break down.

The reference is a twin in 60 digits, made of textbook formulas and differentiated by finite differences.
"""

import math

import numpy as np
import pytest

import irreps_core as ic

jax = pytest.importorskip("jax")
mp = pytest.importorskip("mpmath").mp

import jax.numpy as jnp  # noqa: E402 (JAX may be missing)

DIGITS, STEP = 60, "1e-10"

# Where Euler angles, axis and angle, or the formulas of the conversions are singular, and 1e-9 away from there.
SINGULAR = {
    "identity": (1, 0, 0, 0),
    "pi about x": (0, 1, 0, 0),
    "pi about y": (0, 0, 1, 0),
    "pi about z": (0, 0, 0, 1),
    "pi about a generic axis": (0, 1 / 3, 2 / 3, -2 / 3),
    "beta = 0": (math.cos(0.35), 0, math.sin(0.35), 0),
    "beta = pi": (0, math.cos(0.35), 0, -math.sin(0.35)),
}
NEAR = {
    f"1e-9 off {name}": tuple(ic.compose_quaternion(np.array(q, float), np.array([1, 0.3e-9, 0.2e-9, -0.4e-9])))
    for name, q in SINGULAR.items()
}
GENERIC = {"generic": (0.5, -0.1, 0.7, -0.5), "w < 0": (-0.5, 0.1, 0.7, 0.5)}
CASES = {**SINGULAR, **NEAR, **GENERIC}
QUATERNIONS = np.array([np.array(q) / np.linalg.norm(q) for q in CASES.values()])

# Each parametrization as one flat vector of parameters.
SIZES = {"quaternion": 4, "matrix": 9, "angles": 3, "axis_angle": 4, "log_coordinates": 3}


def arguments(kind, p):
    if kind == "matrix":
        return (p.reshape(3, 3),)
    if kind == "angles":
        return p[0], p[1], p[2]
    if kind == "axis_angle":
        return p[:3], p[3]
    return (p,)


def flat(result):
    parts = result if isinstance(result, tuple) else (result,)
    return jnp.concat([part.reshape(-1) for part in parts])


def parameters(kind, q):
    if kind == "quaternion":
        return q
    result = getattr(ic, f"quaternion_to_{kind}")(q)
    return np.concatenate([np.reshape(part, -1) for part in (result if isinstance(result, tuple) else (result,))])


def convert(source, target):
    """Our conversion between flat vectors; the target may be ("D", l)."""
    if isinstance(target, tuple):
        function = getattr(ic, f"wigner_D_from_{source}")
        return lambda p: flat(function(target[1], *arguments(source, p)))
    return lambda p: flat(getattr(ic, f"{source}_to_{target}")(*arguments(source, p)))


# The twin.


def twin_quaternion(kind, p, near):
    """The unit quaternion of flat parameters, of the two that one near `near`."""
    if kind == "quaternion":
        q = p
    elif kind == "angles":
        half_sum, half_difference, half = (p[0] + p[2]) / 2, (p[0] - p[2]) / 2, p[1] / 2
        c, s = mp.cos(half), mp.sin(half)
        q = [c * mp.cos(half_sum), s * mp.cos(half_difference), c * mp.sin(half_sum), -s * mp.sin(half_difference)]
    elif kind == "axis_angle":
        size = mp.sqrt(sum(x * x for x in p[:3]))
        q = [mp.cos(p[3] / 2)] + [x / size * mp.sin(p[3] / 2) for x in p[:3]]
    elif kind == "log_coordinates":
        size = mp.sqrt(sum(x * x for x in p))
        q = [mp.cos(size / 2)] + [x * (mp.sin(size / 2) / size if size else mp.mpf(1) / 2) for x in p]
    else:
        R = mp.matrix(3, 3)
        for i in range(9):
            R[i // 3, i % 3] = p[i]
        for _ in range(8):  # the nearest rotation (Higham's iteration)
            R = (R + (R**-1).T) / 2
        products = mp.matrix(4, 4)
        trace = R[0, 0] + R[1, 1] + R[2, 2]
        products[0, 0] = 1 + trace
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            products[0, i + 1] = products[i + 1, 0] = R[k, j] - R[j, k]
            products[i + 1, i + 1] = 1 + 2 * R[i, i] - trace
            products[i + 1, j + 1] = products[j + 1, i + 1] = R[i, j] + R[j, i]
        row = max(range(4), key=lambda i: products[i, i])
        q = [products[row, i] for i in range(4)]
    size = mp.sqrt(sum(x * x for x in q))
    sign = 1 if sum(float(a / size) * b for a, b in zip(q, near, strict=True)) > 0 else -1
    return [sign * x / size for x in q]


def twin_target(target, q):
    w, x, y, z = q
    if target == "quaternion":
        return q
    if target == "matrix":
        return [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ]
    if target == "angles":
        plus, minus = mp.atan2(y, w), mp.atan2(-z, x)
        alpha, gamma = ((a + mp.pi) % (2 * mp.pi) - mp.pi for a in (plus + minus, plus - minus))
        return [alpha, 2 * mp.atan2(mp.hypot(x, z), mp.hypot(w, y)), gamma]
    if isinstance(target, tuple):
        return twin_wigner(target[1], q)
    size = mp.sqrt(x * x + y * y + z * z)
    angle = 2 * mp.atan2(size, w)
    if target == "axis_angle":
        return [x / size, y / size, z / size, angle]
    return [u * (angle / size) if size else u for u in (x, y, z)]


def twin_wigner(l, q):
    """D on the monomials of degree 2l in the two components of a spinor, then on the real components."""
    w, x, y, z = q
    a, b = mp.mpc(w, -y), mp.mpc(-x, -z)
    columns = []
    for m in range(-l, l + 1):  # the monomial s^(l+m) t^(l-m), where s -> a s - conj(b) t, t -> b s + conj(a) t
        polynomial = [mp.mpc(1)]
        for s, t in [(a, -mp.conj(b))] * (l + m) + [(b, mp.conj(a))] * (l - m):
            shifted = [mp.mpc(0), *(s * c for c in polynomial)]
            polynomial = [u + t * c for u, c in zip(shifted, [*polynomial, mp.mpc(0)], strict=True)]
        size = mp.sqrt(mp.factorial(l + m) * mp.factorial(l - m))
        columns.append(
            [c * mp.sqrt(mp.factorial(k) * mp.factorial(2 * l - k)) / size for k, c in enumerate(polynomial)]
        )
    D = np.array(columns).T
    basis = np.zeros((2 * l + 1, 2 * l + 1), dtype=object) + mp.mpc(0)
    basis[l, l] = mp.mpc(1)
    for m in range(1, l + 1):  # cosines and sines without the phase (-1)^m of Condon and Shortley
        basis[l + m, l + m], basis[l - m, l + m] = (-1) ** m / mp.sqrt(2), 1 / mp.sqrt(2)
        basis[l + m, l - m], basis[l - m, l - m] = (-1) ** m / mp.mpc(0, mp.sqrt(2)), -1 / mp.mpc(0, mp.sqrt(2))
    conjugate = np.array([[mp.conj(c) for c in row] for row in basis.T])
    return [c.real for c in (conjugate @ D @ basis).reshape(-1)]


def twin_derivatives(source, target, p, direction, near):
    """Value and derivatives of order 1, 2, 3 along a line of parameters."""
    h = mp.mpf(STEP)

    def value(step):
        moved = [mp.mpf(float(a)) + step * h * mp.mpf(float(u)) for a, u in zip(p, direction, strict=True)]
        return np.array(twin_target(target, twin_quaternion(source, moved, near)))

    f = {step: value(step) for step in (-2, -1, 0, 1, 2)}
    return [
        f[0].astype(float),
        ((f[1] - f[-1]) / (2 * h)).astype(float),
        ((f[1] - 2 * f[0] + f[-1]) / h**2).astype(float),
        ((f[2] - 2 * f[1] + 2 * f[-1] - f[-2]) / (2 * h**3)).astype(float),
    ]


def derivatives(f, order):
    """The function of one number with the values f, f', ..., forward over forward, in one pass."""

    def higher(function):
        def with_slope(t):
            value, slope, lower = jax.jvp(function, (t,), (jnp.ones_like(t),), has_aux=True)
            return slope, (*lower, value)

        return with_slope

    function = lambda t: (f(t), ())  # noqa: E731
    for _ in range(order):
        function = higher(function)

    def in_order(t):
        highest, lower = function(t)
        return (*lower, highest)

    return in_order


def reverse_derivatives(f, weights, order):
    """The same of the scalar weights . f from the first on: reverse over forward, and f'' also reverse over reverse."""

    def scalar(t):
        return jnp.vdot(weights, f(t))

    return jax.jacrev(lambda t: jnp.stack(derivatives(scalar, order - 1)(t))), jax.grad(jax.grad(scalar))


def close(ours, reference, name):
    reference = np.asarray(reference)
    error = np.max(np.abs(np.asarray(ours) - reference))
    assert error < 1e-10, f"{name}: error {error:.1e}"


def check(source, target, names, order=3):
    """Values, forward and reverse derivatives along random lines against the twin."""
    quaternions = QUATERNIONS[[list(CASES).index(name) for name in names]]
    rng = np.random.default_rng(0)
    points = np.array([parameters(source, q) for q in quaternions])
    directions = rng.normal(size=points.shape)
    function = convert(source, target)
    weights = rng.normal(size=jax.eval_shape(function, points[0]).shape)

    @jax.jit
    @jax.vmap
    def ours(p, u):
        def line(t):
            return function(p + t * u)

        reverse, twice = reverse_derivatives(line, jnp.asarray(weights), order)
        zero = jnp.zeros(())
        return derivatives(line, order)(zero), reverse(zero), twice(zero)

    vectors, scalars, twice = ours(jnp.asarray(points), jnp.asarray(directions))
    with mp.workdps(DIGITS):
        for i, name in enumerate(names):
            near = points[i] if source == "quaternion" else np.asarray(convert(source, "quaternion")(points[i]))
            reference = twin_derivatives(source, target, points[i], directions[i], near)
            for n in range(order + 1):
                close(vectors[n][i], reference[n], f"{source} to {target}, {name}, order {n}")
                if n > 0:
                    close(
                        scalars[i, n - 1], weights @ reference[n], f"{source} to {target}, {name}, order {n}, reverse"
                    )
            if order > 1:
                close(twice[i], weights @ reference[2], f"{source} to {target}, {name}, reverse over reverse")


@pytest.mark.parametrize("source", SIZES)
def test_wigner_d(source):
    check(source, ("D", 4), list(CASES))


def test_wigner_d_of_degree_8():
    check("quaternion", ("D", 8), ["identity", "pi about z", "beta = pi", "1e-9 off beta = 0"])


# All conversions lead through the quaternion: its own to third order, the others to first.


@pytest.mark.parametrize("source", [kind for kind in SIZES if kind != "quaternion"])
def test_conversions_to_quaternions(source):
    check(source, "quaternion", list(CASES))


@pytest.mark.parametrize("target", ["matrix", "log_coordinates"])
def test_conversions_of_quaternions(target):
    check("quaternion", target, list(CASES))


@pytest.mark.parametrize("target", ["matrix", "log_coordinates"])
@pytest.mark.parametrize("source", [kind for kind in SIZES if kind != "quaternion"])
def test_conversions_that_are_smooth_everywhere(source, target):
    if source != target:
        check(source, target, list(CASES), order=1)


@pytest.mark.parametrize("target", ["angles", "axis_angle"])
@pytest.mark.parametrize("source", SIZES)
def test_conversions_that_are_smooth_almost_everywhere(source, target):
    regular = [*GENERIC, "pi about a generic axis"] + (["pi about x", "beta = 0"] if target == "axis_angle" else [])
    if source != target:
        check(source, target, regular, order=3 if source == "quaternion" else 1)
