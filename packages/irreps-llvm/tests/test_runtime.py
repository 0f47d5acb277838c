"""The runtime: kernels written by hand, run as part of JAX programs."""

import dataclasses
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_llvm.runtime import CompilationError, Kernel, Machine, disassembly, host_machine, target_name, unavailable
from irreps_llvm.runtime import _available as available
from irreps_llvm.runtime import _disk_cache as disk_cache
from irreps_llvm.runtime import _targets as targets
from irreps_llvm.runtime._compiler import FOR_HANDLERS, FOR_KERNELS, compile_ir
from irreps_llvm.runtime._handler import handler, shared_handler
from irreps_llvm.runtime._interface import Interface, UnknownInterface, running_interface
from irreps_llvm.runtime._machine import vectors

HEADER = (Path(jax.ffi.include_dir()) / "xla/ffi/api/c_api.h").read_text()

# Functions that the phases below use: an entry of the frame as integer and as pointer, and an element of an array.
FRAME = """
define i64 @number(ptr %frame, i64 %n) {
  %at = getelementptr i64, ptr %frame, i64 %n
  %value = load i64, ptr %at
  ret i64 %value
}
define ptr @element(ptr %frame, i64 %n, i64 %i) {
  %at = getelementptr ptr, ptr %frame, i64 %n
  %array = load ptr, ptr %at
  %element = getelementptr float, ptr %array, i64 %i
  ret ptr %element
}
"""
# squares[i] = x[i]^2; reversed[i] = squares[size-1-i] + shift; total[0] = the sum of reversed, in order.
# The frame: x, reversed, squares, total, shift, size.
PHASES = """
define i64 @chunks0(ptr %frame) {
  %size = call i64 @number(ptr %frame, i64 5)
  ret i64 %size
}
define void @phase0(i64 %i, ptr %frame) {
  %from = call ptr @element(ptr %frame, i64 0, i64 %i)
  %to = call ptr @element(ptr %frame, i64 2, i64 %i)
  %x = load float, ptr %from
  %square = fmul float %x, %x
  store float %square, ptr %to
  ret void
}
define i64 @chunks1(ptr %frame) {
  %size = call i64 @number(ptr %frame, i64 5)
  ret i64 %size
}
define void @phase1(i64 %i, ptr %frame) {
  %size = call i64 @number(ptr %frame, i64 5)
  %shift = call i64 @number(ptr %frame, i64 4)
  %shift.float = sitofp i64 %shift to float
  %last = sub i64 %size, 1
  %other = sub i64 %last, %i
  %from = call ptr @element(ptr %frame, i64 2, i64 %other)
  %to = call ptr @element(ptr %frame, i64 1, i64 %i)
  %square = load float, ptr %from
  %value = fadd float %square, %shift.float
  store float %value, ptr %to
  ret void
}
define i64 @chunks2(ptr %frame) {
  ret i64 1
}
define void @phase2(i64 %chunk, ptr %frame) {
entry:
  %size = call i64 @number(ptr %frame, i64 5)
  %to = call ptr @element(ptr %frame, i64 3, i64 0)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %add ]
  %sum = phi float [ 0.0, %entry ], [ %sum.next, %add ]
  %left = icmp slt i64 %i, %size
  br i1 %left, label %add, label %end
add:
  %from = call ptr @element(ptr %frame, i64 1, i64 %i)
  %value = load float, ptr %from
  %sum.next = fadd float %sum, %value
  %i.next = add i64 %i, 1
  br label %next
end:
  store float %sum, ptr %to
  ret void
}
"""
THREE_PHASES = Kernel(FRAME + PHASES, phases=3, arguments=1, results=3, attributes=("shift", "size"))


def another(kernel: Kernel, mark: str) -> Kernel:
    """An equal kernel of other content."""
    return dataclasses.replace(kernel, ir=f"; {mark}\n{kernel.ir}")


