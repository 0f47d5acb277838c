"""The processor that kernels are compiled for."""

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Machine:
    """A processor: its names in LLVM, and its vector registers.

    Attributes:
        triple: architecture, vendor and system, such as ``"x86_64-unknown-linux-gnu"``.
        cpu: LLVM's name of the processor.
        features: LLVM's list of its features, such as ``"+avx2,-avx512f"``.
        vector_bytes: bytes of a vector register: 64 (AVX-512), 32 (AVX2 with FMA) or 16 (NEON); 0 for a processor for
            which no kernels are generated.
        vector_registers: number of vector registers.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    vector_registers: int


def vectors(triple: str, features: Collection[str]) -> tuple[int, int]:
    """Return size in bytes and number of the vector registers with fused multiply-add; zeros if there are none.

    Args:
        triple: the target triple.
        features: the features that the processor has.

    Example:
        >>> vectors("x86_64-unknown-linux-gnu", {"avx2", "fma"})
        (32, 16)
        >>> vectors("riscv64-unknown-linux-gnu", {"v"})
        (0, 0)
    """
    architecture = triple.split("-")[0]
    if architecture in ("aarch64", "arm64"):
        return 16, 32
    if architecture == "x86_64" and {"avx512f", "avx512vl", "avx512dq", "avx512bw", "fma"} <= set(features):
        return 64, 32
    if architecture == "x86_64" and {"avx2", "fma"} <= set(features):
        return 32, 16
    return 0, 0


@functools.cache
def load_llvm() -> Any:
    """Return ``llvmlite.binding``, ready to compile for any processor.

    Raises:
        ImportError: llvmlite is not installed, or its library does not load.
    """
    # Loading LLVM takes long and a lot of memory; those who do not compile are spared it.
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


@functools.cache
def host_machine() -> Machine:
    """Return the machine that this process runs on.

    Raises:
        ImportError: llvmlite is not installed, or its library does not load.

    Example:
        >>> host_machine().vector_bytes in (0, 16, 32, 64)
        True
    """
    llvm = load_llvm()
    triple = llvm.get_process_triple()
    # macOS adds its version to the triple; kernels do not depend on it.
    triple = re.sub(r"(darwin|macosx)[\d.]+", r"\1", triple)
    try:
        found = dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM does not know how to ask on some systems; the name of the processor implies features
        found = {}
    features = ",".join(f"{'+' if present else '-'}{name}" for name, present in sorted(found.items()))
    size, number = vectors(triple, {name for name, present in found.items() if present})
    return Machine(triple, llvm.get_host_cpu_name(), features, size, number)
