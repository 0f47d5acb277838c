"""Whether machine code can be used in this process."""

import functools
import struct
import threading
import warnings

import numpy as np

from ._interface import running_interface
from ._kernel import Kernel
from ._locks import fork_safe_lock
from ._machine import host_machine, load_llvm
from ._targets import target_name

# Not the lock of the compiler, which the thread of the trial acquires.
_lock = fork_safe_lock()

# Adds one to each of its numbers.
_TRIAL = Kernel(
    """
define i64 @chunks0(ptr %frame) {
  %number.at = getelementptr i64, ptr %frame, i64 2
  %number = load i64, ptr %number.at
  ret i64 %number
}
define void @phase0(i64 %chunk, ptr %frame) {
  %in = load ptr, ptr %frame
  %out.at = getelementptr ptr, ptr %frame, i64 1
  %out = load ptr, ptr %out.at
  %from = getelementptr i32, ptr %in, i64 %chunk
  %to = getelementptr i32, ptr %out, i64 %chunk
  %value = load i32, ptr %from
  %more = add i32 %value, 1
  store i32 %more, ptr %to
  ret void
}
""",
    phases=1,
    arguments=1,
    results=1,
    attributes=("number",),
)


def unavailable() -> str | None:
    """Return the reason why machine code cannot be used in this process, in words; None if it can.

    The first call compiles and runs a trial kernel; later calls repeat its answer. A reason is also given once as a
    RuntimeWarning.

    Example:
        >>> unavailable() in (None, unavailable())
        True
    """
    with _lock:
        first = not _reason.cache_info().currsize
        reason = _reason()
    if reason is not None and first:
        warnings.warn(f"irreps_llvm is not used: {reason}", RuntimeWarning, stacklevel=2)
    return reason


@functools.cache
def _reason() -> str | None:
    if struct.calcsize("P") != 8:
        return "it needs a 64-bit Python"
    try:
        llvm = load_llvm()
    except Exception as error:  # a damaged library can fail in any way
        return f"llvmlite cannot be imported ({error}); install it with `pip install llvmlite>=0.45`"
    try:
        llvm.check_jit_execution()
    except OSError as error:
        return f"this system does not let a program execute code that it compiles ({error})"
    try:
        machine = host_machine()
        if not machine.vector_bytes:
            return (
                f"no kernels are generated for the processor {machine.cpu} ({machine.triple}); it needs AVX2 and FMA, "
                "AVX-512, or NEON"
            )
        running_interface()
    except Exception as error:
        return str(error)
    return _trial_failure()


def _trial_failure() -> str | None:
    """Run the trial kernel, in a thread of its own: the caller may be tracing, or have another default device."""
    failures: list[str] = ["the trial kernel did not finish"]

    def work() -> None:
        try:
            failures[:] = [] if _trial_is_right() else ["the trial kernel computed wrong numbers"]
        except Exception as error:  # of LLVM or JAX, which may refuse for any reason
            failures[:] = [f"the trial kernel failed: {error}"]

    try:
        thread = threading.Thread(target=work, name="irreps_llvm trial", daemon=True)
        thread.start()
        thread.join()
    except RuntimeError as error:  # no more threads, at the end of a process for instance
        failures[:] = [f"the trial kernel cannot be run: {error}"]
    return failures[0] if failures else None


def _trial_is_right() -> bool:
    # The other chapters do not need JAX.
    import jax

    given = np.arange(5, dtype=np.int32)
    call = jax.ffi.ffi_call(target_name(_TRIAL), jax.ShapeDtypeStruct(given.shape, given.dtype))
    device = jax.local_devices(backend="cpu")[0]
    result = jax.jit(lambda x: call(x, number=np.int64(given.size)))(jax.device_put(given, device))
    return bool((np.asarray(jax.device_get(result)) == given + 1).all())
