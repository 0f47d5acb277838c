"""Operations that square their input, over the range of each dtype: values and gradients against float64."""

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
    "norm_activation": lambda x: irr.norm_activation(_array(x), [lambda n: 1 / (1 + n)] * 2).array,
    "s2_dirac": lambda x: irr.s2_dirac(ic.IrrepsArray("1o", x[:, 3:6]), 3).array,
    "soft_normalization": lambda x: irr.soft_normalization(_array(x), 1.0).array,
    "spherical_harmonics": lambda x: irr.sh([1, 2, 3], x[:, 3:6], True),
}
# The derivatives of these functions of the norm, such as 1 / (1 + n)², underflow themselves.
OF_NORMS = ("norm_activation", "soft_normalization")


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
            if what == "gradient" and name in OF_NORMS and scale > 1e15:
                continue
            a, b = np.asarray(a, np.float64), np.asarray(b)
            assert np.isfinite(a).all(), (what, scale)
            info = jnp.finfo(dtype)
            largest = np.abs(b).max()
            # Below the smallest normal number XLA on CPUs flushes to zero.
            allowed = max(20 * float(info.eps) * largest, float(info.tiny))
            np.testing.assert_allclose(a, b, rtol=0, atol=allowed, err_msg=f"{what} at {scale}")


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
