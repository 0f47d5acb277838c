"""The executor ``llvm``."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute import Contraction, Polynomial

from .generator import Generated, Generator, Registers, size_name
from .machine._llvm_text import llvm_text
from .program import Program, printed
from .runtime import Kernel, host_machine, target_name, unavailable

_STORED = ("bfloat16", "float32", "float64")


@cached(maxsize=256)
def generated(polynomial: Polynomial, dtype: str, registers: Registers) -> Generated:
    """Return the program of a polynomial.

    Raises:
        ValueError: an element of the batch needs too much memory.
    """
    return Generator(polynomial, dtype, registers).generate()


@cached(maxsize=256)
def _kernel(polynomial: Polynomial, dtype: str, registers: Registers) -> Kernel:
    program = generated(polynomial, dtype, registers).program
    return kernel_of(program, registers)


def kernel_of(program: Program, registers: Registers) -> Kernel:
    """Return the machine code of a program, as LLVM IR."""
    return Kernel(
        llvm_text(program, registers.bytes),
        len(program.phases),
        len(program.arguments),
        len(program.results),
        tuple(sorted(program.sizes)),
    )


def sizes_of(contraction: Contraction) -> dict[str, int]:
    """Return the sizes that the program of a contraction is called with."""
    rows = dict(contraction.sizes)
    names = contraction.polynomial.indices
    return {"batch": contraction.batch, **{size_name(n): rows[name] for n, name in enumerate(names)}}


def _registers() -> Registers:
    machine = host_machine()
    return Registers(machine.vector_bytes, machine.vector_registers)


class LlvmExecutor:
    """Computes contractions with machine code, on CPUs."""

    name = "llvm"
    irreps_api = 1

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason why it cannot compute this, in words; None if it can."""
        if contraction.platform not in (None, "cpu"):
            return f"it computes on CPUs, not on {contraction.platform}"
        if contraction.exported:
            return "an exported program would need this process's machine code where it is loaded"
        if (reason := unavailable()) is not None:
            return reason
        operands = (*contraction.polynomial.inputs, *contraction.polynomial.outputs)
        dtypes = {str(contraction.dtype_of(operand)) for operand in operands}
        if str(contraction.dtype) not in ("float32", "float64"):
            return f"it computes in float32 and float64, not in {contraction.dtype}"
        if unknown := sorted(dtypes - set(_STORED)):
            return f"it reads and writes {', '.join(_STORED)}, not {', '.join(unknown)}"
        try:
            generated(contraction.polynomial, str(contraction.dtype), _registers())
        except ValueError as error:
            return str(error)
        return None

    def fuses_graphs(self, platform: str) -> bool:
        """Tell whether it computes convolutions over whole graphs on a platform."""
        return platform == "cpu" and unavailable() is None

    def cost(self, contraction: Contraction) -> float:
        """Return an estimate of the run time in nanoseconds."""
        return contraction.multiply_adds() / 1e3

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`irreps_ops.compute.Executor`."""
        polynomial = contraction.polynomial
        if contraction.batch >= 2**31:
            raise ValueError(f"executor 'llvm' expects a batch of less than 2**31 elements, got {contraction.batch}")
        registers, dtype = _registers(), str(contraction.dtype)
        code, kernel = generated(polynomial, dtype, registers), _kernel(polynomial, dtype, registers)
        sizes = sizes_of(contraction)
        outputs = contraction.output_types()
        work = [
            jax.ShapeDtypeStruct(
                (w.length(sizes),), contraction.dtype if w.element == "float" else jnp.dtype(w.element)
            )
            for w in code.workspaces
        ]
        rows = dict(contraction.sizes)
        in_int32 = [_int32(indices[name], rows[name]) for name in polynomial.indices]
        call = jax.ffi.ffi_call(target_name(kernel), [*outputs, *work])
        attributes = {name: np.int64(sizes[name]) for name in code.program.sizes}
        found = list(call(*inputs, *in_int32, **attributes))[: len(outputs)]
        reached = polynomial.reached()
        return [y if yes else jnp.zeros_like(y) for y, yes in zip(found, reached, strict=True)]

    def explain(self, contraction: Contraction, *, details: bool = False) -> str:
        """Return the loops of the program, as text.

        Args:
            contraction: the contraction.
            details: print every instruction.
        """
        code = generated(contraction.polynomial, str(contraction.dtype), _registers())
        return printed(code.program, details=details)


def _int32(index: jax.Array, rows: int) -> jax.Array:
    """Return an index as int32; entries out of range stay out of range."""
    if index.dtype == jnp.int32:
        return index
    wide = jnp.promote_types(index.dtype, jnp.int32)
    return jnp.clip(index.astype(wide), -1, min(rows, math.inf)).astype(jnp.int32)


EXECUTOR = LlvmExecutor()
