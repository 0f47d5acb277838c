"""The executor ``llvm``."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute import Contraction, Polynomial, Views

from . import _gpu_executor
from .generator import CHUNKS_THAT_SCATTER, Generated, Registers, generate, needs_little_memory, operations, visits
from .generator._sizes import sizes_of
from .machine._llvm_text import llvm_text
from .program import Program, printed
from .runtime import Kernel, host_machine, target_name, unavailable

_STORED = ("bfloat16", "float32", "float64")


# Where each chunk has its own sums for all rows of an output, they may take this many bytes, or as many as all arrays.
_SCATTERED_BYTES = 64 << 20


class _Key(NamedTuple):
    """What the program of a contraction depends on; the arguments of :func:`generate`."""

    polynomial: Polynomial
    views: Views
    dtype: str
    registers: Registers
    scatter: bool


@cached(maxsize=256)
def generated(key: _Key) -> Generated:
    """Return the program of a contraction.

    Raises:
        ValueError: an element of the batch needs too much memory.
    """
    return generate(key.polynomial, key.dtype, key.registers, views=key.views, scatter=key.scatter)


@cached(maxsize=256)
def _kernel(key: _Key) -> Kernel:
    return kernel_of(generated(key).program, key.registers)


def kernel_of(program: Program, registers: Registers) -> Kernel:
    """Return the machine code of a program, as LLVM IR."""
    return Kernel(
        llvm_text(program, registers.bytes),
        len(program.phases),
        len(program.arguments),
        len(program.results),
        tuple(sorted(program.sizes)),
    )


_MOST_TERMS = 10_000  # which take about three seconds to compile
_LARGEST = 2**31 - 2**16


# Throughput on two cores with AVX-512, in float32. Measured with the workloads of ``benchmarks/compute_core.py``.
_MATRIX_PER_NS = 100  # `conv`: multiply-adds of matrix products
_PLAIN_MATRIX_PER_NS = 60  # `linear`: of nothing else
# XLA needs no time to compile a matrix product, LLVM tenths of a second: this has to be saved in each call.
_PLAIN_MATRIX_NS = 2_000_000
_MOSTLY_MATRIX = 16  # `linear`, `conv`: multiply-adds of matrix products for each one over lanes
_LOOPED_MATRIX_PER_NS = 25  # `connected`: of many small ones
_LANES_PER_NS = 60  # `uvu`, `sym`: multiply-adds over lanes
_BYTES_PER_NS = 10
_CALL_NS = 2_000


def scatters(contraction: Contraction) -> bool:
    """Tell whether there is memory enough to visit the batch once, see :class:`Generator`."""
    outputs = [o for o in contraction.polynomial.outputs if o.index is not None]
    private = CHUNKS_THAT_SCATTER * sum(math.prod(contraction.shape(o)) for o in outputs) * contraction.dtype.itemsize
    return private <= max(_SCATTERED_BYTES, sum(contraction.bytes()))


def _registers() -> Registers:
    machine = host_machine()
    return Registers(machine.vector_bytes, machine.vector_registers)


def key_of(contraction: Contraction, views: Views | None = None) -> _Key:
    """Return what the program of a contraction depends on."""
    views = Views.of_whole_arrays(contraction.polynomial) if views is None else views
    return _Key(contraction.polynomial, views, str(contraction.dtype), _registers(), scatters(contraction))


class LlvmExecutor:
    """Computes contractions with machine code: on CPUs, and on NVIDIA GPUs where that is asked for."""

    name = "llvm"
    irreps_api = 1
    takes_whole_batches = True

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason why it cannot compute this, in words; None if it can."""
        if contraction.platform not in (None, "cpu", "cuda"):
            return f"it computes on CPUs and NVIDIA GPUs, not on {contraction.platform}"
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
        terms = sum(len(path.coefficients) for path in contraction.polynomial.paths)
        if terms > _MOST_TERMS:
            return f"it writes out each term, and {terms} would take long to compile; it takes at most {_MOST_TERMS}"
        if max(contraction.batch, *(rows for _, rows in contraction.sizes), 0) >= _LARGEST:
            return f"it counts elements and rows in 32 bits, so it takes less than {_LARGEST} of each"
        if contraction.platform == "cuda":
            return _gpu_executor.why_not(contraction)
        if needs_little_memory(contraction.polynomial, contraction.dtype.itemsize, _registers()):
            return None
        try:
            visits(contraction.polynomial, contraction.dtype.itemsize, _registers(), scatters(contraction))
        except ValueError as error:
            return str(error)
        return None

    def cost(self, contraction: Contraction) -> float:
        """Return an estimate of the run time in nanoseconds."""
        if contraction.platform == "cuda":
            return float("inf")  # nothing has been measured there: on request only
        work = operations(contraction.polynomial)
        # Matrix products and little else are XLA's business, unless there is much of them.
        plain = work.matrix >= _MOSTLY_MATRIX * work.lanes
        matrix_per_ns = _PLAIN_MATRIX_PER_NS if plain else _MATRIX_PER_NS
        each = work.matrix / matrix_per_ns + work.looped_matrix / _LOOPED_MATRIX_PER_NS + work.lanes / _LANES_PER_NS
        return (
            (_PLAIN_MATRIX_NS if plain else _CALL_NS)
            + contraction.batch * each * contraction.dtype.itemsize / 4
            + sum(contraction.bytes()) / _BYTES_PER_NS
        )

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`irreps_ops.compute.Executor`."""
        return self.run_on_views(contraction, Views.of_whole_arrays(contraction.polynomial), inputs, indices)

    def run_on_views(
        self,
        contraction: Contraction,
        views: Views,
        arrays: Sequence[jax.Array],
        indices: Mapping[str, jax.Array],
    ) -> list[jax.Array]:
        """See :class:`irreps_ops.compute.ViewsExecutor`."""
        polynomial = contraction.polynomial
        rows = dict(contraction.sizes)
        in_int32 = [_int32(indices[name], rows[name]) for name in polynomial.indices]
        if contraction.platform == "cuda":
            inputs = views.read(polynomial, arrays)
            return views.write(contraction, _gpu_executor.run(contraction, inputs, in_int32))
        key = key_of(contraction, views)
        code, kernel = generated(key), _kernel(key)
        sizes = sizes_of(contraction)
        outputs = views.output_types(contraction)
        work = [
            jax.ShapeDtypeStruct(
                (w.length(sizes),), contraction.dtype if w.element == "float" else jnp.dtype(w.element)
            )
            for w in code.workspaces
        ]
        call = jax.ffi.ffi_call(target_name(kernel), [*outputs, *work])
        attributes = {name: np.int64(sizes[name]) for name in code.program.sizes}
        return list(call(*arrays, *in_int32, **attributes))[: len(outputs)]

    def explain(self, contraction: Contraction, *, details: bool = False) -> str:
        """Return the loops of the program, as text.

        Args:
            contraction: the contraction.
            details: print every instruction.
        """
        if contraction.platform == "cuda":
            on_device = _gpu_executor.device_code_of(contraction.polynomial, str(contraction.dtype))
            return printed(on_device.program, details=details)
        code = generated(key_of(contraction))
        return printed(code.program, details=details)


def _int32(index: jax.Array, rows: int) -> jax.Array:
    """Return an index as int32; entries out of range stay out of range."""
    if index.dtype == jnp.int32:
        return index
    with jax.numpy_dtype_promotion("standard"):  # explicit, whatever the user allows
        wide = jnp.promote_types(index.dtype, jnp.int32)
    return jnp.clip(index.astype(wide), -1, rows).astype(jnp.int32)


EXECUTOR = LlvmExecutor()
"""The executor that irreps_ops finds as ``llvm``."""
