"""Tests are stricter than users: no silent promotion of ranks, GPU tests only where there is a GPU."""

import gc
import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

# Programs that tests start. To import them would change the environment of all later tests, or need PyTorch.
collect_ignore = [
    "tests/several_devices.py",
    "examples/force-field/tests/partitioned.py",
    "examples/force-field/tests/small_mace/make.py",
]

# Several test processes share one GPU: none may take all of its memory at the start.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

# Tracing and compiling make many objects, few of which form cycles.
gc.set_threshold(50_000)

if importlib.util.find_spec("jax"):
    import jax

    # float64 must be asked for by dtype; what a test does not ask for is float32.
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    # Most of the time goes to compiling programs that run once. So LLVM does not optimize them, and XLA uses the older
    # of its two code generators for CPUs, which is four times as fast, or where there is only one, JAX 0.12, fewer
    # passes. What takes long to compile, other processes and the next run find again.
    # JAX_DISABLE_MOST_OPTIMIZATIONS=0 compiles as users do.
    # The programs that tests start begin as those of a user: XLA reads its variable once, before it is deleted.
    if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
        jax.config.update("jax_disable_most_optimizations", True)
        flags = {10: "--xla_cpu_use_fusion_emitters=false", 12: "--xla_cpu_opt_preset=CPU_OPT_PRESET_FAST_COMPILE"}
        flag = flags.get(max(10, jax.__version_info__[1]))  # an unknown one would end the process
        if "XLA_FLAGS" not in os.environ and flag is not None:
            os.environ["XLA_FLAGS"] = flag
            jax.devices()
            del os.environ["XLA_FLAGS"]
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent / ".jax_cache"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)

if importlib.util.find_spec("hypothesis"):
    from hypothesis import settings

    # How long an example takes depends on what else the machine does.
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")


def _has_gpu() -> bool:
    try:
        return bool(jax.devices("gpu"))
    except (NameError, RuntimeError):
        return False


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_programs() -> Iterator[None]:
    """Compiled programs of one module are of no use to the next, and together would fill the memory."""
    yield
    if "jax" in globals():
        jax.clear_caches()
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """What is imported and collected stays, as what the tests of a module leave: the garbage collector need not look
    at it, which JAX's search for leaked tracers starts after each trace.
    """
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--first-cases", action="store_true", help="of each folder run the first quick case alone")


def pytest_configure(config: pytest.Config) -> None:
    """JAX does not lock its cache: what another process is just writing is compiled here, too."""
    config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache entry")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests begin first, then files of many tests: the last are short. Skip ``gpu`` where there is none."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, -tests[item.path]))
    if config.getoption("first_cases"):
        first: dict[Path, pytest.Item] = {}
        for item in items:
            if item.get_closest_marker("slow") is None:
                first.setdefault(item.path.parent, item)
        config.hook.pytest_deselected(items=[item for item in items if first.get(item.path.parent) is not item])
        items[:] = first.values()
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_gpu():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="JAX finds no GPU on this machine"))
