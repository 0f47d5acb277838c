"""What is different on a GPU: float32 must not silently become TF32, and the numbers must be those of the CPU."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import equivariance_error

pytestmark = pytest.mark.gpu

IRREPS = "32x0e + 32x1o + 32x2e"


def _linear(x: ic.IrrepsArray) -> ic.IrrepsArray:
    layer = irr.Linear(IRREPS)
    # Parameters drawn in float64 would be others, not more exact ones.
    parameters = irr.init(layer, jax.random.key(1), x.astype(jax.numpy.float32))
    return irr.apply(layer, jax.tree.map(lambda w: w.astype(x.dtype), parameters), x)


OPERATIONS: dict[str, Callable[[ic.IrrepsArray], ic.IrrepsArray]] = {
    "tensor_product": lambda x: irr.tensor_product(x, x[..., "32x1o"], filter_ir_out="0e + 1o"),
    "elementwise_tensor_product": lambda x: irr.elementwise_tensor_product(x, x),
    "Linear": _linear,
    "transform_by_angles": lambda x: x.transform_by_angles(0.1, 1.2, -2.0),
}


def _input(dtype: type) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(64, ic.Irreps(IRREPS).dim)).astype(dtype)


@pytest.mark.parametrize("name", OPERATIONS)
def test_float32_is_float32(name: str) -> None:
    def run(dtype: type, device: jax.Device) -> np.ndarray:
        with jax.default_device(device):
            x = ic.IrrepsArray(IRREPS, jax.numpy.asarray(_input(dtype)))
            return np.asarray(jax.jit(OPERATIONS[name])(x).array, np.float64)

    exact = run(np.float64, jax.devices("cpu")[0])
    ours = run(np.float32, jax.devices("gpu")[0])
    # TF32 keeps 10 bits: its error would be near 1e-3.
    assert np.abs(ours - exact).max() < 2e-5 * np.abs(exact).max()


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "transform_by_angles"])
def test_equivariance_in_float32(name: str) -> None:
    with jax.default_device(jax.devices("gpu")[0]):
        x = ic.IrrepsArray(IRREPS, jax.numpy.asarray(_input(np.float32)))
        errors = equivariance_error(OPERATIONS[name], 1, x)
    assert max(errors.values()) < 2e-5, errors