def three_phases(x: Any, shift: int = 3, kernel: Kernel = THREE_PHASES) -> Any:
    shape = jax.ShapeDtypeStruct(x.shape, jnp.float32)
    types = (shape, shape, jax.ShapeDtypeStruct((1,), jnp.float32))
    call = jax.ffi.ffi_call(target_name(kernel), types, vmap_method="sequential")
    return call(x, shift=np.int64(shift), size=np.int64(x.shape[-1]))


def expected(x: Any, shift: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    squares = np.asarray(x) ** 2
    backwards = squares[..., ::-1] + np.float32(shift)
    # Small whole numbers, whose sums are exact.
    return backwards, squares, backwards.sum(-1, keepdims=True, dtype=np.float32)


def check(found: Any, wanted: Any) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other)


def whole_numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-9, 10, shape).astype(np.float32)


@pytest.mark.parametrize("chunks", [0, 1, 2, 7, 20_000])
def test_phases_run_one_after_the_other_whatever_the_number_of_chunks(chunks: int) -> None:
    x = whole_numbers(chunks)
    wanted = expected(x)
    run = jax.jit(three_phases)
    for _ in range(50):  # a missing barrier shows only sometimes
        check(run(x), wanted)


def test_transformations() -> None:
    x = whole_numbers(4, 33)
    check(jax.jit(jax.vmap(three_phases))(x), expected(x))
    _, stacked = jax.jit(lambda x: jax.lax.scan(lambda carry, row: (carry, three_phases(row)), 0, x))(x)
    check(stacked, expected(x))
    check(jax.lax.map(jax.checkpoint(three_phases), jnp.asarray(x)), expected(x))
    many = jax.jit(lambda x: [three_phases(row, shift) for shift, row in enumerate(x)])(x)
    for shift, (row, found) in enumerate(zip(x, many, strict=True)):
        check(found, expected(row, shift))


def test_threads_compile_once_and_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, compiled = another(THREE_PHASES, "eight threads"), []
    monkeypatch.setattr(targets, "compile_ir", lambda *given: compiled.append(given) or compile_ir(*given))
    start = threading.Barrier(8)

    def work(shift: int) -> str:
        start.wait()
        name = target_name(kernel)
        run = jax.jit(lambda x: three_phases(x, shift, kernel))
        x = whole_numbers(500 + shift)
        for _ in range(20):
            check(run(x), expected(x, shift))
        return name

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(work, range(8)))
    assert len(names) == 1
    assert len(compiled) == 1


# Each chunk reports its start, then waits until both have, or for some seconds; it stores the number that have started.
MEETING = """
declare i32 @usleep(i32)
define i64 @chunks0(ptr %frame) {
  ret i64 2
}
define void @phase0(i64 %chunk, ptr %frame) {
entry:
  %counter = load ptr, ptr %frame
  %me = atomicrmw add ptr %counter, i64 1 seq_cst
  br label %wait
wait:
  %rounds = phi i64 [ 0, %entry ], [ %rounds.next, %again ]
  %started = load atomic i64, ptr %counter seq_cst, align 8
  %both = icmp eq i64 %started, 2
  %late = icmp eq i64 %rounds, 8000
  %end = or i1 %both, %late
  br i1 %end, label %done, label %again
again:
  %rounds.next = add i64 %rounds, 1
  %slept = call i32 @usleep(i32 1000)
  br label %wait
done:
  %out.at = getelementptr ptr, ptr %frame, i64 1
  %out = load ptr, ptr %out.at
  %to = getelementptr i64, ptr %out, i64 %chunk
  store i64 %started, ptr %to
  ret void
}
"""


