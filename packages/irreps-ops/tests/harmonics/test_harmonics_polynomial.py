"""Spherical harmonics written as a polynomial: what spherical_harmonics evaluates, and harmonic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr

DEGREES = [0, 1, 2, 3, 5]


@pytest.mark.parametrize("executor", ["xla", "reference"])
def test_is_what_spherical_harmonics_evaluates(executor: str) -> None:
    v = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    found = irr.compute.evaluate(irr.harmonics_polynomial(DEGREES), [v], executor=executor)
    for degree, ours in zip(DEGREES, found, strict=True):
        expected = irr.sh([degree], v, False, "component")
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("degree", [2, 3])
def test_the_laplacian_is_zero(degree: int) -> None:
    polynomial = irr.harmonics_polynomial([degree])

    def harmonics(v: jax.Array) -> jax.Array:
        return irr.compute.evaluate(polynomial, [v[None]])[0][0]

    hessian = jax.hessian(harmonics)(jnp.array([0.3, -1.2, 0.7]))
    np.testing.assert_allclose(jnp.trace(hessian, axis1=1, axis2=2), 0, atol=1e-12)


def test_bad_degrees_are_refused() -> None:
    with pytest.raises(ValueError, match="degree of 0 or more, got -1"):
        irr.harmonics_polynomial([-1])
