"""The executor on an NVIDIA GPU: skipped where there is none."""

import jax
import numpy as np
import pytest

from irreps_llvm import EXECUTOR, _gpu_executor
from irreps_ops.compute import evaluate
from irreps_ops.testing import check_executor
from irreps_ops.testing._executor_cases import convolution

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_gpu_executor.VARIABLE, "1")


def test_the_executor_computes_what_the_reference_does() -> None:
    with jax.default_device(jax.devices("gpu")[0]):
        table = check_executor(EXECUTOR)
    assert "refused" not in table, table


def test_numbers_repeat_bit_by_bit() -> None:
    case = convolution()
    with jax.default_device(jax.devices("gpu")[0]):
        run = jax.jit(lambda *inputs: evaluate(case.polynomial, inputs, executor=EXECUTOR, **case.arguments()))
        inputs = case.inputs("float32")
        first = [np.asarray(y) for y in run(*inputs)]
        for _ in range(100):
            for one, other in zip(first, run(*inputs), strict=True):
                np.testing.assert_array_equal(one, np.asarray(other))
