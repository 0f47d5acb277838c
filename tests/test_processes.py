"""Threads, forked and spawned processes, interrupted imports, and a home that cannot be written.

Each test runs a program in a fresh process, whose caches are cold and whose modules are not imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What every thread and process computes; the results are compared with those of a thread alone.
WORK = """
def work(array):
    import numpy as np
    import irreps_core as ic
    irreps = ic.Irreps("3x0e + 2x1o + 2e")
    q = np.array([0.1, -0.7, 0.5, 0.4])
    results = [
        ic.clebsch_gordan(2, 3, 4), ic.spherical_harmonics(range(7), np.ones((2, 3))), irreps.D_from_quaternion(q),
        ic.CartesianTensor("ijk=jik").change_of_basis, np.array([ir.l for _, ir in irreps.sort().irreps.simplify()]),
    ]
    if array:
        import irreps_ops as irr
        x = irr.IrrepsArray(irreps, np.arange(14.0, dtype=np.float32))
        product = irr.FunctionalFullyConnectedTensorProduct(irreps, "1o", irreps)
        results += [x.transform_by_quaternion(q).array, product.num_weights, irr.tensor_product("0e + 1o", "1o").dim]
    return [np.asarray(result) for result in results]


def same(one, other):
    import numpy as np
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other))
"""

THREADS = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
import jax  # JAX is not ours
sys.setswitchinterval(1e-5)
barrier, done = threading.Barrier(33), threading.Event()

def one(n):
    barrier.wait()
    found = work(True)
    import irreps_core, irreps_ops
    return found, (irreps_ops.IrrepsArray, irreps_core.vmap, irreps_ops.bindings.layer("Linear"))

def clear():
    barrier.wait()
    import irreps_core
    while not done.wait(1e-3):
        irreps_core.clear_caches()

clearing = threading.Thread(target=clear)
clearing.start()
with ThreadPoolExecutor(32) as pool:
    found = list(pool.map(one, range(32)))
done.set()
clearing.join()
expected = work(True)
assert all(same(results, expected) for results, _ in found)
assert len({objects for _, objects in found}) == 1, "each object is imported once"

import irreps_flax.linen
import irreps_flax.nnx
barrier = threading.Barrier(32)

def modules(n):
    barrier.wait()
    return irreps_flax.nnx.Linear, irreps_flax.linen.Linear

with ThreadPoolExecutor(32) as pool:
    assert len(set(pool.map(modules, range(32)))) == 1, "one module class for each layer"
"""

FORK = """
import os
import threading
from irreps_core._inputs import _caches
import irreps_core as ic
expected = work(False)
ic.clear_caches()
held = threading.Event()

def hold():
    with _caches._lock:
        held.set()
        threading.Event().wait(0.3)

thread = threading.Thread(target=hold)
thread.start()
held.wait()
children = []
for cold in (True, False):
    if not cold:
        work(False)
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(20)  # a child that waits for a lock forever is killed
        os._exit(0 if same(work(False), expected) and same(work(False), expected) else 3)
    children.append(child)
thread.join()
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
"""

SPAWN = """
import multiprocessing
import numpy as np
import irreps_core as ic

def remote(values):
    return [*values, *work(False)], "jax" in __import__("sys").modules

if __name__ == "__main__":
    values = [ic.Irreps("2x1o + 0e"), ic.Irrep("3o"), ic.MulIrrep(2, "1e"), ic.CartesianTensor("ij=ji")]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found, _ = pool.apply(remote, [values])
    assert found[:4] == values and [hash(x) for x in found[:4]] == [hash(x) for x in values]
    assert same(found[4:], work(False))
"""

INTERRUPTED = """
import os
import sys
import jax  # JAX is not ours

def interrupted(number, inside):
    # Whether an import was interrupted at a line of our files.
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        file = frame.f_code.co_filename
        if "irreps_" not in file or not file.endswith(inside):
            return None
        count += 1
        if count == number:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        import irreps_ops
        irreps_ops.IrrepsArray
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False

points = [(n, "") for n in (1, 1000)] + [(n, "_pytree.py") for n in range(10, 26, 3)]
statuses = []
for point in points:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            was = interrupted(*point)
            work(True)
            status = 0 if was else 7
        finally:
            os._exit(status)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
failed = [point for point, status in zip(points, statuses) if status not in (0, 7)]
assert not failed, f"after an interrupt at {failed} the second import fails"
assert statuses.count(0) >= 6, statuses
"""

READ_ONLY = """
import jax.numpy as jnp
expected = work(True)
import irreps_ops as irr

x = irr.IrrepsArray("0e + 1o", jnp.ones((3, 4)))
assert irr.tensor_product(x, x).shape[0] == 3
assert irr.bindings.layer("Linear") is irr.Linear
"""


def run(program: str, tmp_path: Path, **environment: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(WORK + program)
    # Warnings of JAX about forks do not concern programs that use NumPy alone in the child.
    command = [sys.executable, "-W", "error", "-W", "ignore:os.fork:RuntimeWarning", str(path)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr[-3000:]


def test_32_threads_meet_cold_caches_that_are_cleared_meanwhile(tmp_path: Path) -> None:
    run(THREADS, tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_computes_even_if_a_thread_held_a_lock(tmp_path: Path) -> None:
    run(FORK, tmp_path)


def test_a_spawned_process_gets_equal_values_and_computes_the_same(tmp_path: Path) -> None:
    run(SPAWN, tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_an_interrupted_import_can_be_repeated(tmp_path: Path) -> None:
    run(INTERRUPTED, tmp_path)


def test_nothing_needs_a_home_or_writes_to_it(tmp_path: Path) -> None:
    run(READ_ONLY, tmp_path, HOME="/dev/null/home", XDG_CACHE_HOME="/dev/null/cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.py"]
