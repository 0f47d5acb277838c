"""The unit of compilation: LLVM IR, and the call that it expects."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """LLVM IR of the phases of a program, and the call that it expects.

    For each n < `phases` the text contains ``define i64 @chunks{n}(ptr %frame)``, which returns the number of chunks,
    and ``define void @phase{n}(i64 %chunk, ptr %frame)``, which computes one. The chunks of a phase run in any order
    and at the same time; a phase starts when the one before it is complete.

    ``%frame`` points to entries of 8 bytes: the data pointers of the arguments, then those of the results, then the
    values of the attributes.

    Attributes:
        ir: text of an LLVM module, without target triple and data layout.
        phases: number of phases, at least 1.
        arguments: number of argument buffers.
        results: number of result buffers.
        attributes: names of the int64 scalar attributes, sorted.

    Raises:
        ValueError: a number is out of range, or the names are not sorted or not unique.
    """

    ir: str
    phases: int
    arguments: int
    results: int
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.phases < 1 or self.arguments < 0 or self.results < 0:
            counts = f"phases={self.phases}, arguments={self.arguments}, results={self.results}"
            raise ValueError(f"expected at least 1 phase, and no negative number, received {counts}")
        if list(self.attributes) != sorted(set(self.attributes)):
            raise ValueError(f"expected sorted, unique names of attributes, received {self.attributes}: sort them")


@dataclass(frozen=True)
class DeviceKernel:
    """LLVM IR of the phases of a program for NVIDIA GPUs, and the call that it expects.

    For each phase n, `counting` contains ``define i64 @chunks{n}(ptr %frame)``, see :class:`Kernel`, and `ir` the
    kernel ``phase{n}``, whose parameters are the entries of the frame. Each of its blocks computes one chunk.

    Attributes:
        counting: text of an LLVM module for the CPU.
        ir: text of an LLVM module for the GPU.
        threads: for each phase the number of threads of a block.
        arguments: number of argument buffers.
        results: number of result buffers.
        attributes: names of the int64 scalar attributes, sorted.
    """

    counting: str
    ir: str
    threads: tuple[int, ...]
    arguments: int
    results: int
    attributes: tuple[str, ...] = ()