# Of the cores that this process may use, which on Linux can be fewer than the machine has.
CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@pytest.mark.skipif(CORES < 2, reason="XLA has one thread on one core")
@pytest.mark.skipif(sys.platform == "win32", reason="usleep is of POSIX")
def test_two_threads_take_part() -> None:
    name = target_name(Kernel(MEETING, phases=1, arguments=1, results=1))
    # Two integers of 64 bits as bytes: JAX has none by default.
    call = jax.ffi.ffi_call(name, jax.ShapeDtypeStruct((16,), jnp.uint8))
    started = np.asarray(jax.jit(call)(np.zeros(8, np.uint8))).view(np.int64)
    assert started.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "results", "attributes"),
    [
        (2, 3, {"shift": np.int64(1), "size": np.int64(4)}),
        (1, 2, {"shift": np.int64(1), "size": np.int64(4)}),
        (1, 3, {"size": np.int64(4)}),
        (1, 3, {"shift": np.int64(1), "size": np.int64(4), "third": np.int64(4)}),
        (1, 3, {"shift": np.int32(1), "size": np.int64(4)}),
        (1, 3, {"shift": "one", "size": np.int64(4)}),
    ],
)
def test_a_call_that_does_not_fit_is_an_error(arguments: int, results: int, attributes: dict[str, Any]) -> None:
    x = jnp.zeros(4)
    call = jax.ffi.ffi_call(target_name(THREE_PHASES), (jax.ShapeDtypeStruct((4,), jnp.float32),) * results)
    with pytest.raises(Exception, match=r"expects 1 arguments, 3 results and .* \(shift, size\)"):
        call(*[x] * arguments, **attributes)[0].block_until_ready()


@pytest.mark.parametrize(
    ("ir", "message"),
    [
        ("this is not LLVM IR", "refuses"),
        ("define i64 @chunks0(ptr %frame) { ret i64 1 }", "phase0"),
        pytest.param(
            "declare void @phase0(i64, ptr)\ndefine i64 @chunks0(ptr %frame) { ret i64 1 }",
            "lacks: phase0",
            marks=pytest.mark.skipif(sys.platform == "darwin", reason="missing functions are found in ELF files only"),
        ),
    ],
)
def test_wrong_ir_is_an_error(ir: str, message: str) -> None:
    with pytest.raises(CompilationError, match=message):
        target_name(Kernel(ir, phases=1, arguments=0, results=1))


@pytest.mark.parametrize("wrong", [{"phases": 0}, {"arguments": -1}, {"results": -1}, {"attributes": ("b", "a")}])
def test_wrong_numbers_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(THREE_PHASES, **wrong)


def test_the_name_follows_the_content() -> None:
    host = host_machine()
    others = [
        targets.content_name("other", host, FOR_KERNELS),
        targets.content_name("text", host, FOR_HANDLERS),
        *(
            targets.content_name("text", dataclasses.replace(host, **{field: "other"}), FOR_KERNELS)
            for field in ("triple", "cpu", "features")
        ),
    ]
    name = targets.content_name("text", host, FOR_KERNELS)
    assert name == targets.content_name("text", host, FOR_KERNELS)
    assert len({name, *others}) == 1 + len(others)


def test_the_machine() -> None:
    assert host_machine().vector_bytes in (16, 32, 64)
    x86, avx512 = "x86_64-unknown-linux-gnu", {"avx512f", "avx512vl", "avx512dq", "avx512bw", "avx2", "fma"}
    assert vectors(x86, avx512) == (64, 32)
    assert vectors(x86, avx512 - {"avx512vl"}) == (32, 16)
    assert vectors(x86, {"avx2"}) == vectors("wasm32-unknown-unknown", {"fma"}) == (0, 0)
    assert vectors("arm64-apple-darwin", set()) == (16, 32)


@pytest.mark.parametrize(
    ("triple", "cpu", "instruction"),
    [
        ("x86_64-unknown-linux-gnu", "haswell", "vfmadd"),
        ("aarch64-unknown-linux-gnu", "neoverse-n1", "fmadd"),
        ("arm64-apple-darwin", "apple-m1", "fmadd"),
    ],
)
def test_assembly_of_other_machines(triple: str, cpu: str, instruction: str) -> None:
    ir = """
declare float @llvm.fma.f32(float, float, float)
define i64 @chunks0(ptr %frame) {
  ret i64 1
}
define void @phase0(i64 %chunk, ptr %frame) {
  %out = load ptr, ptr %frame
  %x = load float, ptr %out
  %y = call float @llvm.fma.f32(float %x, float %x, float %x)
  store float %y, ptr %out
  ret void
}
"""
    machine = Machine(triple, cpu, "", 16, 32)
    if triple != host_machine().triple:
        with pytest.raises(ValueError, match="run on here"):
            target_name(THREE_PHASES, machine)
    assert instruction in disassembly(Kernel(ir, phases=1, arguments=0, results=1), machine)
    assert "pause" in (text := shared_handler(running_interface(), triple)[1]) or "hint" in text


