"""No kernel is trusted on a device where it has not run: it first repeats a computation whose result is known.

A kernel is tried once on each device. What it computes must be what it should, and twice the same, bit by bit: a
missing barrier can show as numbers that change.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from ._locks import fork_safe_lock

# Allowed differences, relative to the largest number of an array.
TOLERANCES = {"bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-12}

# By device and kernel, the reason not to trust it, or None.
_verdicts: dict[tuple[str, str], str | None] = {}
_lock = fork_safe_lock()


def verdict(
    device: str,
    kernel: str,
    compute: Callable[[], Sequence[np.ndarray]],
    expected: Callable[[], Sequence[np.ndarray]],
) -> str | None:
    """Return the reason not to trust a kernel on a device, in words; None if it has proven itself there.

    The first call for a device and a kernel tries it, later calls repeat the answer.

    Args:
        device: name of the device.
        kernel: name of the kernel, which all that can change its numbers determines.
        compute: runs the kernel on the device.
        expected: returns the right results.

    Example:
        >>> ones = lambda: [np.ones(3)]
        >>> verdict("a device", "right", ones, ones) is None
        True
        >>> verdict("a device", "wrong", lambda: [np.zeros(3)], ones)
        'the kernel computes wrong numbers on a device: result 0 is off by 1.0e+00 of its largest number'
    """
    with _lock:
        if (device, kernel) not in _verdicts:
            fault = _in_a_thread(lambda: _fault(compute, expected))
            _verdicts[device, kernel] = None if fault is None else f"the kernel {fault[0]} on {device}: {fault[1]}"
        return _verdicts[device, kernel]


def _fault(
    compute: Callable[[], Sequence[np.ndarray]], expected: Callable[[], Sequence[np.ndarray]]
) -> tuple[str, str] | None:
    first, second, right = compute(), compute(), expected()
    for n, (a, b, wanted) in enumerate(zip(first, second, right, strict=True)):
        if a.shape != wanted.shape or a.dtype != wanted.dtype:
            found = f"{a.dtype}{a.shape}, not {wanted.dtype}{wanted.shape}"
            return "returns something else", f"result {n} is {found}"
        if a.tobytes() != b.tobytes():
            return "computes other numbers each time", f"result {n} differs"
        exact = wanted.astype(np.float64)
        largest = np.abs(exact).max(initial=1e-30)
        error = np.abs(a.astype(np.float64) - exact).max(initial=0.0) / largest
        if not error <= TOLERANCES[str(wanted.dtype)]:  # also where it is not a number
            return "computes wrong numbers", f"result {n} is off by {error:.1e} of its largest number"
    return None


def _in_a_thread(work: Callable[[], tuple[str, str] | None]) -> tuple[str, str] | None:
    """Call a function in a thread of its own: the caller may be tracing, or have another default device."""
    results: list[tuple[str, str] | None] = [("cannot be tried", "the trial did not finish")]

    def target() -> None:
        try:
            results[:] = [work()]
        except Exception as error:  # of LLVM, the driver or JAX, which may refuse for any reason
            results[:] = [("fails", str(error))]

    try:
        thread = threading.Thread(target=target, name="irreps_llvm trial", daemon=True)
        thread.start()
        thread.join()
    except RuntimeError as error:  # no more threads, at the end of a process for instance
        return "cannot be tried", str(error)
    return results[0]
