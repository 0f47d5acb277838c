"""The tests of equivariance on functions of JAX arrays."""

from typing import Any

import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402  # after the skip
import numpy as np  # noqa: E402

import irreps_core as ic  # noqa: E402
from irreps_core import IrrepsArray  # noqa: E402
from irreps_core import testing as ict  # noqa: E402

KEYS = [jax.random.key(0), jax.random.PRNGKey(0)]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_random_data_is_of_jax_and_of_the_dtype(key: Any, dtype: Any) -> None:
    seen = []

    def fun(x: IrrepsArray) -> IrrepsArray:
        seen.append(x.array)
        return ic.norm(x)

    ict.assert_equivariant(fun, key, "1o + 2e", dtype=dtype)
    assert all(isinstance(x, jax.Array) and x.dtype == dtype for x in seen)


def test_kind_and_dtype_follow_the_given_array() -> None:
    seen = []

    def fun(x: IrrepsArray, y: IrrepsArray) -> IrrepsArray:
        seen.append((x.array, y.array))
        return ic.dot(x, y)

    ict.assert_equivariant(fun, KEYS[0], IrrepsArray("1o", jnp.ones(3, jnp.float32)), "1o")
    assert all(isinstance(a, jax.Array) and a.dtype == b.dtype == jnp.float32 for a, b in seen)


def test_jitted_functions_and_gradients() -> None:
    def energy(x: IrrepsArray) -> jax.Array:
        return jnp.sum(ic.norm(x).array ** 3)

    @jax.jit
    def force(x: IrrepsArray) -> IrrepsArray:
        return jax.grad(energy)(x)

    ict.assert_equivariant(force, KEYS[0], "2x1o", dtype=jnp.float64)
    with pytest.raises(AssertionError, match="argument 0"):
        ict.assert_equivariant(jax.jit(lambda x: IrrepsArray("1o", jnp.abs(x.array))), KEYS[0], "1o")


def test_outputs_that_are_keys_are_not_compared() -> None:
    ict.assert_equivariant(lambda x, key: (x, jax.random.split(key)), KEYS[0], "1o", KEYS[0])


def test_output_dtype_is_traced() -> None:
    ict.assert_output_dtype_matches_input_dtype(lambda x: 2 * x, IrrepsArray("1o", jnp.ones(3)))
    ict.assert_output_dtype_matches_input_dtype(jnp.sin, jnp.ones(3, jnp.complex64))
    with pytest.raises(AssertionError, match="float32 for float64 arguments"):
        ict.assert_output_dtype_matches_input_dtype(lambda x: x.astype("float32"), jnp.ones(3))
    with pytest.raises(AssertionError, match="bfloat16 for float32"):
        ict.assert_output_dtype_matches_input_dtype(lambda x: x.astype(jnp.bfloat16), jnp.ones(3))


def test_output_dtype_needs_float64() -> None:
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(ValueError, match="jax_enable_x64"):
            ict.assert_output_dtype_matches_input_dtype(jnp.sin, jnp.ones(3, np.float32))
    finally:
        jax.config.update("jax_enable_x64", True)


def test_float32_world() -> None:
    """Without x64 the transformations are still made in float64."""
    jax.config.update("jax_enable_x64", False)
    try:
        ict.assert_equivariant(lambda x: x, KEYS[0], "12e", rtol=4 * 2.0**-23, atol=0)
        ict.assert_equivariant(jax.jit(lambda x: 2 * x), 0, "1o")
    finally:
        jax.config.update("jax_enable_x64", True)
