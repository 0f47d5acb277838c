"""Tests are stricter than users: no silent promotion of ranks, GPU tests only where there is a GPU."""

import importlib.util

import pytest

if importlib.util.find_spec("jax"):
    import jax

    # float64 must be asked for by dtype; what a test does not ask for is float32.
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")


def _has_gpu() -> bool:
    try:
        return bool(jax.devices("gpu"))
    except (NameError, RuntimeError):
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``gpu`` where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_gpu():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="JAX finds no GPU on this machine"))