def test_the_interface_is_that_of_the_header() -> None:
    interface = running_interface()
    defined = [re.search(rf"#define XLA_FFI_API_{word} (\d+)", HEADER) for word in ("MAJOR", "MINOR")]
    assert list(interface.version) == [int(found[1]) for found in defined if found]
    # What C compilers make of the headers of all versions that exist.
    layout = {
        "CallFrame.extension_start": 8, "CallFrame.api": 16, "CallFrame.ctx": 24, "CallFrame.stage": 32,
        "CallFrame.args.args": 72, "CallFrame.rets.rets": 112, "CallFrame.attrs.size": 136,
        "CallFrame.attrs.attrs": 160, "Buffer.dtype": 16, "Buffer.data": 24, "Buffer.rank": 32,
        "Buffer.dims": 40, "Scalar.value": 8,
        "Api.Error_Create": 48, "Api.Error_Destroy": 64, "Api.ThreadPool_Schedule": 136,
        "Api.ThreadPool_NumThreads": 144, "sizeof.Error_Create_Args": 28, "sizeof.Error_Destroy_Args": 24,
        "sizeof.ThreadPool_Schedule_Args": 40, "sizeof.ThreadPool_NumThreads_Args": 32,
        "Metadata.api_version.minor_version": 28, "Metadata.traits": 32,
    }  # fmt: skip
    assert {name: interface[name] for name in layout} == layout
    with pytest.raises(UnknownInterface, match="major version 0"):
        Interface(HEADER.replace("XLA_FFI_API_MAJOR 0", "XLA_FFI_API_MAJOR 1"))
    with pytest.raises(UnknownInterface, match=r"CallFrame\.stage"):
        Interface(HEADER.replace("XLA_FFI_ExecutionStage stage;", ""))["CallFrame.stage"]


@pytest.fixture
def forget() -> Iterator[None]:
    """Let `unavailable` ask again, before and after the test."""
    available._reason.cache_clear()
    yield
    available._reason.cache_clear()


def test_asking_while_tracing(forget: None) -> None:
    reasons = []

    @jax.jit
    def program(x: jax.Array) -> jax.Array:
        reasons.append(unavailable())
        return x + 1

    assert program(1.0) == 2.0
    assert reasons == [None]


def raises(error: Exception) -> Callable[[], Any]:
    def function() -> Any:
        raise error

    return function


OTHER_VERSION = Interface(re.sub(r"XLA_FFI_API_MINOR \d+", "XLA_FFI_API_MINOR 99", HEADER))
WRONG_TRIAL = dataclasses.replace(
    available._TRIAL, ir=available._TRIAL.ir.replace("add i32 %value, 1", "add i32 %value, 2")
)
LLVM_WITHOUT_MEMORY = type("llvm", (), {"check_jit_execution": staticmethod(raises(OSError("forbidden")))})


@pytest.mark.parametrize(
    ("where", "name", "value", "reason"),
    [
        (available, "load_llvm", raises(ImportError("no module")), r"no module.*pip install llvmlite"),
        (available, "load_llvm", lambda: LLVM_WITHOUT_MEMORY, "execute code"),
        (available, "host_machine", lambda: Machine("riscv64-linux", "u74", "", 0, 0), r"u74.*AVX2 and FMA"),
        (available, "running_interface", raises(UnknownInterface("no header")), "no header"),
        (available, "_TRIAL", WRONG_TRIAL, "wrong numbers"),
        (targets, "running_interface", lambda: OTHER_VERSION, "trial kernel failed"),
    ],
)
def test_why_it_is_unavailable(
    forget: None, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, value: Any, reason: str
) -> None:
    monkeypatch.setattr(where, name, value)
    with pytest.warns(RuntimeWarning, match=reason):
        found = unavailable()
    assert found is not None
    assert re.search(reason, found)
    assert unavailable() == found, "without another warning"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the user, and no warning given yet."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("IRREPS_LLVM_CACHE_DIR", str(folder))
    monkeypatch.setattr(disk_cache, "_warned", False)
    return folder


posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have owners on POSIX systems")


def file_of(kernel: Kernel) -> str:
    text = kernel.ir + handler(kernel, shared_handler(running_interface(), host_machine().triple)[0])
    return targets.content_name(text, host_machine(), FOR_KERNELS) + ".o"


# Loads the kernel from its file, compiling nothing; then forks, and uses and compiles kernels in the child.
FRESH = """
import os, sys, warnings
import numpy as np
import test_runtime as here
from irreps_llvm.runtime import _targets as targets, target_name
warnings.simplefilter("ignore")  # JAX warns of forks
compile_ir = targets.compile_ir
def refuse(text, *given):
    raise SystemExit("compiled, in spite of the cache")
targets.compile_ir = refuse
x = here.whole_numbers(50)
kernel = here.another(here.THREE_PHASES, "on disk")
run = here.jax.jit(lambda x: here.three_phases(x, 3, kernel))
here.check(run(x), here.expected(x))
targets.compile_ir = compile_ir
child = os.fork()
if child == 0:
    status = 1
    try:
        here.check(run(x), here.expected(x))
        target_name(here.another(kernel, "in the child"))
        status = 0
    finally:
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
"""


@posix
def test_a_fresh_process_loads_the_file_and_its_child_works(cache: Path) -> None:
    kernel = another(THREE_PHASES, "on disk")
    targets._shared.clear()  # so that the shared handler is written as well
    target_name(kernel)
    assert file_of(kernel) in {path.name for path in cache.iterdir()}
    assert len(list(cache.iterdir())) == 2
    place = {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], env=os.environ | place, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@posix
@pytest.mark.parametrize(
    ("mark", "spoil", "message"),
    [
        ("truncated", damage, "damaged"),
        ("empty", lambda file: file.write_bytes(b""), "damaged"),
        ("renamed", lambda file: file.write_bytes(next(file.parent.glob("other*")).read_bytes()), "damaged"),
        ("writable by all", lambda file: file.chmod(0o666), "writable by others"),
        ("linked", lambda file: (file.unlink(), file.symlink_to("/dev/null")), "cache"),
        ("folder", lambda file: (file.unlink(), file.mkdir()), "cache"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_not_loaded(
    cache: Path, mark: str, spoil: Callable[[Path], object], message: str
) -> None:
    name = "kernel.o"
    assert disk_cache.cached("other.o", lambda: b"other") == b"other"
    assert disk_cache.cached(name, lambda: b"code") == b"code"
    assert disk_cache.cached(name, lambda: b"never computed") == b"code"
    spoil(cache / name)
    with pytest.warns(RuntimeWarning, match=message):
        assert disk_cache.cached(name, lambda: b"new code") == b"new code"
    if mark != "folder":  # it was written again
        assert disk_cache.cached(name, lambda: b"never computed") == b"new code"
    assert not list(cache.glob("*.tmp"))


@posix
@pytest.mark.parametrize("kind", ["writable by all", "of another user", "not a folder", "not there"])
def test_a_folder_that_cannot_be_trusted_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    disk_cache.cached("kernel.o", lambda: b"code")
    if kind == "writable by all":
        cache.chmod(0o777)
    elif kind == "of another user":
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    elif kind == "not a folder":
        monkeypatch.setenv("IRREPS_LLVM_CACHE_DIR", str(cache / "kernel.o"))
    else:
        monkeypatch.setenv("IRREPS_LLVM_CACHE_DIR", "/proc/irreps/cache")
    with pytest.warns(RuntimeWarning, match="IRREPS_LLVM_CACHE_DIR"):
        assert disk_cache.cached("kernel.o", lambda: b"new code") == b"new code"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert target_name(another(THREE_PHASES, kind)), "compiled, without another warning"
    assert len(list(cache.iterdir())) == 1
