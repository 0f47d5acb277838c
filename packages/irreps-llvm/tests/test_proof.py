"""Nobody receives a number from a kernel on a GPU that has not proven itself there.

This CPU plays the GPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_llvm import EXECUTOR, _gpu_executor
from irreps_llvm.runtime import DriverError, _proof, verdict
from irreps_ops.compute import Contraction
from irreps_ops.testing._executor_cases import ExecutorCase, convolution, powers


@pytest.fixture(autouse=True)
def no_verdicts() -> Iterator[None]:
    before = dict(_proof._verdicts)
    _proof._verdicts.clear()
    yield
    _proof._verdicts.clear()
    _proof._verdicts.update(before)


def numbers(*values: float, dtype: Any = np.float32) -> Callable[[], list[np.ndarray]]:
    return lambda: [np.array(values, dtype)]


def changing() -> Callable[[], list[np.ndarray]]:
    calls = iter(range(9))
    return lambda: [np.array([1.0 + 1e-7 * next(calls)], np.float32)]


def failing() -> list[np.ndarray]:
    raise DriverError("the driver refuses the code")


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (numbers(1, 2), None),
        (numbers(1, 2 + 1e-6), None),
        (numbers(1, 2.001), "wrong numbers"),
        (numbers(1, np.nan), "wrong numbers"),
        (numbers(1, np.inf), "wrong numbers"),
        (numbers(1), "something else"),
        (numbers(1, 2, dtype=np.float64), "something else"),
        (failing, "refuses the code"),
    ],
)
def test_verdicts(compute: Callable[[], list[np.ndarray]], reason: str | None) -> None:
    found = verdict("a device", "a kernel", compute, numbers(1, 2))
    assert found is None if reason is None else reason in (found or "")


def test_numbers_that_change_are_not_trusted() -> None:
    assert "each time" in (verdict("a device", "a kernel", changing(), numbers(1)) or "")


def test_a_kernel_is_tried_once_on_each_device() -> None:
    tried: list[str] = []

    def on(device: str, kernel: str) -> str | None:
        def compute() -> list[np.ndarray]:
            tried.append(device + kernel)
            return [np.ones(2) if device == "right" else np.zeros(2)]

        return verdict(device, kernel, compute, lambda: [np.ones(2)])

    for _ in range(3):
        assert on("right", "a") is None
        assert on("wrong", "a") is not None
        assert on("right", "b") is None
    assert tried == ["righta"] * 2 + ["wronga"] * 2 + ["rightb"] * 2  # two runs are one trial


def contraction(case: ExecutorCase, dtype: str = "float32", platform: str = "cuda") -> Contraction:
    return Contraction(case.polynomial, case.batch, tuple(case.sizes.items()), dtype, platform=platform)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A GPU that computes what this CPU does, times the last of these numbers."""
    factors = [1.0]

    def call(contraction: Contraction, code: Any, name: str, inputs: Any, indices: Any) -> list[jax.Array]:
        named = dict(zip(contraction.polynomial.indices, indices, strict=True))
        outputs = EXECUTOR.run(replace(contraction, platform="cpu"), inputs, named)
        return [(y * factors[-1]).astype(y.dtype) for y in outputs]

    monkeypatch.setenv(_gpu_executor.VARIABLE, "1")
    monkeypatch.setattr(_gpu_executor, "driver", lambda: None)
    monkeypatch.setattr(_gpu_executor, "devices", lambda: jax.local_devices(backend="cpu"))
    monkeypatch.setattr(_gpu_executor, "device_target_name", lambda kernel, driver: str(hash(kernel)))
    monkeypatch.setattr(_gpu_executor, "call", call)
    return factors


def run(case: ExecutorCase, platform: str) -> list[jax.Array]:
    return EXECUTOR.run(contraction(case, platform=platform), case.inputs("float32"), case.arguments()["indices"])


@pytest.mark.parametrize("case", [convolution(), powers()], ids=lambda case: case.name)
def test_right_kernels_are_used_and_wrong_ones_are_refused(case: ExecutorCase, played: list[float]) -> None:
    assert EXECUTOR.why_not(contraction(case)) is None
    for one, other in zip(run(case, "cuda"), run(case, "cpu"), strict=True):
        np.testing.assert_array_equal(one, other)
    played.append(1.001)
    assert EXECUTOR.why_not(contraction(case)) is None  # it has been asked already
    _proof._verdicts.clear()
    assert "wrong numbers" in (EXECUTOR.why_not(contraction(case)) or "")
    with pytest.raises(ValueError, match="wrong numbers"):
        run(case, "cuda")


def test_operands_stored_as_bfloat16_are_compared_as_such(played: list[float]) -> None:
    case = powers()
    polynomial = case.polynomial.stored(["bfloat16"] * len(case.polynomial.inputs), [None, "bfloat16"])
    assert EXECUTOR.why_not(contraction(replace(case, polynomial=polynomial))) is None


def test_kernels_for_gpus_have_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_gpu_executor.VARIABLE, raising=False)
    asked = contraction(convolution())
    assert _gpu_executor.VARIABLE in (EXECUTOR.why_not(asked) or "")
    with pytest.raises(ValueError, match="untested"):
        run(convolution(), "cuda")
    assert EXECUTOR.cost(asked) == float("inf")
    assert "barrier" in EXECUTOR.explain(asked)
    assert "not on rocm" in (EXECUTOR.why_not(replace(asked, platform="rocm")) or "")


def test_a_machine_without_a_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise DriverError("the NVIDIA driver is not installed")

    monkeypatch.setenv(_gpu_executor.VARIABLE, "1")
    monkeypatch.setattr(_gpu_executor, "driver", no_driver)
    assert EXECUTOR.why_not(contraction(convolution())) == "the NVIDIA driver is not installed"


@pytest.mark.parametrize(("index", "rows"), [([2, 0, -1, 2, 5, 0, 3], 4), ([], 4), ([-1, 0], 0)])
def test_indices_are_sorted_for_the_kernels(index: list[int], rows: int) -> None:
    order, starts = (np.asarray(x) for x in _gpu_executor._sorted(jnp.array(index, jnp.int32), rows))
    of_row = [[n for n, i in enumerate(index) if i == row] for row in range(rows)]
    outside = [n for n, i in enumerate(index) if not 0 <= i < rows]
    assert order.tolist() == [n for elements in (*of_row, outside) for n in elements]
    assert starts.tolist() == [sum(len(e) for e in of_row[:row]) for row in range(rows + 1)] + [len(index)]


def test_a_program_for_a_gpu_calls_the_kernel_by_name() -> None:
    asked, case = contraction(convolution()), convolution()
    code = _gpu_executor.device_code_of(case.polynomial, "float32")
    arrays = [*case.inputs("float32"), *case.arguments()["indices"].values()]

    def call(*arrays: jax.Array) -> list[jax.Array]:
        return _gpu_executor.call(asked, code, "a_kernel", arrays[:3], arrays[3:])

    text = jax.jit(call).trace(*arrays).lower(lowering_platforms=("cuda",)).as_text()
    line = next(line for line in text.splitlines() if "@a_kernel" in line)
    found = [len(side.split(", tensor")) for side in line.split(" : ")[-1].split(" -> ")]
    assert found == [code.kernel.arguments, code.kernel.results]
    assert all(f"{name} = " in line for name in code.kernel.attributes)
