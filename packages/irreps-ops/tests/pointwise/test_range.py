"""Operations that square their input, over the range of each dtype: values and gradients against float64.

Where the result only follows the unit of length, the whole range is tested: the largest number of the data is any power
of 2, from near the smallest normal number to near the largest, and the truth is that at 1.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

SCALES = {"float16": (1e-2, 300.0, 1e4), "bfloat16": (1e-20, 1e20), "float32": (1e-30, 1e-20, 1e12, 1e20, 1e35)}
IRREPS = "3x0e + 2x1o"
DATA = np.random.default_rng(0).normal(size=(4, 9))


def _array(x: Any) -> ic.IrrepsArray:
    return ic.IrrepsArray(IRREPS, x)


def _batch_norm(x: jax.Array, **options: Any) -> jax.Array:
    layer, data = irr.BatchNorm(**options), _array(x)
    state = irr.init_state(layer, jax.random.key(0), data)
    return irr.apply(layer, irr.init(layer, jax.random.key(0), data), data, state=state)[0].array


SQUARING: dict[str, Callable[[jax.Array], jax.Array]] = {
    "BatchNorm": _batch_norm,
    "BatchNorm, norm": lambda x: _batch_norm(x, normalization="norm", reduce="max"),
    "key_value_activation": lambda x: irr.key_value_activation(jnp.tanh, x, jnp.ones_like(x)),
    "layer_norm": lambda x: irr.layer_norm(_array(x)).array,
    "norm_activation": lambda x: irr.norm_activation(_array(x), [jnp.tanh] * 2).array,
    "s2_dirac": lambda x: irr.s2_dirac(ic.IrrepsArray("1o", x[:, 3:6]), 3).array,
    "soft_normalization": lambda x: irr.soft_normalization(_array(x), 1.0).array,
    "spherical_harmonics": lambda x: irr.sh([1, 2, 3], x[:, 3:6], True),
}


@pytest.mark.parametrize("name", SQUARING)
@pytest.mark.parametrize("dtype", SCALES)
def test_values_and_gradients(name: str, dtype: str) -> None:
    function = SQUARING[name]
    weights = np.random.default_rng(1).normal(size=jax.eval_shape(function, DATA).shape)

    @jax.jit
    def value_and_gradient(x: jax.Array, weights: jax.Array) -> Any:
        y, pullback = jax.vjp(function, x)
        return y, pullback(weights)[0]

    for scale in SCALES[dtype]:
        x = jnp.asarray(DATA * scale, dtype)
        w = jnp.asarray(weights, dtype)
        found = value_and_gradient(x, w)
        expected = value_and_gradient(x.astype(np.float64), w.astype(np.float64))
        for what, a, b in zip(("value", "gradient"), found, expected, strict=True):
            a, b = np.asarray(a, np.float64), np.asarray(b)
            assert np.isfinite(a).all(), (what, scale)
            info = jnp.finfo(dtype)
            largest = np.abs(b).max()
            # Below the smallest normal number XLA on CPUs flushes to zero.
            allowed = max(20 * float(info.eps) * largest, float(info.tiny))
            np.testing.assert_allclose(a, b, rtol=0, atol=allowed, err_msg=f"{what} at {scale}")


def _vectors(x: Any) -> ic.IrrepsArray:
    return ic.IrrepsArray("1o", x[:, :3])


# Functions of data and of a unit u. If both are multiplied by a number, the result is multiplied by a power of it.
ONES = ic.ones("0e + 1o", (4,))
IN_UNITS: dict[str, tuple[float, Callable[[jax.Array, Any], Any]]] = {
    "norm": (1, lambda x, u: [ic.norm(_array(x)), ic.norm(_array(x), per_irrep=False)]),
    "norm_activation": (1, lambda x, u: irr.norm_activation(_array(x), [lambda n: jnp.tanh(n / u)] * 2)),
    "norm_activation, norm": (
        1,
        lambda x, u: irr.norm_activation(_array(x), [lambda n: 1 / (1 + n / u)] * 2, normalization="norm"),
    ),
    "s2_dirac": (0, lambda x, u: irr.s2_dirac(_vectors(x), 3)),
    "spherical_harmonics": (0, lambda x, u: irr.spherical_harmonics([1, 2, 5], _vectors(x), True)),
    "shtp": (0, lambda x, u: irr.shtp(ONES.astype(x.dtype), _vectors(x), "0e + 1o")),
    "to_s2point": (0, lambda x, u: irr.to_s2point(ONES.astype(x.dtype), _vectors(x))),
    "unit_vectors": (0, lambda x, u: ic.unit_vectors(x[:, :3])),
    "xyz_to_angles": (0, lambda x, u: ic.xyz_to_angles(x[:, :3])),
    "quaternion_to_matrix": (0, lambda x, u: ic.quaternion_to_matrix(x[:, :4])),
    "axis_angle_to_matrix": (0, lambda x, u: ic.axis_angle_to_matrix(x[:, :3], jnp.full(4, 0.7, x.dtype))),
    "D_from_quaternion": (0, lambda x, u: ic.Irrep("1o").D_from_quaternion(x[:, :4])),
}
# Those whose unit must be known when they are traced.
IN_KNOWN_UNITS: dict[str, tuple[float, Callable[[jax.Array, float], Any]]] = {
    "soft_normalization": (1, lambda x, u: irr.soft_normalization(_array(x), u)),
    "bessel": (-1.5, lambda x, u: irr.bessel(x, 3, 4 * u)),
    "cosine_cutoff": (0, lambda x, u: irr.cosine_cutoff(x, 2 * u)),
    "poly_envelope": (0, lambda x, u: irr.poly_envelope(3, 2, 2 * u)(x)),
    "soft_envelope": (0, lambda x, u: irr.soft_envelope(x, 2 * u)),
    "xplor_cutoff": (0, lambda x, u: irr.xplor_cutoff(x, u / 8, 2 * u)),
}


OF_NORMS = ("norm_activation", "soft_normalization")


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", [*IN_UNITS, *IN_KNOWN_UNITS])
def test_a_change_of_unit_over_the_whole_range(name: str, dtype: str) -> None:
    degree, function = {**IN_UNITS, **IN_KNOWN_UNITS}[name]

    def flat(x: jax.Array, unit: Any) -> jax.Array:
        return jnp.concatenate([jnp.ravel(y) for y in jax.tree.leaves(function(x, unit))])

    def value_and_gradient(x: jax.Array, w: jax.Array, unit: Any) -> Any:
        y, pullback = jax.vjp(lambda x: flat(x, unit), x)
        return y, pullback(w)[0]

    run = jax.jit(value_and_gradient, static_argnums=[2] if name in IN_KNOWN_UNITS else [])
    info = jnp.finfo(dtype)
    x = jnp.asarray(np.sign(DATA) * np.clip(np.abs(DATA), 0.25, 1), dtype)
    weights = np.random.default_rng(1).uniform(-1, 1, jax.eval_shape(lambda x: flat(x, 1.0), x).shape)
    w = jnp.asarray(weights, dtype)
    wide = [jnp.asarray(np.asarray(a), np.float64) for a in (x, w)]
    expected = run(*wide, 1.0 if name in IN_KNOWN_UNITS else wide[0].dtype.type(1))
    # Derivatives of functions of the norm multiply data by cotangents; this must not underflow.
    lowest = info.minexp + 3 + (info.nmant if name.split(",")[0] in OF_NORMS else 0)
    for exponent in np.linspace(lowest, info.maxexp - 4, 3).astype(int).tolist():
        unit = 2.0**exponent
        pair = run(x * jnp.asarray(unit, dtype), w, unit if name in IN_KNOWN_UNITS else x.dtype.type(unit))
        for what, power, a, b in zip(("value", "gradient"), (degree, degree - 1), pair, expected, strict=True):
            b = np.asarray(b).astype(np.longdouble) * np.longdouble(unit) ** power
            largest = np.abs(b).max()
            if not 4 * float(info.tiny) < largest < float(info.max) / 2:
                continue  # the result itself is out of range
            error = np.abs(np.asarray(a, np.longdouble) - b).max()
            allowed = max(20 * float(info.eps) * largest, 4 * np.longdouble(float(info.tiny)))
            assert error <= allowed, (what, unit, float(error / largest))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_one_large_scalar_is_centred_to_zero(dtype: str) -> None:
    x = jnp.full((3, 1), 1e20, dtype)
    functions = (lambda x: irr.layer_norm(ic.IrrepsArray("0e", x)).array, lambda x: _one_scalar(irr.BatchNorm(), x))
    for function in functions:
        total = lambda x, function=function: jnp.sum(jnp.sin(function(x)))  # noqa: E731
        for found in (function(x), jax.grad(total)(x), jax.jvp(jax.grad(total), (x,), (jnp.ones_like(x),))[1]):
            np.testing.assert_allclose(np.asarray(found, float), np.zeros((3, 1)), atol=1e-6)


def _one_scalar(layer: irr.BatchNorm, x: jax.Array) -> jax.Array:
    data = ic.IrrepsArray("0e", x)
    parameters, state = irr.init(layer, jax.random.key(0), data), irr.init_state(layer, jax.random.key(0), data)
    return irr.apply(layer, parameters, data, state=state)[0].array


@pytest.mark.parametrize(("dtype", "scale"), [("float16", 300.0), ("bfloat16", 1e20), ("float32", 1e20)])
def test_the_state_of_batch_norm_is_finite(dtype: str, scale: float) -> None:
    layer, x = irr.BatchNorm(), _array(jnp.asarray(DATA * scale, dtype))
    state = irr.init_state(layer, jax.random.key(0), x)
    assert {s.dtype for s in jax.tree.leaves(state)} == {jnp.dtype(np.float32)}
    _, state = irr.apply(layer, irr.init(layer, jax.random.key(0), x), x, state=state)
    assert all(np.isfinite(s).all() for s in jax.tree.leaves(state))
    if dtype == "float16":
        data = np.asarray(x.array, np.float64)
        expected = 0.9 + 0.1 * np.mean(data[:, 3:6] ** 2)
        np.testing.assert_allclose(state["running_var"][3], expected, rtol=1e-3)
