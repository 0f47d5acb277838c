"""The handlers of kernels, called with frames made here, as XLA makes them in its rarer states and on GPUs."""

import ctypes
import threading
from typing import Any

import jax
import numpy as np
import pytest

from irreps_llvm.runtime import DeviceKernel, Kernel, device_target_name, target_name
from irreps_llvm.runtime import _targets as targets
from irreps_llvm.runtime._compiler import FOR_KERNELS
from irreps_llvm.runtime._interface import running_interface
from irreps_llvm.runtime._targets import _registered

INTERFACE = running_interface()
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

# Adds 1 to each of 64 integers, one a chunk; the second phase doubles them.
IR = "\n".join(
    f"""
define i64 @chunks{phase}(ptr %frame) {{
  ret i64 64
}}
define void @phase{phase}(i64 %chunk, ptr %frame) {{
  %array = load ptr, ptr %frame
  %at = getelementptr i64, ptr %array, i64 %chunk
  %value = load i64, ptr %at
  %new = {change}
  store i64 %new, ptr %at
  ret void
}}"""
    for phase, change in enumerate(("add i64 %value, 1", "mul i64 %value, 2"))
)
KERNEL = Kernel(IR, phases=2, arguments=0, results=1)


class Memory:
    """Bytes at an address, with members at the offsets of the interface."""

    def __init__(self, struct: str) -> None:
        self.struct, self.bytes, self.kept = struct, ctypes.create_string_buffer(512), []

    @property
    def address(self) -> int:
        return ctypes.addressof(self.bytes)

    def set(self, member: str, value: Any) -> None:
        """Store a number, or the address of something that is kept alive."""
        self.kept.append(value)
        number = value.address if isinstance(value, Memory) else ctypes.cast(value, ctypes.c_void_p).value or 0
        ctypes.c_uint64.from_buffer(self.bytes, INTERFACE[f"{self.struct}.{member}"]).value = number


def member(address: int | None, name: str) -> int:
    """Read a member of a struct at an address."""
    return ctypes.c_uint64.from_address((address or 0) + INTERFACE[name]).value


class Pool:
    """An implementation of XLA's functions, with a pool of a given behaviour."""

    def __init__(self, behaviour: str, threads: int = 4) -> None:
        self.behaviour, self.threads = behaviour, threads
        self.late: list[tuple[Any, int]] = []
        self.running: list[threading.Thread] = []
        self.scheduled = self.destroyed = 0
        self.api = Memory("Api")
        self.api.set("ThreadPool_NumThreads", FUNCTION(self.number_of_threads))
        self.api.set("ThreadPool_Schedule", FUNCTION(self.schedule))
        self.api.set("Error_Destroy", FUNCTION(self.destroy))

    def number_of_threads(self, arguments: int) -> int | None:
        if self.behaviour == "none":
            return 1  # an error
        at = member(arguments, "ThreadPool_NumThreads_Args.num_threads")
        ctypes.c_int64.from_address(at).value = self.threads
        return None

    def schedule(self, arguments: int) -> int | None:
        self.scheduled += 1
        if self.behaviour == "refuses" or (self.behaviour == "refuses one" and self.scheduled % 3 == 2):
            return 1
        task = TASK(member(arguments, "ThreadPool_Schedule_Args.task"))
        data = member(arguments, "ThreadPool_Schedule_Args.data")
        if self.behaviour == "at once":
            task(data)
        elif self.behaviour == "late":
            self.late.append((task, data))
        else:
            self.running.append(threading.Thread(target=task, args=(data,)))
            self.running[-1].start()
        return None

    def destroy(self, arguments: int) -> None:
        assert member(arguments, "Error_Destroy_Args.error") == 1
        self.destroyed += 1


def call(pool: Pool, stage: str = "EXECUTE") -> np.ndarray:
    """Call the handler; return the integers that it has changed, which were 0, 1, ..."""
    data = np.arange(64, dtype=np.int64)
    buffer, frame = Memory("Buffer"), Memory("CallFrame")
    buffer.set("data", data.ctypes.data)
    frame.set("api", pool.api)
    frame.set("stage", INTERFACE[f"ExecutionStage_{stage}"])
    frame.set("rets.size", 1)
    frame.set("rets.rets", ctypes.pointer(ctypes.c_void_p(buffer.address)))
    assert FUNCTION(_registered[target_name(KERNEL)])(frame.address) is None
    return data


@pytest.mark.parametrize(
    ("behaviour", "threads", "scheduled", "destroyed"),
    [
        ("threads", 4, 6, 0),
        ("threads", 1000, 126, 0),
        ("at once", 4, 6, 0),
        ("late", 4, 6, 0),
        ("refuses", 4, 6, 6),
        ("refuses one", 4, 6, 2),
        ("none", 4, 0, 2),
        ("threads", 1, 0, 0),
        ("threads", 0, 0, 0),
    ],
)
def test_every_chunk_runs_once_whatever_the_pool_does(
    behaviour: str, threads: int, scheduled: int, destroyed: int
) -> None:
    pool = Pool(behaviour, threads)
    np.testing.assert_array_equal(call(pool), 2 * (np.arange(64) + 1))
    assert pool.scheduled == scheduled
    assert pool.destroyed == destroyed
    for task, data in pool.late:  # after the call, when its frame is gone
        task(data)
    for thread in pool.running:
        thread.join()


