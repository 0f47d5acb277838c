"""The spherical harmonics of irreps-ops are the golden ones of irreps-core, made from textbook formulas."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from irreps_core import Irreps
from irreps_ops.harmonics._spherical import spherical_harmonics

GOLDEN = Path(__file__).parent.parent / "packages/irreps-core/tests/golden/spherical_harmonics.npz"


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-14), (jnp.float32, 2e-6)])
def test_golden_harmonics(dtype, tolerance):
    with np.load(GOLDEN) as file:
        points, golden = file["points"], file["values"]
    irreps = Irreps.spherical_harmonics(8)
    y = spherical_harmonics(irreps, jnp.asarray(points, dtype), True, "integral").array
    assert y.dtype == dtype
    np.testing.assert_allclose(y, golden, rtol=0, atol=tolerance)
    # The other normalizations differ by one factor for each degree.
    degrees = np.repeat(np.arange(9), 2 * np.arange(9) + 1)
    component = spherical_harmonics(irreps, jnp.asarray(points, dtype), True, "component").array
    np.testing.assert_allclose(component, golden * np.sqrt(4 * np.pi), rtol=0, atol=4 * tolerance)
    norm = spherical_harmonics(irreps, jnp.asarray(points, dtype), True, "norm").array
    np.testing.assert_allclose(norm, golden * np.sqrt(4 * np.pi / (2 * degrees + 1)), rtol=0, atol=4 * tolerance)
