"""NVIDIA's driver library, which every machine with an NVIDIA GPU has: loads kernels and launches them."""

import ctypes
import functools
import sys
from typing import Any, Protocol

_NAMES = {"win32": "nvcuda.dll"}


class DriverError(ValueError):
    """The driver is missing, too old, or refuses a kernel."""


class Driver(Protocol):
    """What the runtime needs of a driver.

    Attributes:
        symbol: a name for its function ``cuLaunchKernel`` in generated code; each driver has its own.
        launch: the address of that function.
    """

    symbol: str
    launch: int

    def load(self, code: str, names: list[str]) -> list[int]:
        """Load PTX for all devices and for ever; return the handles of the kernels of some names.

        Raises:
            DriverError: the driver refuses it.
        """
        ...


class NvidiaDriver:
    """The driver of this machine.

    Raises:
        DriverError: there is none, or it is older than CUDA 12.
    """

    symbol = "irreps_cuLaunchKernel"

    def __init__(self) -> None:
        name = _NAMES.get(sys.platform, "libcuda.so.1")
        try:
            self._library: Any = ctypes.CDLL(name)
            self.launch = ctypes.cast(self._library.cuLaunchKernel, ctypes.c_void_p).value or 0
            functions = [self._library.cuLibraryLoadData, self._library.cuLibraryGetKernel]
        except (OSError, AttributeError) as error:
            raise DriverError(f"the NVIDIA driver for CUDA 12 or newer is not installed ({error})") from error
        for function in functions:
            function.restype = ctypes.c_int
        self._check(self._library.cuInit(0), "is not ready")

    def load(self, code: str, names: list[str]) -> list[int]:
        """See :class:`Driver`."""
        library, none, zero = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint(0)
        text = ctypes.c_char_p(code.encode())
        status = self._library.cuLibraryLoadData(ctypes.byref(library), text, none, none, zero, none, none, zero)
        self._check(status, "refuses the code of a kernel")
        handles = []
        for name in names:
            # A kernel of a library runs on every device: a launch takes the context of its stream.
            kernel = ctypes.c_void_p()
            status = self._library.cuLibraryGetKernel(ctypes.byref(kernel), library, name.encode())
            self._check(status, f"does not find the kernel {name}")
            handles.append(kernel.value or 0)
        return handles

    def _check(self, status: int, what: str) -> None:
        if status:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(ctypes.c_int(status), ctypes.byref(text))
            reason = text.value.decode() if text.value else f"error {status}"
            raise DriverError(f"the NVIDIA driver {what}: {reason}")


@functools.cache
def driver() -> Driver:
    """Return the driver of this machine.

    Raises:
        DriverError: there is none, or it is older than CUDA 12.
    """
    return NvidiaDriver()