@pytest.mark.parametrize("stage", ["INSTANTIATE", "PREPARE", "INITIALIZE"])
def test_other_stages_do_nothing(stage: str) -> None:
    np.testing.assert_array_equal(call(Pool("at once"), stage), np.arange(64))


# Two phases of seven and of no chunks.
COUNTING = "define i64 @chunks0(ptr %f) {\n  ret i64 7\n}\ndefine i64 @chunks1(ptr %f) {\n  ret i64 0\n}\n"
ON_DEVICE = "\n".join(
    f"define ptx_kernel void @phase{n}(ptr addrspace(1) %a, ptr addrspace(1) %b, i64 %size) {{\n  ret void\n}}"
    for n in range(2)
)
DEVICE_KERNEL = DeviceKernel(COUNTING, ON_DEVICE, threads=(64, 32), arguments=1, results=1, attributes=("size",))
LAUNCH = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *[ctypes.c_uint] * 7, *[ctypes.c_void_p] * 3)


class Recorder:
    """A driver that notes what it is asked to launch, and refuses or does nothing."""

    def __init__(self, status: int = 0) -> None:
        self.symbol, self.status, self.launches = f"test_launch_{status}", status, []
        self.function = LAUNCH(self.launched)
        self.launch = ctypes.cast(self.function, ctypes.c_void_p).value or 0

    def load(self, code: str, names: list[str]) -> list[int]:
        assert all(f".entry {name}(" in code for name in names)
        return [1000 + n for n in range(len(names))]

    def launched(self, kernel: int, *arguments: Any) -> int:
        stream, parameters = arguments[7:9]
        places = (ctypes.c_uint64 * 3).from_address(parameters)
        values = [ctypes.c_uint64.from_address(place).value for place in places]
        self.launches.append((kernel, arguments[:7], stream, values))
        return self.status


class Interface:
    """XLA's functions that a launch calls."""

    def __init__(self, *, streams: bool = True) -> None:
        self.streams, self.messages = streams, []
        self.api = Memory("Api")
        self.api.set("Stream_Get", FUNCTION(self.stream))
        self.api.set("Error_Create", FUNCTION(self.error))

    def stream(self, arguments: int) -> int | None:
        ctypes.c_uint64.from_address(arguments + INTERFACE["Stream_Get_Args.stream"]).value = 77
        return None if self.streams else 5

    def error(self, arguments: int) -> int:
        self.messages.append(ctypes.string_at(member(arguments, "Error_Create_Args.message")).decode())
        return 6


def launch(driver: Recorder, xla: Interface) -> tuple[int | None, list[int]]:
    """Call the handler of the kernel above; return its error, and the parameters that a launch has to get."""
    frame, scalar = Memory("CallFrame"), Memory("Scalar")
    buffers = [Memory("Buffer"), Memory("Buffer")]
    for n, buffer in enumerate(buffers):
        buffer.set("data", 4096 + n)
    size, dtype = ctypes.c_int64(9), INTERFACE["DataType_S64"]
    ctypes.c_int32.from_buffer(scalar.bytes, INTERFACE["Scalar.dtype"]).value = dtype
    scalar.set("value", ctypes.pointer(size))
    frame.set("api", xla.api)
    frame.set("stage", INTERFACE["ExecutionStage_EXECUTE"])
    for name, of, each in (("args", "args", buffers[0]), ("rets", "rets", buffers[1]), ("attrs", "attrs", scalar)):
        frame.set(f"{name}.size", 1)
        frame.set(f"{name}.{of}", ctypes.pointer(ctypes.c_void_p(each.address)))
    frame.set("attrs.types", ctypes.pointer(ctypes.c_int32(INTERFACE["AttrType_SCALAR"])))
    return FUNCTION(_registered[device_target_name(DEVICE_KERNEL, driver)])(frame.address), [4096, 4097, 9]


def test_a_kernel_for_gpus_is_launched_on_the_stream_of_xla_with_the_parameters_of_the_call() -> None:
    driver, xla = Recorder(), Interface()
    error, parameters = launch(driver, xla)
    assert error is None
    # The second phase has no chunks; a grid without blocks would be an error.
    assert driver.launches == [(1000, (7, 1, 1, 64, 1, 1, 0), 77, parameters)]
    assert xla.messages == []


def test_errors_of_the_driver_and_of_xla_reach_the_caller() -> None:
    refusing, xla = Recorder(status=700), Interface()
    assert launch(refusing, xla)[0] == 6
    assert "refuses to launch" in xla.messages[0]
    without_stream = Interface(streams=False)
    assert launch(refusing, without_stream)[0] == 5
    assert len(refusing.launches) == 1


LEVELS = targets._levels  # which conftest.py replaces


@pytest.mark.parametrize(("little", "expected"), [(True, (0, 0)), (False, FOR_KERNELS)])
def test_jax_says_how_much_to_optimize(little: bool, expected: tuple[int, int]) -> None:
    before = jax.config.read("jax_disable_most_optimizations")
    try:
        jax.config.update("jax_disable_most_optimizations", little)
        assert LEVELS() == expected
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
