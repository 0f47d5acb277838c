"""Sums, means, norms and products over the whole range of each dtype, against float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import irreps_core as ic

jax = pytest.importorskip("jax")
jnp: Any = jax.numpy

DIRECTION = np.array([0.3, -0.8, 0.5])
SCALES = {
    "float16": [1e-4, 1e-2, 1.0, 300.0, 3e4],
    "bfloat16": [1e-36, 1e-20, 1.0, 1e20, 1e35],
    "float32": [2e-37, 1e-30, 1e-20, 1e-12, 1.0, 1e12, 1e20, 1e35],
    "float64": [1e-300, 1e-160, 1.0, 1e160, 1e300],
}


@pytest.mark.parametrize(("dtype", "scale"), [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales])
@pytest.mark.parametrize("per_irrep", [True, False])
def test_norm_and_its_derivatives(dtype: str, scale: float, per_irrep: bool) -> None:
    x = jnp.asarray(DIRECTION * scale, dtype)
    exact = np.asarray(x, np.float64)
    length = np.linalg.norm(exact / scale) * scale
    unit = exact / length
    projection = np.eye(3) - np.outer(unit, unit)

    def norm(x: Any) -> Any:
        return ic.norm(ic.IrrepsArray("1o", x), per_irrep=per_irrep).array[..., 0]

    tolerance = 4 * float(jnp.finfo(dtype).eps)
    for value in (norm(x), norm(np.asarray(x))):
        assert value.dtype == x.dtype
        np.testing.assert_allclose(float(value), length, rtol=tolerance)
    if not per_irrep:  # the same function, whose derivatives are the same
        return
    with jax.debug_nans(True):
        for derivative in (jax.grad, jax.jacfwd):
            np.testing.assert_allclose(np.asarray(derivative(norm)(x), float), unit, rtol=tolerance)
        relative = np.asarray(jax.jacfwd(jax.grad(norm))(x), float) * length
        np.testing.assert_allclose(relative, projection, atol=tolerance)
        # A small cotangent must not underflow, either.
        found = np.asarray(jax.grad(lambda x: norm(x) * 1e-3)(x), float)
        np.testing.assert_allclose(found, 1e-3 * unit, rtol=10 * tolerance)


@pytest.mark.parametrize("dtype", SCALES)
def test_derivatives_of_norm_at_zero(dtype: str) -> None:
    def norm(x: Any) -> Any:
        return ic.norm(ic.IrrepsArray("1o", x)).array[..., 0]

    with jax.debug_nans(True):
        for derivative in (jax.grad(norm), jax.hessian(norm), jax.jacrev(jax.hessian(norm))):
            assert not derivative(jnp.zeros(3, dtype)).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("library", [np.asarray, jnp.asarray])
def test_narrow_dtypes_are_summed_in_float32(dtype: str, library: Callable[[Any], Any]) -> None:
    def irreps_array(irreps: str, *rows: Any) -> ic.IrrepsArray:
        return ic.IrrepsArray(irreps, library(jnp.asarray(np.array(rows), dtype)))

    ones = irreps_array("3000x0e", np.ones(3000))
    rows = irreps_array("0e", *np.full((10_000, 1), 10.0))
    a, b = irreps_array("1o + 1o", [300, 0, 0, 0, 300, 0]), irreps_array("1o + 1o", [300, 1, 0, 0, -300, 1])
    for found, expected in (
        (ic.sum(ones), 3000),
        (ic.mean(rows), 10),
        (ic.mean(rows, axis=0), 10),
        (ic.dot(ones, ones), 3000),
        (ic.dot(a, b), 0),  # 300² - 300²
        (ic.norm(ones, squared=True, per_irrep=False), 3000),
        (ic.norm(ones, per_irrep=False), np.sqrt(3000)),
        (ic.cross(irreps_array("1o", [300, 300, 0]), irreps_array("1o", [300, 300, 0])), 0),
    ):
        assert found.dtype == jnp.dtype(dtype)
        np.testing.assert_allclose(np.asarray(found.array, float), np.full(found.shape, expected), rtol=1e-2)


@pytest.mark.parametrize("library", [np, jnp])
def test_the_mean_of_nothing_is_zero(library: Any) -> None:
    for irreps in ("0x1o", "0x0e + 1o", ""):
        x = ic.IrrepsArray(irreps, library.ones((2, ic.Irreps(irreps).dim)))
        mean = ic.mean(x, axis=-1)
        assert mean.irreps == ic.sum(x, axis=-1).irreps
        np.testing.assert_array_equal(mean.array, ic.sum(x, axis=-1).array)
    assert not ic.mean(ic.IrrepsArray("1o", library.ones((0, 3))), axis=0).array.any()
