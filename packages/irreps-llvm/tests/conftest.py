"""The kernels of these tests are optimized, as those of users, although XLA compiles the programs without."""

import pytest

from irreps_llvm.runtime import _targets
from irreps_llvm.runtime._compiler import FOR_KERNELS


@pytest.fixture(autouse=True)
def _optimized_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_targets, "_levels", lambda: FOR_KERNELS)
